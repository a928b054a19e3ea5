"""A real Postfix is the judge: of what ``delivery`` predicts, and of the maps that are written.

Its DNS and all it delivers to are the lab's, on loopback. Every message is looked for twice: in
Postfix's log, and at the server that took it.
"""

import functools
import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from prober.domains import parse_entry
from prober.lab.internet import Lab, LabDomain, LabHost, LabSts
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Scripted
from prober.lab.personalities.sound import (
    CnOnly,
    Expired,
    MissingIntermediate,
    SelfSigned,
    Tls10Only,
    Tls12Only,
    WeakKey,
    WellConfigured,
    Wildcard,
    WrongName,
)
from prober.lab.personalities.starttls import HandshakeAlert, StarttlsDeferred
from prober.lab.policy_host import PolicyHost
from prober.records import DomainReport, TlsaRecord
from prober.records.delivery import DeliveryOutcome, SenderKind, SenderOutcomes
from prober.report.json_ import encode_report
from prober.rules.certificate_fields import read_certificate
from prober.scan import scan
from tests.cli.commands import invoke
from tests.mta.certificates import MtaCa
from tests.mta.sender import Fate, ask_postmap, deliver
from tests.mta.servers import SERVERS, require
from tests.personalities.sound import PartialWildcard, WeakDh
from tests.support.accepting import Accepting, Arrival, Mailbox
from tests.support.waiting import PATIENT

AUTHENTICATED = DeliveryOutcome.AUTHENTICATED
CLEAR = DeliveryOutcome.CLEAR
DEFERRED = DeliveryOutcome.DEFERRED
ENCRYPTED = DeliveryOutcome.ENCRYPTED
INTERCEPTED = DeliveryOutcome.INTERCEPTED
UNKNOWN = DeliveryOutcome.UNKNOWN

# main.cf as docs/policy.md presumes it
SETTINGS: Final = {
    "smtp_tls_security_level": "may",
    "smtp_tls_mandatory_protocols": ">=TLSv1.2",
    "smtp_tls_servername": "hostname",
    "smtp_dns_support_level": "dnssec",
}
POLICY: Final = "version: STSv1\r\nmode: enforce\r\nmx: {mx}\r\nmax_age: 2419200\r\n"
# How Postfix is told to be each sender; it has no level for trusted-ca.
LEVELS: Final[Mapping[SenderKind, str]] = {
    SenderKind.OPPORTUNISTIC: "may",
    SenderKind.MANDATORY: "encrypt",
    SenderKind.VERIFIED: "verify",
    SenderKind.DOMAIN_VERIFIED: "secure",
    SenderKind.DANE: "dane",
    SenderKind.MTA_STS: "secure match={mx}",  # as MTA-STS daemons for Postfix tell it
}


@pytest.fixture(autouse=True)
def _postfix_is_there() -> None:
    require(SERVERS["postfix"])


@dataclass(frozen=True, slots=True)
class World:
    lab: Lab
    mailbox: Mailbox

    def take_over(self, domain: str, personality: Scripted) -> None:
        """From now on the attacker answers in place of the domain's host."""
        self.lab.servers[f"mx.{domain}"].personality = Accepting(personality, self.mailbox)


@asynccontextmanager
async def world(*domains: LabDomain) -> AsyncIterator[World]:
    """A lab whose servers take mail."""
    mailbox = Mailbox()

    def accepting(host: LabHost) -> LabHost:
        assert isinstance(host.personality, Scripted)
        return replace(host, personality=Accepting(host.personality, mailbox))

    opened = [
        replace(
            domain,
            mx=tuple((preference, accepting(host)) for preference, host in domain.mx),
            hosts=tuple(accepting(host) for host in domain.hosts),
        )
        for domain in domains
    ]
    async with Lab(opened) as lab:
        yield World(lab, mailbox)


def domain(
    name: str,
    personality: Scripted,
    *,
    mx: str | None = None,
    signed: bool = False,
    sts: str | None = None,
) -> LabDomain:
    """A domain with one MX host; *sts* is what its MTA-STS policy lists, to be enforced."""
    host = LabHost(name=mx or f"mx.{name}", personality=personality)
    served = LabSts(host=PolicyHost(POLICY.format(mx=sts))) if sts is not None else None
    return LabDomain(name=name, mx=((10, host),), signed=signed, sts=served)


