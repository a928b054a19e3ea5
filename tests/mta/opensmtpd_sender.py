"""A real OpenSMTPD that sends: each domain goes to its MX host by a rule of its own.

It trusts the CA of the lab.
"""

import asyncio
import functools
import smtplib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from prober.lab.internet import Lab
from tests.mta.base import Site, running
from tests.mta.certificates import MtaCa
from tests.mta.opensmtpd import OPENSMTPD
from tests.mta.sender import DELIVERY_TIMEOUT_S, resolver_for

_HEAD: Final = "listen on {address} port {port} hostname {host_name}\n"
_DOMAIN: Final = """\
action "{name}" relay host "smtp://{name}:{port}"
match from any for domain "{domain}" action "{name}"
"""


async def deliver_by_opensmtpd(
    lab: Lab,
    recipients: Iterable[str],
    *,
    ca: MtaCa,
    folder: Path,
    is_done: Callable[[str], bool],
    rules: str | None = None,
) -> None:
    """Send a message to each of *recipients*, until *is_done* says so of the log.

    *rules* are what smtpd.conf has, if not a rule per domain without any policy.
    """
    rules = rules or "".join(rule(each.name, lab.port) for each in lab.domains)
    async with resolver_for(lab.dns) as resolver:
        send = functools.partial(_deliver, lab, resolver, rules, tuple(recipients), ca, folder)
        await asyncio.to_thread(send, is_done)


def _deliver(
    lab: Lab,
    resolver: str,
    rules: str,
    recipients: tuple[str, ...],
    ca: MtaCa,
    folder: Path,
    is_done: Callable[[str], bool],
) -> None:
    folder.mkdir()
    configure = functools.partial(_configure, lab, resolver, rules)
    with running(replace(OPENSMTPD, configure=configure), "none", ca, folder) as mta:
        with smtplib.SMTP(mta.address, mta.port, "client.test", timeout=30) as client:
            for recipient in recipients:
                message = EmailMessage()
                message["From"] = "sender@sender.test"
                message.set_content("a line")
                client.send_message(message, "sender@sender.test", [recipient])
        deadline = time.monotonic() + DELIVERY_TIMEOUT_S
        while not is_done(mta.log()):
            assert time.monotonic() < deadline, mta.log()
            time.sleep(0.1)


def rule(domain: str, port: int) -> str:
    """The rule that sends to the MX host of *domain*, by whatever it offers."""
    return _DOMAIN.format(name=f"mx.{domain}", port=port, domain=domain)


def _configure(lab: Lab, resolver: str, rules: str, site: Site) -> tuple[str, ...]:
    (OPENSMTPD.root / "etc" / "ssl").mkdir(exist_ok=True)  # where the folder below is mounted
    (site.folder / "over-etc" / "ssl" / "certs").mkdir(parents=True)
    site.write("over-etc/ssl/certs/ca-certificates.crt", lab.ca_file.read_text())
    site.write("over-etc/resolv.conf", f"nameserver {resolver}\n")
    site.write("over-etc/nsswitch.conf", "hosts: dns files\npasswd: files\ngroup: files\n")
    head = _HEAD.format(address=site.address, port=site.port, host_name=site.host_name)
    site.write("smtpd.conf", head + rules)
    return ("/usr/sbin/smtpd", "-d", "-v", "-f", "/srv/smtpd.conf")
