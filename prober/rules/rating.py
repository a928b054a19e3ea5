"""Rates the facts of an endpoint under a profile: each with its rating and the paragraph.

The session is rated: its client offers everything, so the server chose the best that it has. With
``--deep``, the other things that the server accepts are rated, too: old versions, forbidden suites,
small groups, each certificate, and whether it has a group that the norm asks for. Without
``--deep`` they are not tested, so a server may break the norm in them without being found out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final, assert_never

from prober.records import (
    Answer,
    DeepAnswer,
    DeepQuestion,
    DomainReport,
    Endpoint,
    FactRating,
    ProfileRatings,
    RatedFact,
    Rating,
)
from prober.rules.certificate_fields import Key, ReadCertificate, Signature
from prober.rules.ciphers import iana_name
from prober.rules.deep import (
    CERTIFICATE_QUESTIONS,
    answer_to,
    compresses,
    shown_by_extension,
)
from prober.rules.endpoint import Outcome, proven
from prober.rules.norms import Feature, Profile, Value, at_least
from prober.rules.verdict import (
    authenticated,
    authenticated_by_each,
)
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
    """One fact and what a norm says of it. ``value`` is None where it was not tested.

    ``question``: the fact is of the answer to it, and not of the session.
    """

    fact: RatedFact
    value: str | None
    norm: Value
    question: DeepQuestion | None = None


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
            if plain != rated:  # --deep asks with SNI only
                ratings += (replace(row, sni=False) for row in plain if row.question is None)
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
            question=rated.question,
        )
        for rated in _rated(view, profile)
    )


def below_profile(ratings: ProfileRatings, profile: Profile) -> tuple[FactRating, ...]:
    """Those of *ratings* that each keep an endpoint below *profile*, which gave them."""
    return tuple(row for row in ratings.ratings if _decides_against(row, row.rating, profile))


def meets_profile(view: View, profile: Profile) -> Answer:
    """Whether every rating reaches the floor of *profile*, and the proof it asks for is there."""
    endpoint = view.endpoint
    if endpoint.tls_version is None or proven(endpoint) is not Outcome.COMPLETED:
        return Answer.NO if proven(endpoint) is Outcome.NEGATIVE else Answer.NOT_TESTED
    rated = tuple(_rated(view, profile))
    proof = _proof(view) if profile.authenticated else Answer.YES
    if proof is Answer.NO or any(
        _decides_against(each, each.norm.rating, profile) for each in rated
    ):
        return Answer.NO
    return Answer.NOT_TESTED if any(_leaves_open(each, profile) for each in rated) else proof


def _proof(view: View) -> Answer:
    """Whether the certificate of the session proves the MX host.

    Not tested where it does, and another certificate that the server shows does not, or may not.
    """
    proof = authenticated(view)
    if proof is Answer.YES and authenticated_by_each(view) is not Answer.YES:
        return Answer.NOT_TESTED
    return proof


def _decides_against(row: _Rated | FactRating, rating: Rating, profile: Profile) -> bool:
    """Whether this fact alone keeps the endpoint below the floor.

    A group does so only where the norm itself rates it insufficient: every hello of the main
    sessions offers X25519, P-256, P-384 and P-521, so the server was offered a better one. The same
    holds for an old version that the server accepts beside a newer one: SP 800-52r2 §3.1 lets
    servers have it for clients that need it.
    """
    if row.fact is RatedFact.KEY_EXCHANGE or row.question is DeepQuestion.LEGACY_VERSION:
        return rating is Rating.INSUFFICIENT
    return rating not in _UNKNOWN and _is_below(rating, profile.floor)


def _leaves_open(rated: _Rated, profile: Profile) -> bool:
    """Whether the profile is undecided because this fact is unknown.

    A group that the norm does not name is known: whether the server also has one that the norm
    names is another question, which --deep asks. A question without an answer is open, and so is
    whether an old version is needed.
    """
    if rated.question is DeepQuestion.LEGACY_VERSION and _is_below(
        rated.norm.rating, profile.floor
    ):
        return True
    if rated.fact is RatedFact.KEY_EXCHANGE or (rated.question and rated.value is None):
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
    if endpoint.key_exchange is not None:  # else plain RSA, which the suite is rated by
        yield from _group(endpoint.key_exchange, endpoint.key_exchange_bits, profile)
        # not seen in TLS 1.3, which encrypts the signature: RFC 8446 §4.4.3
        yield _by_name(RatedFact.KEY_EXCHANGE_HASH, endpoint.key_exchange_hash, profile)
    yield from _certificates(view, profile)
    yield from _features(endpoint, profile)
    yield from _deep(view, profile)


def _deep(view: View, profile: Profile) -> Iterator[_Rated]:
    """What else the server accepts, question by question; nothing of what it refuses."""
    endpoint = view.endpoint
    for question, fact in _DECIDING.items():
        answer = answer_to(endpoint, question)
        if answer is None:
            continue
        rows = _of_answer(answer, fact, endpoint, profile)
        yield from (replace(row, question=question) for row in rows)
    for other, shown in zip(endpoint.other_certificates, view.others, strict=False):
        for row in _certificates(shown, profile):
            yield replace(row, question=other.question)


# The fact that the answer to each question is rated by. No norm here asks for post-quantum.
_DECIDING: Final = MappingProxyType(
    {
        DeepQuestion.LEGACY_VERSION: RatedFact.PROTOCOL,
        DeepQuestion.BROKEN_SUITES: RatedFact.SUITE,
        DeepQuestion.STATIC_KEY_EXCHANGE: RatedFact.SUITE,
        DeepQuestion.FINITE_FIELD_DH: RatedFact.KEY_EXCHANGE,
        DeepQuestion.NORM_GROUPS: RatedFact.KEY_EXCHANGE,
        DeepQuestion.RSA_CERTIFICATE: RatedFact.KEY,
        DeepQuestion.ECDSA_CERTIFICATE: RatedFact.KEY,
    }
)


def _of_answer(
    answer: DeepAnswer, fact: RatedFact, endpoint: Endpoint, profile: Profile
) -> Iterator[_Rated]:
    if answer.question is DeepQuestion.NORM_GROUPS:
        yield from _norm_groups(answer, endpoint, profile)
    elif answer.accepted is Answer.NOT_TESTED:
        yield _not_tested(fact, profile)
    elif answer.accepted is Answer.YES and answer.question not in CERTIFICATE_QUESTIONS:
        yield from _accepted(answer, fact, profile)


def _accepted(answer: DeepAnswer, fact: RatedFact, profile: Profile) -> Iterator[_Rated]:
    """The version, the suite or the group of a hello that offers little else."""
    if fact is RatedFact.PROTOCOL:
        yield _by_name(fact, answer.tls_version, profile)
        return
    if fact is RatedFact.KEY_EXCHANGE:
        name, bits = answer.key_exchange or _NAMELESS[0], answer.key_exchange_bits
        yield from _group(name, bits, profile)
    if answer.cipher is not None or fact is RatedFact.SUITE:  # by its IANA name already
        yield _by_name(RatedFact.SUITE, answer.cipher, profile)


def _norm_groups(answer: DeepAnswer, endpoint: Endpoint, profile: Profile) -> Iterator[_Rated]:
    """Whether the server has a group that the norm asks for.

    A refusal counts only where all groups of this norm were offered: another profile may have
    asked.
    """
    needed = profile.needed_groups
    if needed is None or not _has_groups_of(needed.names, endpoint):
        return
    wanted = set(map(_group_name, needed.names))
    if _group_name(endpoint.key_exchange or "") in wanted:
        return  # seen in the session, and rated there
    offered, chosen = set(map(_group_name, answer.offered_groups)), answer.key_exchange or ""
    if answer.accepted is Answer.NOT_TESTED:
        yield _not_tested(RatedFact.KEY_EXCHANGE, profile)
    elif answer.accepted is Answer.NO and wanted <= offered:
        yield _Rated(RatedFact.KEY_EXCHANGE, "no", needed.absent)
    elif answer.accepted is Answer.YES and _group_name(chosen) in wanted:
        yield _by_name(RatedFact.KEY_EXCHANGE, chosen, profile)


def _group_name(name: str) -> str:
    """One name for both numbers of a Brainpool curve: RFC 7027 §2, RFC 8734 §2."""
    return name.lower().removesuffix("tls13")


def _has_groups_of(names: Sequence[str], endpoint: Endpoint) -> bool:
    """Whether the hello with the groups *names* can show what the server has.

    In TLS 1.2 it has suites with elliptic curves only, so it shows nothing of finite fields, nor
    of a server that takes no curve at all.
    """
    if endpoint.tls_version == "TLSv1.3":
        return True
    group = (endpoint.key_exchange or "dh").lower()
    finite = [name for name in (*names, group) if name.startswith(("ffdhe", "dh"))]
    return endpoint.tls_version == "TLSv1.2" and not finite


def _certificates(view: View, profile: Profile) -> Iterator[_Rated]:
    for certificate in _path(view):
        yield _key(certificate.key, profile)
        if not certificate.self_signed:  # its signature on itself proves nothing: RFC 5280 §6.1
            yield _signature(certificate.signature, profile)


def _path(view: View) -> tuple[ReadCertificate, ...]:
    """The certificates below the trust anchor, or the leaf where no path was found."""
    positions = view.endpoint.path or ((0,) if view.chain else ())
    return tuple(view.chain[position] for position in positions)


def _by_name(fact: RatedFact, name: str | None, profile: Profile) -> _Rated:
    """The row of *name* in the table of *fact*; not tested where there is no name."""
    if name is None:
        return _not_tested(fact, profile)
    tables = {
        RatedFact.PROTOCOL: profile.protocols,
        RatedFact.SUITE: profile.suites,
        RatedFact.KEY_EXCHANGE: profile.groups,
        RatedFact.KEY_EXCHANGE_HASH: profile.key_exchange_hashes,
        RatedFact.KEY: profile.keys,
    }
    key = name.lower() if fact is RatedFact.KEY_EXCHANGE else name
    return _Rated(fact, name, tables[fact].get(key, profile.others[fact]))


def _not_tested(fact: RatedFact, profile: Profile, value: str | None = None) -> _Rated:
    """*fact* as not tested, with the paragraph that it would be rated by."""
    return _Rated(fact, value, Value(Rating.NOT_TESTED, profile.others[fact].source))


def _suite(cipher: str | None, profile: Profile) -> _Rated:
    name = iana_name(cipher) if cipher is not None else None
    if name is None:
        return _not_tested(RatedFact.SUITE, profile, cipher)
    return _by_name(RatedFact.SUITE, name, profile)


def _group(name: str, bits: int | None, profile: Profile) -> Iterator[_Rated]:
    if name not in _NAMELESS:
        yield _by_name(RatedFact.KEY_EXCHANGE, name, profile)
    elif bits is None:  # not seen, as in results from before it was read
        yield _not_tested(RatedFact.KEY_EXCHANGE, profile, name)
    else:
        yield _Rated(RatedFact.KEY_EXCHANGE, f"{name} {bits}", at_least(bits, profile.dh_bits))


def _key(key: Key | None, profile: Profile) -> _Rated:
    if key is None or _is_dotted(key.kind):  # or an algorithm that we have no name for
        return _not_tested(RatedFact.KEY, profile, None if key is None else key.text)
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
    if signature is None:
        return _not_tested(RatedFact.SIGNATURE, profile)
    unknown = _not_tested(RatedFact.SIGNATURE, profile, signature.text)
    family = next((name for part, name in _FAMILIES.items() if part in signature.text), None)
    if family is None:
        return unknown
    other = profile.others[RatedFact.SIGNATURE]
    by_family = profile.signatures.get(family, other)
    if signature.digest is not None:
        by_digest = profile.digests.get(signature.digest, other)
    else:  # RSASSA-PSS with parameters that could not be read; the others have none apart
        by_digest = unknown.norm if family == "rsa-pss" else by_family
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
    """Whether the session showed the feature, or an answer of --deep; not tested where none could.

    Our client offers neither early data nor raw public keys, compression only with --deep, and
    whether a server heeds SNI cannot be told from one session.
    """
    match fact:
        case RatedFact.ENCRYPT_THEN_MAC:
            return _encrypts_then_macs(endpoint)
        case RatedFact.EXTENDED_MASTER_SECRET:
            seen = shown_by_extension(endpoint, lambda answer: answer.extended_master_secret)
            return _answer(_first(endpoint.extended_master_secret, seen))
        case RatedFact.SECURE_RENEGOTIATION:
            seen = shown_by_extension(endpoint, lambda answer: answer.secure_renegotiation)
            return _answer(_first(endpoint.secure_renegotiation, seen))
        case RatedFact.COMPRESSION:
            return _answer(compresses(endpoint))
        case RatedFact.VALIDITY:
            return _is_short_lived(endpoint, profile)
        case _:
            return Answer.NOT_TESTED


def _encrypts_then_macs(endpoint: Endpoint) -> Answer:
    """A server takes the extension only with a CBC suite, so others show nothing: RFC 7366 §3."""
    suite = iana_name(endpoint.cipher) if endpoint.cipher is not None else None
    own = endpoint.encrypt_then_mac if suite is not None and "_CBC_" in suite else None
    seen = shown_by_extension(endpoint, _encrypt_then_mac)
    return _answer(_first(own, seen))


def _encrypt_then_mac(answer: DeepAnswer) -> bool | None:
    return answer.encrypt_then_mac if "_CBC_" in (answer.cipher or "") else None


def _first(own: bool | None, seen: bool | None) -> bool | None:
    """What the session showed, else what the answers of --deep show."""
    return seen if own is None else own


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