async def look(lab: Lab, *names: str, **deadlines: float) -> dict[str, DomainReport]:
    """What the prober makes of the domains *names*, or of every domain."""
    reports: list[DomainReport] = []
    settings = lab.settings(**{**PATIENT, **deadlines})
    names = names or tuple(each.name for each in lab.domains)
    await scan(list(map(parse_entry, names)), settings, reports.append)
    return {report.input: report for report in reports}


def to(domain: str) -> str:
    return f"user@{domain}"


def seen(fate: Fate, arrival: Arrival | None) -> DeliveryOutcome:
    """What Postfix and the server tell of one message, in our words."""
    if fate.status != "sent":
        assert arrival is None
        return DEFERRED
    assert arrival is not None
    if not arrival.encrypted:
        return CLEAR
    return AUTHENTICATED if fate.trust == "Verified" else ENCRYPTED


# In each case one server; what its TLSA records are, if the domain is signed and has some.
@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    personality: Scripted
    host: str = "mx"  # the first label of the MX host
    signed: bool = False
    tlsa: Callable[[bytes], TlsaRecord] | None = None  # of the server's certificate


def tlsa_of(certificate: bytes, usage: int = 3, *, stale: bool = False) -> TlsaRecord:
    spki = read_certificate(certificate).spki_sha256
    assert spki is not None
    data = bytes(32) if stale else bytes.fromhex(spki)
    return TlsaRecord(usage=usage, selector=1, matching_type=1, data=data)


STALE = functools.partial(tlsa_of, stale=True)
UNUSABLE = functools.partial(tlsa_of, usage=1)

CASES: Final = (
    Case(name="clear", personality=NoStarttls()),
    Case(name="deferred", personality=StarttlsDeferred()),
    Case(name="alert", personality=HandshakeAlert()),
    Case(name="tls10", personality=Tls10Only()),
    Case(name="expired", personality=Expired()),
    Case(name="self-signed", personality=SelfSigned()),
    Case(name="wrong-name", personality=WrongName()),
    Case(name="broken-chain", personality=MissingIntermediate()),
    Case(name="cn-only", personality=CnOnly()),
    Case(name="weak-key", personality=WeakKey()),
    Case(name="weak-dh", personality=WeakDh()),
    Case(name="dane-clear", personality=NoStarttls(), signed=True, tlsa=tlsa_of),
    Case(name="dane-stale", personality=WellConfigured(), signed=True, tlsa=STALE),
    Case(name="dane-unusable", personality=SelfSigned(), signed=True, tlsa=UNUSABLE),
    Case(name="dane-unsigned", personality=SelfSigned(), tlsa=tlsa_of),
    Case(name="dane", personality=SelfSigned(), signed=True, tlsa=tlsa_of),
    Case(name="signed", personality=WellConfigured(), signed=True),
    Case(name="wildcard", personality=Wildcard()),
    Case(name="underscore", personality=Wildcard(), host="mx_1"),
    Case(name="partial-wildcard", personality=PartialWildcard()),
    Case(name="tls12", personality=Tls12Only()),
    Case(name="good", personality=WellConfigured()),
)


Domains = Mapping[tuple[Case, SenderKind], LabDomain]


def destinations(cases: Iterable[Case]) -> Domains:
    """A domain of its own for every sender, since Postfix has one policy a domain."""
    return {
        (case, sender): domain(
            name := f"{sender}-{case.name}.test",
            case.personality,
            mx=(mx := f"{case.host}.{name}"),
            signed=case.signed,
            sts=mx if sender is SenderKind.MTA_STS else None,
        )
        for case, sender in itertools.product(cases, LEVELS)
    }


def policies(domains: Domains) -> str:
    lines = (
        f"{each.name} {LEVELS[sender].format(mx=f'{case.host}.{each.name}')}\n"
        for (case, sender), each in domains.items()
    )
    return "".join(lines)


