"""A letter to the administrator of a domain: what was seen, why it matters, what to change.

It is written for somebody who does not know this program. A technical word is explained.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from prober.escape import listed, printable, utc
from prober.records import Code, DomainReport, Finding, Gap, Severity
from prober.records.delivery import Delivery, DeliveryOutcome
from prober.report.answer import DELIVERED, ENCRYPTED, answer, reasons
from prober.report.problems import problems_of
from prober.report.publish import Topic, is_plain, publications
from prober.report.words import name_of, server_words
from prober.rules.operator_advice import ABOUT_TLSA

_MAX_PROBLEMS: Final = 6
_MAX_HOSTS: Final = 2
_PORT: Final = 25
_TO_CHANGE: Final = (Severity.HIGH, Severity.MEDIUM)
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MX": "MX host: a mail server that receives mail for the domain, as named in DNS.",
        "null MX": "Null MX: a DNS record that says that a domain receives no mail.",
        "STARTTLS": "STARTTLS: how a mail server offers encryption at the start of a session.",
        "TLS": "TLS: the encryption between two mail servers, the same as on secure web sites.",
        "handshake": "Handshake: the first messages of TLS, in which both sides agree on keys.",
        "ClientHello": "ClientHello: the first message of TLS, which the sender of mail sends.",
        "certificate": "Certificate: what a server proves its name with.",
        "chain": "Chain: the certificates from that of the server up to one that senders trust.",
        "trust anchor": "Trust anchor: a certificate that senders trust by itself.",
        "CA": "CA: a certificate authority, which issues certificates.",
        "subjectAltName": "subjectAltName: the field of a certificate with the server's names.",
        "SNI": "SNI: the server name that a sender gives when TLS begins.",
        "DANE": "DANE: a fingerprint of the server's key in signed DNS (RFC 7672).",
        "TLSA": "TLSA: the DNS record with the fingerprint of a server's key (RFC 6698).",
        "DNSSEC": "DNSSEC: signatures on DNS answers.",
        "MTA-STS": "MTA-STS: a policy that tells senders to require TLS (RFC 8461).",
        "TLS-RPT": "TLS-RPT: daily reports by senders on TLS failures (RFC 8460).",
        "EHLO": "EHLO: the greeting of a mail session, whose answer lists what a server offers.",
        "RFC": "RFC: a standard of the Internet; rfc-editor.org has the text of each.",
    }
)

_ADVICE: Final[Mapping[Code, str]] = MappingProxyType(
    {
        Code.NOT_TESTED: "Check whether your server, or a firewall in front of it, delays, limits "
        "or refuses sessions from us.",
        Code.UNCONFIRMED: "Check whether TLS always works on this server.",
        Code.DNS_ERROR: "Check the nameservers that answer for this name.",
        Code.DOMAIN_NOT_FOUND: "Check whether the registration of the domain has expired.",
        Code.MASKED_BY_MIDDLEBOX: "Disable SMTP inspection in the firewall in front of the server "
        "(on Cisco: `inspect esmtp`).",
        Code.UNSOLICITED_DATA: "Update the mail server or the device in front of it.",
        Code.TLSA_NOT_TESTED: "Check the nameservers that answer for the MX host.",
        Code.STS_NOT_TESTED: "Check the nameservers of the domain, and the web server that has "
        "the policy.",
    }
)
"""What the receiver of the letter can do, where the advice of a finding is for who tested."""

OURS: Final = frozenset(
    {Code.DNSSEC_PROOF_INVALID, Code.TRUST_NOT_TESTED, Code.DEEP_NOT_TESTED},
)
"""Findings on the test, and not on the receiver of the letter: it does not have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the letter. ``copy``: lines to be copied as they are. ``small``: in small type."""

    title: str
    lines: tuple[str, ...]
    copy: tuple[str, ...] = ()
    small: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """All of it is printable."""

    subject: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """As plain text, for a mail."""
        blocks = [f"Subject: {self.subject}"]
        for part in self.parts:
            copied = "".join(f"\n    {line}" for line in part.copy)
            blocks.append("\n".join([part.title, *part.lines]) + copied)
        return "\n\n".join(blocks) + "\n"


def write_letter(report: DomainReport) -> Letter:
    """The letter on *report*."""
    name = printable(name_of(report))
    parts = [_seen(report, name), *_matters(report), *_change(report), *_publish(report)]
    parts += _check(report)
    words = " ".join(line for part in parts for line in (*part.lines, *part.copy))
    explained = tuple(text for word, text in _WORDS.items() if _occurs(word, words))
    if explained:
        parts.append(Part(title="What the words mean", lines=explained, small=True))
    return Letter(subject=f"Encryption of mail to {name}", parts=tuple(parts))


def _seen(report: DomainReport, name: str) -> Part:
    when = utc(report.checked_at)
    lines = [
        f"On {when[:10]} at {when[11:16]} UTC we tested whether mail from us to {name} "
        "can be encrypted.",
        f"{answer(report)}.",
    ]
    hosts = list(dict.fromkeys(printable(host.name) for host in report.mx_hosts))
    if report.server is not None:
        lines.append(server_words(report))
    elif hosts:
        lines.append(f"Mail servers (MX hosts) that we found: {listed(hosts)}.")
    return Part(title=f"To the administrators of the mail servers of {name}", lines=tuple(lines))


def _matters(report: DomainReport) -> Iterator[Part]:
    if report.delivery is not None and report.endpoints:
        lines = tuple(_effects(report.delivery))
        if lines:
            yield Part(title="What it means for mail from us", lines=lines)


def _effects(delivery: Delivery) -> Iterator[str]:
    """For the receiver of the letter; ``answer.effects`` is for who sends the mail."""
    plain, forced = delivery.opportunistic, delivery.mandatory
    if plain.now is DeliveryOutcome.DEFERRED:
        yield "Our mail to you is held back, encrypted or not."
    elif plain.now is DeliveryOutcome.CLEAR:
        yield "Our mail to you travels unencrypted, and others can read it on its way."
        if forced.now is DeliveryOutcome.DEFERRED:
            yield "If we require encryption, our mail to you is held back and returned to us."
    elif DeliveryOutcome.CLEAR is plain.fallback:
        yield (
            "When your first mail servers are down, our mail goes to a backup server unencrypted."
        )
    for name, met in (("DANE", delivery.dane), ("MTA-STS", delivery.mta_sts)):
        if met.now is DeliveryOutcome.DEFERRED:
            yield f"Senders that check {name} hold back mail to you."
    checks = {delivery.dane.attacked, delivery.mta_sts.attacked}
    if forced.now in DELIVERED and checks <= {DeliveryOutcome.INTERCEPTED, DeliveryOutcome.CLEAR}:
        yield (
            "Mail to you can be encrypted. Somebody who can redirect it on its way can still read "
            "it, because nothing requires senders to check which server is yours."
        )


def _change(report: DomainReport) -> Iterator[Part]:
    problems = [
        each
        for each in problems_of(replace(report, findings=_of_receiver(report)))
        if each.code.severity in _TO_CHANGE or each.code in report.reasons
    ]
    if not problems:
        yield from _without_problems(report)
        return
    lines = []
    for number, each in enumerate(problems[:_MAX_PROBLEMS], start=1):
        lines.append(f"{number}. {each.code.meaning}")
        if each.places:
            lines.append(f"   Detail: {'; '.join(each.places)}")
        norm = f" ({each.norm})" if each.norm else ""
        lines.append(f"   What to do: {_ADVICE.get(each.code, each.advice)}{norm}")
    more = len(problems) - _MAX_PROBLEMS
    if more > 0:
        count = "is 1 more point" if more == 1 else f"are {more} more points"
        lines.append(f"There {count}: the program named below shows all.")
    yield Part(title="What to change", lines=tuple(lines))


def _of_receiver(report: DomainReport) -> tuple[Finding, ...]:
    """The findings without those on the test itself."""
    return tuple(found for found in report.findings if not _is_ours(found))


def _is_ours(found: Finding) -> bool:
    """TLSA records of no host in particular: no resolver at the machine of the test validates."""
    return found.code in OURS or (found.code is Code.TLSA_NOT_TESTED and found.mx_host is None)


def _without_problems(report: DomainReport) -> Iterator[Part]:
    ours = {found.code.meaning for found in report.findings if _is_ours(found)}
    why = [line for line in reasons(report) if line not in ours]
    if why:
        yield Part(title="Why it is not enough", lines=tuple(why))
    elif ours or report.verdict.level in ENCRYPTED:
        but = ", but could not test everything" if ours else ""
        line = f"We found nothing that you must change{but}."
        yield Part(title="What to change", lines=(line,))


def _publish(report: DomainReport) -> Iterator[Part]:
    """Only where TLS works: without it, a policy does not help."""
    if report.verdict.level not in ENCRYPTED:
        return
    wanted = set(_topics(report))
    for each in publications(report):
        if each.topic in wanted:
            title = f"{each.title} ({each.where})"
            yield Part(title=title, lines=each.notes, copy=each.lines)


def _topics(report: DomainReport) -> Iterator[Topic]:
    """What the letter asks for: no more than its findings and reasons are about."""
    codes = {found.code for found in report.findings}
    if codes & ABOUT_TLSA:
        yield Topic.DANE
    if Gap.TLS_NOT_REQUIRED in report.reasons or any(code.startswith("sts-") for code in codes):
        yield Topic.MTA_STS
    if Code.TLS_RPT_INVALID in codes:
        yield Topic.TLS_RPT


def _check(report: DomainReport) -> Iterator[Part]:
    """Commands for the servers that have a problem, or else for the first ones."""
    command = _probe(report)
    if command is None:
        return
    faulty = {found.mx_host for found in report.findings if found.severity in _TO_CHANGE}
    seen = [each for each in report.endpoints if is_plain(each.mx_host)]
    servers = dict.fromkeys((each.mx_host, each.port) for each in seen)
    chosen = sorted(servers, key=lambda server: server[0] not in faulty)[:_MAX_HOSTS]
    at = report.server.address if report.server is not None else None
    commands = [] if _uses_dane(report) else [_openssl(*server, at) for server in chosen]
    lines = ["Run this from a machine outside your network."]
    if commands:
        lines.append(
            'OpenSSL must end with "Verify return code: 0 (ok)". It shows whether encryption works '
            "and the certificate is valid, and not every fault that is named above."
        )
    lines.append("The command probe is the program that made this test, and shows every fault.")
    yield Part(title="How to check", lines=tuple(lines), copy=(*commands, command))


def _probe(report: DomainReport) -> str | None:
    """The command that tests the same again; None where a name in it is not plain."""
    server = report.server
    if report.domain is None or not is_plain(report.domain):
        return None
    parts = ["probe", report.domain]
    if server is not None:
        if not is_plain(server.name) or not _is_address(server.address):
            return None
        parts += ["--server", f"{server.name}@{server.address}" if server.address else server.name]
    ports = {seen.port for seen in report.endpoints}
    parts += [f"--port {port}" for port in ports if ports != {_PORT}]
    parts += ["--deep"] * any(seen.deep is not None for seen in report.endpoints)
    return " ".join(parts)


def _is_address(text: str | None) -> bool:
    """Also where there is none. It may be from a file of somebody else, and goes to a command."""
    try:
        return text is None or bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _openssl(host: str, port: int, at: str | None) -> str:
    """To *host*, at the address *at* where DNS need not have it yet."""
    place = f"[{at}]" if at and ":" in at else at or host
    return (
        f"openssl s_client -starttls smtp -connect {place}:{port} -servername {host} "
        f"-verify_hostname {host} -verify_return_error </dev/null"
    )


def _uses_dane(report: DomainReport) -> bool:
    """Whether no CA is needed here: OpenSSL, which knows no TLSA records, would ask for one."""
    return any(host.tlsa for host in report.mx_hosts)


def _occurs(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
