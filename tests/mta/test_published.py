"""What a domain publishes by DANE and MTA-STS, judged by a real Postfix and a real Exim.

Correct TLSA sets have records that no handshake matches today; an MX host that could not be looked
up may have no TLSA at all; and the readers of MTA-STS policies differ.
"""

import asyncio
import hashlib
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from prober.lab.certificates import CertificateKind
from prober.lab.faults import Fault
from prober.lab.internet import Lab, LabDomain, LabHost, LabSts
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Scripted
from prober.lab.personalities.sound import SelfSigned, WellConfigured
from prober.lab.policy_host import PolicyHost
from prober.records import Answer, Code, Level
from prober.records.delivery import DeliveryOutcome
from prober.rules.verdict import judge_requirable
from tests.mta import test_policy_maps as exim
from tests.mta.certificates import MtaCa
from tests.mta.sender import deliver, resolver_for
from tests.mta.servers import SERVERS, require
from tests.mta.test_policy import SETTINGS, World, domain, look, seen, to, world, write_map

AUTHENTICATED: Final = DeliveryOutcome.AUTHENTICATED
CLEAR: Final = DeliveryOutcome.CLEAR
DEFERRED: Final = DeliveryOutcome.DEFERRED
ENCRYPTED: Final = DeliveryOutcome.ENCRYPTED
UNKNOWN: Final = DeliveryOutcome.UNKNOWN


@pytest.fixture(autouse=True)
def _servers_are_there() -> None:
    require(SERVERS["postfix"])
    require(SERVERS["exim"])


class ShowsRsa(Scripted):
    """The RSA certificate of a server that has two."""

    certificate = CertificateKind.RSA


async def by_postfix(
    at: World, policy_map: str, names: list[str], ca: MtaCa, folder: Path
) -> dict[str, DeliveryOutcome]:
    """What becomes of a message to each of *names*, in our words."""
    at.mailbox.arrivals.clear()
    fates = await deliver(
        at.lab, policy_map, map(to, names), ca=ca, folder=folder, settings=SETTINGS, attempts=2
    )
    return {name: seen(fates[to(name)], at.mailbox.arrival(to(name))) for name in names}


async def by_exim(
    lab: Lab, policy_map: str, names: list[str], ca: MtaCa, folder: Path
) -> dict[str, str]:
    """What Exim logs of a message to each of *names*."""
    async with resolver_for(lab.dns) as resolver:
        sending = partial(exim._deliver, lab, policy_map, resolver, tuple(names), ca, folder)
        return dict(await asyncio.to_thread(sending))


def record(usage: int, certificate: x509.Certificate) -> str:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"{usage} 1 1 {hashlib.sha256(key).hexdigest()}"


def tlsa_sets(lab: Lab) -> dict[str, list[str]]:
    """Correct TLSA sets, by domain. The server shows an ECDSA certificate of the lab's CA."""

    def leaf(kind: CertificateKind, name: str) -> str:
        return record(3, lab.ca.issue(kind, f"mx.{name}").leaf)

    today = {name: leaf(CertificateKind.GOOD, name) for name in SETS}
    return {
        "next-key.test": [
            today["next-key.test"],
            leaf(CertificateKind.SELF_SIGNED, "next-key.test"),
        ],
        "two-types.test": [today["two-types.test"], leaf(CertificateKind.RSA, "two-types.test")],
        "ee-and-ca.test": [today["ee-and-ca.test"], record(2, lab.ca.root)],
        "spare-ca.test": [record(2, lab.ca.intermediate), f"2 1 1 {'5a' * 32}"],
    }


SETS: Final = ("next-key.test", "two-types.test", "ee-and-ca.test", "spare-ca.test")


async def test_correct_tlsa_sets_deliver_and_no_record_is_called_old(
    mta_ca: MtaCa, tmp_path: Path
) -> None:
    names = list(SETS)
    async with world(*(domain(name, WellConfigured(), signed=True) for name in names)) as at:
        for name, records in tlsa_sets(at.lab).items():
            for text in records:
                at.lab.dns.add(f"_{at.lab.port}._tcp.mx.{name}", "TLSA", text)
        reports = await look(at.lab)
        lines = "".join(f"{name} dane-only\n" for name in names)
        now = await by_postfix(at, lines, names, mta_ca, tmp_path / "postfix")
        exim_map = write_map(reports.values(), tmp_path, kind="exim")
        logged = await by_exim(at.lab, exim_map, names, mta_ca, tmp_path / "exim")
        at.take_over("next-key.test", SelfSigned())
        at.take_over("two-types.test", ShowsRsa())
        changed = names[:2]
        later = await by_postfix(at, lines, changed, mta_ca, tmp_path / "postfix-later")
        logged_later = await by_exim(at.lab, exim_map, changed, mta_ca, tmp_path / "exim-later")

    for name in names:
        codes = {finding.code for finding in reports[name].findings}
        assert codes == {Code.TLSA_SPARE}, name
        delivery = reports[name].delivery
        assert delivery is not None
        assert delivery.dane.now is now[name] is AUTHENTICATED, name
    assert all(" CV=dane " in line for line in logged.values()), logged
    # the record that was spare is what the mail of later needs
    assert set(later.values()) == {AUTHENTICATED}
    assert all(" CV=dane " in line for line in logged_later.values()), logged_later