def publish_tlsa(lab: Lab, name: str, case: Case) -> None:
    """Publish what the case has for its server at ``mx.NAME``, for Postfix and the prober alike."""
    if case.tlsa is not None:
        leaf = lab.ca.issue(case.personality.certificate, f"mx.{name}").leaf
        record = case.tlsa(leaf.public_bytes(Encoding.DER))
        text = f"{record.usage} {record.selector} {record.matching_type} {record.data.hex()}"
        lab.dns.add(f"_{lab.port}._tcp.mx.{name}", "TLSA", text)


async def predict(
    at: World, domains: Domains, situation: Callable[[SenderOutcomes], DeliveryOutcome]
) -> dict[str, DeliveryOutcome]:
    """What the prober says becomes of each domain's mail, by the sender that it is there for."""
    for (case, _), each in domains.items():
        # now: to make an RSA key takes so long that the policy hosts would seem not to answer
        at.lab.ca.issue(case.personality.certificate, f"{case.host}.{each.name}")
        publish_tlsa(at.lab, each.name, case)
    reports = await look(at.lab)
    predicted = {}
    for (_, sender), each in domains.items():
        delivery = reports[each.name].delivery
        assert delivery is not None
        predicted[each.name] = situation(delivery.of(sender))
    return predicted


async def test_mail_fares_as_predicted(mta_ca: MtaCa, tmp_path: Path) -> None:
    """For every sender that Postfix can be, at every kind of server."""
    domains = destinations(CASES)
    async with world(*domains.values()) as at:
        predicted = await predict(at, domains, lambda outcomes: outcomes.now)
        fates = await deliver(
            at.lab,
            policies(domains),
            map(to, predicted),
            ca=mta_ca,
            folder=tmp_path / "postfix",
            settings=SETTINGS,
            attempts=2,
        )
        became = {name: seen(fates[to(name)], at.mailbox.arrival(to(name))) for name in predicted}

    wrong = {
        name: (predicted[name], became[name], fates[to(name)])
        for name in predicted
        if predicted[name] not in (became[name], UNKNOWN)
    }
    assert wrong == {}
    assert set(predicted.values()) == {AUTHENTICATED, CLEAR, DEFERRED, ENCRYPTED, UNKNOWN}
    unknown = {name.rpartition(".")[0] for name in predicted if predicted[name] is UNKNOWN}
    assert unknown == {
        f"{sender}-{case}"
        for sender in ("verified", "domain-verified", "mta-sts")
        for case in ("cn-only", "weak-key", "partial-wildcard")
    } | {"verified-underscore", "mta-sts-underscore"}


ATTACKER: Final = "mx.attacker.test"
ATTACKED: Final = (
    Case(name="plain", personality=WellConfigured()),
    Case(name="signed", personality=WellConfigured(), signed=True),
    Case(name="unusable", personality=WellConfigured(), signed=True, tlsa=UNUSABLE),
    Case(name="unsigned", personality=WellConfigured(), tlsa=tlsa_of),
    Case(name="dane", personality=WellConfigured(), signed=True, tlsa=tlsa_of),
)


def strip(at: World, domains: Domains) -> None:
    """He removes STARTTLS from every EHLO reply."""
    for each in domains.values():
        at.take_over(each.name, NoStarttls())


def impersonate(at: World, domains: Domains) -> None:
    """He answers in place of every server, with a CA's certificate for a name of his own."""
    for each in domains.values():
        at.take_over(each.name, WrongName())


def forge_dns(at: World, domains: Domains) -> None:
    """He names a host of his own as the first MX, wherever DNSSEC does not forbid it."""
    for (case, _), each in domains.items():
        at.take_over(each.name, case.personality)
        if not case.signed:
            at.lab.dns.add(each.name, "MX", f"1 {ATTACKER}")


STRATEGIES: Final = (strip, impersonate, forge_dns)
WORST: Final = (CLEAR, INTERCEPTED, DEFERRED)


