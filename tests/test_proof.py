"""Proofs that DNSSEC was secure: they validate by themselves, and any change in them is found."""

import asyncio
import dataclasses
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dns.exception
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import sqlalchemy as sa

from prober.dnssec.anchors import Anchors, parse_anchors
from prober.dnssec.judgement import Reply, Work
from prober.dnssec.proof import _from_wire, _to_wire, check_proof
from prober.domains import parse_entry
from prober.faults import judged
from prober.lab.demo import DEMO_DEADLINES, mail_domain
from prober.lab.internet import Lab, LabTlsa
from prober.lab.personalities.sound import WellConfigured
from prober.lab.signed_zones import Key
from prober.lab.zone import parse_record
from prober.probe import probe_entry
from prober.proofs import (
    Answered,
    Proofs,
    answered,
    shows_addresses,
    shows_route,
    shows_tlsa,
    supported,
)
from prober.records import (
    Anomaly,
    AnomalyKind,
    Code,
    Dane,
    Dnssec,
    DnssecProof,
    DomainReport,
    Level,
    MxHost,
    Route,
    RouteStatus,
    TlsaRecord,
)
from prober.report.json_ import decode_report, encode_report
from prober.rules.certificate_fields import CertificateReader
from prober.rules.exit_status import SOME_INVALID, SOME_UNDECIDED
from prober.rules.verdict import facts_of
from prober.settings import Validation
from prober.store import schema
from prober.store.database import open_store
from prober.store.facts import RRSET
from prober.vantage import Vantage
from tests.cli.commands import PATIENCE_S, Ended, environment, invoke
from tests.store.builders import record
from tests.support.builders import completed, domain
from tests.test_fuzz import changed


@dataclass(frozen=True)
class Seen:
    """A signed domain with DANE, one that is not signed, and the key of the root."""

    signed: DomainReport
    plain: DomainReport
    anchor: str

    @property
    def anchors(self) -> Anchors:
        return parse_anchors(self.anchor)

    @property
    def proof(self) -> DnssecProof:
        assert self.signed.proof is not None
        return self.signed.proof


@pytest.fixture(scope="module")
def seen() -> Seen:
    return asyncio.run(observe())


async def observe() -> Seen:
    domains = [
        dataclasses.replace(
            mail_domain("signed.test", WellConfigured()), tlsa=LabTlsa.OF_GOOD, signed=True
        ),
        mail_domain("plain.test", WellConfigured()),
    ]
    async with Lab(domains, validating=False) as lab:
        settings = lab.settings(dnssec=Validation.LOCAL, proofs=True, **DEMO_DEADLINES)
        async with Vantage(settings) as vantage:
            signed, plain = [
                await probe_entry(parse_entry(domain.name), vantage) for domain in lab.domains
            ]
        assert lab.anchor_file is not None
        return Seen(signed, plain, lab.anchor_file.read_text())


def enough() -> Work:
    return Work(signatures=1000, hashes=1000)


async def test_a_proof_validates_by_itself(seen: Seen) -> None:
    checked = await check_proof(seen.proof, seen.anchors, enough())
    assert {judgement.state for judgement, _ in checked.values()} == {Dnssec.SECURE}
    asked = {(name.to_text(), dns.rdatatype.to_text(rdtype)) for name, rdtype in checked}
    assert {("signed.test.", "MX"), ("mx1.signed.test.", "A"), (".", "DNSKEY")} <= asked
    assert any(rdtype == "TLSA" for _, rdtype in asked)
    facts = facts_of(seen.signed)
    assert supported(facts, checked) == (facts, [])


async def test_the_order_is_that_of_rfc_9102(seen: Seen) -> None:
    upwards = [
        (reply.name, reply.type) for reply in seen.proof.replies if reply.type in ("DS", "DNSKEY")
    ]
    assert upwards[0] == ("signed.test.", "DNSKEY")
    assert upwards[1] == ("signed.test.", "DS")
    assert upwards[-1] == (".", "DNSKEY")


async def test_each_rrset_stands_once(seen: Seen) -> None:
    assert len(set(seen.proof.rrsets)) == len(seen.proof.rrsets)


