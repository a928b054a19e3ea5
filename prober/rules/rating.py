"""How an endpoint fares under a profile: TLS version, suite, key exchange, keys and signatures.

Rated is what was negotiated with a client that offers everything, so the best that the server has.
What else it would accept is not probed: a norm that forbids an old version may be broken unseen.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from prober.records import Answer, DomainReport, Endpoint, RouteStatus
from prober.rules.certificate_fields import CertificateReader, Key, ReadCertificate, Signature
from prober.rules.ciphers import iana_name
from prober.rules.completeness import covers_every_endpoint
from prober.rules.endpoint import Outcome, proven
from prober.rules.profiles import Profile, Rating
from prober.rules.verdict import Standing, authenticated, depends_on_sender, is_fault
from prober.rules.views import View, views_of

_WORST_FIRST: Final = (
    Rating.INSUFFICIENT,
    Rating.PHASE_OUT,
    Rating.NOT_TESTED,
    Rating.SUFFICIENT,
    Rating.GOOD,
)


_NAMELESS: Final = ("DH", "ECDH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """One rating an aspect; ``None`` where there is nothing to rate.

    Keys and signatures are those of the path below the trust anchor, or of the leaf certificate
    where no path was found; the worst counts, and what was not tested is worse than what will do.
    """

    protocol: Rating | None = None
    suite: Rating | None = None
    key_exchange: Rating | None = None
    key: Rating | None = None
    signature: Rating | None = None


def rate(view: View, profile: Profile) -> Ratings:
    """The ratings of an endpoint under *profile*; none where TLS was not completed."""
    endpoint = view.endpoint
    if endpoint.tls_version is None:
        return Ratings()
    certificates = _path(view)
    return Ratings(
        protocol=_rate_protocol(endpoint.tls_version, profile),
        suite=_rate_suite(endpoint.cipher, profile),
        key_exchange=_rate_key_exchange(endpoint, profile),
        key=_worst(_rate_key(each.key, profile) for each in certificates),
        signature=_worst(_signature_ratings(certificates, profile)),
    )


def judge_profile(
    report: DomainReport, profile: Profile, reader: CertificateReader | None = None
) -> Standing:
    """How *report* stands to *profile*: the meaning of ``--require profile``.

    It falls short as soon as one endpoint is proven to lack TLS, an aspect rated below the
    profile's floor, or the proof that the profile asks for; it meets when every endpoint was
    tested and none of that is unknown.
    """
    if is_fault(report):
        return Standing.UNDECIDED
    if report.route is None:
        return Standing.INVALID
    if report.route.status is RouteStatus.NULL_MX:
        return Standing.NEUTRAL
    views = views_of(report.endpoints, reader)
    answers = [_meets(each.seen, profile) for each in views]
    if Answer.NO in answers:
        return Standing.FALLS_SHORT
    proof = profile.authenticated
    if any(depends_on_sender(each, asks_for_proof=proof) for each in views):
        return Standing.UNDECIDED
    plain = [each.without_sni for each in views]
    if any(view is not None and _meets(view, profile) is Answer.NO for view in plain):
        return Standing.UNDECIDED  # senders with SNI meet it, those without do not
    seen = [each.seen for each in views if proven(each.seen.endpoint) is Outcome.COMPLETED]
    known = all(_meets(view, profile) is Answer.YES for view in seen)
    if seen and known and covers_every_endpoint(report, report.endpoints):
        return Standing.MEETS
    return Standing.UNDECIDED


def _meets(view: View, profile: Profile) -> Answer:
    endpoint = view.endpoint
    if endpoint.tls_version is None or proven(endpoint) is not Outcome.COMPLETED:
        return Answer.NO if proven(endpoint) is Outcome.NEGATIVE else Answer.NOT_TESTED
    rated = rate(view, profile)
    aspects = (rated.protocol, rated.suite, rated.key_exchange, rated.key, rated.signature)
    ratings = {rating for rating in aspects if rating is not None}
    proof = authenticated(view) if profile.authenticated else Answer.YES
    known = ratings - {Rating.NOT_TESTED}
    if proof is Answer.NO or any(_is_below(rating, profile.floor) for rating in known):
        return Answer.NO
    return Answer.NOT_TESTED if Rating.NOT_TESTED in ratings else proof


def _path(view: View) -> tuple[ReadCertificate, ...]:
    positions = view.endpoint.path or ((0,) if view.chain else ())
    return tuple(view.chain[position] for position in positions)


def _is_below(rating: Rating, floor: Rating) -> bool:
    return _WORST_FIRST.index(rating) < _WORST_FIRST.index(floor)


def _worst(ratings: Iterable[Rating]) -> Rating | None:
    return min(ratings, key=_WORST_FIRST.index, default=None)


def _rate_protocol(tls_version: str, profile: Profile) -> Rating:
    return profile.protocols.get(tls_version, Rating.INSUFFICIENT)


def _rate_suite(cipher: str | None, profile: Profile) -> Rating:
    name = iana_name(cipher) if cipher is not None else None
    if name is None:
        return Rating.NOT_TESTED
    return profile.suites.get(name, Rating.INSUFFICIENT)


def _rate_key_exchange(endpoint: Endpoint, profile: Profile) -> Rating | None:
    """None for plain RSA, which the suite's rating is about."""
    name, bits = endpoint.key_exchange, endpoint.key_exchange_bits
    if name is None:
        return None
    if name not in _NAMELESS:
        return profile.groups.get(name.lower(), Rating.INSUFFICIENT)
    if bits is None:  # not seen, as in results from before it was read
        return Rating.NOT_TESTED
    return next((rating for least, rating in profile.dh_bits if bits >= least), Rating.INSUFFICIENT)


