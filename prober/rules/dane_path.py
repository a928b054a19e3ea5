"""Paths from a leaf certificate up to a trust anchor that a TLSA record names. RFC 7671 §5.2.

RFC 5280 §6.1 as far as mail servers' certificates need it: names, signatures, dates, who may issue.
Not checked: revocation, policies. What cannot be read or verified here is *not tested*. The anchor
is a certificate above the leaf, sent or published, or a key that is published bare; a leaf is no
anchor of itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from prober.records import Answer, TlsaRecord
from prober.rules.certificate_fields import ReadCertificate, caught_warnings, read_certificate
from prober.rules.der import Element, Outline, read_outline, split
from prober.rules.tlsa import CERT, FULL, SPKI, selects

MAX_CERTIFICATES: Final = 16  # of a chain; no more is kept of one (settings.chain_certificates)
MAX_STEPS: Final = 100  # from certificate to issuer, in one search: a chain of one name has many
MAX_SIGNATURES: Final = 64  # verified for one chain; an ordinary one needs one per certificate

_BASIC_CONSTRAINTS: Final = bytes.fromhex("551d13")
_KEY_USAGE: Final = bytes.fromhex("551d0f")
_EXTENDED_KEY_USAGE: Final = bytes.fromhex("551d25")
_NAME_CONSTRAINTS: Final = bytes.fromhex("551d1e")
_SERVER_AUTH: Final = bytes.fromhex("2b06010505070301")
_BOOLEAN: Final = 0x01
_INTEGER: Final = 0x02
_CERT_SIGN: Final = 0x04  # bit 5 of the first octet, RFC 5280 §4.2.1.3


@dataclass(frozen=True, slots=True)
class ReasonedAnswer:
    """An answer, and a short reason where it is not yes."""

    answer: Answer
    why: str = ""


_YES: Final = ReasonedAnswer(Answer.YES)


@dataclass(frozen=True, slots=True, eq=False)
class _Certificate:
    """One certificate, read in three ways. One may fail where another works."""

    label: str
    read: ReadCertificate
    outline: Outline | None
    parsed: x509.Certificate | None

    def extension(self, oid: bytes) -> bytes | None:
        if self.outline is None:
            return None
        return next((each.value for each in self.outline.extensions if each.oid == oid), None)

    @property
    def der(self) -> bytes:
        return self.read.der

    @property
    def spki(self) -> bytes:
        return self.read.spki or b""

    @property
    def self_issued(self) -> bool:
        return self.outline is not None and self.outline.subject == self.outline.issuer

    def names_as_issuer(self, other: "_Certificate") -> bool:
        subject, issuer = other.read.subject, self.read.issuer
        return subject is not None and issuer is not None and issuer.equals(subject)


@dataclass(frozen=True, slots=True)
class _Path:
    """Certificates from the leaf up. The last one is the anchor, unless a bare key is."""

    certificates: tuple[_Certificate, ...]
    verified: Answer  # its signatures
    ends_at_certificate: bool = False

    def has(self, certificate: _Certificate) -> bool:
        return any(each.der == certificate.der for each in self.certificates)


class PathFinder:
    """The paths of one chain at one time. Each signature is verified once."""

    def __init__(self, chain: Sequence[ReadCertificate], *, now: datetime) -> None:
        self._now = now
        self._sent = tuple(
            _parsed(
                each, "the leaf certificate" if position == 0 else f"certificate {position + 1}"
            )
            for position, each in enumerate(chain[:MAX_CERTIFICATES])
        )
        self._signatures = _Signatures()

    def judge(self, record: TlsaRecord) -> ReasonedAnswer:
        """Whether a valid path ends in the anchor that *record* (usage DANE-TA(2)) names."""
        search = _Search(record, self._sent, self._signatures)
        best: ReasonedAnswer | None = None
        for path in search.paths():
            judgement = _judge_path(path, self._now)
            if judgement.answer is Answer.YES:
                return judgement
            if best is None or judgement.answer is Answer.NOT_TESTED:
                best = judgement
        if search.steps > MAX_STEPS:
            return ReasonedAnswer(Answer.NOT_TESTED, "too many ways through the chain")
        if best is None and any(each.outline is None for each in self._sent):
            return ReasonedAnswer(Answer.NOT_TESTED, "a certificate of the chain cannot be read")
        return best or ReasonedAnswer(Answer.NO, "no path from the leaf certificate leads to it")


class _Search:
    """All paths from the leaf to the anchor of one record, within MAX_STEPS steps."""

    def __init__(
        self, record: TlsaRecord, sent: tuple[_Certificate, ...], signatures: "_Signatures"
    ) -> None:
        self.steps = 0
        self._record = record
        self._signatures = signatures
        self._leaf = sent[0]
        self._issuers = sent[1:]
        self._bare_key: bytes | None = None
        if record.matching_type == FULL and record.selector == SPKI:
            self._bare_key = record.data
        if record.matching_type == FULL and record.selector == CERT:  # it need not be sent
            published = read_certificate(record.data)
            self._issuers += (_parsed(published, "the published certificate"),)

    def paths(self) -> Iterator[_Path]:
        """Shorter paths come before longer ones."""
        return self._climb(_Path((self._leaf,), Answer.YES))

    def _climb(self, path: _Path) -> Iterator[_Path]:
        top = path.certificates[-1]
        if self._bare_key is not None:
            signed = self._signatures.verify(top, self._bare_key)
            if signed is not Answer.NO:
                yield _Path(path.certificates, _weaker(path.verified, signed))
        for issuer in self._issuers:
            if path.has(issuer) or not top.names_as_issuer(issuer):
                continue
            self.steps += 1
            if self.steps > MAX_STEPS:
                return
            yield from self._step(path, issuer)

    def _step(self, path: _Path, issuer: _Certificate) -> Iterator[_Path]:
        signed = self._signatures.verify(path.certificates[-1], issuer.spki)
        if signed is Answer.NO:
            return
        longer = _Path((*path.certificates, issuer), _weaker(path.verified, signed))
        if selects(self._record, issuer.read) is Answer.YES:
            yield replace(longer, ends_at_certificate=True)
        else:
            yield from self._climb(longer)


class _Signatures:
    """Verifies each signature once, and at most MAX_SIGNATURES signatures."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], Answer] = {}

    def verify(self, certificate: _Certificate, spki: bytes) -> Answer:
        key = (certificate.der, spki)
        if key not in self._known:
            if len(self._known) >= MAX_SIGNATURES:
                return Answer.NOT_TESTED
            self._known[key] = _verify(certificate.parsed, spki)
        return self._known[key]


