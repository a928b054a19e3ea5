"""Judges the certificate of an endpoint: trust, dates, name, strength, and what is odd about it.

Trust is OpenSSL's verification, as observed (RFC 5280 §6). Dates and names are judged here, so that
every fault is found. Not checked: revocation, since a query tells the CA which servers are tested,
certificate transparency, and key usage beyond what OpenSSL does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from prober.escape import listed, quoted
from prober.records import (
    AnomalyKind,
    Answer,
    Certificate,
    Code,
    Endpoint,
    EndpointFacts,
    Finding,
    TrustStore,
    VerifyError,
    all_of,
    any_of,
)
from prober.rules.certificate_fields import Name, ReadCertificate
from prober.rules.chain import (
    judge_strength,
    missing_issuer,
    out_of_place,
    weak_key,
    weak_signature,
)
from prober.rules.endpoint import Found, findings_at, has_anomaly
from prober.rules.identity import SanNames, acceptance, dispute
from prober.rules.thresholds import EXPIRES_SOON_DAYS, EXPIRES_SOON_SHARE

# X509_V_ERR_…: openssl/x509_vfy.h
_NOT_YET_VALID: Final = 9
_HAS_EXPIRED: Final = 10
_SELF_SIGNED_LEAF: Final = 18
_NO_ISSUER: Final = (20, 21)  # none found locally; none at all to verify the leaf with

_NO_PURPOSE: Final = "not for TLS servers (extended key usage)"
_NOT_FOR_NAME: Final = "its CA may not issue for this name (name constraints)"
_COMPLAINTS: Final = MappingProxyType(
    {
        2: "its issuer is not a trust anchor and was not sent",
        7: "a signature is wrong",
        9: "it is not valid yet",
        10: "it has expired",
        18: "it is self-signed",
        19: "its chain ends in a self-signed certificate that is not a trust anchor",
        20: "its issuer is not a trust anchor and was not sent",
        21: "its signature cannot be verified",
        24: "an issuer has no public key",
        25: "the chain is longer than an issuer allows",
        26: f"it is {_NO_PURPOSE}",
        34: "a critical extension is unknown",
        47: _NOT_FOR_NAME,
        48: _NOT_FOR_NAME,
        79: "an issuer is not a CA",
    }
)
_OF_ISSUER: Final = MappingProxyType(  # where the certificate is not the leaf
    {
        2: "an issuer is not a trust anchor, and its own issuer was not sent",
        9: "an issuer's certificate is not valid yet",
        10: "an issuer's certificate has expired",
        20: "an issuer is not a trust anchor, and its own issuer was not sent",
        26: f"an issuer's certificate is {_NO_PURPOSE}",
    }
)

_MAX_NAME: Final = 512  # characters of a subject or issuer
_MAX_LABEL: Final = 100  # the same within a sentence
_MAX_ERROR: Final = 200
_MAX_NAMES: Final = 100  # of a SAN, kept; all are matched
_MAX_ERRORS: Final = 50


def judge_certificate(
    facts: EndpointFacts, leaf: ReadCertificate, *, now: datetime, trust: TrustStore
) -> Certificate:
    """The leaf certificate of *facts*, judged.

    ``now`` is aware of its time zone. What cannot be read is ``None`` and not tested, never no.
    """
    return Certificate(
        subject=name_text(leaf.subject),
        issuer=name_text(leaf.issuer),
        san=leaf.san.names[:_MAX_NAMES] if leaf.san is not None else (),
        serial=leaf.serial,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        key=leaf.key.text if leaf.key is not None else None,
        signature=leaf.signature.text if leaf.signature is not None else None,
        sha256=leaf.sha256,
        spki_sha256=leaf.spki_sha256,
        trusted=_judge_trust(facts, trust),
        name_matches=_judge_name(leaf.san, facts.mx_host),
        in_date=_judge_dates(facts, leaf, now),
        errors=_errors(facts, leaf),
    )


def judge_authenticity(
    facts: EndpointFacts, certificate: Certificate | None, path_strength: Answer
) -> Answer:
    """Whether the certificate proves the MX host to a sender that insists. docs/verdict.md.

    Yes: trusted, in date, naming the host, and *path_strength*: no weak key and no weak signature
    by ``judge_path_strength``. No as soon as one of these is no; TLS without any
    certificate proves nothing. The TLS version is not looked at, and DANE is another rule.
    """
    if certificate is None:
        return Answer.NOT_TESTED if facts.tls_version is None else Answer.NO
    return all_of(
        (certificate.trusted, certificate.in_date, certificate.name_matches, path_strength)
    )


def judge_path_strength(facts: EndpointFacts, chain: Sequence[ReadCertificate]) -> Answer:
    """Whether the path below the anchor has no weak key and no weak signature.

    *chain* is that of *facts*, read. Where no path is known: the leaf. Not tested without a chain.
    """
    if not chain:
        return Answer.NOT_TESTED
    answer = judge_strength(chain[at] for at in facts.path or (0,))
    lacks_some = has_anomaly(facts, AnomalyKind.CHAIN_TRUNCATED)  # which may be on the path
    return Answer.NOT_TESTED if answer is Answer.YES and lacks_some else answer


def gnutls_refuses(facts: EndpointFacts, leaf: ReadCertificate | None) -> bool:
    """Whether senders with GnuTLS end a handshake that OpenSSL completes.

    Its certificate does not allow the signature that every key exchange but plain RSA needs.
    RFC 8446 §4.4.2.2, RFC 5246 §7.4.2. Measured: GnuTLS 3.7 (Exim 4.96), OpenSSL 3 (Postfix 3.7).
    """
    is_signed = facts.tls_version is not None and facts.key_exchange is not None
    return is_signed and leaf is not None and leaf.forbids_signing


def certificate_findings(
    endpoint: Endpoint, chain: Sequence[ReadCertificate], *, now: datetime
) -> tuple[Finding, ...]:
    """Findings on the certificates that *endpoint* sent, one per fault.

    *chain* is that of *endpoint*, read. A chain cut short by our own bound (``chain-truncated``) is
    among the session's findings.
    """
    certificate = endpoint.certificate
    if certificate is None:
        return ()
    found = (
        *_on_dates(endpoint, chain[0], now),
        *_on_trust(endpoint, certificate, chain[0]),
        *_on_names(endpoint, certificate, chain[0]),
        *_on_usage(endpoint, chain[0]),
        *_on_reading(endpoint, chain),
        *_on_strength(endpoint, chain),
        *_on_order(endpoint, certificate, chain),
    )
    return findings_at(endpoint, found)


def _judge_trust(facts: EndpointFacts, trust: TrustStore) -> Answer:
    if trust.certificates == 0:
        return Answer.NOT_TESTED
    return Answer.NO if _distrust(facts) else Answer.YES


def _distrust(facts: EndpointFacts) -> list[VerifyError]:
    """The verify errors except those on the leaf's dates. An expired issuer counts."""
    dates = (_NOT_YET_VALID, _HAS_EXPIRED)
    return [each for each in facts.verify_errors if each.depth != 0 or each.code not in dates]


