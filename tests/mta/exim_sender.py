"""A real Exim that sends, with retries: it finds the lab by the lab's DNS."""

import asyncio
import functools
import re
import smtplib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from prober.lab.internet import Lab
from tests.mta.base import RunningMta, Site, running
from tests.mta.certificates import MtaCa
from tests.mta.exim import EXIM
from tests.mta.sender import DELIVERY_TIMEOUT_S, resolver_for

_CONF: Final = """\
primary_hostname = {host_name}
disable_ipv6
local_interfaces = <; {address}
daemon_smtp_ports = {port}
spool_directory = /srv/spool
log_file_path = syslog
pid_file_path = /srv/spool/exim.pid
keep_environment =
host_lookup =
rfc1413_hosts =
tls_advertise_hosts =
acl_smtp_rcpt = accept
dns_dnssec_ok = 1
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
begin routers
dnslookup:
  driver = dnslookup
  self = send
  dnssec_request_domains = *
  transport = remote
begin transports
remote:
  driver = smtp
  port = {smtp_port}
  allow_localhost
  connect_timeout = 5s
  command_timeout = 5s
{tls}
begin retry
* * F,1h,1s
"""


async def deliver_by_exim(
    lab: Lab,
    recipients: Iterable[str],
    *,
    ca: MtaCa,
    folder: Path,
    attempts: int,
    per_message: int = 1,
    policies: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Send a message to each of *recipients*, or one to so many: what Exim logs last of it.

    *policies* says to which domains an option of the transport (a list of hosts) applies, as a
    regular expression. With them certificates are checked by the lab's CA.

    A line begins with ``=>`` or ``->`` where it was delivered, ``==`` where it is still deferred
    after so many *attempts*, ``**`` where it bounced.
    """
    async with resolver_for(lab.dns) as resolver:
        tls = "" if policies is None else _policies(policies)
        configure = functools.partial(_configure, lab, resolver, tls)
        send = functools.partial(
            _deliver, configure, tuple(recipients), ca, folder, per_message=per_message
        )
        return await asyncio.to_thread(send, attempts)


def _policies(policies: Mapping[str, str]) -> str:
    lists = (
        f"  {option} = ${{if match{{$domain}}{{{domains}}}{{*}}}}"
        for option, domains in policies.items()
    )
    return "\n".join(["  tls_verify_certificates = /srv/lab-ca.pem", *lists])


def _deliver(
    configure: Callable[[Site], tuple[str, ...]],
    recipients: tuple[str, ...],
    ca: MtaCa,
    folder: Path,
    attempts: int,
    *,
    per_message: int,
) -> dict[str, str]:
    folder.mkdir()
    with running(replace(EXIM, configure=configure), "none", ca, folder) as mta:
        with smtplib.SMTP(mta.address, mta.port, "client.test", timeout=5) as client:
            for start in range(0, len(recipients), per_message):
                message = EmailMessage()
                message.set_content("a line")
                batch = recipients[start : start + per_message]
                client.send_message(message, "sender@sender.test", batch)
        return _await_fates(mta, recipients, attempts)


def _await_fates(mta: RunningMta, recipients: tuple[str, ...], attempts: int) -> dict[str, str]:
    deadline = time.monotonic() + 3 * DELIVERY_TIMEOUT_S
    while True:
        fates = _fates(mta.log(), attempts)
        if fates.keys() >= set(recipients):
            return fates
        assert time.monotonic() < deadline, mta.log()
        time.sleep(0.1)


_FATE: Final = re.compile(r" (=>|->|==|\*\*) (\S+@\S+) (.*)$")


def _fates(log: str, attempts: int) -> dict[str, str]:
    last: dict[str, list[str]] = {}
    for line in log.splitlines():
        if (found := _FATE.search(line)) is not None and "retry time not reached" not in line:
            last.setdefault(found[2], []).append(f"{found[1]} {found[3]}")
    return {
        recipient: lines[-1]
        for recipient, lines in last.items()
        if not lines[-1].startswith("==") or len(lines) >= attempts
    }


def _configure(lab: Lab, resolver: str, tls: str, site: Site) -> tuple[str, ...]:
    (site.folder / "over-etc").mkdir()
    site.write("over-etc/resolv.conf", f"nameserver {resolver}\noptions edns0 trust-ad\n")
    site.write("lab-ca.pem", lab.ca_file.read_text())
    site.write(
        "exim.conf",
        _CONF.format(
            host_name=site.host_name,
            address=site.address,
            port=site.port,
            smtp_port=lab.port,
            tls=tls,
        ),
    )
    site.make_folder("spool", owner="Debian-exim")
    return ("/usr/sbin/exim4", "-bdf", "-q1s", "-C", "/srv/exim.conf")
