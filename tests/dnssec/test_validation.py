"""The validator against unbound and delv, over a tree that BIND and ldns signed and NSD serves."""

import asyncio
import random
import re
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from dns.name import Name
from dns.rdatatype import RdataType

from prober.dnssec.anchors import parse_anchors
from prober.dnssec.judgement import Judgement, Reply, Work
from prober.dnssec.validator import MAX_CHAIN, NoReply, Validator
from prober.net.dns_message import MalformedError, Query, TooLargeError, read_response
from prober.net.nameserver import is_answer
from prober.records import Dnssec, Reason
from prober.settings import Settings
from tests.dnssec.nameservers import require_nameservers, require_signers, serving_files
from tests.dnssec.signing import sign_tree
from tests.dnssec.validation_cases import CASES, ZONES, Case
from tests.test_fuzz import INPUTS, changed

SETTINGS = Settings()
TIMEOUT_S = 60.0  # of one question, or one run of delv, which take milliseconds


@dataclass(frozen=True)
class Servers:
    """Who answers about the tree, and the trust anchor of its root."""

    resolver: str  # validates
    forwarder: str  # does not
    anchor: str
    folder: Path


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    require_nameservers()
    require_signers()
    folder = tmp_path_factory.mktemp("validation")
    network = f"127.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}"
    nameserver, resolver, forwarder = (f"{network}.{number}" for number in (2, 3, 4))
    (folder / "nsd").mkdir()
    anchor = sign_tree(folder / "nsd", ZONES, nameserver=nameserver)
    ds = anchor.split("IN DS ")[1]
    tag, algorithm, digest_type, digest = ds.split()
    (folder / "delv.anchor").write_text(
        f'trust-anchors {{ . static-ds {tag} {algorithm} {digest_type} "{digest}"; }};\n'
    )
    files = {zone.name: zone.file_name for zone in ZONES}
    with serving_files(
        folder, files, anchor, nameserver=nameserver, resolver=resolver, forwarder=forwarder
    ):
        yield Servers(resolver, forwarder, anchor, folder)


def ask(server: str, name: Name, rdtype: RdataType, *, cd: bool) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, want_dnssec=True, payload=1232)
    query.flags |= dns.flags.AD
    if cd:
        query.flags |= dns.flags.CD
    response, _ = dns.query.udp_with_fallback(query, server, timeout=TIMEOUT_S)
    return response


def to_reply(message: dns.message.Message) -> Reply:
    return Reply(
        rcode=message.rcode(),
        answer=tuple(message.answer),
        authority=tuple(message.authority),
        knows_dnssec=bool(message.ednsflags & dns.flags.DO),
        now=time.time(),
    )


Change = Callable[[Name, RdataType, Reply], Reply | NoReply]


