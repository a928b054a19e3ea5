"""Judges TLS-RPT: whether and where a domain wants reports on TLS. RFC 8460 §3.

Whether the reports arrive is not tested.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prober.escape import listed, quoted
from prober.records import Code, Finding, TlsRpt, TlsRptStatus, TxtFacts, finding
from prober.rules.endpoint import describe_failure
from prober.rules.txt_record import Invalid, is_extension_value, read_fields

VERSION: Final = "TLSRPTv1"
# RFC 3986 §2, without "," and "!", which "MUST be encoded", and ";", which ends the field.
_URI: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):[A-Za-z0-9._~:/?#\[\]@$&'()*+=%-]+")
_USABLE: Final = {
    "mailto": re.compile(r"mailto:[^@?]+@[^@?]+(?:\?.*)?", re.IGNORECASE),  # RFC 6068 §2
    "https": re.compile(r"https://[^/?#]+.*", re.IGNORECASE),  # RFC 9110 §4.2.2: with a host
}


@dataclass(frozen=True, slots=True)
class TlsRptRecord:
    """A valid TXT record. ``ignored``: URIs with a scheme that RFC 8460 does not define."""

    rua: tuple[str, ...]
    ignored: tuple[str, ...] = ()


def parse_tls_rpt(records: Sequence[str]) -> TlsRptRecord | Invalid | None:
    """The record among the TXT *records* at ``_smtp._tls``; None if there is none. §3.

    The grammar allows several ``rua`` fields, each with several URIs. All are used.
    """
    fields = read_fields(records, f"v={VERSION}")
    if fields is None or isinstance(fields, Invalid):
        return fields
    uris: list[str] = []
    for name, value in fields:
        if name == "rua":
            uris += [uri.strip(" \t") for uri in value.split(",")]
        elif not is_extension_value(value):
            return Invalid(f"the value of {name} may not be {quoted(value)}")
    if not uris:
        return Invalid("there is no rua")
    for uri in uris:
        if fault := _fault(uri):
            return Invalid(f"the rua {quoted(uri)} {fault}")
    usable = tuple(uri for uri in uris if _scheme(uri) in _USABLE)
    ignored = tuple(uri for uri in uris if _scheme(uri) not in _USABLE)
    if not usable:
        return Invalid(f"the rua {quoted(ignored[0])} is neither mailto nor https")
    return TlsRptRecord(usable, ignored)


def _scheme(uri: str) -> str:
    return uri.partition(":")[0].lower()


def _fault(uri: str) -> str | None:
    if ":" not in uri:
        return "has no scheme: mailto: or https:"
    if not _URI.fullmatch(uri):
        return "is not a URI"
    pattern = _USABLE.get(_scheme(uri))
    if pattern is not None and not pattern.fullmatch(uri):
        return "names no mailbox" if _scheme(uri) == "mailto" else "names no host"
    return None


def judge_tls_rpt(txt: TxtFacts | None) -> TlsRpt | None:
    """Where the domain wants its reports; None if it was not looked up."""
    if txt is None:
        return None
    if txt.failure is not None:
        return TlsRpt(status=TlsRptStatus.NOT_TESTED, detail=describe_failure(txt.failure))
    record = parse_tls_rpt(txt.records)
    if record is None:
        return TlsRpt(status=TlsRptStatus.ABSENT)
    if isinstance(record, Invalid):  # §3: to a sender the domain "does not implement TLSRPT"
        return TlsRpt(status=TlsRptStatus.INVALID, detail=record.reason)
    ignored = (
        f"ignored: {listed([quoted(uri) for uri in record.ignored])}" if record.ignored else None
    )
    return TlsRpt(status=TlsRptStatus.VALID, rua=record.rua, detail=ignored)


def tls_rpt_findings(tls_rpt: TlsRpt | None) -> tuple[Finding, ...]:
    """The findings on *tls_rpt*. A missing record is not a fault."""
    if tls_rpt is None or tls_rpt.status is not TlsRptStatus.INVALID:
        return ()
    return (finding(Code.TLS_RPT_INVALID, detail=tls_rpt.detail),)
