"""``probe policy`` and DNSSEC proofs: a map rests on what the proofs in its results show."""

import asyncio
import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from prober.domains import parse_entry
from prober.lab.demo import DEMO_DEADLINES, mail_domain
from prober.lab.internet import Lab, LabTlsa
from prober.lab.personalities.sound import WellConfigured
from prober.policy.decide import Policy, PolicyLevel, assess
from prober.probe import probe_entry
from prober.records import DomainReport, TlsaRecord
from prober.report.json_ import encode_report
from prober.settings import Validation
from prober.store.database import open_store
from prober.vantage import Vantage
from tests.cli.commands import Ended, invoke
from tests.store.builders import record

SECURE = "secure match=nexthop:dot-nexthop"


@dataclass(frozen=True)
class Seen:
    """Two signed domains with DANE, one that is not signed, and the key of the root."""

    signed: DomainReport
    other: DomainReport
    plain: DomainReport
    anchor: str


@pytest.fixture(scope="module")
def seen() -> Seen:
    return asyncio.run(observe())


async def observe() -> Seen:
    with_dane = [mail_domain(name, WellConfigured()) for name in ("signed.test", "other.test")]
    domains = [replace(each, tlsa=LabTlsa.OF_GOOD, signed=True) for each in with_dane]
    domains.append(mail_domain("plain.test", WellConfigured()))
    async with Lab(domains, validating=False) as lab:
        settings = lab.settings(dnssec=Validation.LOCAL, proofs=True, **DEMO_DEADLINES)
        async with Vantage(settings) as vantage:
            signed, other, plain = [
                await probe_entry(parse_entry(each.name), vantage) for each in lab.domains
            ]
        assert lab.anchor_file is not None
        return Seen(signed, other, plain, lab.anchor_file.read_text())


def flipped(report: DomainReport, kind: str) -> DomainReport:
    """*report* with a changed bit in the last signature of its answer of the type *kind*."""
    assert report.proof is not None
    (at, *_), *_ = (each.answer for each in report.proof.replies if each.type == kind)
    rrsets = list(report.proof.rrsets)
    rrsets[at] = rrsets[at][:-1] + bytes([rrsets[at][-1] ^ 1])
    return replace(report, proof=replace(report.proof, rrsets=tuple(rrsets)))


def with_other_tlsa(report: DomainReport) -> DomainReport:
    """*report* with a TLSA record that its server does not match; it still says that it does."""
    record = TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes(32))
    hosts = tuple(replace(host, tlsa=(record,)) for host in report.mx_hosts)
    return replace(report, mx_hosts=hosts)


CHANGES: dict[str, Callable[[Seen], DomainReport]] = {
    "tlsa": lambda seen: flipped(seen.signed, "TLSA"),
    "mx": lambda seen: flipped(seen.signed, "MX"),
    "another-name": lambda seen: replace(seen.signed, proof=seen.other.proof),
}
# how each MTA gets the line with a valid proof, and without one
LINES = {
    "postfix": ("dane-only", SECURE),
    "exim": ("dane-only", "verify"),
    "opensmtpd": ("verify", "verify"),
    "csv": ("dane-only", SECURE),
}


def results_of(source: str, folder: Path, *reports: DomainReport) -> tuple[str, ...]:
    """The arguments that name a file of *reports*, or a record of them."""
    if source == "file":
        file = folder / "results.jsonl"
        file.write_bytes(b"".join(encode_report(each) + b"\n" for each in reports))
        return (str(file),)
    store = open_store(str(folder / "probe.db"))
    record(store, reports)
    store.close()
    return "--db", str(folder / "probe.db")


def mapped(
    seen: Seen, folder: Path, *reports: DomainReport, source: str = "file", options: tuple[str, ...]
) -> Ended:
    anchor = folder / "anchor"
    anchor.write_text(seen.anchor)
    read = results_of(source, folder, *reports)
    return invoke("policy", *read, "--trust-anchor", str(anchor), *options)


def level_of(kind: str, text: str) -> str:
    """What the map *text* requires of signed.test."""
    if kind == "opensmtpd":
        tables = text.partition("table tls_verify")[2].partition("table tls_encrypt")
        return "verify" if '"signed.test"' in tables[0] else "encrypt"
    if kind == "csv":
        row = next(
            each for each in csv.DictReader(text.splitlines()) if each["domain"] == "signed.test"
        )
        return (
            f"{row['policy']} match={row['match'].replace(' ', ':')}"
            if row["match"]
            else row["policy"]
        )
    (line,) = (each for each in text.splitlines() if each.startswith("signed.test"))
    return line.partition(" ")[2]