def stolen(strategy: Callable[..., None], fate: Fate, arrival: Arrival | None) -> DeliveryOutcome:
    """What the attacker got of a message; one that reached the right server he did not get."""
    outcome = seen(fate, arrival)
    if arrival is None or (strategy is forge_dns and arrival.host != ATTACKER):
        return DEFERRED
    return CLEAR if outcome is CLEAR else INTERCEPTED


async def test_mail_under_attack_fares_as_predicted(mta_ca: MtaCa, tmp_path: Path) -> None:
    """The worst that the attacker achieves, whatever he does, is what was said beforehand."""
    domains = destinations(ATTACKED)
    attacker = domain("attacker.test", WellConfigured())
    async with world(*domains.values(), attacker) as at:
        predicted = await predict(at, domains, lambda outcomes: outcomes.attacked)
        worst = dict.fromkeys(predicted, DEFERRED)
        for strategy in STRATEGIES:
            strategy(at, domains)
            at.mailbox.arrivals.clear()
            fates = await deliver(
                at.lab,
                policies(domains),
                map(to, predicted),
                ca=mta_ca,
                folder=tmp_path / strategy.__name__,
                settings=SETTINGS,
            )
            for name in predicted:
                got = stolen(strategy, fates[to(name)], at.mailbox.arrival(to(name)))
                worst[name] = min(worst[name], got, key=WORST.index)
    assert worst == predicted
    assert set(worst.values()) == set(WORST)


def write_map(
    reports: Iterable[DomainReport], folder: Path, *options: str, kind: str = "postfix"
) -> str:
    """What ``probe policy`` makes of the reports of one run."""
    results, target = folder / "results.jsonl", folder / "map"
    results.write_bytes(b"".join(encode_report(report) + b"\n" for report in reports))
    ended = invoke("policy", str(results), "--for", kind, "-o", str(target), *options)
    assert ended.status == 0, ended.err
    return target.read_text()


