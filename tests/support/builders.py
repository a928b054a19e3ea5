"""Whole records with defaults: a test names only what it is about."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from prober.records import (
    Answer,
    Attempt,
    Confirmed,
    DeepAnswer,
    DeepFacts,
    DeepQuestion,
    Dnssec,
    DomainFacts,
    EndpointFacts,
    Failure,
    Hello,
    MxHost,
    Reason,
    Route,
    RouteStatus,
    Run,
    StartTls,
    Step,
    TrustStore,
    WithoutSni,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MX = "mx.example.com"
ADDRESS = "192.0.2.1"
TRUST = TrustStore(source="/etc/ssl/ca.pem", certificates=144, sha256="00" * 32)
NO_TRUST = TrustStore(source=None, certificates=0, sha256=None)


def run(trust: TrustStore = TRUST) -> Run:
    return Run(
        version="0", ehlo_name="probe.example.net", resolver=("127.0.0.1",), trust_store=trust
    )


def with_attempt(facts: EndpointFacts, hello: Hello = Hello.DEFAULT) -> EndpointFacts:
    """*facts* as one session leaves them: with itself as its only attempt."""
    attempt = Attempt(
        observed_at=facts.observed_at,
        hello=hello,
        starttls=facts.starttls,
        tls_version=facts.tls_version,
        cipher=facts.cipher,
        failure=facts.failure,
    )
    return replace(facts, attempts=(attempt,))


def alike_without_sni(facts: EndpointFacts) -> EndpointFacts:
    """*facts*, and a session without SNI that saw the same."""
    names = (field.name for field in fields(WithoutSni) if field.name != "chain")
    return replace(facts, without_sni=WithoutSni(**{name: getattr(facts, name) for name in names}))


def endpoint(hello: Hello = Hello.DEFAULT, **fields: Any) -> EndpointFacts:
    """One session's facts; nothing was tested unless *fields* says so."""
    defaults: dict[str, Any] = {
        "mx_host": MX,
        "address": ADDRESS,
        "port": 25,
        "observed_at": NOW,
    }
    return with_attempt(EndpointFacts(**(defaults | fields)), hello)


def completed(hello: Hello = Hello.DEFAULT, **given: Any) -> EndpointFacts:
    """TLS 1.3 completed, and without SNI too unless *given* says otherwise."""
    defaults: dict[str, Any] = {
        "greeting": "220 mx",
        "ehlo_keywords": ("STARTTLS",),
        "ehlo_keywords_tls": (),
        "starttls": StartTls.OFFERED,
        "tls_version": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "cipher_bits": 256,
        "key_exchange": "X25519MLKEM768",
        "client_certificate_requested": False,
    }
    facts = endpoint(hello, **(defaults | given))
    return facts if "without_sni" in given else alike_without_sni(facts)


def not_offered(**fields: Any) -> EndpointFacts:
    """One session that saw no offer."""
    return endpoint(**({"greeting": "220 mx", "starttls": StartTls.NOT_OFFERED} | fields))


def handshake_failed(
    reason: Reason = Reason.ALERT, hello: Hello = Hello.DEFAULT, **fields: Any
) -> EndpointFacts:
    """One session whose handshake failed."""
    failure = Failure(step=Step.HANDSHAKE, reason=reason)
    return endpoint(hello, **({"starttls": StartTls.OFFERED, "failure": failure} | fields))


def untested(
    step: Step = Step.CONNECT, reason: Reason = Reason.TIMED_OUT, **fields: Any
) -> EndpointFacts:
    """One session that could not look."""
    return endpoint(**({"failure": Failure(step=step, reason=reason)} | fields))


def confirmed(facts: EndpointFacts) -> EndpointFacts:
    """*facts*, and further sessions that agreed, without SNI too."""
    facts = replace(facts, confirmed=Confirmed.YES, attempts=facts.attempts * 2)
    return alike_without_sni(facts)


def deep(*questions: DeepQuestion, **fields: Any) -> DeepFacts:
    """That each of *questions* was answered with yes, or as *fields* say."""
    defaults: dict[str, Any] = {"observed_at": NOW, "accepted": Answer.YES}
    answers = (DeepAnswer(question=each, **(defaults | fields)) for each in questions)
    return DeepFacts(observed_at=NOW, answers=tuple(answers), connections=len(questions))


def domain(*endpoints: EndpointFacts, **fields: Any) -> DomainFacts:
    """A domain with an MX host for each name in *endpoints*."""
    names = dict.fromkeys(facts.mx_host for facts in endpoints)
    hosts = tuple(
        MxHost(
            name=name,
            preference=10 * (position + 1),
            dnssec=Dnssec.INSECURE,
            addresses=tuple(facts.address for facts in endpoints if facts.mx_host == name),
        )
        for position, name in enumerate(names)
    )
    defaults: dict[str, Any] = {
        "input": "example.com",
        "domain": "example.com",
        "checked_at": NOW,
        "elapsed_ms": 812,
        "run": run(),
        "route": Route(status=RouteStatus.MX, dnssec=Dnssec.INSECURE),
        "mx_hosts": hosts,
        "endpoints": endpoints,
    }
    return DomainFacts(**(defaults | fields))