async def test_a_host_that_could_not_be_looked_up_is_not_taken_to_have_tlsa(
    mta_ca: MtaCa, tmp_path: Path
) -> None:
    name = "half.test"
    hosts = (
        (10, LabHost(name=f"mx.{name}", personality=WellConfigured())),
        (20, LabHost(name=f"mx2.{name}", personality=NoStarttls())),
    )
    async with world(LabDomain(name=name, mx=hosts, signed=True)) as at:
        good = at.lab.ca.issue(CertificateKind.GOOD, f"mx.{name}").leaf
        at.lab.dns.add(f"_{at.lab.port}._tcp.mx.{name}", "TLSA", record(3, good))
        at.lab.dns.fail(f"mx2.{name}", Fault.SERVFAIL)
        report = (await look(at.lab))[name]
        line = f"{name} dane\n"
        today = await by_postfix(at, line, [name], mta_ca, tmp_path / "today")
        at.lab.dns.fail(f"mx2.{name}", None)
        at.lab.dns.fail(f"mx.{name}", Fault.SERVFAIL)
        other = await by_postfix(at, line, [name], mta_ca, tmp_path / "other")

    assert report.verdict.level is Level.AUTHENTICATED
    assert not report.verdict.complete
    assert report.route is not None
    assert judge_requirable(report.route, report.mx_hosts, report.mta_sts) is not Answer.YES
    assert today == {name: AUTHENTICATED}
    assert other == {name: CLEAR}  # the other host has no TLSA, so nothing was enforced


# Policies on which readers differ, each with what the readers give to Postfix: a line of the map,
# or none where the reader rejects the policy.
POLICIES: Final = {
    "ip.test": ("mx: 192.0.2.1\nmax_age: 604800\n", ("secure match=192.0.2.1", "")),
    "ip-too.test": (
        "mx: mx.ip-too.test\nmx: 192.0.2.1\nmax_age: 604800\n",
        ("secure match=mx.ip-too.test:192.0.2.1", ""),
    ),
    "long.test": (
        "mx: mx.long.test\nmax_age: 99999999\n",
        ("", "secure match=mx.long.test servername=hostname"),
    ),
}


async def test_policies_on_which_senders_differ_are_unknown(mta_ca: MtaCa, tmp_path: Path) -> None:
    names = list(POLICIES)
    served = (
        LabDomain(
            name=name,
            mx=((10, LabHost(name=f"mx.{name}", personality=WellConfigured())),),
            sts=LabSts(host=PolicyHost(f"version: STSv1\nmode: enforce\n{rest}")),
        )
        for name, (rest, _) in POLICIES.items()
    )
    async with world(*served) as at:
        reports = await look(at.lab)
        became = []
        for reader in (0, 1):  # postfix-mta-sts-resolver, postfix-tlspol
            lines = "".join(
                f"{name} {given[reader]}\n"
                for name, (_, given) in POLICIES.items()
                if given[reader]
            )
            folder = tmp_path / f"reader-{reader}"
            became.append(await by_postfix(at, lines, names, mta_ca, folder))

    # OpenSSL takes the address for one that the certificate must have beside the names
    assert became == [
        {"ip.test": DEFERRED, "ip-too.test": DEFERRED, "long.test": ENCRYPTED},
        {"ip.test": ENCRYPTED, "ip-too.test": ENCRYPTED, "long.test": AUTHENTICATED},
    ]
    for name in names:
        delivery = reports[name].delivery
        assert delivery is not None
        assert delivery.mta_sts.now is UNKNOWN, name
        codes = {finding.code for finding in reports[name].findings}
        assert Code.STS_SENDERS_DIFFER in codes, name
        assert reports[name].verdict.level is Level.AUTHENTICATED, name


async def test_a_host_that_the_policy_does_not_list_is_unknown_where_its_certificate_would_do(
    mta_ca: MtaCa, tmp_path: Path
) -> None:
    """RFC 8461 §4.1 does not deliver there; Postfix compares the certificate with the list."""
    deep, other = "deep.test", "other.test"
    hosts = {deep: f"a.mx.{deep}", other: f"mx.{other}"}
    listed = {deep: f"*.{deep}", other: f"mx2.{other}"}
    served = [
        domain(name, WellConfigured(), mx=host, sts=listed[name]) for name, host in hosts.items()
    ]
    async with world(*served) as at:
        reports = await look(at.lab)
        lines = "".join(
            f"{name} secure match={pattern.removeprefix('*')}\n" for name, pattern in listed.items()
        )
        became = await by_postfix(at, lines, list(hosts), mta_ca, tmp_path / "postfix")

    assert became == {deep: AUTHENTICATED, other: DEFERRED}
    predicted = {}
    for name, host in hosts.items():
        delivery, sts = reports[name].delivery, reports[name].mta_sts
        assert delivery is not None
        assert sts is not None
        assert sts.uncovered == (host,)
        predicted[name] = delivery.mta_sts.now
    assert predicted == {deep: UNKNOWN, other: DEFERRED}
