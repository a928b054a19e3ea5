"""A real Postfix that sends: it finds the lab by the lab's DNS, and obeys a policy map.

Its own smtpd takes mail for anybody from loopback; what became of a message stands in its log.
"""

import asyncio
import contextlib
import functools
import os
import re
import secrets
import smtplib
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from prober.lab.dns import LabDns
from prober.lab.internet import Lab
from tests.mta import sandbox
from tests.mta.base import MtaServer, RunningMta, Site, running
from tests.mta.certificates import MtaCa
from tests.mta.postfix import POSTFIX, write_main_cf

DELIVERY_TIMEOUT_S: Final = 120.0  # for all messages of a test, which take one or two
_DNS_PORT: Final = 53  # resolv.conf knows no other

_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = {host_name}
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
inet_protocols = ipv4
queue_directory = /srv/queue
data_directory = /srv/data
alias_maps =
local_recipient_maps =
notify_classes =
dnssec_probe =
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
smtp_tls_loglevel = 1
smtp_connection_cache_on_demand = no
smtp_connect_timeout = 30s
smtp_helo_timeout = 30s
smtp_starttls_timeout = 30s
{settings}
"""
_MASTER_CF: Final = """\
{address}:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsproxy unix - - n - 0 tlsproxy
"""
_QUEUES: Final = "active bounce corrupt defer deferred flush hold incoming saved trace".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderConfig:
    """How a sending Postfix is set up."""

    resolver: str  # an address of loopback, at port 53
    smtp_port: int  # of all servers in the world
    ca_file: Path
    policy_map: str
    settings: Mapping[str, str]  # of main.cf, on top of the usual
    attempts: int
    per_message: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one message, by the log: ``sent``, ``deferred`` or ``bounced``."""

    status: str
    trust: str | None  # "Verified", "Trusted", "Untrusted", "Anonymous"; None: no TLS, or no word
    why: str


@contextlib.asynccontextmanager
async def resolver_for(dns: LabDns) -> AsyncIterator[str]:
    """An address of loopback whose port 53 answers over UDP as *dns* does."""
    address = (
        f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{2 + secrets.randbelow(250)}"
    )
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Answering(dns), local_addr=(address, _DNS_PORT)
    )
    try:
        yield address
    finally:
        transport.close()
        await asyncio.sleep(0)


class _Answering(asyncio.DatagramProtocol):
    def __init__(self, dns: LabDns) -> None:
        self._dns = dns

    # typeshed has BaseTransport here; a datagram endpoint is given a DatagramTransport
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        wire, _ = self._dns.answer(data, tcp=False)
        if wire is not None:
            self._transport.sendto(wire, addr)


async def deliver(
    lab: Lab,
    policy_map: str,
    recipients: Iterable[str],
    *,
    ca: MtaCa,
    folder: Path,
    settings: Mapping[str, str],
    attempts: int = 1,
    per_message: int = 1,
) -> dict[str, Fate]:
    """Send a message to each of *recipients* through a Postfix that obeys *policy_map*.

    With *per_message*, one to so many of them.

    What is deferred is given so many *attempts*: after a handshake that failed, an opportunistic
    Postfix goes on in clear, but only with a message that is ``minimal_backoff_time`` old.
    """
    async with resolver_for(lab.dns) as resolver:
        config = SenderConfig(
            resolver=resolver,
            smtp_port=lab.port,
            ca_file=lab.ca_file,
            policy_map=policy_map,
            settings=settings,
            attempts=attempts,
            per_message=per_message,
        )
        return await asyncio.to_thread(_deliver, config, tuple(recipients), ca, folder)


def _deliver(
    config: SenderConfig, recipients: tuple[str, ...], ca: MtaCa, folder: Path
) -> dict[str, Fate]:
    folder.mkdir()
    server: MtaServer = replace(POSTFIX, configure=functools.partial(_configure, config))
    with running(server, "none", ca, folder) as mta:
        with smtplib.SMTP(mta.address, mta.port, "client.test", timeout=30) as client:
            for start in range(0, len(recipients), config.per_message):
                message = EmailMessage()
                message["Subject"] = "for a policy map"
                message.set_content("a line")
                batch = recipients[start : start + config.per_message]
                client.send_message(message, "sender@sender.test", batch)
        return _await_fates(mta, recipients, config.attempts, folder / "queue")


