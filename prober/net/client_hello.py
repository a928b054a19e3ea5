"""Builds ClientHellos that ask one question each: does the server accept one of these?

RFC 8446 §4.1.2 and RFC 5246 §7.4.1.2; RFC 9846 obsoletes both and keeps the format. Pure: random
bytes come from the caller. Nothing here offers 0-RTT or a pre-shared key, and key_share is empty
(RFC 8446 §4.2.8), so a server of TLS 1.3 answers with HelloRetryRequest and names the group.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from prober.net.handshake import HANDSHAKE
from prober.net.key_exchange import (
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
)
from prober.net.tls_names import GROUPS, SSL3, SUITES, TLS1, TLS1_1, TLS1_2, TLS1_3
from prober.records import DeepQuestion

RANDOM_SIZE: Final = 32
SESSION_ID_SIZE: Final = 32
MAX_SUITES: Final = 64  # in one hello: it stays smaller than those of browsers

NO_COMPRESSION: Final = 0
DEFLATE: Final = 1  # RFC 3749
RENEGOTIATION_SCSV: Final = 0x00FF  # RFC 5746 §3.3

# https://www.iana.org/assignments/tls-extensiontype-values/
SERVER_NAME: Final = 0  # RFC 6066 §3
STATUS_REQUEST: Final = 5  # RFC 6066 §8
SUPPORTED_GROUPS: Final = 10  # RFC 8422 §5.1.1, RFC 8446 §4.2.7
_POINT_FORMATS: Final = 11  # RFC 8422 §5.1.2
_SIGNATURE_ALGORITHMS: Final = 13  # RFC 8446 §4.2.3
SESSION_TICKET: Final = 35  # RFC 5077 §3.2
SUPPORTED_VERSIONS: Final = 43  # RFC 8446 §4.2.1
_SIGNATURE_ALGORITHMS_CERT: Final = 50  # RFC 8446 §4.2.3
KEY_SHARE: Final = 51  # RFC 8446 §4.2.8

_CLIENT_HELLO: Final = 1  # RFC 5246 §7.4

# extensions whose content is always the same
_FIXED: Final = MappingProxyType(
    {
        EXTENDED_MASTER_SECRET: b"",
        RENEGOTIATION_INFO: b"\0",  # of a first handshake: RFC 5746 §3.4
        SESSION_TICKET: b"",
        ENCRYPT_THEN_MAC: b"",
        STATUS_REQUEST: b"\1\0\0\0\0",  # OCSP, from no responder in particular
        _POINT_FORMATS: b"\1\0",  # uncompressed
    }
)
# What servers up to TLS 1.2 say in clear whether they have it.
_ASKED: Final = (
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    SESSION_TICKET,
    ENCRYPT_THEN_MAC,
    STATUS_REQUEST,
)

# SignatureScheme: RFC 8446 §4.2.3; the last ones by hash and signature, RFC 5246 §7.4.1.4.1
_ECDSA: Final = (0x0403, 0x0503, 0x0603, 0x0303, 0x0203)
_PSS: Final = (0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B)
_RSA: Final = (*_PSS, 0x0401, 0x0501, 0x0601, 0x0301, 0x0201)  # PKCS #1 v1.5 last
_EDDSA: Final = (0x0807, 0x0808)
_BRAINPOOL_SIGNATURES: Final = (0x081A, 0x081B, 0x081C)  # RFC 8734
_ML_DSA: Final = (0x0904, 0x0905, 0x0906)
_DSA_AND_MD5: Final = (0x0402, 0x0202, 0x0101)
_OF_TLS_1_3: Final = (*_ECDSA[:3], *_EDDSA, *_RSA, *_BRAINPOOL_SIGNATURES, *_ML_DSA)
_ALL_SIGNATURES: Final = (*_ECDSA, *_EDDSA, *_RSA, *_DSA_AND_MD5)

_CURVES: Final = (29, 23, 24, 25, 30, 28, 27, 26, 22)  # those that are in use, best known first
_TLS_1_3_CURVES: Final = MappingProxyType({26: 31, 27: 32, 28: 33})  # RFC 8734 §2
_POST_QUANTUM: Final = (0x11EC, 0x11EB, 0x11ED, 0x0200, 0x0201, 0x0202)

_TLS_1_3_SUITES: Final = r"TLS_(AES|CHACHA20)_"
_BROKEN: Final = r"NULL|EXPORT|_DES_|RC4|3DES|RC2|_anon_"
_ONLY_TLS_1_2: Final = r"SHA256|SHA384|_CCM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a ClientHello offers. Numbers of https://www.iana.org/assignments/tls-parameters/."""

    versions: tuple[int, ...]  # highest first
    suites: tuple[int, ...]
    groups: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    chain_signatures: tuple[int, ...] = ()  # of certificates, where they differ
    server_name: str | None = None
    asked: tuple[int, ...] = ()  # extensions with a fixed content
    compressions: tuple[int, ...] = (NO_COMPRESSION,)
    has_extensions: bool = True  # else none of the above are sent that need one

    def with_name(self, server_name: str) -> "Offer":
        """The same offer with SNI."""
        return replace(self, server_name=server_name)

    def without_extensions(self) -> "Offer":
        """The same offer for servers of SSL 3.0 and TLS 1.0 that refuse any extension."""
        return replace(self, has_extensions=False)

    def extensions(self) -> dict[int, bytes]:
        """The extensions by type, as they are sent. The last one is never empty.

        Some servers refuse a hello that ends with an empty extension: RFC 7685 §1 has the kind.
        """
        found: dict[int, bytes] = {}
        if not self.has_extensions:
            return found
        if self.server_name is not None:
            name = b"\0" + _vector(self.server_name.encode("ascii"), 2)
            found[SERVER_NAME] = _vector(name, 2)
        found |= {kind: _FIXED[kind] for kind in self.asked}
        if self.groups:
            found[_POINT_FORMATS] = _FIXED[_POINT_FORMATS]
            found[SUPPORTED_GROUPS] = _vector(_numbers(self.groups), 2)
        if self.signatures:
            found[_SIGNATURE_ALGORITHMS] = _vector(_numbers(self.signatures), 2)
        if self.chain_signatures:
            found[_SIGNATURE_ALGORITHMS_CERT] = _vector(_numbers(self.chain_signatures), 2)
        if TLS1_3 in self.versions:
            found[SUPPORTED_VERSIONS] = _vector(_numbers(self.versions), 1)
            found[KEY_SHARE] = _vector(b"", 2)
        return found


