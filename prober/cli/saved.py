"""Reading saved results: the options of the commands that do so, and the DNSSEC proofs."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prober.cli.distinct_files import Read
from prober.cli.options import option
from prober.cli.recording import record_files
from prober.domain_list import STDIN
from prober.errors import SettingsError
from prober.faults import judged
from prober.records import DomainReport
from prober.rules.certificate_fields import CertificateReader
from prober.rules.dane import claims_security
from prober.rules.verdict import facts_of

if TYPE_CHECKING:
    from prober.proofs import Proofs


def trust_anchor_option(panel: str) -> Any:
    """``--trust-anchor``, by which the DNSSEC proofs in saved results are validated."""
    help = "DS or DNSKEY records in zone-file form, instead of the root's keys."
    return option("--trust-anchor", metavar="FILE", help=help, panel=panel, show_default=False)


def read_saved(files: Sequence[str], db: str | None, trust_anchor: Path | None) -> Iterator[Read]:
    """The files that are read: results, the record, and the trust anchors.

    Raises SettingsError if neither files nor a record are named, or if stdin is named twice.
    """
    if files.count(STDIN) > 1:
        raise SettingsError("'-' twice: stdin can be read only once")
    if not files and db is None:
        raise SettingsError("name files of results, or a record with --db")
    yield from (Read(file, "a file of results") for file in files)
    yield from (Read(each.path, each.what) for each in record_files(db))
    if trust_anchor is not None:
        yield Read(str(trust_anchor), "the DNSSEC trust anchors")


class LazyProofs(contextlib.ExitStack):
    """Validates proofs with *trust_anchor*. ``Proofs`` is imported only when it is needed.

    *reader* remembers certificates. Raises SettingsError if the trust anchors cannot be read.
    """

    def __init__(self, trust_anchor: Path | None, reader: CertificateReader) -> None:
        super().__init__()
        self._trust_anchor = trust_anchor
        self._reader = reader
        self._proofs = None if trust_anchor is None else self._load()

    def judge(self, saved: DomainReport) -> DomainReport:
        """*saved*, judged again if it has a proof, since a proof supports only its facts."""
        return saved if saved.proof is None else judged(facts_of(saved), self._reader)

    def check(self, report: DomainReport) -> DomainReport:
        """*report*; if its proof does not support what it says, the report without that."""
        if report.proof is None and not claims_security(report):
            return report
        self._proofs = self._proofs or self._load()
        return self._proofs.check(report)

    def lines(self) -> Iterator[str]:
        """What was validated, and which domains have a proof that is not valid."""
        return iter(()) if self._proofs is None else self._proofs.lines()

    def _load(self) -> "Proofs":
        from prober.net.resolver import read_anchors
        from prober.proofs import Proofs

        judge = partial(judged, reader=self._reader)
        return self.enter_context(Proofs(read_anchors(self._trust_anchor), judge))