def _judge_path(path: _Path, now: datetime) -> ReasonedAnswer:
    """The first fault of a path, apart from its signatures."""
    doubt: ReasonedAnswer | None = None
    if path.verified is Answer.NOT_TESTED:
        doubt = ReasonedAnswer(Answer.NOT_TESTED, "a signature of its path cannot be verified here")
    for depth, certificate in enumerate(path.certificates):
        for judgement in _judge_step(path, depth, certificate, now):
            if judgement.answer is Answer.NO:
                return ReasonedAnswer(Answer.NO, f"{certificate.label} {judgement.why}")
            doubt = doubt or ReasonedAnswer(
                Answer.NOT_TESTED, f"{certificate.label} {judgement.why}"
            )
    return doubt or _YES


def _judge_step(
    path: _Path, depth: int, certificate: _Certificate, now: datetime
) -> Iterator[ReasonedAnswer]:
    """RFC 5280 §6.1.3, §6.1.4. Of an anchor only name and key are checked.

    OpenSSL, which most senders verify with, also checks whether the anchor may issue, and its dates
    if it is a root. So they are checked here, too: the answer is to be that of most senders.
    """
    is_anchor = path.ends_at_certificate and certificate is path.certificates[-1]
    if not is_anchor or certificate.self_issued:
        yield from _on_dates(certificate.read, now)
    if certificate.outline is None or not certificate.outline.whole:
        yield ReasonedAnswer(Answer.NOT_TESTED, "has extensions that cannot be read")
    yield from _on_purpose(certificate)
    if depth > 0:
        between = sum(not each.self_issued for each in path.certificates[1:depth])
        yield from _on_issuing(certificate, between)