def build(offer: Offer, *, random: bytes, session_id: bytes) -> bytes:
    """The record with the ClientHello. RFC 5246 §7.4.1.2, RFC 8446 §4.1.2.

    *session_id* is sent with TLS 1.3 only, for middleboxes (RFC 8446 §D.4): up to TLS 1.2 it would
    ask for a session that the server does not know. An offer without extensions uses a cipher suite
    to say that renegotiation is secure: RFC 5746 §3.4.
    """
    highest = offer.versions[0]
    extensions = b"".join(
        kind.to_bytes(2) + _vector(content, 2) for kind, content in offer.extensions().items()
    )
    suites = offer.suites if extensions else (*offer.suites, RENEGOTIATION_SCSV)
    body = (
        min(highest, TLS1_2).to_bytes(2)
        + random
        + _vector(session_id if highest == TLS1_3 else b"", 1)
        + _vector(_numbers(suites), 2)
        + _vector(bytes(offer.compressions), 1)
        + (_vector(extensions, 2) if extensions else b"")
    )
    message = bytes([_CLIENT_HELLO]) + _vector(body, 3)
    # the version of the first record: RFC 5246 §E.1, RFC 8446 §5.1
    return bytes([HANDSHAKE]) + min(highest, TLS1).to_bytes(2) + _vector(message, 2)


def fits(suite: int, version: int) -> bool:
    """Whether *suite* may be chosen in *version*: RFC 8446 §4.1.2, RFC 5246 §1.2, RFC 5288 §4."""
    name = SUITES[suite]
    if re.match(_TLS_1_3_SUITES, name):
        return version == TLS1_3
    return version == TLS1_2 or (version < TLS1_2 and not re.search(_ONLY_TLS_1_2, name))


def norm_groups(names: tuple[str, ...]) -> Offer:
    """A hello with the groups of *names* only, in any version. Raises ValueError for other names.

    A server without TLS 1.3 answers with the curve of an older version. RFC 8734 §2 gives the
    curves of Brainpool new numbers for TLS 1.3.
    """
    numbers = {name.lower(): number for number, name in GROUPS.items()}
    unknown = [name for name in names if name.lower() not in numbers]
    if unknown or not names:
        raise ValueError(f"no groups of TLS: {', '.join(unknown) or 'none given'}")
    groups = [numbers[name.lower()] for name in names]
    groups += [_TLS_1_3_CURVES[group] for group in groups if group in _TLS_1_3_CURVES]
    return replace(
        _TLS_1_2,
        versions=(TLS1_3, TLS1_2, TLS1_1, TLS1),
        suites=_matching(_TLS_1_3_SUITES, r"TLS_ECDHE_(ECDSA|RSA)_WITH_(AES|CHACHA)"),
        groups=tuple(dict.fromkeys(groups)),
        signatures=(*_OF_TLS_1_3, 0x0303, 0x0203),
        compressions=(NO_COMPRESSION,),  # RFC 8446 §4.1.2
    )


def _matching(*patterns: str, no: str = r"\Z.") -> tuple[int, ...]:
    """The suites that match one of *patterns*, in that order, and do not contain *no*."""
    found: dict[int, None] = {}
    for pattern in patterns:
        for number, name in SUITES.items():
            if re.match(pattern, name) and not re.search(no, name):
                found[number] = None
    return tuple(found)[:MAX_SUITES]