class Replies:
    """What the forwarder answers: each question is asked once."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._known: dict[tuple[Name, RdataType], Reply] = {}
        self.wires: dict[tuple[Name, RdataType], bytes] = {}  # by an id of 0

    def get(self, name: Name, rdtype: RdataType) -> Reply:
        key = (name, rdtype)
        if key not in self._known:
            message = ask(self._servers.forwarder, name, rdtype, cd=True)
            self._known[key] = to_reply(message)
            message.id = 0
            self.wires[key] = message.to_wire()
        return self._known[key]

    def validator(self, change: Change = lambda _name, _rdtype, reply: reply) -> Validator:
        """One for which *change* stands on the way between it and the forwarder."""

        async def fetch(name: Name, rdtype: RdataType) -> Reply | NoReply:
            return change(name, rdtype, self.get(name, rdtype))

        return Validator(
            fetch,
            anchors=parse_anchors(self._servers.anchor),
            work=lambda: Work(SETTINGS.dnssec_signatures, SETTINGS.dnssec_hashes),
            failure_ttl_s=60.0,
        )


@pytest.fixture(scope="module")
def replies(servers: Servers) -> Replies:
    return Replies(servers)


@pytest.fixture(scope="module")
def judged(replies: Replies) -> dict[Case, Judgement]:
    """What our validator makes of every case, all by one validator."""

    async def judge_all() -> dict[Case, Judgement]:
        async with aclosing(replies.validator()) as validator:
            return {
                case: await validator.judge(*case.question, replies.get(*case.question))
                for case in CASES
            }

    return asyncio.run(judge_all())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_row_on_which_we_differ_says_why(case: Case) -> None:
    assert bool(case.unbound or case.delv) == bool(case.because)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_validator(case: Case, judged: dict[Case, Judgement]) -> None:
    judgement = judged[case]
    assert judgement.state is case.state, str(judgement)
    assert case.reason in str(judgement)
    assert (judgement.state is Dnssec.SECURE) == (not judgement.fault)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_unbound_agrees(case: Case, servers: Servers) -> None:
    response = ask(servers.resolver, *case.question, cd=False)
    assert read_unbound(response) is (case.unbound or case.state), str(response)


def read_unbound(response: dns.message.Message) -> Dnssec:
    if response.rcode() == dns.rcode.SERVFAIL:
        return Dnssec.BOGUS
    return Dnssec.SECURE if response.flags & dns.flags.AD else Dnssec.INSECURE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_delv_agrees(case: Case, servers: Servers) -> None:
    command = ["delv", f"@{servers.forwarder}", "-a", str(servers.folder / "delv.anchor")]
    done = subprocess.run(
        [*command, "+root=.", "+nocrypto", case.name, case.rdtype],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    output = done.stdout + done.stderr
    assert read_delv(output) is (case.delv or case.state), output


def read_delv(output: str) -> Dnssec:
    """The weakest of what it says of the parts of the answer; no data is no failure."""
    if re.search("^;; resolution failed: (?!ncache )", output, re.MULTILINE):
        return Dnssec.BOGUS
    if re.search("^; (negative response, )?unsigned answer", output, re.MULTILINE):
        return Dnssec.INSECURE
    found = re.search("^; (negative response, )?fully validated", output, re.MULTILINE)
    return Dnssec.SECURE if found else Dnssec.BOGUS


# What a resolver may do to answers, and what that makes of a secure one.


def strip(_name: Name, _rdtype: RdataType, reply: Reply) -> Reply:
    """It does not know DNSSEC: no DO, no signatures, no denials."""
    return replace(keep_signatures_back(_name, _rdtype, reply), knows_dnssec=False)


def keep_signatures_back(_name: Name, _rdtype: RdataType, reply: Reply) -> Reply:
    return replace(
        reply,
        answer=without(reply.answer, dns.rdatatype.RRSIG),
        authority=without(
            reply.authority, dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3
        ),
    )


def strip_below_the_root(name: Name, rdtype: RdataType, reply: Reply) -> Reply:
    return strip(name, rdtype, reply) if len(name) > 1 else reply


def lose_large(_name: Name, rdtype: RdataType, reply: Reply) -> Reply | NoReply:
    """Neither a large answer over UDP gets through, nor TCP."""
    is_large = rdtype == dns.rdatatype.DNSKEY
    return NoReply(Reason.TIMED_OUT, "timed out") if is_large else reply


def lose_ds(_name: Name, rdtype: RdataType, reply: Reply) -> Reply | NoReply:
    is_ds = rdtype == dns.rdatatype.DS
    return NoReply(Reason.SERVFAIL, "SERVFAIL (dnssec bogus)") if is_ds else reply


def rewrite(name: Name, rdtype: RdataType, reply: Reply) -> Reply:
    """Another address, or one for a name that does not exist: a portal, a filter."""
    if rdtype != dns.rdatatype.A:
        return reply
    return replace(
        reply,
        rcode=dns.rcode.NOERROR,
        answer=(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.66"),),
        authority=(),
    )


def rewrite_and_strip(name: Name, rdtype: RdataType, reply: Reply) -> Reply:
    return strip(name, rdtype, rewrite(name, rdtype, reply))


def deny_all(_name: Name, _rdtype: RdataType, reply: Reply) -> Reply:
    return Reply(rcode=dns.rcode.NXDOMAIN, now=reply.now)


def without(section: Sequence[dns.rrset.RRset], *rdtypes: RdataType) -> tuple[dns.rrset.RRset, ...]:
    return tuple(each for each in section if each.rdtype not in rdtypes)


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        (strip, Dnssec.INDETERMINATE, "zone .: . DNSKEY: the resolver leaves signatures out"),
        (strip_below_the_root, Dnssec.INDETERMINATE, "the resolver leaves signatures out"),
        (keep_signatures_back, Dnssec.INDETERMINATE, "zone .: . DNSKEY: no signature"),
        (lose_large, Dnssec.INDETERMINATE, "zone .: . DNSKEY: no answer from the resolver"),
        (lose_ds, Dnssec.INDETERMINATE, "SERVFAIL (dnssec bogus)"),
        (rewrite, Dnssec.BOGUS, "zone nsec.test.: mx.nsec.test. A: no signature"),
        (rewrite_and_strip, Dnssec.INDETERMINATE, "the resolver leaves signatures out"),
        (deny_all, Dnssec.INDETERMINATE, "zone .: . DNSKEY: the zone has no keys"),
    ],
)
@pytest.mark.parametrize("name", ["mx.nsec.test.", "mx.unsigned.test."])
async def test_a_resolver_that_tampers(
    replies: Replies, name: str, change: Change, state: Dnssec, reason: str
) -> None:
    """An insecure answer is never made of a secure one; what is insecure anyway may stay so."""
    asked = dns.name.from_text(name)
    reply = change(asked, dns.rdatatype.A, replies.get(asked, dns.rdatatype.A))
    assert isinstance(reply, Reply)
    async with aclosing(replies.validator(change)) as validator:
        judgement = await validator.judge(asked, dns.rdatatype.A, reply)
    if "unsigned" in name and judgement.state is Dnssec.INSECURE:
        return
    assert judgement.state is state, str(judgement)
    assert reason in str(judgement)


class Mutator:
    """Changes replies at random, in their bytes and in what they are made of."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._rrsets = [
            rrset
            for question in replies.wires
            for section in (replies.get(*question).answer, replies.get(*question).authority)
            for rrset in section
        ]

    def change(self, name: Name, rdtype: RdataType, rng: random.Random) -> Reply | NoReply:
        if rng.random() < 0.5:
            return self._change_bytes(name, rdtype, rng)
        reply = self._replies.get(name, rdtype)
        for _ in range(rng.randint(1, 3)):
            reply = self._change_parts(reply, rng)
        return reply

    def _change_bytes(self, name: Name, rdtype: RdataType, rng: random.Random) -> Reply | NoReply:
        raw = changed(self._replies.wires[name, rdtype], rng)
        try:
            response = read_response(raw, Query(name, rdtype, checking_disabled=True), 0)
        except (MalformedError, TooLargeError) as error:
            return NoReply(Reason.DNS_REFUSED, str(error))
        if not is_answer(response):
            return NoReply(Reason.DNS_REFUSED, "an error code")
        return Reply(
            rcode=response.rcode,
            answer=response.answer,
            authority=response.authority,
            knows_dnssec=response.knows_dnssec,
            now=time.time(),
        )

    def _change_parts(self, reply: Reply, rng: random.Random) -> Reply:
        answer, authority = list(reply.answer), list(reply.authority)
        section = answer if rng.random() < 0.6 else authority
        at = rng.randrange(len(section)) if section else 0
        match rng.randrange(7):
            case 0 if section:
                del section[at]
            case 1:
                section.append(rng.choice(self._rrsets))
            case 2:
                section.insert(at, rng.choice(self._rrsets))
            case 3 if section:
                section[at] = renamed(section[at], rng.choice(self._rrsets).name)
            case 4 if section:
                section[at] = renamed(rng.choice(self._rrsets), section[at].name)
            case 5 if section:
                section[at] = self._with_one_more(section[at], rng)
            case 6:
                reply = replace(reply, rcode=rng.choice((dns.rcode.NOERROR, dns.rcode.NXDOMAIN)))
        return replace(reply, answer=tuple(answer), authority=tuple(authority))

    def _with_one_more(self, rrset: dns.rrset.RRset, rng: random.Random) -> dns.rrset.RRset:
        kind = (rrset.rdtype, rrset.covers)
        alike = [each for each in self._rrsets if (each.rdtype, each.covers) == kind]
        return dns.rrset.from_rdata_list(rrset.name, 60, [*rrset, rng.choice(alike)[0]])


