"""TLS servers of many kinds, each started on a port of its own with the options of a test."""

import base64
import contextlib
import datetime as dt
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from prober.lab.dhe import PRIME_1024
from tests.net.test_key_exchange import FFDHE2048

HOST: Final = "mx.example.test"
_START_S: Final = 60.0  # the slowest takes a second on an idle machine
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Two self-signed certificates and their keys, in the forms the servers want."""

    folder: Path

    def certificate(self, kind: str) -> str:
        """The file with the certificate; *kind* is ``rsa`` or ``ecdsa``."""
        return str(self.folder / f"{kind}.pem")

    def key(self, kind: str) -> str:
        """The file with its key."""
        return str(self.folder / f"{kind}.key")

    def der(self, kind: str) -> bytes:
        """The certificate."""
        pem = (self.folder / f"{kind}.pem").read_bytes()
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def make_keys(folder: Path) -> Keys:
    """Make both, groups for Diffie-Hellman, and a response of OCSP."""
    keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    }
    for kind, key in keys.items():
        certificate = _self_signed(key, kind)
        (folder / f"{kind}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / f"{kind}.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        (folder / f"{kind}.p12").write_bytes(
            pkcs12.serialize_key_and_certificates(
                kind.encode(), key, certificate, None, NoEncryption()
            )
        )
    (folder / "dh1024.pem").write_text(_dh_parameters(PRIME_1024.to_bytes(128)))
    (folder / "ffdhe2048.pem").write_text(_dh_parameters(FFDHE2048))
    later = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    (folder / "ocsp.der").write_bytes(later.public_bytes(Encoding.DER))
    return Keys(folder=folder)


def _dh_parameters(prime: bytes) -> str:
    """DHParameter of PKCS #3, with the generator 2; cryptography warns of its own class for it."""
    content = _der(2, b"\0" + prime) + _der(2, b"\2")
    lines = base64.encodebytes(_der(0x30, content)).decode()
    return f"-----BEGIN DH PARAMETERS-----\n{lines}-----END DH PARAMETERS-----\n"


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def _self_signed(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kind: str
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{kind} {HOST}")])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )


Command = Callable[[Keys, int, tuple[str, ...]], list[str]]


def _openssl(keys: Keys, port: int, options: tuple[str, ...]) -> list[str]:
    """*options*: ``rsa``, ``ecdsa``, then those of s_server."""
    kinds = [option for option in options if option in ("rsa", "ecdsa")]
    names = (("-cert", "-key"), ("-dcert", "-dkey"))
    chosen: list[str] = []
    for (certificate, key), kind in zip(names, kinds, strict=False):
        chosen += [certificate, keys.certificate(kind), key, keys.key(kind)]
    rest = [option.replace("{keys}", str(keys.folder)) for option in options[len(kinds) :]]
    return [
        "openssl",
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-quiet",
        *(chosen or ["-nocert"]),
        *rest,
    ]


def _gnutls(keys: Keys, port: int, options: tuple[str, ...]) -> list[str]:
    """*options*: kinds of certificates, the priority string, then options of gnutls-serv."""
    kinds = [option for option in options if option in ("rsa", "ecdsa")]
    chosen: list[str] = []
    for kind in kinds:
        chosen += ["--x509certfile", keys.certificate(kind), "--x509keyfile", keys.key(kind)]
    priority, *rest = options[len(kinds) :]
    return [
        "gnutls-serv",
        "--quiet",
        "--echo",
        "--port",
        str(port),
        "--priority",
        priority,
        *chosen,
        *rest,
    ]


def _script(name: str, interpreter: str) -> Command:
    def command(keys: Keys, port: int, options: tuple[str, ...]) -> list[str]:
        return [interpreter, str(_HERE / name), str(port), str(keys.folder), *options]

    return command


def _nss(keys: Keys, port: int, options: tuple[str, ...]) -> list[str]:
    """*options*: kinds of certificates, then those of selfserv."""
    database = keys.folder / "nss"
    if not database.exists():
        database.mkdir()
        where = ["-d", f"sql:{database}"]
        subprocess.run(["certutil", "-N", *where, "--empty-password"], check=True)
        for kind in ("rsa", "ecdsa"):
            p12 = str(keys.folder / f"{kind}.p12")
            subprocess.run(
                ["pk12util", "-i", p12, *where, "-W", ""], check=True, capture_output=True
            )
    kinds = [option for option in options if option in ("rsa", "ecdsa")]
    chosen = [word for kind in kinds for word in ({"rsa": "-n", "ecdsa": "-e"}[kind], kind)]
    return ["selfserv", "-d", f"sql:{database}", "-p", str(port), *chosen, *options[len(kinds) :]]


BACKENDS: Final[dict[str, Command]] = {
    "openssl": _openssl,
    "gnutls": _gnutls,
    "node": _script("server.mjs", "node"),
    "nss": _nss,
    "tlslite": _script("tlslite_server.py", sys.executable),
    "pyopenssl": _script("pyopenssl_server.py", sys.executable),
}
_PROGRAMS: Final = {"gnutls": "gnutls-serv", "nss": "selfserv"}


@contextlib.contextmanager
def backend(name: str, options: tuple[str, ...], keys: Keys) -> Iterator[int]:
    """Run a server until the block is left; gives its port."""
    program = _PROGRAMS.get(name, name)
    if name in ("openssl", "gnutls", "nss", "node") and shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not there: run tests/mta/install")
        pytest.skip(f"{program} is not there: run tests/mta/install")
    port = _free_port()
    command = BACKENDS[name](keys, port, options)
    log = keys.folder / f"{name}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(port, process, log)
        yield port
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _free_port() -> int:
    """A port below those that the kernel gives to other tests: they would take it in between."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{process.args!r}: {log.read_text(errors='replace')}")
        time.sleep(0.05)