async def test_an_unsigned_domain_proves_nothing_of_itself(seen: Seen) -> None:
    assert seen.plain.proof is None


async def test_it_stays_valid_and_counts_for_its_own_time(seen: Seen) -> None:
    later = [
        replace(reply, observed_at=reply.observed_at.replace(year=reply.observed_at.year + 2))
        for reply in seen.proof.replies
    ]
    checked = await check_proof(replace(seen.proof, replies=tuple(later)), seen.anchors, enough())
    assert Dnssec.SECURE not in {judgement.state for judgement, _ in checked.values()}


@pytest.mark.parametrize(("hours", "state"), [(1, Dnssec.SECURE), (-1, Dnssec.INDETERMINATE)])
async def test_a_key_that_is_revoked_counts_for_older_proofs(
    seen: Seen, hours: int, state: Dnssec
) -> None:
    """As key 20326 of the root does, which counts before 2027-01-11."""
    until = seen.signed.checked_at.timestamp() + hours * 3600
    anchors = {
        name: tuple(replace(each, until=until) for each in anchored)
        for name, anchored in seen.anchors.items()
    }
    checked = await check_proof(seen.proof, anchors, enough())
    assert {judgement.state for judgement, _ in checked.values()} == {state}


async def test_a_changed_bit_in_any_signed_part_is_found(seen: Seen) -> None:
    """What is not signed: TTLs, which are not kept as they came, and the case of names."""
    found = 0
    for place, wire in enumerate(seen.proof.rrsets):
        for at in range(len(wire)):
            altered = wire[:at] + bytes([wire[at] ^ 1 << at % 8]) + wire[at + 1 :]
            rrsets = (*seen.proof.rrsets[:place], altered, *seen.proof.rrsets[place + 1 :])
            if await is_found(replace(seen.proof, rrsets=rrsets), seen):
                found += 1
            else:
                assert canonical(altered) == canonical(wire), f"RRset {place}, byte {at}"
    assert found > 1000


async def is_found(proof: DnssecProof, seen: Seen) -> bool:
    try:
        checked = await check_proof(proof, seen.anchors, enough())
    except ValueError:
        return True
    return {judgement.state for judgement, _ in checked.values()} != {Dnssec.SECURE}


def canonical(wire: bytes) -> object:
    return [
        (rrset.name, rrset.rdtype, rrset.rdclass, {record.to_digestable() for record in rrset})
        for rrset in _from_wire(wire)
    ]


async def test_a_report_that_says_something_else_is_found(seen: Seen) -> None:
    checked = await check_proof(seen.proof, seen.anchors, enough())
    (host,) = seen.signed.mx_hosts
    (record,) = host.tlsa
    other = replace(host, tlsa=(replace(record, data=b"\1" * 32),), addresses=("192.0.2.1",))
    facts = facts_of(seen.signed)
    left, missing = supported(replace(facts, mx_hosts=(other,)), checked)
    assert missing == [f"addresses of {host.name}", f"TLSA of {host.name}"]
    assert left.mx_hosts[0].dnssec is left.mx_hosts[0].tlsa_dnssec is Dnssec.INDETERMINATE
    renamed = replace(facts, mx_hosts=(replace(host, name="mx.evil.test"),))
    left, missing = supported(renamed, checked)
    assert "MX signed.test" in missing
    assert left.route is not None
    assert left.route.dnssec is Dnssec.INDETERMINATE


@pytest.mark.parametrize(
    "change",
    [
        {"rrsets": ()},
        {"rrsets": (b"\0",) * 40},
        {"rrsets": (b"\xff" * 500,) * 40},
        {"rrsets": (b"",) * 40},
    ],
)
async def test_what_is_no_proof(seen: Seen, change: dict[str, tuple[bytes, ...]]) -> None:
    assert await is_found(replace(seen.proof, rrsets=change["rrsets"]), seen)