def renamed(rrset: dns.rrset.RRset, name: Name) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset))


def outcome(name: Name, rdtype: RdataType, reply: Reply) -> object:
    """What a reader takes from *reply*: the records in canonical form, or how there are none."""
    for _ in range(MAX_CHAIN):
        rrset = reply.rrset(name, rdtype)
        if rrset is not None:
            return name, frozenset(record.to_digestable() for record in rrset)
        alias = reply.rrset(name, dns.rdatatype.CNAME)
        if alias is None:
            return name, reply.rcode
        name = alias[0].target
    return name, None


@pytest.mark.timeout(0)  # a million takes half an hour
async def test_what_a_changed_response_makes_secure_is_what_was_published(
    replies: Replies, judged: dict[Case, Judgement]
) -> None:
    """RFC 4035 §5: whatever is changed on the way. FUZZ_INPUTS is how often."""
    sound = [case for case in CASES if judged[case].state is not Dnssec.BOGUS]
    mutator = Mutator(replies)
    seen = Counter[Dnssec]()
    async with aclosing(replies.validator()) as validator:
        for number in range(INPUTS):
            rng = random.Random(f"{number}")  # noqa: S311 - the same changes each time
            case = rng.choice(sound)
            reply = mutator.change(*case.question, rng)
            if isinstance(reply, NoReply):
                continue
            judgement = await validator.judge(*case.question, reply)
            seen[judgement.state] += 1
            if judgement.state is Dnssec.SECURE:
                published = outcome(*case.question, replies.get(*case.question))
                assert outcome(*case.question, reply) == published, f"{case.id}, input {number}"
    assert seen[Dnssec.SECURE]
    assert seen[Dnssec.BOGUS]


async def test_what_is_changed_in_the_chain_of_trust_makes_nothing_else_secure(
    replies: Replies, judged: dict[Case, Judgement]
) -> None:
    """The same for the DS and DNSKEY records, and their denials, that validation asks for."""
    mutator = Mutator(replies)
    secure = [case for case in CASES if judged[case].state is Dnssec.SECURE]
    insecure = [case for case in CASES if judged[case].state is Dnssec.INSECURE]
    for number in range(INPUTS // 40):
        rng = random.Random(f"chain {number}")  # noqa: S311 - the same changes each time

        def change(name: Name, rdtype: RdataType, reply: Reply) -> Reply | NoReply:
            is_changed = rng.random() < 0.3  # noqa: B023 - it is called within this turn
            return mutator.change(name, rdtype, rng) if is_changed else reply  # noqa: B023

        async with aclosing(replies.validator(change)) as validator:
            for case in (rng.choice(secure), rng.choice(insecure)):
                judgement = await validator.judge(*case.question, replies.get(*case.question))
                allowed = {judged[case].state, Dnssec.BOGUS, Dnssec.INDETERMINATE}
                assert judgement.state in allowed, f"{case.id}, input {number}: {judgement}"
