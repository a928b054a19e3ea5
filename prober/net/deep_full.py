"""Lists all that a server accepts: the hellos of ``--deep-full``.

Each hello leaves out what the server has chosen before, until it refuses. Cipher suites are listed
for TLS 1.3 and for the highest version below it, groups for the highest version. Pure.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from prober.net.client_hello import MAX_SUITES, OFFERS, Offer, fits
from prober.net.tls_names import GROUPS, SSL3, SUITES, TLS1, TLS1_1, TLS1_2, TLS1_3, VERSIONS
from prober.records import Answer, DeepAnswer, DeepQuestion

Hellos = Generator[tuple[DeepQuestion, Offer], DeepAnswer, None]
"""Yields what to offer, under the nearest question, and is sent the answer."""

_NAMED_SUITES: Final = {name: number for number, name in SUITES.items()}
_NAMED_GROUPS: Final = {name: number for number, name in GROUPS.items()}
_CURVES: Final = tuple(number for number in GROUPS if number < 31)
_GROUPS_13: Final = (29, 23, 24, 25, 30, 31, 32, 33, *(each for each in GROUPS if each >= 0x100))
_OF_TLS13: Final = OFFERS[DeepQuestion.POST_QUANTUM]
_OLDER: Final = OFFERS[DeepQuestion.RSA_CERTIFICATE]
_ELLIPTIC: Final = "TLS_ECDHE_"


@dataclass(slots=True)
class Accepted:
    """What the server has accepted so far, by the names of the records."""

    versions: list[str] = field(default_factory=list)
    suites: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


def enumerate_all(found: Accepted) -> Hellos:
    """All hellos of one server; what it accepts goes to *found*."""
    older: int | None = None
    for version in (TLS1_3, TLS1_2, TLS1_1, TLS1, SSL3):
        for suites in _batches(version):
            answer = yield DeepQuestion.LEGACY_VERSION, _offer(version, suites)
            if answer.accepted is Answer.YES:
                found.versions.append(VERSIONS[version])
                older = version if older is None and version != TLS1_3 else older
                break
            if answer.alert == "protocol_version":
                break
    has_13 = VERSIONS[TLS1_3] in found.versions
    listed = [*([TLS1_3] if has_13 else []), *([] if older is None else [older])]
    for version in listed:
        for suites in _batches(version):
            yield from _enumerate_suites(version, suites, found)
    if has_13:
        yield from _enumerate_groups(_OF_TLS13, _GROUPS_13, found)
    elif older is not None:
        elliptic = [_NAMED_SUITES[name] for name in found.suites if name.startswith(_ELLIPTIC)]
        if elliptic:
            yield from _enumerate_groups(_offer(older, elliptic), _CURVES, found)


def _enumerate_suites(version: int, suites: Sequence[int], found: Accepted) -> Hellos:
    left = list(suites)
    while left:
        answer = yield DeepQuestion.BROKEN_SUITES, _offer(version, left)
        if answer.accepted is not Answer.YES or answer.cipher is None:
            return
        left.remove(_NAMED_SUITES[answer.cipher])
        if answer.cipher not in found.suites:
            found.suites.append(answer.cipher)


def _enumerate_groups(offer: Offer, groups: Sequence[int], found: Accepted) -> Hellos:
    left = list(groups)
    while left:
        answer = yield DeepQuestion.NORM_GROUPS, replace(offer, groups=tuple(left))
        group = _NAMED_GROUPS.get(answer.key_exchange or "")
        if answer.accepted is not Answer.YES or group not in left:
            return
        left.remove(group)
        found.groups.append(GROUPS[group])


def _offer(version: int, suites: Sequence[int]) -> Offer:
    if version == TLS1_3:
        return replace(_OF_TLS13, suites=tuple(suites), groups=_GROUPS_13)
    offer = replace(_OLDER, versions=(version,), suites=tuple(suites))
    if version < TLS1_2:
        offer = replace(offer, signatures=(), chain_signatures=())
    return offer.without_extensions() if version == SSL3 else offer


def _batches(version: int) -> Iterator[tuple[int, ...]]:
    """The suites of *version*, best first, in batches that keep a hello small."""
    suites = sorted((each for each in SUITES if fits(each, version)), key=_rank)
    for start in range(0, len(suites), MAX_SUITES):
        yield tuple(suites[start : start + MAX_SUITES])


def _rank(suite: int) -> tuple[int, int]:
    """The position of *suite* in the list: what many servers have comes first."""
    name = SUITES[suite]
    kinds = ("TLS_ECDHE_", "TLS_DHE_", "TLS_RSA_")
    kind = next((at for at, prefix in enumerate(kinds) if name.startswith(prefix)), len(kinds))
    is_common = "_AES_" in name or "CHACHA20" in name
    return (0 if is_common and kind < len(kinds) else 1, kind)