@pytest.mark.parametrize("digest", ["00", "00" * 32, "00" * 300])
def test_a_proof_may_hold_digests_of_any_length(digest: str) -> None:
    """RFC 6698 §4.1: such a record is unusable, and no fault of the others."""
    rrset = parse_record("_25._tcp.mx.test", "TLSA", f"3 1 1 {digest}")
    (read,) = _from_wire(_to_wire(rrset, ()))
    assert read == rrset
    reply = Reply(rcode=dns.rcode.NOERROR, answer=(read,), authority=(), now=0.0)
    assert answered(rrset.name, dns.rdatatype.TLSA, reply).records == {f"3 1 1 {digest}"}


REQUIRE = ("--require", "authenticated", "--format", "jsonl")


def reported(
    tmp_path: Path, seen: Seen, *reports: DomainReport
) -> tuple[Ended, list[DomainReport]]:
    """What another process makes of a file with *reports*, by the key of the lab's root."""
    file, anchor = tmp_path / "results.jsonl", tmp_path / "anchor"
    file.write_bytes(b"".join(encode_report(each) + b"\n" for each in reports))
    anchor.write_text(seen.anchor)
    ended = in_own_process("report", str(file), "--trust-anchor", str(anchor), *REQUIRE)
    lines = ended.out.encode().splitlines(keepends=True)
    return ended, [decode_report(each) for each in lines]


def in_own_process(*args: str) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "prober", *args],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def flipped(report: DomainReport) -> DomainReport:
    """*report*; a bit of its proof is changed, in the last signature of the first RRset."""
    assert report.proof is not None
    first, *others = report.proof.rrsets
    altered = first[:-1] + bytes([first[-1] ^ 1])
    return replace(report, proof=replace(report.proof, rrsets=(altered, *others)))


def codes(report: DomainReport) -> set[Code]:
    return {each.code for each in report.findings}


def test_a_results_file_validates_again_in_another_process(seen: Seen, tmp_path: Path) -> None:
    ended, (signed, plain) = reported(tmp_path, seen, seen.signed, seen.plain)
    assert "DNSSEC proofs validated again: 1 valid, 0 not valid" in ended.err
    assert signed.verdict.level is seen.signed.verdict.level is Level.ENFORCED
    assert Code.DNSSEC_PROOF_INVALID not in codes(signed) | codes(plain)
    assert "without a DNSSEC proof" not in ended.err  # nothing that it says is called secure


def test_a_changed_proof_is_told_and_dane_no_longer_counts(seen: Seen, tmp_path: Path) -> None:
    ended, (signed,) = reported(tmp_path, seen, flipped(seen.signed))
    assert "DNSSEC proofs validated again: 0 valid, 1 not valid" in ended.err
    assert "signed.test: the DNSSEC proof is not valid: bogus: zone signed.test." in ended.err
    assert "not proved: MX signed.test" in ended.err
    assert Code.DNSSEC_PROOF_INVALID in codes(signed)
    assert signed.route is not None
    assert signed.route.dnssec is Dnssec.INDETERMINATE
    assert signed.verdict.level is not Level.ENFORCED


def test_another_trust_anchor_proves_nothing(seen: Seen, tmp_path: Path) -> None:
    other = replace(seen, anchor=f". IN DS {Key.new().ds(dns.name.root)}\n")
    ended, (signed,) = reported(tmp_path, other, seen.signed)
    assert "0 valid, 1 not valid" in ended.err
    assert ended.err.count("no key matches") == 1  # of every answer the same
    assert {(host.dnssec, host.tlsa_dnssec) for host in signed.mx_hosts} == {
        (Dnssec.INDETERMINATE, Dnssec.INDETERMINATE)
    }
    assert {endpoint.dane for endpoint in signed.endpoints} == {Dane.NOT_TESTED}
    assert ended.status == SOME_UNDECIDED
    details = {each.detail for each in signed.findings if each.code is Code.TLSA_NOT_TESTED}
    assert details == set()  # "no resolver here can be believed" would be wrong


