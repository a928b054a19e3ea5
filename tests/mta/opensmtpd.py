"""OpenSMTPD, from an smtpd.conf of its own."""

import re
import subprocess
from pathlib import Path

import trustme

from tests.mta.base import MtaServer, Site
from tests.mta.certificates import CertificateFault

_PROGRAM = "/usr/sbin/smtpd"
_VERSION_TIMEOUT_S = 60.0

_SMTPD_CONF = """\
{pki}
listen on {address} port {port} {tls} hostname {host_name}
match from any for any reject
"""
_PKI = """\
pki {host_name} cert "/srv/cert.pem"
pki {host_name} key "/srv/key.pem"
"""


def _configure(site: Site) -> tuple[str, ...]:
    site.write(
        "smtpd.conf",
        _SMTPD_CONF.format(
            pki=_PKI.format(host_name=site.host_name) if site.has_tls else "",
            tls=f"tls pki {site.host_name}" if site.has_tls else "",
            address=site.address,
            port=site.port,
            host_name=site.host_name,
        ),
    )
    return (_PROGRAM, "-d", "-v", "-f", "/srv/smtpd.conf")


def _alert(root: Path) -> str | None:
    """Debian 12's OpenSMTPD 6.8 cannot serve TLS, whatever the certificate and the TLS version.

    Its private keys live in a process apart; the one that speaks TLS marks each public key with
    the name of the key to ask for. It marks what EVP_PKEY_get1_RSA() returns, and since OpenSSL 3
    that is a copy. So the handshake's own key is unmarked, signing fails ("missing private key" in
    the log), and after its Certificate message the server sends the alert internal_error (80).
    OpenSMTPD 7.3 mends it: https://github.com/OpenSMTPD/OpenSMTPD/pull/1208
    """
    usage = subprocess.run(
        ["chroot", root, _PROGRAM, "-h"],
        capture_output=True,
        text=True,
        timeout=_VERSION_TIMEOUT_S,
        check=False,
    )
    version = re.search(r"OpenSMTPD (\d+)\.(\d+)", usage.stdout + usage.stderr)
    assert version is not None, usage
    return "internal_error" if (int(version[1]), int(version[2])) < (7, 3) else None


OPENSMTPD = MtaServer(
    name="opensmtpd",
    program=_PROGRAM.lstrip("/"),
    configure=_configure,
    bad=CertificateFault.EXPIRED,
    key_type=trustme.KeyType.RSA,
    alert=_alert,
)