def _judge_name(san: SanNames | None, mx_host: str) -> Answer:
    if san is None:
        return Answer.NOT_TESTED
    return any_of(acceptance(name, mx_host) for name in san.names)


def _judge_dates(facts: EndpointFacts, leaf: ReadCertificate, now: datetime) -> Answer:
    if _is_early(facts, leaf, now) or _is_late(facts, leaf, now):
        return Answer.NO
    known = leaf.not_before is not None and leaf.not_after is not None
    return Answer.YES if known else Answer.NOT_TESTED


def _is_early(facts: EndpointFacts, leaf: ReadCertificate, now: datetime) -> bool:
    """RFC 5280 §4.1.2.5: the period includes both dates. OpenSSL decides where we cannot read."""
    if leaf.not_before is None:
        return _leaf_has(facts, _NOT_YET_VALID)
    return now < leaf.not_before


def _is_late(facts: EndpointFacts, leaf: ReadCertificate, now: datetime) -> bool:
    if leaf.not_after is None:
        return _leaf_has(facts, _HAS_EXPIRED)
    return now > leaf.not_after


def _leaf_has(facts: EndpointFacts, code: int) -> bool:
    return any(error.depth == 0 and error.code == code for error in facts.verify_errors)


def _on_dates(facts: EndpointFacts, leaf: ReadCertificate, now: datetime) -> Found:
    if _is_early(facts, leaf, now):
        yield Code.CERTIFICATE_NOT_YET_VALID, _since(leaf.not_before, "valid from", now)
    if _is_late(facts, leaf, now):
        yield Code.CERTIFICATE_EXPIRED, _since(leaf.not_after, "expired on", now)
    if _expires_soon(leaf, now):
        yield Code.CERTIFICATE_EXPIRES_SOON, _since(leaf.not_after, "expires on", now)


def _expires_soon(leaf: ReadCertificate, now: datetime) -> bool:
    if leaf.not_before is None or leaf.not_after is None:
        return False
    third = (leaf.not_after - leaf.not_before) / EXPIRES_SOON_SHARE
    soon = leaf.not_after - min(timedelta(days=EXPIRES_SOON_DAYS), third)
    return max(leaf.not_before, soon) <= now <= leaf.not_after


def _since(moment: datetime | None, verb: str, now: datetime) -> str:
    if moment is None:
        return "by OpenSSL's verification; the date itself cannot be read"
    days = abs(moment - now).days
    count = {0: "less than a day", 1: "1 day"}.get(days, f"{days} days")
    return f"{verb} {moment.date()}, {f'in {count}' if moment > now else f'{count} ago'}"


