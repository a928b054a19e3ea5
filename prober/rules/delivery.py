"""What a sender's policy would meet at a domain."""

import enum

from prober.records import DomainReport, Encrypted, Endpoint
from prober.rules.baseline import ACCEPTABLE_TLS_VERSIONS
from prober.rules.endpoint import Outcome, proven
from prober.rules.verdict import covers_every_endpoint


class ForcedTls(enum.StrEnum):
    """Whether mail arrives at a sender that insists on TLS 1.2 or better, with any certificate."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def forced_tls(report: DomainReport) -> ForcedTls:
    """Whether forced TLS loses no mail: Postfix ``encrypt`` with ``>=TLSv1.2``.

    Yes where every endpoint was tested and gives it; no as soon as one is proven not to, since a
    sender may be handed that one; all else is not known. A domain without mail is not known.
    """
    if any(_is_proven_without(endpoint) for endpoint in report.endpoints):
        return ForcedTls.NO
    is_encrypted = report.verdict.encrypted is Encrypted.YES
    if is_encrypted and covers_every_endpoint(report, report.endpoints):
        return ForcedTls.YES
    return ForcedTls.UNKNOWN


def _is_proven_without(endpoint: Endpoint) -> bool:
    outcome = proven(endpoint)
    too_old = endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS
    return outcome is Outcome.NEGATIVE or (outcome is Outcome.COMPLETED and too_old)
