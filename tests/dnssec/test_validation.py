"""The validator against unbound and delv, over a tree that BIND and ldns signed and NSD serves."""

import asyncio
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from dns.name import Name
from dns.rdatatype import RdataType

from prober.dnssec.anchors import parse_anchors
from prober.dnssec.judgement import Judgement, Reply, Work
from prober.dnssec.validator import Validator
from prober.records import Dnssec
from tests.dnssec.nameservers import require_nameservers, require_signers, serving_files
from tests.dnssec.signing import sign_tree
from tests.dnssec.validation_cases import CASES, ZONES, Case

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


@pytest.fixture(scope="module")
def judged(servers: Servers) -> dict[Case, Judgement]:
    """What our validator makes of every case, all by one validator."""

    async def fetch(name: Name, rdtype: RdataType) -> Reply:
        return to_reply(ask(servers.forwarder, name, rdtype, cd=True))

    async def judge_all() -> dict[Case, Judgement]:
        validator = Validator(
            fetch,
            anchors=parse_anchors(servers.anchor),
            work=lambda: Work(signatures=64, hashes=4000),
            failure_ttl_s=60.0,
        )
        found = {}
        for case in CASES:
            name, rdtype = dns.name.from_text(case.name), dns.rdatatype.from_text(case.rdtype)
            found[case] = await validator.judge(name, rdtype, await fetch(name, rdtype))
        await validator.aclose()
        return found

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
    name, rdtype = dns.name.from_text(case.name), dns.rdatatype.from_text(case.rdtype)
    response = ask(servers.resolver, name, rdtype, cd=False)
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