def test_without_a_proof_nothing_is_validated_and_the_report_says_so(
    seen: Seen, tmp_path: Path
) -> None:
    ended, (signed,) = reported(tmp_path, seen, replace(seen.signed, proof=None))
    assert signed.verdict.level is Level.ENFORCED
    assert "without a DNSSEC proof: 1; what these results call secure was not" in ended.err
    assert "validated again: " not in ended.err


def test_an_answer_of_another_time_proves_nothing(seen: Seen, tmp_path: Path) -> None:
    late = replace(seen.signed, checked_at=seen.signed.checked_at + timedelta(days=60))
    ended, (signed,) = reported(tmp_path, seen, late)
    assert "answered at another time than the report was made" in ended.err
    assert signed.verdict.level is not Level.ENFORCED


def test_a_file_of_no_trust_anchors(tmp_path: Path) -> None:
    file = tmp_path / "anchor"
    file.write_text("what is this")
    ended = in_own_process("report", "results.jsonl", "--trust-anchor", str(file))
    assert ended.status == SOME_INVALID
    assert "no DS or DNSKEY records" in ended.err


HOST = MxHost(name="mx.test", preference=10, addresses=("192.0.2.1",), dnssec=Dnssec.SECURE)
ITSELF = replace(HOST, name="d.test", preference=0)
FACTS = domain(domain="d.test", mx_hosts=(HOST,), route=Route(status=RouteStatus.MX))
NONE = Answered(dns.rcode.NOERROR, frozenset())
ABSENT = Answered(dns.rcode.NXDOMAIN, frozenset())


def some(*records: str) -> Answered:
    return Answered(dns.rcode.NOERROR, frozenset(records))


@pytest.mark.parametrize(
    ("status", "hosts", "anomalous", "answer", "is_shown"),
    [
        pytest.param(RouteStatus.MX, (HOST,), False, None, False, id="no-answer"),
        pytest.param(RouteStatus.MX, (HOST,), False, some("10 mx.test."), True, id="mx"),
        pytest.param(RouteStatus.MX, (HOST,), False, some("20 mx.test."), False, id="preference"),
        pytest.param(
            RouteStatus.MX, (HOST,), False, some("10 mx.test.", "20 b.test."), False, id="one-less"
        ),
        pytest.param(
            RouteStatus.MX, (HOST,), True, some("10 mx.test.", "20 b.test."), True, id="left-out"
        ),
        pytest.param(RouteStatus.MX, (HOST,), True, some("20 b.test."), False, id="another"),
        pytest.param(RouteStatus.NXDOMAIN, (), False, ABSENT, True, id="no-name"),
        pytest.param(RouteStatus.NXDOMAIN, (), False, NONE, False, id="no-name-but-no-data"),
        pytest.param(RouteStatus.IMPLICIT_MX, (ITSELF,), False, NONE, True, id="implicit"),
        pytest.param(
            RouteStatus.IMPLICIT_MX,
            (ITSELF,),
            False,
            some("10 mx.test."),
            False,
            id="implicit-but-mx",
        ),
        pytest.param(RouteStatus.NULL_MX, (), False, some("0 ."), True, id="null-mx"),
        pytest.param(RouteStatus.NULL_MX, (), False, some("10 mx.test."), False, id="no-null-mx"),
        pytest.param(RouteStatus.NULL_MX, (), False, NONE, False, id="null-mx-but-no-data"),
        pytest.param(RouteStatus.NO_MAIL_HOST, (), False, NONE, True, id="no-host"),
        pytest.param(
            RouteStatus.NO_MAIL_HOST, (), False, some("10 mx.test."), False, id="no-host-but-mx"
        ),
        pytest.param(RouteStatus.MX, (HOST,), False, some("0 .", "10 mx.test."), True, id="null"),
        pytest.param(
            RouteStatus.MX, (HOST,), False, some("10 mx.test.", "20 mx.test."), True, id="twice"
        ),
        pytest.param(
            RouteStatus.MX, (HOST,), True, some("5 b.test.", "10 mx.test."), False, id="first-left"
        ),
        pytest.param(RouteStatus.MX, (), False, some("0 ."), False, id="null-mx-as-mx"),
        pytest.param(
            RouteStatus.IMPLICIT_MX, (HOST,), False, NONE, False, id="implicit-at-another-name"
        ),
    ],
)
def test_what_shows_a_route(
    status: RouteStatus,
    hosts: tuple[MxHost, ...],
    anomalous: bool,
    answer: Answered | None,
    is_shown: bool,
) -> None:
    anomalies = (Anomaly(kind=AnomalyKind.MX_LEFT_OUT, detail=""),) if anomalous else ()
    route = Route(status=status, dnssec=Dnssec.SECURE, anomalies=anomalies)
    facts = replace(FACTS, route=route, mx_hosts=hosts)
    assert shows_route(facts, route, answer) is is_shown


