"""Proofs that DNSSEC was secure: they validate by themselves, and any change in them is found."""

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import dns.exception
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from prober.dnssec.anchors import Anchors, parse_anchors
from prober.dnssec.judgement import Reply, Work
from prober.dnssec.proof import _from_wire, _records, _to_wire, check_proof, unproved
from prober.domains import parse_entry
from prober.lab.demo import DEMO_DEADLINES, mail_domain
from prober.lab.internet import Lab, LabTlsa
from prober.lab.personalities.sound import WellConfigured
from prober.lab.zone import parse_record
from prober.probe import probe_entry
from prober.records import Dnssec, DnssecProof, DomainReport
from prober.report.json_ import decode_report, encode_report
from prober.settings import Validation
from prober.vantage import Vantage

STEP = 13  # of the bytes of a proof, so many are left out for each that is changed
# what another process makes of a results file: it has the file, and the trust anchor
CHECK = """
import asyncio, sys
from pathlib import Path
from prober.dnssec.anchors import parse_anchors
from prober.dnssec.judgement import Work
from prober.dnssec.proof import check_proof, unproved
from prober.report.json_ import read_reports

anchors = parse_anchors(Path(sys.argv[2]).read_text())
with open(sys.argv[1], "rb") as file:
    for report in read_reports(file):
        checked = asyncio.run(check_proof(report.proof, anchors, Work(1000, 1000)))
        states = {judgement.state.value for judgement, _ in checked.values()}
        print(report.domain, *states, *unproved(report, checked))
"""


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


@pytest.fixture
async def seen() -> AsyncIterator[Seen]:
    domains = [
        dataclasses.replace(
            mail_domain("signed.test", WellConfigured()), tlsa=LabTlsa.OF_OLD_KEY, signed=True
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
        yield Seen(signed, plain, lab.anchor_file.read_text())


def enough() -> Work:
    return Work(signatures=1000, hashes=1000)


async def test_a_proof_validates_by_itself(seen: Seen) -> None:
    checked = await check_proof(seen.proof, seen.anchors, enough())
    assert {judgement.state for judgement, _ in checked.values()} == {Dnssec.SECURE}
    asked = {(name.to_text(), dns.rdatatype.to_text(rdtype)) for name, rdtype in checked}
    assert {("signed.test.", "MX"), ("mx1.signed.test.", "A"), (".", "DNSKEY")} <= asked
    assert any(rdtype == "TLSA" for _, rdtype in asked)
    assert unproved(seen.signed, checked) == []


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


async def test_another_process_validates_a_results_file(seen: Seen, tmp_path: Path) -> None:
    assert decode_report(encode_report(seen.signed)) == seen.signed
    (tmp_path / "results.jsonl").write_bytes(encode_report(seen.signed) + b"\n")
    (tmp_path / "anchor").write_text(seen.anchor)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CHECK, str(tmp_path / "results.jsonl"), str(tmp_path / "anchor")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "signed.test secure\n"), done.stderr


async def test_a_changed_bit_in_any_signed_part_is_found(seen: Seen) -> None:
    """What is not signed: TTLs, which are not kept as they came, and the case of names."""
    found = 0
    for place, wire in enumerate(seen.proof.rrsets):
        for at in range(place % STEP, len(wire), STEP):
            changed = wire[:at] + bytes([wire[at] ^ 1 << at % 8]) + wire[at + 1 :]
            rrsets = (*seen.proof.rrsets[:place], changed, *seen.proof.rrsets[place + 1 :])
            if await is_found(replace(seen.proof, rrsets=rrsets), seen):
                found += 1
            else:
                assert canonical(changed) == canonical(wire), f"RRset {place}, byte {at}"
    assert found > 100


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
    claimed = replace(seen.signed, mx_hosts=(other,))
    assert unproved(claimed, checked) == [f"addresses of {host.name}", f"TLSA of {host.name}"]
    renamed = replace(seen.signed, mx_hosts=(replace(host, name="mx.evil.test"),))
    assert "MX signed.test" in unproved(renamed, checked)


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
    assert _records(rrset.name, dns.rdatatype.TLSA, reply) == {f"3 1 1 {digest}"}
