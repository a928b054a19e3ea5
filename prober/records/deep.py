"""What else a server accepts, asked by one ClientHello per question."""

import enum
from dataclasses import dataclass
from datetime import datetime

from prober.records.session import Failure, Line, VerifyError
from prober.records.words import Answer


class DeepQuestion(enum.StrEnum):
    """What one ClientHello asks. docs/deep.md."""

    POST_QUANTUM = "post-quantum"  # TLS 1.3 with post-quantum groups only
    LEGACY_VERSION = "legacy-version"  # TLS 1.1 or older
    BROKEN_SUITES = "broken-suites"  # RC4, 3DES, DES, EXPORT, NULL, anonymous, MD5
    STATIC_KEY_EXCHANGE = "static-key-exchange"  # RSA, DH or ECDH without forward secrecy
    FINITE_FIELD_DH = "finite-field-dh"  # TLS 1.2 with DHE suites only
    RSA_CERTIFICATE = "rsa-certificate"
    ECDSA_CERTIFICATE = "ecdsa-certificate"
    NORM_GROUPS = "norm-groups"  # TLS 1.3 and 1.2 with the groups of a profile only


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepAnswer:
    """The answer to one question.

    ``accepted`` is no if the server refused the hello with an alert. It is not tested if anything
    else stopped the session; ``failure`` says what. The other fields are what the server chose, if
    it accepted.
    """

    question: DeepQuestion
    observed_at: datetime
    accepted: Answer
    offered_groups: tuple[str, ...] = ()  # of NORM_GROUPS, by IANA's names: a no is about these
    inferred_from: DeepQuestion | None = None  # no connection of its own: that answer decides this
    failure: Failure | None = None  # the step and reason, where it was not tested
    alert: str | None = None  # the fatal alert, by its name in RFC 8446 §6
    tls_version: str | None = None  # "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"
    cipher: str | None = None  # by its IANA name
    key_exchange: str | None = None  # the group, or DH where it has no name
    key_exchange_bits: int | None = None  # of finite-field DH
    extended_master_secret: bool | None = None  # RFC 7627; None: not seen, also of those below
    encrypt_then_mac: bool | None = None  # RFC 7366
    secure_renegotiation: bool | None = None  # RFC 5746
    compression: bool | None = None  # RFC 3749
    session_ticket: bool | None = None  # RFC 5077
    ocsp_staple: bool | None = None  # RFC 6066 §8
    chain: tuple[bytes, ...] = ()  # as sent, leaf first
    path: tuple[int, ...] = ()
    verify_errors: tuple[VerifyError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """All that a server accepts, in its own order of preference if it has one."""

    versions: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()  # by their IANA names
    groups: tuple[str, ...] = ()
    connections: int = 0
    failure: Failure | None = (
        None  # of the last session without an answer: the lists are not complete
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepFacts:
    """What a server accepts, question by question. ``enumeration``: with ``--deep-full``."""

    observed_at: datetime
    answers: tuple[DeepAnswer, ...] = ()
    connections: int = 0  # that were made for the questions
    enumeration: Enumeration | None = None
    transcript: tuple[Line, ...] = ()
