"""The certificate chains that the servers of a domain sent, as an HTML report shows them.

Text of the certificates is as it was read: the page escapes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prober.escape import minute
from prober.records import Answer, Certificate, DomainReport, Endpoint
from prober.report.words import certificate_words
from prober.rules.certificate import name_text
from prober.rules.certificate_fields import CertificateReader, ReadCertificate
from prober.rules.deep import kind_of
from prober.rules.hellos import without_sni
from prober.rules.views import as_shown

_NOT_READ: Final = "not read"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCertificate:
    """One certificate of a chain. ``on_path``: "yes" or "no"; "not known" without a path."""

    subject: str
    issuer: str
    begins: str
    ends: str
    key: str
    signature: str
    on_path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One chain, the servers that sent it, and how its leaf certificate was judged."""

    hosts: str
    words: str
    leaf: Certificate | None
    sent: tuple[SentCertificate, ...]
    path: str  # a sentence on the verified path; empty where nothing is known of it


def chains_of(report: DomainReport, reader: CertificateReader) -> Iterator[Chain]:
    """Each chain once, in the order of the endpoints.

    One sent only without SNI is another, and so is one that only --deep saw.
    """
    groups: dict[tuple[tuple[bytes, ...], Certificate | None], list[tuple[Endpoint, str]]] = {}
    for seen in report.endpoints:
        plain = without_sni(seen) if seen.certificate_without_sni is not None else None
        others = zip(as_shown(seen)[1:], seen.other_certificates, strict=False)
        noted = [(shown, f" ({kind_of(other.question)})") for shown, other in others]
        for endpoint, note in ((seen, ""), (plain, " (without SNI)"), *noted):
            if endpoint is not None and endpoint.chain:
                key = endpoint.chain, endpoint.certificate
                groups.setdefault(key, []).append((endpoint, note))
    for group in groups.values():
        yield _chain(group, reader)


def _chain(group: list[tuple[Endpoint, str]], reader: CertificateReader) -> Chain:
    seen = group[0][0]
    read = [reader.read(der) for der in seen.chain]
    errors = seen.certificate.errors if seen.certificate is not None else ()
    return Chain(
        hosts=", ".join(dict.fromkeys(f"{each.mx_host}{note}" for each, note in group)),
        words="; ".join((certificate_words(seen), *errors)),
        leaf=seen.certificate,
        sent=tuple(_sent(seen, at, each) for at, each in enumerate(read)),
        path=_path_words(seen, read),
    )


def _sent(seen: Endpoint, at: int, read: ReadCertificate) -> SentCertificate:
    """The certificate at position *at* of the chain of *seen*."""
    on_path = "yes" if at in seen.path else "no"
    return SentCertificate(
        subject=name_text(read.subject) or _NOT_READ,
        issuer=name_text(read.issuer) or _NOT_READ,
        begins=minute(read.not_before) if read.not_before is not None else "?",
        ends=minute(read.not_after) if read.not_after is not None else "?",
        key=read.key.text if read.key else _NOT_READ,
        signature=read.signature.text if read.signature else _NOT_READ,
        on_path=on_path if seen.path else "not known",
        sha256=read.sha256,
    )


def _path_words(seen: Endpoint, read: list[ReadCertificate]) -> str:
    """Issuers that were not sent, but are known here, may stand between the path and the anchor."""
    on_path = [read[at] for at in seen.path if 0 <= at < len(read)]
    if on_path:
        last = on_path[-1]
        if last.self_signed:
            return "The last certificate of the path is a trust anchor of this machine."
        issuer = name_text(last.issuer) or "its issuer"
        return f"The path goes on to {issuer}, which is in the trust store of this machine."
    match seen.certificate.trusted if seen.certificate is not None else Answer.NOT_TESTED:
        case Answer.NO:
            return "No path to a trust anchor could be verified."
        case Answer.NOT_TESTED:
            return "It was not tested whether the chain leads to a trust anchor."
        case Answer.YES:
            return ""