def _on_dates(read: ReadCertificate, now: datetime) -> Iterator[ReasonedAnswer]:
    if read.not_before is None or read.not_after is None:
        yield ReasonedAnswer(Answer.NOT_TESTED, "has dates that cannot be read")
    elif now < read.not_before:
        yield ReasonedAnswer(Answer.NO, f"is valid from {read.not_before.date()}")
    elif now > read.not_after:
        yield ReasonedAnswer(Answer.NO, f"expired on {read.not_after.date()}")


def _on_purpose(certificate: _Certificate) -> Iterator[ReasonedAnswer]:
    """RFC 5280 §4.2.1.12: where purposes are named, a TLS server's must be among them.

    "Any" does not stand for it: the RFC leaves that open, and OpenSSL, most senders', refuses.
    """
    value = certificate.extension(_EXTENDED_KEY_USAGE)
    if value is not None and _SERVER_AUTH not in (each.content for each in _elements_of(value)):
        yield ReasonedAnswer(Answer.NO, "is not for TLS servers")


def _on_issuing(certificate: _Certificate, between: int) -> Iterator[ReasonedAnswer]:
    """RFC 5280 §6.1.4 (k) to (n). *between*: the number of certificates down to the leaf."""
    usage = certificate.extension(_KEY_USAGE)
    may_sign = usage is None or any(
        len(element.content) > 1 and element.content[1] & _CERT_SIGN for element in split(usage)[0]
    )
    constraints = certificate.extension(_BASIC_CONSTRAINTS)
    fields = {each.tag: each.content for each in _elements_of(constraints or b"")}
    is_authority = any(fields.get(_BOOLEAN, b"")) or _is_version_1_root(certificate)
    if not is_authority or not may_sign:
        yield ReasonedAnswer(Answer.NO, "may issue no certificates")
    if _INTEGER in fields and between > int.from_bytes(fields[_INTEGER]):
        yield ReasonedAnswer(
            Answer.NO, f"allows fewer than {between} certificates between it and leaf"
        )
    if certificate.extension(_NAME_CONSTRAINTS) is not None:
        yield ReasonedAnswer(Answer.NOT_TESTED, "has name constraints, which are not checked here")


def _is_version_1_root(certificate: _Certificate) -> bool:
    """A self-signed root without extensions, as `openssl x509 -req -signkey` makes."""
    parsed = certificate.parsed
    return parsed is not None and parsed.version is x509.Version.v1 and certificate.self_issued


def _elements_of(sequence: bytes) -> tuple[Element, ...]:
    outer = split(sequence)[0]
    return split(outer[0].content)[0] if outer else ()


def _parsed(read: ReadCertificate, label: str) -> _Certificate:
    return _Certificate(label, read, read_outline(read.der), _parse(read.der))


def _parse(der: bytes) -> x509.Certificate | None:
    with caught_warnings():  # read_certificate keeps them
        try:
            return x509.load_der_x509_certificate(der)
        except Exception:  # the parser documents no list of exceptions
            return None


def _verify(certificate: x509.Certificate | None, spki: bytes) -> Answer:
    """Whether the key in *spki* made the signature; not tested where a part of that is unknown."""
    if certificate is None:
        return Answer.NOT_TESTED
    try:
        _verify_with(load_der_public_key(spki), certificate)
    except InvalidSignature:
        return Answer.NO
    except Exception:  # a curve, digest or kind of key that is unknown, or that is no key
        return Answer.NOT_TESTED
    return Answer.YES


def _verify_with(key: PublicKeyTypes, certificate: x509.Certificate) -> None:
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    scheme = certificate.signature_algorithm_parameters
    digest = certificate.signature_hash_algorithm
    match key:
        case rsa.RSAPublicKey() if isinstance(scheme, padding.PKCS1v15 | padding.PSS) and digest:
            key.verify(signature, signed, scheme, digest)
        case ec.EllipticCurvePublicKey() if isinstance(scheme, ec.ECDSA):
            key.verify(signature, signed, scheme)
        case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey():
            raise InvalidSignature  # made by a key of another kind
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            key.verify(signature, signed)
        case _:
            raise NotImplementedError(type(key).__name__)


def _weaker(one: Answer, other: Answer) -> Answer:
    """The combination of two answers, neither of which is no."""
    return one if other is Answer.YES else other
