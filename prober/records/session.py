"""What is kept of a session: why it stopped, what was unusual, its lines."""

from dataclasses import dataclass

from prober.records.words import AnomalyKind, Reason, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The step at which something stopped, and why. A fact, never a verdict."""

    step: Step
    reason: Reason
    reply_code: int | None = None  # of SMTP, where a reply stopped the session
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something unusual, with the text that shows it."""

    kind: AnomalyKind
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a transcript: ``server``, ``client``, or a remark of our own as ``probe``."""

    ms: int  # since the session began
    peer: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyError:
    """One complaint of OpenSSL's path verification; ``depth`` 0 is the leaf certificate."""

    depth: int
    code: int  # X509_V_ERR_…
    text: str
