"""NSD with a tree of zones, and an unbound that validates it from an anchor of its own.

Both are Debian's, unpacked by tests/mta/install, each at port 53 of a loopback address of its own:
so unbound resolves from the root down as it does anywhere, and Postfix, which knows no other port,
can ask it.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import dns.exception
import dns.message
import dns.query
import pytest

from tests.dnssec.tree import Zone, write_tree
from tests.mta import sandbox

START_TIMEOUT_S = 120.0  # both take 0.1 s here

_NSD_CONF = """\
server:
    ip-address: {nameserver}
    username: ""
    database: ""
    zonesdir: /srv
    pidfile: ""
    xfrdfile: /tmp/xfrd.state
    zonelistfile: /tmp/zone.list
    server-count: 1
remote-control:
    control-enable: no
"""
_NSD_ZONE = """\
zone:
    name: "{name}."
    zonefile: "{file_name}"
"""
_UNBOUND_CONF = """\
server:
    interface: {resolver}
    access-control: 127.0.0.0/8 allow
    username: ""
    chroot: ""
    directory: /srv
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    do-ip6: no
    do-not-query-localhost: no
    local-zone: "test." nodefault
    rrset-roundrobin: no
    root-hints: /srv/root.hints
{validation}
remote-control:
    control-enable: no
"""
_VALIDATION = """\
    trust-anchor-file: /srv/root.ds
    module-config: "validator iterator"
    val-log-level: 2
    ede: yes
"""
_NO_VALIDATION = '    module-config: "iterator"'


@dataclass(frozen=True)
class Program:
    """A name server in its root."""

    name: str
    arguments: tuple[str, ...]

    @property
    def root(self) -> Path:
        return sandbox.roots_folder() / self.name

    @property
    def path(self) -> str:
        return f"/usr/sbin/{self.name}"

    @property
    def is_installed(self) -> bool:
        return (self.root / self.path.removeprefix("/")).exists()


NSD = Program("nsd", ("-d", "-c", "/srv/nsd.conf"))
UNBOUND = Program("unbound", ("-d", "-c", "/srv/unbound.conf"))


def require_nameservers() -> None:
    """Skip the test if they cannot run here; in CI, where they must, fail it."""
    if not sandbox.is_root():
        pytest.skip("name servers need root, for port 53 and namespaces of their own")
    if not all(program.is_installed for program in (NSD, UNBOUND)):
        _miss("NSD or unbound is not there: run tests/mta/install")
    if (obstacle := sandbox.why_no_namespaces()) is not None:
        _miss(f"no namespaces here: {obstacle}")


def require_openssl() -> None:
    """The same for the command ``openssl``."""
    if shutil.which("openssl") is None:
        _miss("openssl is not there: run tests/mta/install")


def require_signers() -> None:
    """The same for the two signers of zones, and delv."""
    for program in ("dnssec-signzone", "ldns-signzone", "delv"):
        if shutil.which(program) is None:
            _miss(f"{program} is not there: run tests/mta/install")


def _miss(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def serving(
    folder: Path, zones: Sequence[Zone], *, nameserver: str, resolver: str, forwarder: str
) -> Iterator[None]:
    """Serve *zones* at the address *nameserver* and resolve them; *folder* is empty.

    The *resolver* validates; the *forwarder* does not.
    """
    (folder / "nsd").mkdir()
    anchor = write_tree(folder / "nsd", zones, nameserver=nameserver)
    files = {zone.name: zone.file_name for zone in zones}
    with serving_files(
        folder, files, anchor, nameserver=nameserver, resolver=resolver, forwarder=forwarder
    ):
        yield


@contextlib.contextmanager
def serving_files(
    folder: Path,
    files: Mapping[str, str],
    anchor: str,
    *,
    nameserver: str,
    resolver: str,
    forwarder: str,
) -> Iterator[None]:
    """The same for zone files that are in ``nsd`` in *folder*, by the names of their zones."""
    stanzas = (_NSD_ZONE.format(name=name, file_name=file) for name, file in files.items())
    (folder / "nsd/nsd.conf").write_text(_NSD_CONF.format(nameserver=nameserver) + "".join(stanzas))
    for name, address, validation in (
        ("unbound", resolver, _VALIDATION),
        ("forwarder", forwarder, _NO_VALIDATION),
    ):
        (folder / name).mkdir()
        (folder / name / "unbound.conf").write_text(
            _UNBOUND_CONF.format(resolver=address, validation=validation)
        )
        (folder / name / "root.hints").write_text(f". 3600 NS ns.\nns. 3600 A {nameserver}\n")
        (folder / name / "root.ds").write_text(f"{anchor}\n")
    with contextlib.ExitStack() as stack:
        for program, name in ((NSD, "nsd"), (UNBOUND, "unbound"), (UNBOUND, "forwarder")):
            stack.enter_context(_running(program, folder / name))
        for address in (nameserver, resolver, forwarder):
            _wait_for_answer(address, folder)
        yield


@contextlib.contextmanager
def _running(program: Program, folder: Path) -> Iterator[None]:
    command = (program.path, *program.arguments)
    with sandbox.sandboxed(program.root, folder, command, log=folder / "log"):
        yield


def _wait_for_answer(address: str, folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    query = dns.message.make_query(".", "SOA")
    while True:
        try:
            if dns.query.udp(query, address, timeout=0.2).answer:
                return
        except (OSError, dns.exception.DNSException):
            time.sleep(0.02)
        if time.monotonic() > deadline:
            logs = "".join(path.read_text(errors="replace") for path in folder.glob("*/log"))
            raise TimeoutError(f"no name server answers at {address}\n{logs}")
