"""Converts names of cipher suites from OpenSSL, GnuTLS, rustls and LibreSSL to IANA's names.

Each kind of name has a grammar, so no list of hundreds of names is needed. A name that does not fit
a grammar has no IANA name here. https://www.iana.org/assignments/tls-parameters
"""

import re
from typing import Final

# RFC 8446 §B.4: the suites of TLS 1.3 name neither key exchange nor authentication.
_TLS13: Final = re.compile(
    r"(?:TLS_|TLS13[_-]|AEAD-)?(?P<cipher>AES_?(?:128|256)[_-](?:GCM|CCM(?:[_-]8)?)"
    r"|CHACHA20[_-]POLY1305)[_-](?P<hash>SHA256|SHA384)"
)
_CURVE: Final = re.compile(r"_P(?:256|384|521)\Z")  # Exchange writes it after the name
_LONGEST: Final = 64  # characters; the longest registered name has 57

_KEY_EXCHANGE: Final = {
    "": "RSA",
    "RSA": "RSA",
    "ECDHE-RSA": "ECDHE_RSA",
    "ECDHE-ECDSA": "ECDHE_ECDSA",
    "ECDH-RSA": "ECDH_RSA",
    "ECDH-ECDSA": "ECDH_ECDSA",
    "AECDH": "ECDH_anon",
    "DHE-RSA": "DHE_RSA",
    "EDH-RSA": "DHE_RSA",  # before OpenSSL 1.1.0
    "DHE-DSS": "DHE_DSS",
    "EDH-DSS": "DHE_DSS",
    "DH-RSA": "DH_RSA",
    "DH-DSS": "DH_DSS",
    "ADH": "DH_anon",
    "ANON-DH": "DH_anon",  # GnuTLS
    "ANON-ECDH": "ECDH_anon",
}
_BULK: Final = {
    "AES128": "AES_128_CBC",
    "AES256": "AES_256_CBC",
    "AES128-GCM": "AES_128_GCM",
    "AES256-GCM": "AES_256_GCM",
    "AES128-CCM": "AES_128_CCM",
    "AES256-CCM": "AES_256_CCM",
    "AES128-CCM8": "AES_128_CCM_8",
    "AES256-CCM8": "AES_256_CCM_8",
    "CAMELLIA128": "CAMELLIA_128_CBC",
    "CAMELLIA256": "CAMELLIA_256_CBC",
    "CAMELLIA128-GCM": "CAMELLIA_128_GCM",
    "CAMELLIA256-GCM": "CAMELLIA_256_GCM",
    "CHACHA20-POLY1305": "CHACHA20_POLY1305",
    "ARIA128-GCM": "ARIA_128_GCM",
    "ARIA256-GCM": "ARIA_256_GCM",
    "DES-CBC3": "3DES_EDE_CBC",
    "3DES-EDE-CBC": "3DES_EDE_CBC",
    "DES-CBC": "DES_CBC",
    "RC4": "RC4_128",
    "ARCFOUR": "RC4_128",  # GnuTLS
    "ARCFOUR-128": "RC4_128",
    "SEED": "SEED_CBC",
    "IDEA-CBC": "IDEA_CBC",
    "NULL": "NULL",
}
_NO_HASH: Final = re.compile(r"(?:CHACHA20_POLY1305|_CCM(?:_8)?)\Z")
_HASHES: Final = ("SHA384", "SHA256", "SHA", "MD5")

_BULKS: Final = frozenset(_BULK.values())
_MORE_BULKS: Final = frozenset(  # registered names for which we read no short name
    {
        "ARIA_128_CBC",
        "ARIA_256_CBC",
        "RC4_40",
        "RC2_CBC_40",
        "DES40_CBC",
        "DES_CBC_40",
        "AES_128_OCB",
        "AES_256_OCB",
        "SM4_GCM",
    }
)
_EXCHANGE: Final = re.compile(
    r"(?:(?:EC)?DHE?|RSA|PSK|SRP|KRB5|ECCPWD|NULL|SM2)(?:_[A-Za-z]{3,5}){0,3}"
)
_TLS13_SUITES: Final = frozenset(
    {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    }
)


def iana_name(cipher: str, protocol: str | None = None) -> str | None:
    """The registered name of *cipher*; None if it is unknown.

    *protocol* is needed for GnuTLS's names, which are the same for TLS 1.2 and 1.3.
    """
    name = cipher.strip()
    if len(name) > _LONGEST:
        return None
    for read in (_registered, _tls13, _gnutls_modern, _gnutls, _openssl):
        found = read(name)
        if found is not None:
            return _of_version(found, protocol)
    return None


def _of_version(suite: str, protocol: str | None) -> str | None:
    """The name for *protocol*: TLS 1.3 suites have no key exchange in their name. RFC 8446 §B.4."""
    _, has_exchange, rest = suite.partition("_WITH_")
    if protocol != "TLSv1.3" or not has_exchange:
        return suite
    if rest in _BULKS:  # no hash in the name, as for CCM in RFC 6655 §3
        rest += "_SHA256"
    modern = f"TLS_{rest}"
    return modern if modern in _TLS13_SUITES else None


