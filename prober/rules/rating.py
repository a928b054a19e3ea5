"""How an endpoint fares under a profile: each fact of its TLS session with rating and paragraph.

Rated is what was negotiated with a client that offers everything, so the best that the server has.
What else it would accept is not probed: a norm that forbids an old version may be broken unseen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final, assert_never

from prober.records import (
    Answer,
    DomainReport,
    Endpoint,
    FactRating,
    ProfileRatings,
    RatedFact,
    Rating,
    RouteStatus,
    Standing,
)
from prober.rules.certificate_fields import Key, ReadCertificate, Signature
from prober.rules.ciphers import iana_name
from prober.rules.completeness import covers_every_endpoint
from prober.rules.endpoint import Outcome, proven
from prober.rules.norms import Feature, Profile, Value, at_least
from prober.rules.verdict import authenticated, depends_on_sender, is_fault
from prober.rules.views import View, Views, views_of

_WORST_FIRST: Final = (
    Rating.INSUFFICIENT,
    Rating.PHASE_OUT,
    Rating.NOT_TESTED,
    Rating.NOT_NAMED,
    Rating.SUFFICIENT,
    Rating.GOOD,
)
_UNKNOWN: Final = (Rating.NOT_TESTED, Rating.NOT_NAMED)
_NAMELESS: Final = ("DH", "ECDH")

# Without these a profile is neither met nor missed. The others decide only where they were seen,
# and are below the floor: most sessions cannot show them.
_NEEDED: Final = frozenset(
    {RatedFact.PROTOCOL, RatedFact.SUITE, RatedFact.KEY, RatedFact.SIGNATURE}
)


@dataclass(frozen=True, slots=True)
class _Rated:
    """One fact and what a norm says of it. ``value`` is None where it was not tested."""

    fact: RatedFact
    value: str | None
    norm: Value


def rate_report(
    report: DomainReport, profile: Profile, views: Sequence[Views] | None = None
) -> ProfileRatings:
    """Each fact at each endpoint that completed TLS, and again without SNI where that differs.

    *views* are those of its endpoints, where they are known.
    """
    ratings: list[FactRating] = []
    for each in views_of(report.endpoints) if views is None else views:
        rated = rate(each.seen, profile)
        ratings += rated
        if each.without_sni is not None:
            plain = rate(each.without_sni, profile)
            if plain != rated:
                ratings += (replace(row, sni=False) for row in plain)
    return ProfileRatings(profile=profile.name, norm=profile.norm, ratings=tuple(ratings))


def rate(view: View, profile: Profile) -> tuple[FactRating, ...]:
    """The ratings of an endpoint under *profile*; none where TLS was not completed."""
    endpoint = view.endpoint
    return tuple(
        FactRating(
            mx_host=endpoint.mx_host,
            address=endpoint.address,
            sni=True,
            fact=rated.fact,
            value=rated.value,
            rating=rated.norm.rating,
            source=rated.norm.source,
            ours=rated.norm.ours,
        )
        for rated in _rated(view, profile)
    )


def below_profile(ratings: ProfileRatings, profile: Profile) -> tuple[FactRating, ...]:
    """Those of *ratings* that each keep an endpoint below *profile*, which gave them."""
    return tuple(row for row in ratings.ratings if _decides_against(row.fact, row.rating, profile))


def judge_profile(
    report: DomainReport, profile: Profile, views: Sequence[Views] | None = None
) -> Standing:
    """How *report* stands to *profile*: the meaning of ``--require profile``.

    It falls short as soon as one endpoint is proven to lack TLS, an aspect rated below the
    profile's floor, or the proof that the profile asks for; it meets when every endpoint was
    tested and none of that is unknown. *views* are those of its endpoints, where they are known.
    """
    if is_fault(report):
        return Standing.UNDECIDED
    if report.route is None:
        return Standing.INVALID
    if report.route.status is RouteStatus.NULL_MX:
        return Standing.NEUTRAL
    views = views_of(report.endpoints) if views is None else views
    answers = [meets_profile(each.seen, profile) for each in views]
    if Answer.NO in answers:
        return Standing.FALLS_SHORT
    proof = profile.authenticated
    if any(depends_on_sender(each, asks_for_proof=proof) for each in views):
        return Standing.UNDECIDED
    plain = [each.without_sni for each in views]
    if any(view is not None and meets_profile(view, profile) is Answer.NO for view in plain):
        return Standing.UNDECIDED  # senders with SNI meet it, those without do not
    completed = [Outcome.COMPLETED is proven(endpoint) for endpoint in report.endpoints]
    known = all(
        answer is Answer.YES for answer, done in zip(answers, completed, strict=True) if done
    )
    if any(completed) and known and covers_every_endpoint(report, report.endpoints):
        return Standing.MEETS
    return Standing.UNDECIDED


def meets_profile(view: View, profile: Profile) -> Answer:
    """Whether every rating reaches the floor of *profile*, and the proof it asks for is there."""
    endpoint = view.endpoint
    if endpoint.tls_version is None or proven(endpoint) is not Outcome.COMPLETED:
        return Answer.NO if proven(endpoint) is Outcome.NEGATIVE else Answer.NOT_TESTED
    rated = tuple(_rated(view, profile))
    proof = authenticated(view) if profile.authenticated else Answer.YES
    if proof is Answer.NO or any(
        _decides_against(each.fact, each.norm.rating, profile) for each in rated
    ):
        return Answer.NO
    return Answer.NOT_TESTED if any(map(_leaves_open, rated)) else proof


def _decides_against(fact: RatedFact, rating: Rating, profile: Profile) -> bool:
    """Whether this fact alone keeps the endpoint below the floor.

    A group does so only where the norm itself rates it insufficient. Every hello of ours offers
    X25519, P-256, P-384 and P-521, so a server that takes such a group was offered better.
    """
    if fact is RatedFact.KEY_EXCHANGE:
        return rating is Rating.INSUFFICIENT
    return rating not in _UNKNOWN and _is_below(rating, profile.floor)


def _leaves_open(rated: _Rated) -> bool:
    """Whether nothing can be said without this fact. A group that the norm does not name is seen:
    whether the server has one that the norm names, too, is another question, and not tested.
    """
    if rated.fact is RatedFact.KEY_EXCHANGE:
        return rated.norm.rating is Rating.NOT_TESTED
    return rated.fact in _NEEDED and rated.norm.rating in _UNKNOWN


def _is_below(rating: Rating, floor: Rating) -> bool:
    return _WORST_FIRST.index(rating) < _WORST_FIRST.index(floor)


def _rated(view: View, profile: Profile) -> Iterator[_Rated]:
    endpoint = view.endpoint
    if endpoint.tls_version is None:
        return
    yield _by_name(RatedFact.PROTOCOL, endpoint.tls_version, profile)
    yield _suite(endpoint.cipher, profile)
    yield from _key_exchange(endpoint, profile)
    if endpoint.key_exchange is not None:
        yield _key_exchange_hash(endpoint.key_exchange_hash, profile)
    for certificate in _path(view):
        yield _key(certificate.key, profile)
        if not certificate.self_signed:  # its signature on itself proves nothing: RFC 5280 §6.1
            yield _signature(certificate.signature, profile)
    yield from _features(endpoint, profile)


def _path(view: View) -> tuple[ReadCertificate, ...]:
    """The certificates below the trust anchor, or the leaf where no path was found."""
    positions = view.endpoint.path or ((0,) if view.chain else ())
    return tuple(view.chain[position] for position in positions)


def _by_name(fact: RatedFact, name: str, profile: Profile) -> _Rated:
    tables = {
        RatedFact.PROTOCOL: profile.protocols,
        RatedFact.SUITE: profile.suites,
        RatedFact.KEY_EXCHANGE: profile.groups,
        RatedFact.KEY_EXCHANGE_HASH: profile.key_exchange_hashes,
        RatedFact.KEY: profile.keys,
    }
    key = name.lower() if fact is RatedFact.KEY_EXCHANGE else name
    return _Rated(fact, name, tables[fact].get(key, profile.others[fact]))


def _not_seen(fact: RatedFact, profile: Profile) -> Value:
    """Not tested, with the paragraph that it would be rated by."""
    return Value(Rating.NOT_TESTED, profile.others[fact].source)


def _suite(cipher: str | None, profile: Profile) -> _Rated:
    name = iana_name(cipher) if cipher is not None else None
    if name is None:
        return _Rated(RatedFact.SUITE, cipher, _not_seen(RatedFact.SUITE, profile))
    return _by_name(RatedFact.SUITE, name, profile)


def _key_exchange(endpoint: Endpoint, profile: Profile) -> Iterator[_Rated]:
    """Nothing for plain RSA, which the suite's rating is about."""
    name, bits = endpoint.key_exchange, endpoint.key_exchange_bits
    if name is None:
        return
    if name not in _NAMELESS:
        yield _by_name(RatedFact.KEY_EXCHANGE, name, profile)
    elif bits is None:  # not seen, as in results from before it was read
        yield _Rated(RatedFact.KEY_EXCHANGE, name, _not_seen(RatedFact.KEY_EXCHANGE, profile))
    else:
        yield _Rated(RatedFact.KEY_EXCHANGE, f"{name} {bits}", at_least(bits, profile.dh_bits))