@pytest.mark.parametrize("source", ["file", "record"])
@pytest.mark.parametrize("kind", LINES)
def test_a_valid_proof_gives_the_line(kind: str, source: str, seen: Seen, tmp_path: Path) -> None:
    ended = mapped(seen, tmp_path, seen.signed, seen.plain, source=source, options=("--for", kind))
    assert level_of(kind, ended.out) == LINES[kind][0]
    assert "DNSSEC proofs validated again: 1 valid, 0 not valid" in ended.err
    assert "weaker line" not in ended.err


@pytest.mark.parametrize("source", ["file", "record"])
@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("change", CHANGES)
def test_no_line_rests_on_a_proof_that_is_not_valid(
    change: str, kind: str, source: str, seen: Seen, tmp_path: Path
) -> None:
    saved = CHANGES[change](seen)
    ended = mapped(seen, tmp_path, saved, source=source, options=("--for", kind))
    before, after = LINES[kind]
    assert level_of(kind, ended.out) == after
    assert "DNSSEC proofs validated again: 0 valid, 1 not valid" in ended.err
    assert "signed.test: the DNSSEC proof is not valid: " in ended.err
    if before != after:
        assert "1 domain has a weaker line or none: its DNSSEC proof is not valid" in ended.err
        assert f"signed.test: {after} instead of {before}" in ended.err
    else:
        assert "weaker line" not in ended.err


def test_a_live_line_stays_where_the_proof_is_not_valid(seen: Seen, tmp_path: Path) -> None:
    """What cannot be told loosens nothing, and is no loss of mail."""
    live = tmp_path / "live"
    live.write_text("signed.test dane-only\n")
    options = ("--for", "postfix", "--current", str(live), "--loosen-runs", "1")
    ended = mapped(seen, tmp_path, flipped(seen.signed, "TLSA"), options=options)
    assert (ended.status, level_of("postfix", ended.out)) == (0, "dane-only")


@pytest.mark.parametrize("source", ["file", "record"])
def test_a_proof_that_is_not_valid_adds_no_line(source: str, seen: Seen, tmp_path: Path) -> None:
    """TLSA records that do not match forbid a line, also where they are not proved."""
    saved = with_other_tlsa(seen.signed)
    assert Policy(level=PolicyLevel.DANE_ONLY) in assess(saved).offers  # as it is in the file
    ended = mapped(seen, tmp_path, saved, source=source, options=("--for", "postfix"))
    assert "signed.test: the DNSSEC proof is not valid: not proved: TLSA" in ended.err
    assert not any(line.startswith("signed.test") for line in ended.out.splitlines())


def test_one_run_without_a_valid_proof_is_a_run_without_dane(seen: Seen, tmp_path: Path) -> None:
    later = replace(
        flipped(seen.signed, "MX"), checked_at=seen.signed.checked_at + timedelta(days=1)
    )
    options = ("--for", "postfix", "--require-runs", "2")
    ended = mapped(seen, tmp_path, seen.signed, later, options=options)
    assert level_of("postfix", ended.out) == SECURE
    assert f"signed.test: {SECURE} instead of dane-only" in ended.err


def test_other_trust_anchors_prove_nothing(seen: Seen, tmp_path: Path) -> None:
    """Without --trust-anchor it is the keys of the root, which did not sign the lab's zones."""
    read = results_of("file", tmp_path, seen.signed)
    ended = invoke("policy", *read, "--for", "postfix")
    assert level_of("postfix", ended.out) == SECURE
    assert "0 valid, 1 not valid" in ended.err


@pytest.mark.parametrize("quiet", [False, True])
def test_results_without_a_proof_count_as_they_are_and_are_counted(
    quiet: bool, seen: Seen, tmp_path: Path
) -> None:
    options = ("--for", "postfix", *(["-q"] if quiet else []))
    ended = mapped(seen, tmp_path, replace(seen.signed, proof=None), seen.plain, options=options)
    assert level_of("postfix", ended.out) == "dane-only"
    assert ("without a DNSSEC proof: 1; what these results call secure" in ended.err) is not quiet
    assert "validated again: " not in ended.err


def test_the_trust_anchors_are_not_overwritten(seen: Seen, tmp_path: Path) -> None:
    options = ("--for", "postfix", "-o", str(tmp_path / "anchor"))
    ended = mapped(seen, tmp_path, seen.signed, options=options)
    assert ended.status == 2
    assert (tmp_path / "anchor").read_text() == seen.anchor
