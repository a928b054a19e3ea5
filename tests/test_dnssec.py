"""The parts of validation that need no name server: proofs of denial, bounds, trust anchors."""

import base64
import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from prober.dnssec.anchors import ROOT, parse_anchors, valid_at
from prober.dnssec.denial import MAX_ITERATIONS, Proved, deny, deny_closer
from prober.dnssec.judgement import (
    DomainLimitError,
    Judgement,
    LimitError,
    Reply,
    Work,
    weakest,
)
from prober.dnssec.validator import Validator
from prober.errors import SettingsError
from prober.lab.signed_zones import Key, SignedZones
from prober.lab.zone import LabZone
from prober.records import Dnssec

ZONE = dns.name.from_text("example.")
NO_NAME, NO_DATA, UNSIGNED, NOTHING = Proved


def plenty() -> Work:
    return Work(signatures=1000, hashes=100_000)


def nsec(*texts: str) -> list[dns.rrset.RRset]:
    """Each ``OWNER NEXT TYPE…``."""
    rrsets = []
    for text in texts:
        owner, rest = text.split(" ", 1)
        rrsets.append(dns.rrset.from_text(owner, 60, "IN", "NSEC", rest))
    return rrsets


def hashed(name: str, iterations: int = 0, salt: str = "") -> bytes:
    digest = dns.name.from_text(name).to_digestable()
    for _ in range(iterations + 1):
        digest = hashlib.sha1(digest + bytes.fromhex(salt), usedforsecurity=False).digest()
    return digest


def label(digest: bytes) -> str:
    return base64.b32hexencode(digest).decode().lower()


def near(digest: bytes, offset: int) -> bytes:
    return ((int.from_bytes(digest) + offset) % (1 << 160)).to_bytes(20)


def match(
    name: str,
    types: str = "A",
    *,
    iterations: int = 0,
    salt: str = "",
    flags: int = 0,
    alg: int = 1,
) -> dns.rrset.RRset:
    """The NSEC3 record of *name*, of a zone in which no other name is near it."""
    digest = hashed(name, iterations, salt)
    text = f"{alg} {flags} {iterations} {salt or '-'} {label(near(digest, 1))} {types}"
    return dns.rrset.from_text(f"{label(digest)}.example.", 60, "IN", "NSEC3", text)


def cover(
    name: str, *, iterations: int = 0, salt: str = "", flags: int = 0, alg: int = 1
) -> dns.rrset.RRset:
    """An NSEC3 record with the hash of *name*, and nearly nothing else, in its gap."""
    digest = hashed(name, iterations, salt)
    before, after = label(near(digest, -1)), label(near(digest, 1))
    text = f"{alg} {flags} {iterations} {salt or '-'} {after} A"
    return dns.rrset.from_text(f"{before}.example.", 60, "IN", "NSEC3", text)