def _on_trust(facts: EndpointFacts, certificate: Certificate, leaf: ReadCertificate) -> Found:
    if certificate.trusted is Answer.NO:
        yield Code.CERTIFICATE_NOT_TRUSTED, listed(tuple(map(_complaint, _distrust(facts))))
    if certificate.trusted is Answer.YES:  # then it is its own anchor, which is no fault
        return
    if leaf.self_signed or _leaf_has(facts, _SELF_SIGNED_LEAF):
        yield Code.CERTIFICATE_SELF_SIGNED, f"issued by itself: {_label(leaf.subject)}"


def _on_names(facts: EndpointFacts, certificate: Certificate, leaf: ReadCertificate) -> Found:
    if certificate.name_matches is Answer.NO:
        names = listed(leaf.san.names) if leaf.san is not None else ""
        detail = f"not for {facts.mx_host}, but for {names or 'no host'}"
        yield Code.CERTIFICATE_HOST_MISMATCH, detail
    if leaf.san is not None and certificate.name_matches is not Answer.YES:
        for name in (*leaf.san.names, *leaf.san.refused):
            if why := dispute(name, facts.mx_host):
                yield Code.CERTIFICATE_NAME_DISPUTED, f"{quoted(name)} for {facts.mx_host}: {why}"
                break
    if leaf.san == SanNames() and leaf.subject is not None:
        for name in leaf.subject.common_names:
            if (
                acceptance(name, facts.mx_host) is not Answer.NO
            ):  # RFC 9525 §2 forbids what OpenSSL still does
                detail = f"only the common name {name} is the host's, and that is no proof"
                yield Code.CERTIFICATE_COMMON_NAME_ONLY, detail
                break
    if leaf.san is not None and leaf.san.malformed:
        yield Code.CERTIFICATE_SAN_MALFORMED, listed(leaf.san.malformed)


def _on_usage(facts: EndpointFacts, leaf: ReadCertificate) -> Found:
    if gnutls_refuses(facts, leaf):
        yield Code.CERTIFICATE_KEY_USAGE, f"{_where(0, leaf)}: no digitalSignature in its key usage"


def _on_reading(facts: EndpointFacts, chain: Sequence[ReadCertificate]) -> Found:
    for position in facts.path or (0,):
        if unreadable := chain[position].unreadable:
            detail = f"{_where(position, chain[position])}: {listed(unreadable)}"
            yield Code.CERTIFICATE_UNREADABLE, detail


def _on_strength(facts: EndpointFacts, chain: Sequence[ReadCertificate]) -> Found:
    for position in facts.path or (0,):
        where = _where(position, chain[position])
        if key := weak_key(chain[position]):
            yield Code.CERTIFICATE_KEY_WEAK, f"{where}: {key.text}"
        if signature := weak_signature(chain[position]):
            yield Code.CERTIFICATE_SIGNATURE_WEAK, f"{where}: {signature.text}"


def _on_order(
    facts: EndpointFacts, certificate: Certificate, chain: Sequence[ReadCertificate]
) -> Found:
    """A private root that is not sent cannot be told from a missing intermediate."""
    lacks_issuer = any(error.code in _NO_ISSUER for error in facts.verify_errors)
    if (
        certificate.trusted is Answer.NO
        and lacks_issuer
        and not has_anomaly(facts, AnomalyKind.CHAIN_TRUNCATED)
    ):
        last = missing_issuer(chain)
        if last is not None:
            issuer = (
                f"its issuer {_label(chain[last].issuer)} was not sent and is not a trust anchor"
            )
            yield Code.CHAIN_INCOMPLETE, f"{_where(last, chain[last])}: {issuer}"
    if faults := tuple(out_of_place(chain)):
        yield Code.CHAIN_MISORDERED, listed(faults)


def _errors(facts: EndpointFacts, leaf: ReadCertificate) -> tuple[str, ...]:
    malformed = leaf.san.malformed if leaf.san is not None else ()
    return (
        *(_complaint(error) for error in facts.verify_errors),
        *leaf.unreadable,
        *leaf.remarks,
        *(f"subjectAltName: {each}" for each in malformed),
    )[:_MAX_ERRORS]


def _complaint(error: VerifyError) -> str:
    """*error* in plain words, or in OpenSSL's; depth 0 is the leaf."""
    words = _OF_ISSUER.get(error.code) if error.depth > 0 else None
    words = words or _COMPLAINTS.get(error.code) or _cap(error.text, _MAX_ERROR)
    return f"{words} (X509 error {error.code} at depth {error.depth})"


def _where(position: int, certificate: ReadCertificate) -> str:
    name = "leaf certificate" if position == 0 else f"certificate {position + 1}"
    return f"{name} ({_label(certificate.subject)})"


def name_text(name: Name | None) -> str | None:
    """*name* as text, cut to a length that fits a report; None where it could not be read."""
    return _cap(name.text, _MAX_NAME) if name is not None and name.text is not None else None


def _label(name: Name | None) -> str:
    text = name_text(name)
    return "name unreadable" if text is None else _cap(text, _MAX_LABEL) or "no name"


def _cap(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