def _await_fates(
    mta: RunningMta, recipients: tuple[str, ...], attempts: int, queue: Path
) -> dict[str, Fate]:
    deadline = time.monotonic() + DELIVERY_TIMEOUT_S
    looks = 0
    while True:
        fates = dict(_fates(mta.log(), attempts))
        if fates.keys() >= set(recipients):
            return fates
        missing = set(recipients) - fates.keys()
        assert time.monotonic() < deadline, f"nothing became of {missing}\n{mta.log()}"
        time.sleep(0.05)
        looks += 1
        if looks % 200 == 0:
            _flush(queue)


def _flush(queue: Path) -> None:
    """Ask the queue manager for all deferred mail, as ``postqueue -f`` does.

    It puts a message off for minutes that a queue run meets while it is still being delivered.
    """
    folder = os.open(queue / "public", os.O_PATH)  # the path may be too long for a socket's
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"/proc/self/fd/{folder}/qmgr")
            client.sendall(b"FADI")  # flush dead hosts, scan all, deferred and incoming mail
    finally:
        os.close(folder)


_SMTP_LINE: Final = re.compile(r"postfix/smtp\[(\d+)\]: (.*)")
_TLS: Final = re.compile(r"(\w+) TLS connection established to ")
_FATE: Final = re.compile(r"\w+: to=<([^>]+)>,.*? status=(\w+) \((.*)\)$")  # a reply may say more


def _fates(log: str, attempts: int) -> Iterator[tuple[str, Fate]]:
    """The last word on each recipient. One process delivers one message after another."""
    trust: dict[str, str] = {}
    tried: Counter[str] = Counter()
    for line in log.splitlines():
        if (found := _SMTP_LINE.search(line)) is None:
            continue
        process, text = found.groups()
        if (tls := _TLS.match(text)) is not None:
            trust[process] = tls[1]
        elif (fate := _FATE.match(text)) is not None:
            recipient, status, why = fate.groups()
            known = trust.pop(process, None)
            tried[recipient] += 1
            if status != "deferred" or tried[recipient] == attempts:
                yield recipient, Fate(status=status, trust=known, why=why)


def _configure(config: SenderConfig, site: Site) -> tuple[str, ...]:
    (site.folder / "over-etc").mkdir()
    site.write("over-etc/resolv.conf", f"nameserver {config.resolver}\noptions trust-ad\n")
    site.write("ca.pem", config.ca_file.read_text())
    (site.folder / "etc").mkdir()
    write_table(site.folder / "etc/tls_policy", config.policy_map)
    settings = dict(config.settings) | {
        "smtp_tls_policy_maps": "texthash:/srv/etc/tls_policy",
        "smtp_tls_CAfile": "/srv/ca.pem",
        "smtp_tcp_port": str(config.smtp_port),
    }
    text = "".join(f"{name} = {value}\n" for name, value in settings.items())
    write_main_cf(site.folder / "etc", _MAIN_CF.format(host_name=site.host_name, settings=text))
    site.write("etc/master.cf", _MASTER_CF.format(address=site.address, port=site.port))
    site.make_folder("data", owner="postfix")
    site.make_folder("queue", owner="root")
    site.make_folder("queue/pid", owner="root")
    for name in ("private", "public", *_QUEUES):
        site.make_folder(f"queue/{name}", owner="postfix")
    return ("/usr/lib/postfix/sbin/master", "-c", "/srv/etc", "-s")


def write_table(path: Path, text: str) -> None:
    """Write a texthash table, and date it back for the reason that a main.cf is."""
    path.write_text(text)
    os.utime(path, (0, 0))


def ask_postmap(policy_map: str, keys: Iterable[str], folder: Path) -> dict[str, str]:
    """What ``postmap -q`` finds in *policy_map* for each of *keys*, and whatever it warns of."""
    folder.mkdir()
    folder.chmod(0o755)
    write_table(folder / "tls_policy", policy_map)
    write_main_cf(folder, "compatibility_level = 3.6\n")
    return {
        key: sandbox.run_sandboxed(
            POSTFIX.root,
            folder,
            ["/usr/sbin/postmap", "-c", "/srv", "-q", key, "texthash:/srv/tls_policy"],
            timeout_s=60.0,
        ).strip()
        for key in keys
    }