@pytest.mark.parametrize(
    ("addresses", "a", "aaaa", "is_shown"),
    [
        pytest.param(("192.0.2.1",), some("192.0.2.1"), NONE, True, id="one"),
        pytest.param(("192.0.2.1",), some("192.0.2.1", "192.0.2.2"), None, True, id="some"),
        pytest.param(("192.0.2.1", "2001:db8::1"), some("192.0.2.1"), NONE, False, id="one-more"),
        pytest.param(("192.0.2.1",), None, None, False, id="no-answers"),
        pytest.param((), NONE, NONE, True, id="none"),
        pytest.param((), NONE, None, False, id="none-but-half-an-answer"),
        pytest.param((), some("192.0.2.1"), NONE, False, id="none-but-one"),
    ],
)
def test_what_shows_addresses(
    addresses: tuple[str, ...], a: Answered | None, aaaa: Answered | None, is_shown: bool
) -> None:
    answers = {("mx.test.", "A"): a, ("mx.test.", "AAAA"): aaaa}
    shown = {question: each for question, each in answers.items() if each is not None}
    assert shows_addresses(FACTS, replace(HOST, addresses=addresses), shown) is is_shown


TLSA = TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes(32))
LONG = ".".join(["a" * 49] * 5)
TLSA_TEXT = f"3 1 1 {bytes(32).hex()}"


@pytest.mark.parametrize(
    ("tlsa", "base", "name", "answer", "is_shown"),
    [
        pytest.param((TLSA,), "mx.test", "_25._tcp.mx.test.", some(TLSA_TEXT), True, id="one"),
        pytest.param((TLSA,), "mx.test", "_26._tcp.mx.test.", some(TLSA_TEXT), False, id="port"),
        pytest.param((TLSA,), "mx.test", "_25._tcp.b.test.", some(TLSA_TEXT), False, id="base"),
        pytest.param((TLSA,), "mx.test", "_25._tcp.mx.test.", NONE, False, id="none-published"),
        pytest.param((), "mx.test", "_25._tcp.mx.test.", NONE, True, id="none"),
        pytest.param((), "mx.test", "_25._tcp.mx.test.", some(TLSA_TEXT), False, id="left-out"),
        pytest.param((), "mx.test", "_25._tcp.b.test.", NONE, False, id="none-elsewhere"),
        pytest.param((), LONG, "b.test.", NONE, True, id="too-long-for-dns"),
    ],
)
def test_what_shows_tlsa(
    tlsa: tuple[TlsaRecord, ...], base: str, name: str, answer: Answered, is_shown: bool
) -> None:
    host = replace(HOST, name=base, tlsa=tlsa, tlsa_base=base, tlsa_dnssec=Dnssec.SECURE)
    facts = domain(completed(mx_host=host.name), domain="d.test", mx_hosts=(host,))
    assert shows_tlsa(facts, host, {(name, "TLSA"): answer}) is is_shown


@pytest.mark.parametrize(
    ("aliases", "is_shown"),
    [({}, False), ({"A": "real.test."}, True), ({"AAAA": "real.test."}, True)],
)
def test_tlsa_records_are_those_of_the_host_or_of_its_alias(
    aliases: dict[str, str], is_shown: bool
) -> None:
    """A secure answer at any other name says nothing of this host. RFC 7672 §2.2.2."""
    host = replace(HOST, tlsa=(TLSA,), tlsa_base="real.test", tlsa_dnssec=Dnssec.SECURE)
    facts = domain(completed(mx_host=HOST.name), domain="d.test", mx_hosts=(host,))
    shown = {("_25._tcp.real.test.", "TLSA"): some(TLSA_TEXT)}
    shown |= {("mx.test.", kind): replace(NONE, name=name) for kind, name in aliases.items()}
    assert shows_tlsa(facts, host, shown) is is_shown


