"""The servers of test_real_servers.py: how each is configured, and so what --deep must find."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import trustme

from prober.records import DeepQuestion
from tests.mta.base import Site
from tests.mta.postfix import write_main_cf

_QUESTIONS: Final = {
    "pq": DeepQuestion.POST_QUANTUM,
    "legacy": DeepQuestion.LEGACY_VERSION,
    "broken": DeepQuestion.BROKEN_SUITES,
    "static": DeepQuestion.STATIC_KEY_EXCHANGE,
    "dh": DeepQuestion.FINITE_FIELD_DH,
    "rsa": DeepQuestion.RSA_CERTIFICATE,
    "ecdsa": DeepQuestion.ECDSA_CERTIFICATE,
    "norm": DeepQuestion.NORM_GROUPS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A TLS server, its options, and the answer to each question, as words.

    ``no``, ``not-tested``, or what the answer must have: ``TLSv1.1``, ``secp384r1``, ``DH 1024``,
    the name of a suite without ``TLS_``. ``+etm`` and ``-etm`` say whether an extension is there.
    """

    server: str
    options: tuple[str, ...]
    expected: dict[DeepQuestion, str]


def _of(server: str, *options: str, **expected: str) -> Configuration:
    """Expects one RSA certificate and P-256, and nothing else, unless told."""
    words = {"rsa": "yes", "norm": "secp256r1"} | expected
    return Configuration(
        server=server,
        options=options,
        expected={question: words.get(name, "no") for name, question in _QUESTIONS.items()},
    )


def _json(**options: Any) -> str:
    return json.dumps(options)


_ALL: Final = "ALL:@SECLEVEL=0"
_WEAK: Final = "DEFAULT:@SECLEVEL=0"
_NOTHING: Final = {"rsa": "no", "norm": "no"}
_GNUTLS_13: Final = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
_GNUTLS_12: Final = "NORMAL:-VERS-ALL:+VERS-TLS1.2"

