"""What differs between the judgement in saved results and today's, in a few lines of text."""

from collections.abc import Iterator
from typing import Final

from prober.records import DomainReport, Finding, Standing
from prober.report.answer import LABELS
from prober.report.words import counted, name_of
from prober.version import __version__

_OPEN: Final = (Standing.FALLS_SHORT, Standing.UNDECIDED)
_MAX_LINES: Final = 1_000
_MAX_VERSIONS: Final = 10
_MAX_VERSION: Final = 50  # characters
_MAX_NAME: Final = 255


class Rejudged:
    """Compares records with what today's rules make of them, one record at a time.

    A standing is compared only where the requirement is the same: else it differs for that alone.
    """

    def __init__(self) -> None:
        self._records = 0
        self._versions: dict[str, None] = {}
        self._lines: list[str] = []
        self._differing = 0
        self._by_findings = 0
        self._not_compared = 0

    def note(self, then: DomainReport, now: DomainReport) -> None:
        """Count the record *then*, and *now*, which has its standing."""
        self._records += 1
        if len(self._versions) < _MAX_VERSIONS:
            self._versions[then.run.version[:_MAX_VERSION]] = None
        comparable = then.requirement == now.requirement
        self._not_compared += not comparable
        new, gone = _codes(now, then), _codes(then, now)
        is_same_standing = then.standing is now.standing or not comparable
        if then.verdict.level is now.verdict.level and is_same_standing:
            self._by_findings += bool(new or gone)
            return
        self._differing += 1
        if len(self._lines) < _MAX_LINES:
            was, is_ = (_judgement(each, with_standing=comparable) for each in (then, now))
            parts = [f"was {was}", f"is {is_}"]
            parts += [f"{label}: {codes}" for label, codes in _changes(new, gone) if codes]
            if then.accepted is not None and now.accepted is None and now.standing in _OPEN:
                by = then.accepted.by[:_MAX_NAME]
                parts.append(f"the exception by {by} no longer covers it")
            self._lines.append(f"{name_of(now)[:_MAX_NAME]}: {'; '.join(parts)}")

    def lines(self) -> Iterator[str]:
        """How many records there are, who wrote them, and which domains are judged differently."""
        results, versions = counted(self._records, "result"), " and ".join(self._versions)
        counts = "; ".join(self._counts())
        yield f"{results} of probe {versions} judged again by probe {__version__}: {counts}"
        yield from self._lines
        if self._differing > len(self._lines):
            yield f"and {self._differing - len(self._lines)} more"

    def _counts(self) -> Iterator[str]:
        if self._differing:
            yield f"level or standing differs for {self._differing}"
        if self._by_findings:
            yield f"only the findings differ for {self._by_findings}"
        if not self._differing and not self._by_findings:
            yield "nothing differs"
        if self._not_compared:
            whose = "its standing was" if self._not_compared == 1 else "their standing was"
            yield f"{self._not_compared} had another requirement or none: {whose} not compared"


def _judgement(report: DomainReport, *, with_standing: bool) -> str:
    if not with_standing or report.standing is None:
        return str(report.verdict.level)
    return f"{report.verdict.level}, {LABELS[report.standing]}"


def _changes(new: str, gone: str) -> tuple[tuple[str, str], ...]:
    return ("new", new), ("no longer", gone)


def _codes(in_this: DomainReport, not_in: DomainReport) -> str:
    """The codes of the findings that only one of the two reports has."""
    others = {_place(each) for each in not_in.findings}
    codes = (each.code for each in in_this.findings if _place(each) not in others)
    return ", ".join(dict.fromkeys(codes))


def _place(finding: Finding) -> tuple[str, str | None, str | None]:
    return finding.code, finding.mx_host, finding.address