def _rate_key(key: Key | None, profile: Profile) -> Rating:
    if key is None:
        return Rating.NOT_TESTED
    if key.kind == "RSA" and key.bits is not None:
        fits = (rating for least, rating in profile.rsa_bits if key.bits >= least)
        return next(fits, Rating.INSUFFICIENT)
    name = key.text.removeprefix("EC ") if key.kind == "EC" else key.kind
    if _is_dotted(name):
        return Rating.NOT_TESTED  # an algorithm that we have no name for
    return profile.curves.get(name, Rating.INSUFFICIENT)


def _signature_ratings(
    certificates: Iterable[ReadCertificate], profile: Profile
) -> Iterator[Rating]:
    """A certificate's signature on itself proves nothing, so nothing hangs on it."""
    for certificate in certificates:
        if not certificate.self_signed:
            yield _rate_signature(certificate.signature, profile)


_FAMILIES: Final = MappingProxyType(
    {
        "WithRSA": "rsa",  # PKCS #1 v1.5
        "rsassaPss": "rsa-pss",
        "ecdsa-with": "ecdsa",
        "dsaWith": "dsa",
        "dsa_with": "dsa",
        "ED25519": "ed25519",
        "ED448": "ed448",
        "ML-DSA": "ml-dsa",
    }
)


def _rate_signature(signature: Signature | None, profile: Profile) -> Rating:
    if signature is None:
        return Rating.NOT_TESTED
    family = next((name for part, name in _FAMILIES.items() if part in signature.text), None)
    if family is None:
        return Rating.NOT_TESTED
    by_family = profile.signatures.get(family, Rating.INSUFFICIENT)
    if signature.digest is not None:
        by_digest = profile.digests.get(signature.digest, Rating.INSUFFICIENT)
    else:  # RSASSA-PSS with parameters that could not be read; the others have none apart
        by_digest = Rating.NOT_TESTED if family == "rsa-pss" else by_family
    return min(by_family, by_digest, key=_WORST_FIRST.index)


def _is_dotted(name: str) -> bool:
    return name.replace(".", "").isdigit()
