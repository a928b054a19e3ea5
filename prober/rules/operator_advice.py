"""Advice on DANE for domains whose mail a large operator receives: data, with its sources.

The TLSA records of an MX host are published in the zone of that host (RFC 7672 §2.2.3), and only
its operator can change them. A domain that receives its mail there needs other advice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from prober.records import Code, Finding, Severity
from prober.rules.clauses import CLAUSES, Norm

ABOUT_TLSA: Final = frozenset(
    {Code.TLSA_INVALID, Code.TLSA_UNUSABLE, Code.TLSA_INSECURE, Code.DANE_NO_TLS}
)
"""The findings whose advice is to change TLSA records, their zone, or the server itself."""

# No DS record for google.com and no TLSA records at its MX hosts, looked up 2026-09-08. Google
# documents MTA-STS only: https://support.google.com/a/answer/9276512
_GOOGLE: Final = (
    "Google runs this MX host, and only Google can publish TLSA records for it or sign its zone. "
    "To make senders require TLS, publish an MTA-STS policy."
)
# https://learn.microsoft.com/purview/how-smtp-dane-works, "Inbound SMTP DANE with DNSSEC"
_MICROSOFT: Final = (
    "Microsoft runs this MX host, and only Microsoft can publish TLSA records for it. To use DANE, "
    "move the domain to a host under mx.microsoft: sign the zone of the domain, set an MTA-STS "
    "policy to testing, run Enable-DnssecForVerifiedDomain in Exchange Online PowerShell, put the "
    "name that it returns in the MX record and the policy, and run Enable-SmtpDaneInbound."
)
_MICROSOFT_SIGNED: Final = (
    "Microsoft runs this MX host and publishes its TLSA records. Report the fault to Microsoft."
)
OPERATORS: Final = MappingProxyType(
    {
        "google.com": _GOOGLE,
        "googlemail.com": _GOOGLE,
        "outlook.com": _MICROSOFT,
        "mx.microsoft": _MICROSOFT_SIGNED,
    }
)
"""The advice by the operator of the MX host: its registered domain."""


def advice_for(found: Finding, operator_of: Callable[[str], str]) -> str:
    """What to do about *found*. *operator_of* gives the registered domain of an MX host."""
    if found.code not in ABOUT_TLSA or found.mx_host is None:
        return found.code.advice
    return OPERATORS.get(operator_of(found.mx_host), found.code.advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A finding explained. ``advice_by_operator``: what takes the place of ``advice`` there."""

    code: Code
    severity: Severity
    meaning: str
    advice: str
    norm: str
    advice_by_operator: dict[str, str]
    clauses: dict[Norm, str]  # of norms that the finding is evidence on, by norm


def explain(code: Code) -> Explanation:
    """The whole row of *code* in the catalogue."""
    return Explanation(
        code=code,
        severity=code.severity,
        meaning=code.meaning,
        advice=code.advice,
        norm=code.norm,
        advice_by_operator=dict(OPERATORS) if code in ABOUT_TLSA else {},
        clauses=dict(CLAUSES[code]),
    )