def _key_exchange_hash(name: str | None, profile: Profile) -> _Rated:
    """Not tested in TLS 1.3, where the signature is encrypted. RFC 8446 §4.4.3."""
    if name is None:
        unseen = _not_seen(RatedFact.KEY_EXCHANGE_HASH, profile)
        return _Rated(RatedFact.KEY_EXCHANGE_HASH, None, unseen)
    return _by_name(RatedFact.KEY_EXCHANGE_HASH, name, profile)


def _key(key: Key | None, profile: Profile) -> _Rated:
    if key is None or _is_dotted(key.kind):  # or an algorithm that we have no name for
        text = None if key is None else key.text
        return _Rated(RatedFact.KEY, text, _not_seen(RatedFact.KEY, profile))
    name = key.text.removeprefix("EC ") if key.kind == "EC" else key.kind
    steps = profile.key_bits.get(key.kind)
    if steps is not None and name not in profile.keys and key.bits is not None:
        return _Rated(RatedFact.KEY, key.text, at_least(key.bits, steps))
    return _Rated(RatedFact.KEY, key.text, _by_name(RatedFact.KEY, name, profile).norm)


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


def _signature(signature: Signature | None, profile: Profile) -> _Rated:
    """The worse of the two: what the norm says of the algorithm, and of the hash."""
    unseen = _not_seen(RatedFact.SIGNATURE, profile)
    if signature is None:
        return _Rated(RatedFact.SIGNATURE, None, unseen)
    family = next((name for part, name in _FAMILIES.items() if part in signature.text), None)
    if family is None:
        return _Rated(RatedFact.SIGNATURE, signature.text, unseen)
    other = profile.others[RatedFact.SIGNATURE]
    by_family = profile.signatures.get(family, other)
    if signature.digest is not None:
        by_digest = profile.digests.get(signature.digest, other)
    else:  # RSASSA-PSS with parameters that could not be read; the others have none apart
        by_digest = unseen if family == "rsa-pss" else by_family
    return _Rated(RatedFact.SIGNATURE, signature.text, _worse(by_family, by_digest))