DENIALS = [
    # RFC 4035 §5.4, RFC 6840 §4.1
    pytest.param("b", "A", nsec("b.example. c.example. A"), NOTHING, id="nsec-has-the-type"),
    pytest.param("b", "A", nsec("b.example. c.example. CNAME"), NOTHING, id="nsec-has-an-alias"),
    pytest.param("b", "A", nsec("b.example. c.example. MX"), NO_DATA, id="nsec-no-type"),
    pytest.param("b", "A", nsec("b.example. c.example. NS"), NOTHING, id="nsec-of-the-parent"),
    pytest.param("b", "DS", nsec("b.example. c.example. NS"), NO_DATA, id="nsec-delegation-ds"),
    pytest.param("b", "DS", nsec("b.example. c.example. NS SOA"), NOTHING, id="nsec-of-the-child"),
    pytest.param(
        "x.b",
        "A",
        nsec("b.example. c.example. NS", "example. b.example. NS SOA"),
        NOTHING,
        id="nsec-below-a-delegation",
    ),
    pytest.param(
        "x.b",
        "A",
        nsec("b.example. c.example. DNAME", "example. b.example. NS SOA"),
        NOTHING,
        id="nsec-below-a-dname",
    ),
    pytest.param("x", "A", nsec("b.example. z.example. A"), NOTHING, id="nsec-no-wildcard-denial"),
    pytest.param("x.b", "A", nsec("b.example. c.example. A"), NO_NAME, id="nsec-both-in-one-gap"),
    pytest.param("x", "A", nsec("b.example. c.example. A"), NOTHING, id="nsec-other-gap"),
    pytest.param("x", "A", nsec("b.example. a.example. A"), NOTHING, id="nsec-runs-backwards"),
    pytest.param("x", "A", nsec("b.example. example. A"), NOTHING, id="nsec-last-no-wildcard"),
    pytest.param("x", "A", nsec("example. example. SOA NS"), NO_NAME, id="nsec-only-the-apex"),
    pytest.param("b", "A", nsec("a.example. x.b.example. A"), NO_DATA, id="nsec-non-terminal"),
    pytest.param(
        "x",
        "A",
        nsec("b.example. z.example. A", "*.example. a.example. MX"),
        NO_DATA,
        id="nsec-wildcard-no-data",
    ),
    pytest.param(
        "x",
        "A",
        nsec("b.example. z.example. A", "*.example. a.example. A"),
        NOTHING,
        id="nsec-wildcard-has-the-type",
    ),
    pytest.param("x.other", "A", nsec("b.other. z.other. A"), NOTHING, id="nsec-of-another-zone"),
    # RFC 5155 §8
    pytest.param("b", "A", [match("b.example.", "A")], NOTHING, id="nsec3-has-the-type"),
    pytest.param("b", "A", [match("b.example.", "CNAME")], NOTHING, id="nsec3-has-an-alias"),
    pytest.param("b", "A", [match("b.example.", "MX")], NO_DATA, id="nsec3-no-type"),
    pytest.param("b", "A", [match("b.example.", "NS")], NOTHING, id="nsec3-of-the-parent"),
    pytest.param("b", "DS", [match("b.example.", "NS")], NO_DATA, id="nsec3-delegation-ds"),
    pytest.param("b", "DS", [match("b.example.", "NS SOA")], NOTHING, id="nsec3-of-the-child"),
    pytest.param(
        "b",
        "A",
        [match("example.", "SOA NS"), cover("b.example."), cover("*.example.")],
        NO_NAME,
        id="nsec3-no-name",
    ),
    pytest.param(
        "b", "A", [match("example.", "SOA NS"), cover("b.example.")], NOTHING,
        id="nsec3-wildcard-not-denied",
    ),
    pytest.param(
        "b", "A", [cover("b.example."), cover("*.example.")], NOTHING,
        id="nsec3-no-closest-encloser",
    ),
    pytest.param(
        "x.b",
        "A",
        [match("example.", "SOA NS"), cover("x.b.example."), cover("*.example.")],
        NOTHING,
        id="nsec3-covers-not-the-next-closer",
    ),
    pytest.param(
        "x.b",
        "A",
        [match("b.example.", "NS"), cover("x.b.example."), cover("*.b.example.")],
        NOTHING,
        id="nsec3-below-a-delegation",
    ),
    pytest.param(
        "x.b",
        "A",
        [match("b.example.", "DNAME"), cover("x.b.example."), cover("*.b.example.")],
        NOTHING,
        id="nsec3-below-a-dname",
    ),
    pytest.param(
        "b",
        "A",
        [match("example.", "SOA NS"), cover("b.example."), match("*.example.", "MX")],
        NO_DATA,
        id="nsec3-wildcard-no-data",
    ),
    pytest.param(
        "b",
        "A",
        [match("example.", "SOA NS"), cover("b.example."), match("*.example.", "A")],
        NOTHING,
        id="nsec3-wildcard-has-the-type",
    ),
    pytest.param(
        "b",
        "DS",
        [match("example.", "SOA NS"), cover("b.example.", flags=1)],
        UNSIGNED,
        id="nsec3-opt-out",
    ),
    pytest.param(
        "b", "A", [match("b.example.", "MX", iterations=MAX_ITERATIONS)], NO_DATA,
        id="nsec3-most-iterations",
    ),
    pytest.param(
        "b", "A", [match("b.example.", "MX", iterations=MAX_ITERATIONS + 1)], UNSIGNED,
        id="nsec3-too-many-iterations",
    ),
    pytest.param("b", "A", [match("b.example.", "MX", alg=2)], NOTHING, id="nsec3-unknown-hash"),
    pytest.param("b", "A", [match("b.example.", "MX", flags=2)], NOTHING, id="nsec3-unknown-flag"),
    pytest.param(
        "b",
        "A",
        [match("example.", "SOA NS"), cover("b.example.", salt="aa"), cover("*.example.")],
        NOTHING,
        id="nsec3-two-salts",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rdtype", "rrsets", "proved"), DENIALS)
def test_denial(name: str, rdtype: str, rrsets: list[dns.rrset.RRset], proved: Proved) -> None:
    asked = dns.name.from_text(name + (".example." if "other" not in name else "."))
    denial = deny(asked, dns.rdatatype.from_text(rdtype), ZONE, rrsets, plenty())
    assert denial.proved is proved


@pytest.mark.parametrize(
    ("rrsets", "proved"),
    [  # RFC 4035 §5.3.4, RFC 5155 §8.8: x.wild.example stands for *.wild.example
        pytest.param([], NOTHING, id="nothing"),
        pytest.param(nsec("a.wild.example. z.wild.example. A"), NO_NAME, id="nsec"),
        pytest.param(nsec("x.wild.example. z.wild.example. A"), NOTHING, id="nsec-it-exists"),
        pytest.param(nsec("a.example. z.example. A"), NOTHING, id="nsec-a-shorter-encloser"),
        pytest.param([cover("x.wild.example.")], NO_NAME, id="nsec3"),
        pytest.param([cover("x.wild.example.", flags=1)], UNSIGNED, id="nsec3-opt-out"),
        pytest.param([cover("wild.example.")], NOTHING, id="nsec3-of-another-name"),
    ],
)
def test_a_wildcard_needs_proof(rrsets: list[dns.rrset.RRset], proved: Proved) -> None:
    name = dns.name.from_text("x.wild.example.")
    assert deny_closer(name, 2, ZONE, rrsets, plenty()).proved is proved


def test_hashes_are_bounded() -> None:
    long = ".".join(["a"] * 100)
    rrsets = [cover("b.example.", iterations=MAX_ITERATIONS)]
    with pytest.raises(LimitError, match="NSEC3 hashes"):
        deny(dns.name.from_text(f"{long}.example."), dns.rdatatype.A, ZONE, rrsets, Work(9, 4000))


def test_the_bound_of_a_domain_is_told_apart() -> None:
    domain = Work(signatures=3, hashes=3)
    for _ in range(3):
        Work(signatures=1, hashes=1, domain=domain).spend(signatures=1)
    with pytest.raises(DomainLimitError, match="for one domain"):
        Work(signatures=1, hashes=1, domain=domain).spend(signatures=1)


def test_the_weakest_part_decides() -> None:
    states = [Judgement(state=state) for state in Dnssec]
    assert weakest(states).state is Dnssec.BOGUS
    assert weakest([Judgement(state=Dnssec.SECURE), Judgement(state=Dnssec.INSECURE)]).state is (
        Dnssec.INSECURE
    )


@pytest.mark.parametrize(
    ("when", "tags"),
    [
        (datetime(2016, 1, 1, tzinfo=UTC), []),
        (datetime(2020, 1, 1, tzinfo=UTC), [20326]),
        (datetime(2026, 12, 1, tzinfo=UTC), [20326, 38696]),
        (datetime(2027, 1, 11, tzinfo=UTC), [38696]),
    ],
)
def test_a_key_of_the_root_counts_for_its_time(when: datetime, tags: list[int]) -> None:
    found = valid_at(ROOT[dns.name.root], when.timestamp())
    assert [ds.key_tag for ds in found] == tags


@pytest.mark.parametrize("file", ["root.ds", "root.key"])
def test_the_keys_of_the_root_are_those_of_debian(file: str) -> None:
    path = Path("/usr/share/dns") / file
    if not path.exists():
        assert not os.environ.get("CI"), "CI installs dns-root-data"
        pytest.skip("Debian's dns-root-data is not installed")
    theirs = {anchor.ds for anchor in parse_anchors(path.read_text())[dns.name.root]}
    assert theirs <= {anchor.ds for anchor in ROOT[dns.name.root]}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "there is no DS or DNSKEY record"),
        ("; only a comment\n", "there is no DS or DNSKEY record"),
        (". IN A 192.0.2.1", "a trust anchor is a DS or DNSKEY record"),
        (". IN DS 1 2", "no DS or DNSKEY records"),
        ("what is this", "no DS or DNSKEY records"),
        (". IN DNSKEY 257 3 8 !!!!", "no DS or DNSKEY records"),
        ("\0", "no DS or DNSKEY records"),
    ],
)
def test_what_is_no_trust_anchor(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse_anchors(text)


TREE = LabZone(
    {
        "signed.test": [("MX", "10 mx.signed.test."), ("TXT", '"x"')],
        "mx.signed.test": [("A", "192.0.2.1")],
        "a.b.signed.test": [("A", "192.0.2.1")],
        "out.signed.test": [("CNAME", "mx.plain.test.")],
        "plain.test": [("MX", "10 mx.plain.test.")],
        "mx.plain.test": [("A", "192.0.2.1")],
    }
)
KEYS = {dns.name.root: Key.new(), dns.name.from_text("signed.test"): Key.new()}
ZONES = SignedZones(TREE, KEYS)
ANCHORS = parse_anchors(f". IN DS {KEYS[dns.name.root].ds(dns.name.root)}")


async def answer(name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Reply:
    found = TREE.find(name, rdtype)
    own = ZONES.own(name, rdtype)
    now = datetime.now(UTC).timestamp()
    if own is not None:
        return Reply(rcode=dns.rcode.NOERROR, answer=tuple(ZONES.sign([own])), now=now)
    last = found.names[-1]
    denies = bool(found.authority) and ZONES.is_signed(last, rdtype)
    return Reply(
        rcode=found.rcode,
        answer=tuple(ZONES.sign(found.answer)),
        authority=tuple(ZONES.deny(last, rdtype)) if denies else (),
        now=now,
    )


def validator(signatures: int = 64) -> Validator:
    return Validator(
        answer, anchors=ANCHORS, work=lambda: Work(signatures, 1000), failure_ttl_s=60.0
    )


@pytest.mark.parametrize(
    ("name", "rdtype", "state"),
    [
        ("signed.test", "MX", Dnssec.SECURE),
        ("signed.test", "A", Dnssec.SECURE),
        ("signed.test", "DS", Dnssec.SECURE),
        ("b.signed.test", "A", Dnssec.SECURE),
        ("nothing.signed.test", "A", Dnssec.SECURE),
        ("out.signed.test", "A", Dnssec.INSECURE),
        ("plain.test", "MX", Dnssec.INSECURE),
        ("nothing.plain.test", "MX", Dnssec.INSECURE),
        ("plain.test", "DS", Dnssec.SECURE),
        ("nothing.test", "MX", Dnssec.SECURE),
        ("test", "A", Dnssec.SECURE),
        (".", "DNSKEY", Dnssec.SECURE),
    ],
)
async def test_the_zones_of_the_lab(name: str, rdtype: str, state: Dnssec) -> None:
    asked, of = dns.name.from_text(name), dns.rdatatype.from_text(rdtype)
    judgement = await validator().judge(asked, of, await answer(asked, of))
    assert judgement.state is state, str(judgement)


async def test_work_that_is_too_much_leaves_the_answer_undecided() -> None:
    asked = dns.name.from_text("signed.test")
    reply = await answer(asked, dns.rdatatype.MX)
    judgement = await validator(signatures=0).judge(asked, dns.rdatatype.MX, reply)
    assert judgement.state is Dnssec.INDETERMINATE
    assert judgement.failure is not None


async def test_answers_are_judged_by_the_time_at_which_they_came() -> None:
    asked = dns.name.from_text("signed.test")
    reply = await answer(asked, dns.rdatatype.MX)
    late = replace(reply, now=reply.now + 7 * 86_400)
    judgement = await validator().judge(asked, dns.rdatatype.MX, late)
    assert judgement.state is Dnssec.BOGUS
    assert str(judgement).startswith("zone signed.test.: signed.test. MX: key ")
    assert "the signature expired at 20" in str(judgement)
