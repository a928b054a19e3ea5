"""What all mail servers under test have in common: a site to configure, a start, a record."""

import contextlib
import hashlib
import os
import secrets
import smtplib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import trustme

from tests.mta import sandbox
from tests.mta.certificates import CertificateFault, MtaCa

Tls = Literal["good", "none", "bad"]

START_TIMEOUT_S = 120.0  # the slowest takes 0.5 s on an idle machine
GREETING_TIMEOUT_S = 30.0


class MtaNotStarted(Exception):
    """A server ended, or did not greet in time. The message has its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningMta:
    """A mail server that has just greeted, and what is known of it beforehand."""

    name: str
    address: str  # in 127.0.0.0/8, its own
    port: int
    tls: Tls
    host_name: str  # what it calls itself; a good certificate names it
    ca_file: Path  # PEM; verifies a good certificate
    chain_der: tuple[bytes, ...]  # as it is to send it, leaf first; empty without TLS
    fault: CertificateFault | None  # of the leaf certificate; None unless tls is "bad"
    expected_alert: str | None  # it cannot finish a handshake, and sends this alert instead
    asks_for_client_certificate: bool
    log_file: Path

    @property
    def leaf_sha256(self) -> str | None:
        """Fingerprint of the leaf certificate, in lower-case hex; ``None`` without TLS."""
        return hashlib.sha256(self.chain_der[0]).hexdigest() if self.chain_der else None

    def log(self) -> str:
        """What the server has logged so far."""
        return self.log_file.read_text(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One server to configure. It sees *folder* as /srv, and all it reads and writes is there."""

    root: Path
    folder: Path
    address: str
    port: int
    host_name: str
    has_tls: bool  # then /srv/cert.pem and /srv/key.pem are there

    def write(self, name: str, text: str) -> None:
        """Write a configuration file, owned by root."""
        (self.folder / name).write_text(text)

    def make_folder(self, name: str, *, owner: str) -> None:
        """Make a folder for a user of the server's root."""
        (self.folder / name).mkdir()
        self.give(name, owner)

    def give(self, name: str, owner: str) -> None:
        """Hand a file or folder to a user of the server's root, who is none of the machine's."""
        uid, gid = _user_ids(self.root, owner)
        os.chown(self.folder / name, uid, gid)


@dataclass(frozen=True, slots=True, kw_only=True)
class MtaServer:
    """A kind of mail server: how to configure it, and which bad certificate it is given."""

    name: str
    program: str  # path below its root
    configure: Callable[[Site], tuple[str, ...]]  # writes files; returns the command to run
    bad: CertificateFault
    key_type: trustme.KeyType
    is_packaged: bool = True  # a Debian package in a root of its own; else it runs in the machine's
    alert: Callable[[Path], str | None] | None = None  # from its root, RunningMta.expected_alert
    asks_for_client_certificate: bool = False

    @property
    def installed_program(self) -> Path:
        """Where tests/mta/install puts its program."""
        return sandbox.roots_folder() / self.name / self.program

    @property
    def root(self) -> Path:
        """The root folder it runs in."""
        return sandbox.roots_folder() / self.name if self.is_packaged else sandbox.MACHINE


@contextlib.contextmanager
def running(
    server: MtaServer,
    tls: Tls,
    ca: MtaCa,
    folder: Path,
    *,
    start_timeout_s: float = START_TIMEOUT_S,
) -> Iterator[RunningMta]:
    """Run *server* until the block is left. *folder* is an empty one, for this run alone.

    Raises ``MtaNotStarted`` if it does not greet in time.
    """
    folder.chmod(0o755)  # servers give up root; the folder above stays closed to others
    site = _make_site(server, folder, has_tls=tls != "none")
    fault = server.bad if tls == "bad" else None
    chain_der = _write_certificate(site, ca, fault, server.key_type) if site.has_tls else ()
    mta = RunningMta(
        name=server.name,
        address=site.address,
        port=site.port,
        tls=tls,
        host_name=site.host_name,
        ca_file=ca.pem,
        chain_der=chain_der,
        fault=fault,
        expected_alert=server.alert(site.root) if server.alert and site.has_tls else None,
        asks_for_client_certificate=server.asks_for_client_certificate and site.has_tls,
        log_file=folder / "log",
    )
    command = server.configure(site)
    try:
        with sandbox.sandboxed(site.root, folder, command, log=mta.log_file) as process:
            _wait_for_greeting(mta, process, start_timeout_s)
            yield mta
    except MtaNotStarted as exc:  # the log is whole only now that all who write to it are gone
        raise MtaNotStarted(f"{exc}\n{mta.log()}") from None


def _make_site(server: MtaServer, folder: Path, *, has_tls: bool) -> Site:
    address = _own_address()
    return Site(
        root=server.root,
        folder=folder,
        address=address,
        port=_free_port(address),
        host_name=f"mx.{server.name}.test",
        has_tls=has_tls,
    )


def _own_address() -> str:
    """A loopback address picked at random, so that two runs at once do not meet."""
    return f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{2 + secrets.randbelow(250)}"


def _free_port(address: str) -> int:
    with socket.socket() as listener:
        listener.bind((address, 0))
        port: int = listener.getsockname()[1]
        return port


def _write_certificate(
    site: Site, ca: MtaCa, fault: CertificateFault | None, key_type: trustme.KeyType
) -> tuple[bytes, ...]:
    issued = ca.issue(site.host_name, fault=fault, key_type=key_type)
    (site.folder / "cert.pem").write_bytes(issued.chain_pem)
    key = site.folder / "key.pem"
    key.touch(mode=0o600)  # Sendmail and OpenSMTPD refuse a key that others can read
    key.write_bytes(issued.key_pem)
    return issued.chain_der


def _user_ids(root: Path, user: str) -> tuple[int, int]:
    for line in (root / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if name == user:
            return int(uid), int(gid)
    raise LookupError(f"no user {user!r} in {root}: run tests/mta/install")


def _wait_for_greeting(mta: RunningMta, process: subprocess.Popen[bytes], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while (fault := _why_no_greeting(mta)) is not None:
        if process.poll() is not None:
            raise MtaNotStarted(f"{mta.name} ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise MtaNotStarted(f"{mta.name}: {fault}")
        time.sleep(0.02)


def _why_no_greeting(mta: RunningMta) -> str | None:
    try:
        # a name for EHLO, or else smtplib asks the resolver for this machine's
        with smtplib.SMTP(mta.address, mta.port, "probe.test", timeout=GREETING_TIMEOUT_S):
            return None
    except (OSError, smtplib.SMTPException) as exc:
        return repr(exc)