def _registered(name: str) -> str | None:
    """Reads TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, also with the name of a curve after it."""
    suite = _CURVE.sub("", name)
    exchange, has_exchange, rest = suite.partition("_WITH_")
    if not has_exchange or not exchange.startswith("TLS_"):
        return None
    bulk, _, mac = rest.rpartition("_")
    is_whole = rest in _BULKS and _NO_HASH.search(rest) is not None
    is_known = bulk in _BULKS | _MORE_BULKS and mac in _HASHES
    if not (is_whole or is_known) or not _EXCHANGE.fullmatch(exchange.removeprefix("TLS_")):
        return None
    return suite


def is_null(cipher: str) -> bool:
    """Whether the suite does not encrypt. RFC 5246 §6.2.3.1."""
    return "NULL" in re.split(r"[_-]+", cipher.upper())


_BROKEN: Final = frozenset({"RC4", "RC2", "DES", "DES40", "3DES", "EXPORT", "NULL", "MD5"})


def is_broken(suite: str) -> bool:
    """Whether the registered name has a cipher or a hash that others can break, or no cipher.

    RFC 9325 §4.1. RFC 7465 on RC4, RFC 8429 on 3DES, RFC 5246 §1.2 on DES.
    """
    return not _BROKEN.isdisjoint(suite.upper().split("_"))


def is_anonymous(suite: str) -> bool:
    """Whether the registered name says that no certificate is sent. RFC 5246 §A.5."""
    return "anon" in suite.lower().split("_")


def is_static(suite: str) -> bool:
    """Whether the key exchange of the registered name has no forward secrecy. RFC 9325 §4.1."""
    exchange, has_exchange, _ = suite.removeprefix("TLS_").partition("_WITH_")
    kind = exchange.split("_")[0]
    return bool(has_exchange) and kind in ("RSA", "DH", "ECDH") and not is_anonymous(suite)


def _tls13(name: str) -> str | None:
    found = _TLS13.fullmatch(name)
    if found is None or not name.startswith(("TLS", "AEAD-")):
        return None
    cipher = re.sub(r"AES(?=\d)", "AES_", found["cipher"]).replace("-", "_")
    return f"TLS_{cipher}_{found['hash']}"


def _openssl(name: str) -> str | None:
    """Reads ECDHE-RSA-AES256-GCM-SHA384, or AES256-SHA for RSA key exchange.

    OpenSSL omits RSA in two names: ECDHE-ARIA128-GCM-SHA256 and ECDHE-ARIA256-GCM-SHA384.
    """
    parts = name.replace("ECDHE-ARIA", "ECDHE-RSA-ARIA").split("-")
    for cut in range(len(parts)):
        exchange = _KEY_EXCHANGE.get("-".join(parts[:cut]))
        if exchange is None:
            continue
        bulk, mac = _bulk_and_hash("-".join(parts[cut:]), "-")
        if bulk is not None:
            return _suite(exchange, bulk, mac)
    return None


def _gnutls(name: str) -> str | None:
    """Reads DHE_RSA_AES_256_CBC_SHA1 or RSA_AES_256_CBC_SHA."""
    parts = name.split("_")
    for cut in (1, 2):
        exchange = _KEY_EXCHANGE.get("-".join(parts[:cut]))
        rest = "_".join(parts[cut:])
        if exchange is None or not rest:
            continue
        bulk, mac = _registered_bulk(rest)
        if bulk is not None:
            return _suite(exchange, bulk, mac)
    return None


def _gnutls_modern(name: str) -> str | None:
    """Reads ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM, of TLS 1.2 or 1.3."""
    parts = name.split("__")
    if len(parts) not in (3, 4) or parts[2] not in _BULKS:
        return None
    exchange, signature, bulk = parts[0].split("_")[0], parts[1].split("_")[0], parts[2]
    mac = _digest(parts[3]) if len(parts) == 4 and parts[3] != "AEAD" else None
    if mac is None:
        mac = "SHA384" if bulk.endswith("256_GCM") else "SHA256"
    return _suite(f"{exchange}_{signature}", bulk, mac)


def _bulk_and_hash(text: str, separator: str) -> tuple[str | None, str | None]:
    bulk, _, mac = text.rpartition(separator)
    if mac in _HASHES and bulk in _BULK:
        return _BULK[bulk], mac
    return _BULK.get(text), None


def _registered_bulk(text: str) -> tuple[str | None, str | None]:
    bulk, _, mac = text.rpartition("_")
    bulk = _BULK.get(bulk.replace("_", "-"), bulk)  # ARCFOUR
    digest = _digest(mac)
    if digest in _HASHES and bulk in _BULKS:
        return bulk, digest
    return (text, None) if text in _BULKS else (None, None)


def _digest(name: str | None) -> str | None:
    return "SHA" if name == "SHA1" else name


def _suite(exchange: str, bulk: str, mac: str | None) -> str | None:
    """The registered name. An AEAD suite without a hash in its short name has a fixed hash."""
    if bulk == "CHACHA20_POLY1305":
        mac = "SHA256"  # RFC 7905 §3
    elif _NO_HASH.search(bulk):
        mac = None  # RFC 6655 §3, RFC 7251 §2: no hash in the name
    elif mac is None:
        return None
    return f"TLS_{exchange}_WITH_{bulk}" + (f"_{mac}" if mac else "")