def presumed(policy_map: str) -> dict[str, str]:
    """The settings that the map's head asks main.cf to have."""
    return dict(re.findall(r"^#   (\w+) = (\S+)", policy_map, re.MULTILINE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What is served, what the domain publishes, and what the map is to say of it."""

    name: str
    personality: Scripted
    line: str
    mx: str | None = None
    backup: Scripted | None = None
    tlsa: Callable[[bytes], TlsaRecord] | None = None
    sts: str | None = None

    @property
    def domain(self) -> LabDomain:
        signed = self.tlsa is not None
        served = domain(self.name, self.personality, mx=self.mx, signed=signed, sts=self.sts)
        if self.backup is None:
            return served
        backup = LabHost(name=f"mx2.{self.name}", personality=self.backup)
        return replace(served, mx=(*served.mx, (20, backup)))

    @property
    def case(self) -> Case:
        signed = self.tlsa is not None
        return Case(name=self.name, personality=self.personality, signed=signed, tlsa=self.tlsa)


HOSTER: Final = "mx.hoster.example"
BUECHER: Final = "xn--bcher-kva.test"
PROVES: Final = ("dane-only", "secure", "verify")
WRITTEN: Final = (
    Written(name="clear.test", personality=NoStarttls(), line=""),
    Written(name="tls10.test", personality=Tls10Only(), line=""),
    Written(name="half.test", personality=WellConfigured(), backup=NoStarttls(), line=""),
    Written(name="self-signed.test", personality=SelfSigned(), line="encrypt"),
    Written(name="expired.test", personality=Expired(), line="encrypt"),
    Written(name=BUECHER, personality=SelfSigned(), line="encrypt"),
    Written(name="hosted.test", personality=WellConfigured(), mx=HOSTER, line="verify"),
    Written(
        name="underscore.test",
        personality=Wildcard(),
        mx="mx_1.underscore.example",
        line="encrypt",
    ),
    Written(
        name="underscore-sts.test",
        personality=Wildcard(),
        mx="mx_1.sts-hoster.example",
        sts="mx_1.sts-hoster.example",
        line="encrypt",
    ),
    Written(name="own.test", personality=WellConfigured(), line="secure match=nexthop:dot-nexthop"),
    Written(
        name="sts.test",
        personality=WellConfigured(),
        mx="mx.sts-hoster.example",
        sts="*.sts-hoster.example",
        line="secure match=.sts-hoster.example",
    ),
    Written(name="dane.test", personality=SelfSigned(), tlsa=tlsa_of, line="dane-only"),
)


async def test_mail_goes_through_the_map_that_is_written(mta_ca: MtaCa, tmp_path: Path) -> None:
    """What the map says arrives, arrives; what it says must defer, defers."""
    lines = {each.name: each.line for each in WRITTEN}
    async with world(*(each.domain for each in WRITTEN)) as at:
        for each in WRITTEN:
            publish_tlsa(at.lab, each.name, each.case)
        reports = await look(at.lab)
        text = write_map(reports.values(), tmp_path)
        assert ask_postmap(text, lines, tmp_path / "postmap") == lines
        unicode = ask_postmap(text, ["bücher.test"], tmp_path / "postmap-unicode")
        assert unicode == {"bücher.test": "encrypt"}
        assert presumed(text).items() >= SETTINGS.items()

        became: dict[Scripted | None, dict[str, DeliveryOutcome]] = {}
        for situation in (None, Expired(), NoStarttls()):
            for name in lines:
                if situation is not None:
                    mx = reports[name].mx_hosts[0].name
                    at.lab.servers[mx].personality = Accepting(situation, at.mailbox)
            at.mailbox.arrivals.clear()
            fates = await deliver(
                at.lab,
                text,
                map(to, lines),
                ca=mta_ca,
                folder=tmp_path / f"postfix-{len(became)}",
                settings=presumed(text),
            )
            became[situation] = {
                name: seen(fates[to(name)], at.mailbox.arrival(to(name))) for name in lines
            }

    today, expired, stripped = became.values()
    for name, line in lines.items():
        level = line.partition(" ")[0]
        assert today[name] is not DEFERRED, name
        assert (today[name] is AUTHENTICATED) == (level in PROVES), name
        assert (expired[name] is DEFERRED) == (level in PROVES), name
        assert stripped[name] is (DEFERRED if level else CLEAR), name


@pytest.mark.parametrize(
    ("options", "status"),
    [
        pytest.param((), "sent", id="every-version"),
        pytest.param(("--postfix-version", "3.7.11"), "sent", id="its-own-version"),
        pytest.param(("--postfix-version", "3.10.5"), "deferred", id="a-later-version"),
    ],
)
async def test_an_older_postfix_needs_the_old_form_of_a_line_by_mta_sts(
    options: tuple[str, ...], status: str, mta_ca: MtaCa, tmp_path: Path
) -> None:
    """Debian 12's Postfix 3.7 knows none of the attributes that 3.10.5 enforces."""
    (sts,) = (each for each in WRITTEN if each.name == "sts.test")
    async with world(sts.domain) as at:
        reports = await look(at.lab)
        text = write_map(reports.values(), tmp_path, *options)
        fates = await deliver(
            at.lab,
            text,
            [to(sts.name)],
            ca=mta_ca,
            folder=tmp_path / "postfix",
            settings=SETTINGS,
        )
    fate = fates[to(sts.name)]
    assert fate.status == status, fate
    assert ("client TLS configuration problem" in fate.why) == (status == "deferred")


async def test_a_live_line_for_names_that_are_gone_is_moved(mta_ca: MtaCa, tmp_path: Path) -> None:
    """A pinned host that was renamed: the new line is as strict, and delivers."""
    live = tmp_path / "live"
    live.write_text("own.test secure match=mx.elsewhere.test\n")
    async with world(domain("own.test", WellConfigured())) as at:
        reports = await look(at.lab)
        text = write_map(reports.values(), tmp_path, "--current", str(live))
        fates = await deliver(
            at.lab,
            text,
            [to("own.test")],
            ca=mta_ca,
            folder=tmp_path / "postfix",
            settings=presumed(text),
        )
    assert ask_postmap(text, ["own.test"], tmp_path / "postmap") == {
        "own.test": "secure match=nexthop:dot-nexthop"
    }
    assert fates[to("own.test")].status == "sent"
