"""A real OpenSMTPD that sends: each domain goes to its MX host by a rule of its own."""

import asyncio
import functools
import smtplib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from types import MappingProxyType
from typing import Final

from prober.lab.internet import Lab
from tests.mta.base import Site, running
from tests.mta.certificates import MtaCa
from tests.mta.opensmtpd import OPENSMTPD
from tests.mta.sender import DELIVERY_TIMEOUT_S, resolver_for

_HEAD: Final = (
    'ca "lab" cert "/srv/lab-ca.pem"\nlisten on {address} port {port} hostname {host_name}\n'
)
_DOMAIN: Final = """\
action "{name}" relay host "smtp://{name}:{port}" ca "lab" {options}
match from any for domain "{domain}" action "{name}"
"""


async def deliver_by_opensmtpd(
    lab: Lab,
    recipients: Iterable[str],
    *,
    ca: MtaCa,
    folder: Path,
    is_done: Callable[[str], bool],
    options: Mapping[str, str] = MappingProxyType({}),
    rules: str = "",
) -> None:
    """Send a message to each of *recipients*, until *is_done* says so of the log.

    *options*: for the action of a domain. *rules* come before those for each domain.
    """
    async with resolver_for(lab.dns) as resolver:
        configure = functools.partial(_configure, lab, resolver, options, rules)
        send = functools.partial(_deliver, configure, tuple(recipients), ca, folder)
        await asyncio.to_thread(send, is_done)


def _deliver(
    configure: Callable[[Site], tuple[str, ...]],
    recipients: tuple[str, ...],
    ca: MtaCa,
    folder: Path,
    is_done: Callable[[str], bool],
) -> None:
    folder.mkdir()
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


def _configure(
    lab: Lab, resolver: str, options: Mapping[str, str], rules: str, site: Site
) -> tuple[str, ...]:
    (site.folder / "over-etc").mkdir()
    site.write("over-etc/resolv.conf", f"nameserver {resolver}\n")
    site.write("over-etc/nsswitch.conf", "hosts: dns files\npasswd: files\ngroup: files\n")
    actions = "".join(
        _DOMAIN.format(
            name=f"mx.{each.name}",
            port=lab.port,
            domain=each.name,
            options=options.get(each.name, ""),
        )
        for each in lab.domains
    )
    head = _HEAD.format(address=site.address, port=site.port, host_name=site.host_name)
    site.write("lab-ca.pem", lab.ca_file.read_text())
    site.write("smtpd.conf", head + rules + actions)
    return ("/usr/sbin/smtpd", "-d", "-v", "-f", "/srv/smtpd.conf")