_TLS_1_2: Final = Offer(
    versions=(TLS1_2, TLS1_1, TLS1, SSL3),
    suites=(),
    groups=_CURVES,
    signatures=_ALL_SIGNATURES,
    asked=_ASKED,
    compressions=(DEFLATE, NO_COMPRESSION),
)


def _offers() -> Iterator[tuple[DeepQuestion, Offer]]:
    yield (
        DeepQuestion.POST_QUANTUM,
        Offer(
            versions=(TLS1_3,),
            suites=_matching(_TLS_1_3_SUITES),
            groups=_POST_QUANTUM,
            signatures=_OF_TLS_1_3,
        ),
    )
    yield (
        # best first; no TLS_FALLBACK_SCSV (RFC 7507), which asks for a refusal
        DeepQuestion.LEGACY_VERSION,
        replace(
            _TLS_1_2,
            versions=(TLS1_1, TLS1, SSL3),
            signatures=(),
            suites=_matching(
                r"TLS_ECDHE_.*AES",
                r"TLS_DHE_.*AES",
                r"TLS_RSA_WITH_(AES|CAMELLIA)",
                r"TLS_(ECDHE?|DHE?|RSA)_(RSA_|ECDSA_|DSS_)?WITH_(AES|3DES|RC4|CAMELLIA)",
                r"TLS_RSA_WITH_(SEED|IDEA|DES)|TLS_DH_anon_WITH_(AES|3DES)|TLS_ECDH_anon_.*AES",
                r"TLS_(DHE_)?RSA_.*(EXPORT|NULL)",
                no=_ONLY_TLS_1_2,
            ),
        ),
    )
    yield (
        # The worst first, for servers that take the client's order. Strong suites without
        # authentication, which most servers of Postfix accept, stand last and hide less.
        DeepQuestion.BROKEN_SUITES,
        replace(
            _TLS_1_2,
            suites=_matching(
                *(r".*_NULL_", r".*_EXPORT_", r".*_DES_CBC_", r".*_RC4_.*MD5", r".*_RC4_"),
                *(r".*_3DES_", r".*_anon_WITH_(AES|CAMELLIA_.*SHA\Z|SEED)"),
            ),
        ),
    )
    yield (
        # the broken ones last: of a server that has better ones we want to see those
        DeepQuestion.STATIC_KEY_EXCHANGE,
        replace(
            _TLS_1_2,
            suites=_suites_without_broken(
                r"TLS_RSA_.*AES",
                r"TLS_RSA_",
                r"TLS_ECDH_(RSA|ECDSA)_.*AES",
                r"TLS_DH_(RSA|DSS)_.*AES",
            )
            + _matching(r"TLS_RSA_WITH_(3DES|RC4|DES)"),
        ),
    )
    yield (
        # Without groups of RFC 7919 in the offer a server may use any of its own (RFC 7919 §4):
        # where some are offered, one that has other groups only must refuse.
        DeepQuestion.FINITE_FIELD_DH,
        replace(
            _TLS_1_2,
            groups=(),
            suites=_matching(
                *(r"TLS_DHE_RSA_.*(AES|CHACHA)", r"TLS_DHE_DSS_.*AES", r"TLS_DHE_RSA_"),
                r"TLS_DHE_DSS_.*_(3DES|CAMELLIA_.*SHA\Z)",
                no=r"EXPORT|_DES_",
            ),
        ),
    )
    # The suites alone decide on the kind of certificate (RFC 5246 §7.4.2). Both kinds of signatures
    # are offered, since a server may refuse to send a chain that is signed by another kind.
    yield (
        DeepQuestion.RSA_CERTIFICATE,
        replace(
            _TLS_1_2,
            signatures=(*_RSA, *_ECDSA),
            chain_signatures=_ALL_SIGNATURES,
            suites=_suites_without_broken(
                r"TLS_ECDHE_RSA_", r"TLS_DHE_RSA_", r"TLS_RSA_.*AES", r"TLS_RSA_"
            )
            + _matching(r"TLS_RSA_WITH_(3DES|RC4)"),
        ),
    )
    yield (
        DeepQuestion.ECDSA_CERTIFICATE,
        replace(
            _TLS_1_2,
            signatures=(*_ECDSA, *_RSA),  # none of EdDSA, whose certificates have the same suites
            chain_signatures=_ALL_SIGNATURES,
            suites=_suites_without_broken(r"TLS_ECDHE_ECDSA_")
            + _matching(r"TLS_ECDHE_ECDSA_WITH_(3DES|RC4)"),
        ),
    )


def _suites_without_broken(*patterns: str) -> tuple[int, ...]:
    return _matching(*patterns, no=_BROKEN)


OFFERS: Final[Mapping[DeepQuestion, Offer]] = MappingProxyType(dict(_offers()))
"""One for each question but NORM_GROUPS, which asks for the groups of a profile."""


def _vector(content: bytes, size: int) -> bytes:
    """*content* with its length before it, in *size* bytes: RFC 8446 §3.4."""
    return len(content).to_bytes(size) + content


def _numbers(numbers: tuple[int, ...]) -> bytes:
    return b"".join(number.to_bytes(2) for number in numbers)
