"""Names of cipher suites, compared with OpenSSL's own list if openssl is installed."""

import os
import shutil
import subprocess

import pytest

from prober.rules.ciphers import iana_name, is_null


@pytest.mark.parametrize(
    ("written", "protocol", "registered"),
    [
        ("OTHER", None, None),
        ("", None, None),
        ("AES_256_GCM_SHA384", None, None),
        ("ECDHE-RSA-AES256", None, None),
        ("ECDHE_SECP256R1__RSA_SHA256__ROT13", None, None),
        ("ECDHE_RSA_ROT13_SHA", None, None),
        ("TLS_AES_256_GCM_SHA384", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        ("TLS13_AES_256_GCM_SHA384", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        ("TLS13_CHACHA20_POLY1305_SHA256", "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
        ("AEAD-AES128-GCM-SHA256", "TLSv1.3", "TLS_AES_128_GCM_SHA256"),
        (
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256_P256",
            None,
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        ),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        ("DHE_RSA_3DES_EDE_CBC_SHA", "TLSv1", "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
        ("RSA_AES_256_CBC_SHA1", "TLSv1", "TLS_RSA_WITH_AES_256_CBC_SHA"),
        ("ECDHE_RSA_AES_128_GCM_SHA256", None, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (
            "ECDHE_RSA_CHACHA20_POLY1305",
            "TLSv1.2",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
        (
            "ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM",
            "TLSv1.3",
            "TLS_AES_256_GCM_SHA384",
        ),
        (
            "ECDHE_X25519__ECDSA_SECP256R1_SHA256__CHACHA20_POLY1305",
            "TLSv1.3",
            "TLS_CHACHA20_POLY1305_SHA256",
        ),
        (
            "ECDHE_SECP256R1__RSA_SHA512__AES_128_GCM",
            "TLSv1.2",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            "ECDHE_SECP256R1__RSA_SHA256__AES_256_CBC__SHA1",
            "TLSv1.2",
            "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        ),
        ("ECDHE-ARIA128-GCM-SHA256", None, "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256"),
        ("ECDHE-ECDSA-ARIA256-GCM-SHA384", None, "TLS_ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384"),
        (
            "DHE_RSA_CAMELLIA_256_GCM_SHA384",
            "TLSv1.2",
            "TLS_DHE_RSA_WITH_CAMELLIA_256_GCM_SHA384",
        ),
        (
            "TLS_ECDHE_RSA_WITH_ARIA_256_CBC_SHA384",
            None,
            "TLS_ECDHE_RSA_WITH_ARIA_256_CBC_SHA384",
        ),
        ("EDH-RSA-DES-CBC3-SHA", None, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
        ("RC4-MD5", None, "TLS_RSA_WITH_RC4_128_MD5"),
    ],
)
def test_each_spelling_has_its_registered_name(
    written: str, protocol: str | None, registered: str | None
) -> None:
    assert iana_name(written, protocol) == registered


def test_openssl_agrees_wherever_a_name_is_known() -> None:
    if shutil.which("openssl") is None:
        assert not os.environ.get("CI"), "CI installs openssl"
        pytest.skip("no openssl here")
    command = ["openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = [(line.split()[2], line.split()[0]) for line in listed.splitlines()]

    known = [(name, registered) for name, registered in pairs if iana_name(name) is not None]

    assert [(name, iana_name(name)) for name, _ in known] == known
    assert len(known) >= 80


@pytest.mark.parametrize(
    ("cipher", "null"),
    [
        ("AES256-SHA", False),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM", False),
        ("NULL-SHA", True),
        ("ECDHE-RSA-NULL-SHA", True),
        ("TLS_RSA_WITH_NULL_SHA256", True),
    ],
)
def test_a_suite_that_does_not_encrypt_is_known(cipher: str, null: bool) -> None:
    assert is_null(cipher) is null
