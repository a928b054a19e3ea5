"""Two independent TLS clients to compare a prober with: openssl s_client and posttls-finger.

Both speak SMTP STARTTLS (RFC 3207) and report what they saw as text; here it becomes facts.
"""

import hashlib
import re
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mta import sandbox
from tests.mta.base import RunningMta
from tests.mta.postfix import POSTFIX, write_main_cf

TIMEOUT_S = 120.0  # for a whole run, which takes 0.1 s
_EHLO_NAME = "referee.test"
_REQUESTED = "\nRequested Signature Algorithms:"  # s_client shows the server's request by its parts
_PEM_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefereeFacts:
    """What a referee says it saw. ``None``: it does not say."""

    starttls_offered: bool
    tls_version: str | None  # OpenSSL's name, such as "TLSv1.3"; None unless TLS was completed
    cipher: str | None  # OpenSSL's name; None unless TLS was completed
    key_exchange: str | None  # the group, as X25519 or prime256v1; posttls-finger: TLS 1.3 only
    chain_der: tuple[bytes, ...]  # as sent, leaf first; posttls-finger does not say
    leaf_sha256: str | None  # lower-case hex; openssl knows it though the handshake fails later
    verified: bool | None  # chain, dates and name; None if it saw no certificate
    verify_errors: tuple[str, ...]  # in OpenSSL's words
    client_certificate_requested: bool | None  # None unless TLS was completed
    alert: str | None  # the fatal alert received, as RFC 8446 §6 spells it
    output: str  # all it wrote, for a failed assertion


def openssl_s_client(server: RunningMta, ca_file: Path, server_name: str) -> RefereeFacts:
    """What ``openssl s_client`` sees, with *server_name* as SNI and as the name to verify.

    Raises ``subprocess.TimeoutExpired`` after TIMEOUT_S.
    """
    destination = ["-connect", f"{server.address}:{server.port}", "-servername", server_name]
    verification = ["-CAfile", str(ca_file), "-verify_hostname", server_name, "-showcerts"]
    starttls = ["-starttls", "smtp", "-name", _EHLO_NAME]
    output = subprocess.run(
        ["openssl", "s_client", *destination, *starttls, *verification],
        stdin=subprocess.DEVNULL,  # its end makes s_client leave once TLS is up
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
        encoding="utf-8",
        errors="replace",
    ).stdout
    return _parse_s_client(output)


def posttls_finger(server: RunningMta, ca_file: Path, server_name: str) -> RefereeFacts:
    """What Postfix's ``posttls-finger`` sees, with *server_name* as SNI and the name to verify.

    Raises ``subprocess.TimeoutExpired`` after TIMEOUT_S.
    """
    options = ["-t5", "-T5", "-lverify", "-dsha256", "-Lroutine,certmatch,peercert"]
    names = ["-s", server_name, "-F", f"{sandbox.FOLDER}/ca.pem"]
    destination = [f"[{server.address}]:{server.port}", server_name]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ca.pem").write_bytes(ca_file.read_bytes())
        write_main_cf(folder, f"compatibility_level = 3.6\nmyhostname = {_EHLO_NAME}\n")
        output = sandbox.run_sandboxed(
            POSTFIX.root,
            folder,
            ["/usr/sbin/posttls-finger", *options, *names, *destination],
            timeout_s=TIMEOUT_S,
            environment={"MAIL_CONFIG": sandbox.FOLDER},
        )
    return _parse_posttls_finger(output)


def _parse_s_client(output: str) -> RefereeFacts:
    is_up = re.search(r"^DONE$", output, re.MULTILINE) is not None  # a failed handshake never is
    # "New, …" names the version that brought in the cipher suite, which may be an older one; the
    # session block names the connection's, but under TLS 1.3 it comes only with a ticket
    version = _find(r"^    Protocol  : (\S+)$", output) or _find(r"^New, ([^,]+), Cipher", output)
    group = r"^(?:(?:Server|Peer) Temp Key: (?:ECDH, )?|Negotiated TLS1\.3 group: )([\w-]+)"
    chain_der = tuple(ssl.PEM_cert_to_DER_cert(pem) for pem in _PEM_CERTIFICATE.findall(output))
    return RefereeFacts(
        starttls_offered="Didn't find STARTTLS in server response" not in output,
        tls_version=version if is_up else None,
        cipher=_find(r"^New, [^,]+, Cipher is (\S+)$", output) if is_up else None,
        key_exchange=_find(group, output) if is_up else None,
        chain_der=chain_der,
        leaf_sha256=hashlib.sha256(chain_der[0]).hexdigest() if chain_der else None,
        verified="Verify return code: 0 (ok)" in output if chain_der else None,
        verify_errors=_once(re.findall(r"^verify error:num=\d+:(.+)$", output, re.M)),
        client_certificate_requested=_REQUESTED in output if is_up else None,
        alert=_find_alert(output),
        output=output,
    )


def _parse_posttls_finger(output: str) -> RefereeFacts:
    summary = r"(\w+) TLS connection established to .*: (\S+) with cipher (\S+)"
    summary += r"(?:.* key-exchange (?:ECDHE \()?([\w-]+))?"
    found = re.search(summary, output)
    trust, version, cipher, group = found.groups() if found else (None, None, None, None)
    fingerprint = _find(r", fingerprint=([0-9A-F:]+)", output)
    failed = r"certificate verification failed for .*\]:\d+: (?:num=\d+:)?(.+)$"
    return RefereeFacts(
        starttls_offered=re.search(r": < 250[- ]STARTTLS$", output, re.M | re.I) is not None,
        tls_version=version,
        cipher=cipher,
        key_exchange=group,
        chain_der=(),
        leaf_sha256=fingerprint.replace(":", "").lower() if fingerprint else None,
        verified=trust == "Verified" if fingerprint else None,
        verify_errors=_once(re.findall(failed, output, re.M)),
        client_certificate_requested=None,
        alert=_find_alert(output),
        output=output,
    )


def _find(pattern: str, output: str) -> str | None:
    found = re.search(pattern, output, re.MULTILINE)
    return found[1] if found else None


def _find_alert(output: str) -> str | None:
    """OpenSSL reports an alert as ``…:tlsv1 alert internal error:…:SSL alert number 80``."""
    words = _find(r":(?:tlsv1\S*|sslv3) alert ([a-z ]+):.*SSL alert number \d+", output)
    return words.replace(" ", "_") if words else None


def _once(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))
