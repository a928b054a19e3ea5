"""The one data model: frozen records and enums that every stage fills and every report renders.

Plain values only (certificates as DER, times in UTC), so a record pickles to a worker and writes
as JSON without a second model. Field names are the keys of the JSON report (docs/json.md).
``words`` has the enums, ``facts`` what was observed, ``judged`` what the rules made of it.
"""

from prober.records.facts import (
    Anomaly,
    Attempt,
    DomainFacts,
    EndpointFacts,
    Failure,
    Line,
    MxHost,
    Route,
    Run,
    TlsaRecord,
    TrustStore,
    VerifyError,
)
from prober.records.judged import (
    SCHEMA,
    Certificate,
    DomainReport,
    Endpoint,
    Finding,
    Verdict,
)
from prober.records.words import (
    AnomalyKind,
    Answer,
    Code,
    Confirmed,
    Dane,
    Dnssec,
    Encrypted,
    Hello,
    Level,
    Reason,
    RouteStatus,
    Severity,
    StartTls,
    Step,
)

__all__ = [
    "SCHEMA",
    "Anomaly",
    "AnomalyKind",
    "Answer",
    "Attempt",
    "Certificate",
    "Code",
    "Confirmed",
    "Dane",
    "Dnssec",
    "DomainFacts",
    "DomainReport",
    "Encrypted",
    "Endpoint",
    "EndpointFacts",
    "Failure",
    "Finding",
    "Hello",
    "Level",
    "Line",
    "MxHost",
    "Reason",
    "Route",
    "RouteStatus",
    "Run",
    "Severity",
    "StartTls",
    "Step",
    "TlsaRecord",
    "TrustStore",
    "Verdict",
    "VerifyError",
]