OPENSSL: Final = {
    "rsa": _of(
        "openssl",
        "rsa",
        rsa="TLSv1.2 +ems +etm +renegotiation -compression +ticket -staple",
        static="RSA_WITH_AES_128_CBC_SHA",
        dh="DH 2048",
    ),
    "ecdsa": _of("openssl", "ecdsa", rsa="no", ecdsa="TLSv1.2 +etm"),
    "both": _of("openssl", "rsa", "ecdsa", ecdsa="yes", static="yes", dh="DH 2048"),
    "tls-1.3-only": _of("openssl", "rsa", "-tls1_3", rsa="TLSv1.3", norm="TLSv1.3 secp256r1"),
    "tls-1.3-only-ecdsa": _of("openssl", "ecdsa", "-tls1_3", rsa="no", ecdsa="TLSv1.3"),
    "tls-1.3-only-both": _of("openssl", "rsa", "ecdsa", "-tls1_3", rsa="TLSv1.3", ecdsa="TLSv1.3"),
    "tls-1.2-only": _of(
        "openssl", "rsa", "-tls1_2", static="yes", dh="yes", norm="TLSv1.2 secp256r1"
    ),
    "tls-1.1-only": _of(
        "openssl",
        *("rsa", "-tls1_1", "-cipher", _WEAK),
        legacy="TLSv1.1 ECDHE_RSA_WITH_AES_128_CBC_SHA +ems +etm",
        rsa="TLSv1.1",
        static="TLSv1.1",
        dh="TLSv1.1",
        norm="TLSv1.1 secp256r1",
    ),
    "tls-1.0-only": _of(
        "openssl",
        *("rsa", "-tls1", "-cipher", _WEAK),
        legacy="TLSv1",
        static="TLSv1",
        dh="TLSv1",
        norm="TLSv1 secp256r1",
    ),
    "old-versions": _of(
        "openssl", "rsa", "-cipher", _WEAK, legacy="TLSv1.1", static="yes", dh="yes"
    ),
    "anonymous-too": _of(
        "openssl",
        *("rsa", "-cipher", _ALL),
        legacy="yes",
        static="yes",
        dh="yes",
        broken="DH_anon_WITH_AES_128_CBC_SHA -compression",
    ),
    "anonymous-only": _of(
        "openssl",
        *("-cipher", "aNULL:@SECLEVEL=0", "-tls1_2"),
        broken="ECDH_anon_WITH_NULL_SHA",
        **_NOTHING,
    ),
    "null-only": _of(
        "openssl",
        *("rsa", "-cipher", "eNULL:@SECLEVEL=0", "-tls1_2"),
        broken="RSA_WITH_NULL_MD5",
        rsa="not-tested",  # neither session nor hello gets a certificate without encryption
        ecdsa="not-tested",
        norm="no",
    ),
    "null-too": _of(
        "openssl",
        *("rsa", "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-tls1_2"),
        broken="RSA_WITH_NULL_MD5 ?etm",
        static="yes",
        dh="yes",
    ),
    "ecdhe-only": _of("openssl", "rsa", "-tls1_2", "-cipher", "ECDHE+AESGCM", rsa="TLSv1.2 ?etm"),
    "dhe-only": _of("openssl", "rsa", "-tls1_2", "-cipher", "DHE+AESGCM", dh="yes", norm="no"),
    "static-only": _of(
        "openssl",
        *("rsa", "-tls1_2", "-cipher", "AES256-SHA256"),
        static="RSA_WITH_AES_256_CBC_SHA256",
        norm="no",
    ),
    "camellia-only": _of(
        "openssl",
        *("rsa", "-tls1_2", "-cipher", "CAMELLIA128-SHA"),
        static="RSA_WITH_CAMELLIA_128_CBC_SHA",
        norm="no",
    ),
    "its-own-order": _of(
        "openssl",
        *("rsa", "-tls1_2", "-serverpref", "-cipher", "AES256-GCM-SHA384:AES128-SHA"),
        static="RSA_WITH_AES_256_GCM_SHA384",
        norm="no",
    ),
    "chacha": _of(
        "openssl",
        *("rsa", "-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"),
        rsa="ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    "p-384": _of("openssl", "rsa", "-groups", "P-384", static="yes", dh="yes", norm="secp384r1"),
    "its-own-order-of-groups": _of(
        "openssl",
        *("rsa", "-serverpref", "-groups", "P-384:P-256"),
        static="yes",
        dh="yes",
        norm="secp384r1",
    ),
    "x25519-only": _of("openssl", "rsa", "-tls1_3", "-groups", "X25519", norm="no"),
    "no-tickets": _of("openssl", "rsa", "-no_ticket", rsa="-ticket +ems", static="yes", dh="yes"),
    "no-etm": _of("openssl", "rsa", "-no_etm", rsa="-etm +ems", static="-etm", dh="yes"),
    "staple": _of(
        "openssl",
        *("rsa", "-status_file", "{keys}/ocsp.der"),
        rsa="+staple",
        static="+staple",
        dh="yes",
    ),
    "dh-1024": _of(
        "openssl",
        *("rsa", "-tls1_2", "-dhparam", "{keys}/dh1024.pem", "-cipher", _WEAK),
        static="yes",
        dh="DH 1024",
    ),
    "ffdhe2048": _of(
        "openssl",
        *("rsa", "-dhparam", "{keys}/ffdhe2048.pem"),
        static="yes",
        dh="ffdhe2048 2048",
    ),
    "no-dhe": _of("openssl", "rsa", "-no_dhe", static="yes"),
}
GNUTLS: Final = {
    "normal": _of(
        "gnutls",
        *("rsa", "NORMAL"),
        legacy="TLSv1.1",
        static="yes",
        dh="ffdhe2048 2048",
        rsa="+ems +etm +renegotiation +ticket -staple",
    ),
    "both": _of(
        "gnutls", "rsa", "ecdsa", "NORMAL", legacy="yes", static="yes", dh="yes", ecdsa="yes"
    ),
    "tls-1.3-only": _of("gnutls", "rsa", _GNUTLS_13, rsa="TLSv1.3"),
    "tls-1.3-x25519": _of("gnutls", "rsa", f"{_GNUTLS_13}:-GROUP-ALL:+GROUP-X25519", norm="no"),
    "tls-1.2-only": _of("gnutls", "rsa", _GNUTLS_12, static="yes", dh="yes", norm="TLSv1.2"),
    "tls-1.1-only": _of(
        "gnutls",
        *("rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.1"),
        legacy="TLSv1.1",
        static="yes",
        dh="yes",
        norm="TLSv1.1 secp256r1",
    ),
    "tls-1.0-only": _of(
        "gnutls",
        *("rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.0"),
        legacy="TLSv1",
        static="yes",
        dh="yes",
        norm="TLSv1 secp256r1",
    ),
    "3des": _of(
        "gnutls",
        *("rsa", f"{_GNUTLS_12}:+3DES-CBC"),
        static="yes",
        dh="yes",
        broken="RSA_WITH_3DES_EDE_CBC_SHA +etm",
    ),
    "rc4": _of(
        "gnutls",
        *("rsa", f"{_GNUTLS_12}:+ARCFOUR-128"),
        static="yes",
        dh="yes",
        broken="RSA_WITH_RC4_128_SHA ?etm",
    ),
    "null": _of(
        "gnutls",
        *("rsa", f"{_GNUTLS_12}:+NULL"),
        static="yes",
        dh="yes",
        broken="RSA_WITH_NULL_SHA",
    ),
    "anonymous": _of(
        "gnutls",
        *("rsa", f"{_GNUTLS_12}:+ANON-ECDH"),
        static="yes",
        dh="yes",
        broken="ECDH_anon_WITH_AES_128_CBC_SHA ?staple",
    ),
    "no-static": _of("gnutls", "rsa", f"{_GNUTLS_12}:-RSA", dh="yes"),
    "no-dhe": _of("gnutls", "rsa", f"{_GNUTLS_12}:-DHE-RSA", static="yes"),
    "ffdhe3072": _of(
        "gnutls",
        *("rsa", f"{_GNUTLS_12}:-GROUP-ALL:+GROUP-FFDHE3072:+GROUP-SECP384R1"),
        static="yes",
        dh="ffdhe3072 3072",
        norm="secp384r1",
    ),
    "no-tickets": _of(
        "gnutls", "rsa", _GNUTLS_12, "--noticket", rsa="-ticket", static="yes", dh="yes"
    ),
    "no-etm": _of("gnutls", "rsa", f"{_GNUTLS_12}:%NO_ETM", rsa="-etm", static="yes", dh="yes"),
    "no-ems": _of(
        "gnutls", "rsa", f"{_GNUTLS_12}:%NO_SESSION_HASH", rsa="-ems", static="yes", dh="yes"
    ),
    "no-renegotiation": _of(
        "gnutls",
        *("rsa", f"{_GNUTLS_12}:%DISABLE_SAFE_RENEGOTIATION"),
        rsa="-renegotiation",
        static="yes",
        dh="yes",
    ),
}
NODE: Final = {
    "defaults": _of("node", _json(kinds=["rsa"]), static="yes"),
    "both": _of("node", _json(kinds=["rsa", "ecdsa"]), static="yes", ecdsa="yes"),
    "tls-1.3-only": _of(
        "node", _json(kinds=["ecdsa"], minVersion="TLSv1.3"), rsa="no", ecdsa="yes"
    ),
    "old-versions": _of(
        "node",
        _json(kinds=["rsa"], minVersion="TLSv1", ciphers=_WEAK),
        legacy="TLSv1.1",
        static="yes",
    ),
    "p-384-and-dh": _of(
        "node",
        _json(
            kinds=["rsa"],
            maxVersion="TLSv1.2",
            ciphers="ECDHE+AESGCM:DHE+AESGCM",
            ecdhCurve="P-384",
            dhparam="auto",
        ),
        dh="DH 2048",
        norm="TLSv1.2 secp384r1",
    ),
}
NSS: Final = {
    "rsa": _of(
        "nss",
        *("rsa", "-V", "tls1.0:tls1.3", "-H", "1"),
        legacy="TLSv1.1 -etm +ems",
        broken="DHE_RSA_WITH_3DES_EDE_CBC_SHA",
        static="yes",
        dh="ffdhe2048 2048",
        rsa="-ticket",
    ),
    "both": _of(
        "nss",
        *("rsa", "ecdsa", "-V", "tls1.2:tls1.3"),
        broken="3DES",
        static="yes",
        dh="yes",
        ecdsa="yes",
    ),
    "ssl-3.0-only": _of(
        "nss",
        *("rsa", "-V", "ssl3:ssl3"),
        legacy="SSLv3",
        broken="SSLv3",
        static="SSLv3",
        dh="yes",
        rsa="SSLv3",
        norm="no",
    ),
    "ssl-3.0-too": _of(
        "nss", "rsa", "-V", "ssl3:tls1.2", legacy="TLSv1.1", broken="yes", static="yes", dh="yes"
    ),
    "rc4-only": _of(
        "nss",
        *("rsa", "-V", "tls1.0:tls1.2", "-c", ":0005"),
        legacy="RSA_WITH_RC4_128_SHA",
        broken="RSA_WITH_RC4_128_SHA",
        static="RSA_WITH_RC4_128_SHA",
        norm="no",
    ),
    "no-dhe": _of("nss", "rsa", "-V", "tls1.2:tls1.3", "-H", "0", broken="yes", static="yes"),
    "p-384": _of(
        "nss",
        *("rsa", "-V", "tls1.2:tls1.3", "-I", "P384"),
        broken="yes",
        static="yes",
        norm="secp384r1",
    ),
    "tickets": _of(
        "nss",
        *("rsa", "-V", "tls1.2:tls1.3", "-u"),
        broken="yes",
        static="yes",
        dh="yes",
        rsa="+ticket",
    ),
}
TLSLITE: Final = {
    "ssl-3.0-rc4": _of(
        "tlslite",
        _json(minVersion=[3, 0], maxVersion=[3, 0], cipherNames=["rc4"]),
        legacy="SSLv3 RC4_128",
        broken="SSLv3 RC4_128",
        static="SSLv3 RC4_128",
        norm="no",
    ),
    "ssl-3.0-3des": _of(
        "tlslite",
        _json(minVersion=[3, 0], maxVersion=[3, 0], cipherNames=["3des"]),
        legacy="SSLv3 3DES +renegotiation ?etm ?ems",
        broken="SSLv3 3DES",
        static="SSLv3 RSA_WITH_3DES_EDE_CBC_SHA",
        dh="SSLv3 DHE_RSA_WITH_3DES_EDE_CBC_SHA DH 2048",
        norm="no",
    ),
    "tls-1.0-rc4": _of(
        "tlslite",
        _json(minVersion=[3, 1], maxVersion=[3, 1], cipherNames=["rc4"], keyExchangeNames=["rsa"]),
        legacy="TLSv1 RSA_WITH_RC4_128",
        broken="TLSv1 RSA_WITH_RC4_128",
        static="TLSv1 RSA_WITH_RC4_128",
        norm="no",
    ),
    "all-versions": _of(
        "tlslite",
        _json(minVersion=[3, 0], maxVersion=[3, 4]),
        legacy="TLSv1.1",
        broken="3DES",
        static="yes",
        dh="DH 2048",
    ),
    "no-etm-no-ems": _of(
        "tlslite",
        _json(
            minVersion=[3, 3],
            maxVersion=[3, 3],
            cipherNames=["aes128"],
            useEncryptThenMAC=False,
            useExtendedMasterSecret=False,
        ),
        rsa="-etm -ems",
        static="-etm",
        dh="-etm",
    ),
    "dhe-only": _of(
        "tlslite",
        _json(minVersion=[3, 3], maxVersion=[3, 3], keyExchangeNames=["dhe_rsa"]),
        broken="DHE_RSA_WITH_3DES_EDE_CBC_SHA",
        dh="DH 2048",
        norm="no",
    ),
    "anonymous": _of(
        "tlslite",
        _json(minVersion=[3, 1], maxVersion=[3, 3], anonymous=True, keyExchangeNames=["dh_anon"]),
        legacy="DH_anon",
        broken="DH_anon",
        **_NOTHING,
    ),
}
_GROUPS: Final = {
    "x25519mlkem768": ("X25519MLKEM768:X25519", "X25519MLKEM768"),
    "secp256r1mlkem768": ("P-256:SecP256r1MLKEM768", "SecP256r1MLKEM768"),
    "secp384r1mlkem1024": ("P-256:SecP384r1MLKEM1024", "SecP384r1MLKEM1024"),
    "mlkem512": ("P-256:MLKEM512", "MLKEM512"),
    "mlkem768": ("P-256:MLKEM768", "MLKEM768"),
    "mlkem1024": ("P-256:MLKEM1024", "MLKEM1024"),
    "classical": ("X25519:P-256", "no"),
}
PYOPENSSL: Final = {
    name: _of(
        "pyopenssl",
        *("rsa", groups, "TLS1_3_VERSION"),
        pq=found,
        norm="secp256r1" if "P-256" in groups else "no",
    )
    for name, (groups, found) in _GROUPS.items()
} | {
    "no-common-group": _of(
        "pyopenssl",
        *("rsa", "MLKEM1024", "TLS1_3_VERSION"),
        pq="MLKEM1024",
        rsa="not-tested",
        ecdsa="not-tested",
        norm="no",
    ),
    "post-quantum-and-old": _of(
        "pyopenssl",
        *("ecdsa", "X25519MLKEM768:P-256", "TLS1_VERSION"),
        pq="X25519MLKEM768",
        legacy="TLSv1.1",
        broken="ECDH_anon_WITH_AES_128_CBC_SHA",
        rsa="no",
        ecdsa="yes",
    ),
}

CONFIGURATIONS: Final = {
    f"{configuration.server}-{name}": configuration
    for group in (OPENSSL, GNUTLS, NODE, NSS, TLSLITE, PYOPENSSL)
    for name, configuration in group.items()
}


# -- mail servers --


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A real mail server, what is added to its configuration, and what must be found."""

    name: str
    key_type: trustme.KeyType
    add: Callable[[Site], None]
    expected: dict[DeepQuestion, str]


def _mta(name: str, add: Callable[[Site], None], kind: str = "rsa", **expected: str) -> MailServer:
    other = {"rsa": "no", "ecdsa": "yes"} if kind == "ecdsa" else {}
    return MailServer(
        name=name,
        key_type=trustme.KeyType[kind.upper()],
        add=add,
        expected=_of(name, **(other | expected)).expected,
    )


def _postfix(*lines: str) -> Callable[[Site], None]:
    def add(site: Site) -> None:
        text = (site.folder / "etc/main.cf").read_text()
        write_main_cf(site.folder / "etc", text + "\n".join(lines) + "\n")

    return add


def _append(name: str, *lines: str) -> Callable[[Site], None]:
    def add(site: Site) -> None:
        with (site.folder / name).open("a") as file:
            file.write("\n".join((*lines, "")))

    return add


def _exim(priority: str) -> Callable[[Site], None]:
    return _append("exim.conf", f"tls_require_ciphers = {priority}")


MAIL_SERVERS: Final = {
    "postfix-ecdsa": _mta(
        "postfix",
        _postfix(),
        "ecdsa",
        legacy="TLSv1.1",
        broken="DH_anon_WITH_AES_128_CBC_SHA +ticket",
    ),
    "postfix-modern": _mta(
        "postfix",
        _postfix("smtpd_tls_protocols = >=TLSv1.2", "smtpd_tls_exclude_ciphers = aNULL, kRSA"),
        dh="DH 2048",
    ),
    "postfix-null": _mta(
        "postfix",
        _postfix(
            "smtpd_tls_ciphers = null", "tls_null_cipherlist = ALL:COMPLEMENTOFALL:@SECLEVEL=0"
        ),
        legacy="TLSv1.1",
        broken="RSA_WITH_NULL_MD5",
        static="yes",
        dh="yes",
    ),
    "postfix-tls-1.3": _mta("postfix", _postfix("smtpd_tls_protocols = >=TLSv1.3"), rsa="TLSv1.3"),
    "postfix-p-384": _mta(
        "postfix",
        _postfix(
            "tls_eecdh_auto_curves = secp384r1",
            "smtpd_tls_exclude_ciphers = aNULL",
            "smtpd_tls_protocols = >=TLSv1.2",
            "tls_ssl_options = no_ticket",
        ),
        static="yes",
        dh="yes",
        norm="secp384r1",
        rsa="-ticket",
    ),
    "exim": _mta(
        "exim", _append("exim.conf"), legacy="TLSv1.1", static="yes", dh="ffdhe2048", rsa="-ticket"
    ),
    "exim-tls-1.2": _mta("exim", _exim(f"{_GNUTLS_12}:-RSA:-DHE-RSA"), rsa="TLSv1.2"),
    "exim-3des": _mta(
        "exim", _exim(f"{_GNUTLS_12}:+3DES-CBC:-DHE-RSA"), broken="3DES", static="yes"
    ),
    "exim-tls-1.3": _mta("exim", _exim(_GNUTLS_13), rsa="TLSv1.3"),
    "sendmail": _mta("sendmail", _append("sendmail.cf"), static="yes", dh="DH 2048"),
    "sendmail-old": _mta(
        "sendmail",
        _append("sendmail.cf", f"O CipherList={_WEAK}"),
        legacy="TLSv1.1",
        static="yes",
        dh="yes",
    ),
    "sendmail-modern": _mta(
        "sendmail", _append("sendmail.cf", "O CipherList=ECDHE+AESGCM"), rsa="TLSv1.2"
    ),
    # Debian 12 has one that cannot sign: only what needs no signature comes to an end. It says
    # internal_error to every other hello, which proves nothing of old versions.
    "opensmtpd": _mta("opensmtpd", _append("smtpd.conf"), static="yes", legacy="not-tested"),
}
