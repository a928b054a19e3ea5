"""A letter to the administrator of a domain: what was seen, why it matters, what to change.

It is written for somebody who does not know this program. A technical word is explained.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from prober.escape import listed, printable, utc
from prober.records import DomainReport, Severity
from prober.report.answer import answer, effects, reasons
from prober.report.problems import problems_of
from prober.report.publish import is_plain, publications
from prober.report.words import name_of

_MOST_PROBLEMS: Final = 6
_MOST_HOSTS: Final = 2
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MX": "MX host: a mail server that receives mail for the domain, as named in DNS.",
        "STARTTLS": "STARTTLS: how a mail server offers encryption at the start of a session.",
        "TLS": "TLS: the encryption between two mail servers, the same as on secure web sites.",
        "CA": "CA: a certificate authority, which issues certificates.",
        "subjectAltName": "subjectAltName: the field of a certificate with the server's names.",
        "SNI": "SNI: the server name that a sender gives when TLS begins.",
        "DANE": "DANE: a fingerprint of the server's key in signed DNS (RFC 7672).",
        "TLSA": "TLSA: the DNS record of such a fingerprint (RFC 6698).",
        "DNSSEC": "DNSSEC: signatures on DNS answers.",
        "MTA-STS": "MTA-STS: a policy that tells senders to require TLS (RFC 8461).",
        "TLS-RPT": "TLS-RPT: daily reports by senders on TLS failures (RFC 8460).",
        "EHLO": "EHLO: the greeting of a mail session, whose answer lists what a server offers.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the letter. ``copy``: lines to be copied as they are."""

    title: str
    lines: tuple[str, ...]
    copy: tuple[str, ...] = ()


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
        parts.append(Part(title="What the words mean", lines=explained))
    return Letter(subject=f"Encryption of mail to {name}", parts=tuple(parts))


def _seen(report: DomainReport, name: str) -> Part:
    lines = [
        f"To the administrators of the mail servers of {name}.",
        f"We tested at {utc(report.checked_at)} whether mail from us to {name} can be encrypted.",
        f"{answer(report)}.",
    ]
    hosts = list(dict.fromkeys(printable(host.name) for host in report.mx_hosts))
    if hosts:
        lines.append(f"Mail servers (MX hosts) that we found: {listed(hosts)}.")
    return Part(title="What we saw", lines=tuple(lines))


def _matters(report: DomainReport) -> Iterator[Part]:
    lines = effects(report)
    if lines:
        yield Part(title="What it means for mail from us", lines=lines)


def _change(report: DomainReport) -> Iterator[Part]:
    problems = [
        each
        for each in problems_of(report)
        if each.code.severity in (Severity.HIGH, Severity.MEDIUM) or each.code in report.reasons
    ]
    if not problems and report.reasons:
        yield Part(title="Why it is not enough", lines=reasons(report))
    if not problems:
        return
    lines = []
    for number, each in enumerate(problems[:_MOST_PROBLEMS], start=1):
        where = "; ".join(each.places)
        lines.append(f"{number}. {each.code.meaning}" + (f" ({where})" if where else ""))
        norm = f" ({each.norm})" if each.norm else ""
        lines.append(f"   What to do: {each.advice}{norm}")
    more = len(problems) - _MOST_PROBLEMS
    if more > 0:
        lines.append(f"There are {more} more points of less weight.")
    yield Part(title="What to change", lines=tuple(lines))


def _publish(report: DomainReport) -> Iterator[Part]:
    for each in publications(report):
        yield Part(title=f"{each.title} ({each.where})", lines=each.notes, copy=each.lines)


def _check(report: DomainReport) -> Iterator[Part]:
    hosts = dict.fromkeys(seen.mx_host for seen in report.endpoints if is_plain(seen.mx_host))
    commands = [
        f"openssl s_client -starttls smtp -connect {host}:25 -servername {host} "
        f"-verify_hostname {host} -verify_return_error </dev/null"
        for host in list(hosts)[:_MOST_HOSTS]
    ]
    if commands:
        yield Part(
            title="How to check",
            lines=(
                "Run this from a machine outside your network. It must show the certificate "
                "and end with verify return code 0:",
            ),
            copy=tuple(commands),
        )


def _occurs(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