def _worse(*values: Value) -> Value:
    return min(values, key=lambda value: _WORST_FIRST.index(value.rating))


def _is_dotted(name: str) -> bool:
    return name.replace(".", "").isdigit()


def _features(endpoint: Endpoint, profile: Profile) -> Iterator[_Rated]:
    for fact, feature in profile.features.items():
        yield _feature(fact, _has(fact, endpoint, profile), feature)


def _feature(fact: RatedFact, has: Answer, feature: Feature) -> _Rated:
    match has:
        case Answer.YES:
            return _Rated(fact, "yes", feature.present)
        case Answer.NO:
            return _Rated(fact, "no", feature.absent)
        case Answer.NOT_TESTED:
            return _Rated(fact, None, Value(Rating.NOT_TESTED, feature.absent.source))
        case _:
            assert_never(has)


def _has(fact: RatedFact, endpoint: Endpoint, profile: Profile) -> Answer:
    """Whether the session showed the feature; not tested where it could not.

    Our client offers neither compression nor early data nor raw public keys, and whether a server
    heeds SNI cannot be told from one session.
    """
    match fact:
        case RatedFact.ENCRYPT_THEN_MAC:
            return _encrypts_then_macs(endpoint)
        case RatedFact.EXTENDED_MASTER_SECRET:
            return _answer(endpoint.extended_master_secret)
        case RatedFact.SECURE_RENEGOTIATION:
            return _answer(endpoint.secure_renegotiation)
        case RatedFact.VALIDITY:
            return _is_short_lived(endpoint, profile)
        case _:
            return Answer.NOT_TESTED


def _encrypts_then_macs(endpoint: Endpoint) -> Answer:
    """A server takes the extension only with a CBC suite, so others show nothing: RFC 7366 §3."""
    suite = iana_name(endpoint.cipher) if endpoint.cipher is not None else None
    if suite is None or "_CBC_" not in suite:
        return Answer.NOT_TESTED
    return _answer(endpoint.encrypt_then_mac)


def _answer(seen: bool | None) -> Answer:
    if seen is None:
        return Answer.NOT_TESTED
    return Answer.YES if seen else Answer.NO


def _is_short_lived(endpoint: Endpoint, profile: Profile) -> Answer:
    """Whether the leaf certificate is valid for no longer than the norm recommends."""
    certificate, most = endpoint.certificate, profile.longest_validity_days
    if certificate is None or most is None:
        return Answer.NOT_TESTED
    begin, end = certificate.not_before, certificate.not_after
    if begin is None or end is None:
        return Answer.NOT_TESTED
    return Answer.YES if end - begin <= timedelta(days=most) else Answer.NO