def test_the_record_validates_its_proofs(seen: Seen, tmp_path: Path) -> None:
    """``probe report --db``: of a record as it is, and of one that was changed."""
    db, anchor = tmp_path / "probe.db", tmp_path / "anchor"
    anchor.write_text(seen.anchor)
    store = open_store(str(db))
    record(store, [seen.signed, seen.plain])
    command = ("report", "--db", str(db), "--trust-anchor", str(anchor), *REQUIRE)
    ended = invoke(*command)
    assert "DNSSEC proofs validated again: 1 valid, 0 not valid" in ended.err
    assert str(Level.ENFORCED) in ended.out

    with store.writing() as connection:
        fact = schema.fact
        query = sa.select(fact.c.id, fact.c.body).where(fact.c.kind == RRSET)
        for number, body in connection.execute(query).all():
            altered = body[:-1] + bytes([body[-1] ^ 1])
            connection.execute(sa.update(fact).where(fact.c.id == number).values(body=altered))
    store.close()
    ended = invoke(*command)
    assert "0 valid, 1 not valid" in ended.err
    assert "dnssec-proof-invalid" in ended.out
    assert str(Level.ENFORCED) not in ended.out


def test_whatever_a_file_holds_as_proof_is_judged(seen: Seen) -> None:
    """Names, types, codes, times and places that a file may hold: valid, or told; never a fault."""
    states = Counter[bool]()
    with Proofs(seen.anchors, partial(judged, reader=CertificateReader())) as proofs:
        for number in range(400):
            rng = random.Random(f"{number}")  # noqa: S311 - the same changes each time
            proof = otherwise(seen.proof, rng)
            checked = proofs.check(replace(seen.signed, proof=proof))
            told = Code.DNSSEC_PROOF_INVALID in codes(checked)
            states[told] += 1
            assert told or checked.mx_hosts == seen.signed.mx_hosts
    assert states[True] > 100
    assert len(list(proofs.lines())) > 100


def otherwise(proof: DnssecProof, rng: random.Random) -> DnssecProof:
    replies, rrsets = list(proof.replies), list(proof.rrsets)
    at = rng.randrange(len(replies))
    reply = replies[at]
    match rng.randrange(9):
        case 0:
            names = (".", "", "..", "a" * 64, "x." * 200, "\0", "\u0130.test.", "\\999.test.")
            replies[at] = replace(reply, name=rng.choice(names))
        case 1:
            types = ("A", "", "TYPE65536", "TYPE65535", "SOA", "RRSIG", "ANY", "x")
            replies[at] = replace(reply, type=rng.choice(types))
        case 2:
            replies[at] = replace(reply, rcode=rng.choice(("", "NXDOMAIN", "SERVFAIL", "x", "-1")))
        case 3:
            year = rng.choice((1, 1969, 2106, 9999))
            replies[at] = replace(reply, observed_at=datetime(year, 1, 1, tzinfo=UTC))
        case 4:
            places = tuple(rng.choices((-99, -1, 0, 1, 2, 99), k=rng.choice((0, 1, 3, 65))))
            replies[at] = replace(reply, answer=places)
        case 5:
            places = tuple(rng.randrange(len(rrsets)) for _ in range(rng.choice((0, 1, 3, 64))))
            replies[at] = replace(reply, authority=places)
        case 6:
            replies[at] = replace(rng.choice(replies), name=reply.name)
        case 7:
            rrsets[rng.randrange(len(rrsets))] = changed(rng.choice(rrsets), rng)
        case _:
            replies = rng.choices(replies, k=rng.choice((0, 3, 1001)))
    return replace(proof, replies=tuple(replies), rrsets=tuple(rrsets))
