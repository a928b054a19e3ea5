"""A real Sendmail that sends: it finds the lab by the lab's DNS, and logs to syslog."""

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
from tests.mta import sendmail
from tests.mta.base import Site, running
from tests.mta.certificates import MtaCa
from tests.mta.sender import DELIVERY_TIMEOUT_S, resolver_for

_MC: Final = """\
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{host_name}')dnl
define(`confPID_FILE', `/srv/sendmail.pid')dnl
define(`confSERVICE_SWITCH_FILE', `/srv/service.switch')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confTO_IDENT', `0')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confLOG_LEVEL', `9')dnl
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
define(`confCACERT', `/srv/ca.pem')dnl
define(`confCACERT_PATH', `/srv')dnl
define(`QUEUE_DIR', `/srv/queue')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {smtp_port}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr={address}, Port={port}')dnl
MAILER(`smtp')dnl
"""
# What the rule set tls_server begins with: verify= must be OK for some hosts.
_VERIFY_HEAD: Final = """\
R$*\t\t$: $(dequote "" $&{server_name} $) $| $1
"""
_VERIFY: Final = """\
R{host}$* $| OK\t\t$@ OK
R{host}$* $| $*\t\t$#error $@ 4.7.0 $: "403 4.7.0 not authenticated"
"""
_VERIFY_END: Final = "R$* $| $*\t\t$: $2\n"


async def deliver_by_sendmail(
    lab: Lab,
    recipients: Iterable[str],
    *,
    ca: MtaCa,
    folder: Path,
    is_done: Callable[[str], bool],
    verify: Iterable[str] = (),
    per_message: int = 1,
) -> None:
    """Send a message to each of *recipients*, until *is_done* says so of the log.

    *verify*: MX hosts that must have a certificate of the lab's CA. *per_message*: how many of
    them one message is for.
    """
    async with resolver_for(lab.dns) as resolver:
        hosts = "".join(_VERIFY.format(host=host) for host in verify)
        rules = _VERIFY_HEAD + hosts + _VERIFY_END
        configure = functools.partial(_configure, lab, resolver, rules)
        send = functools.partial(
            _deliver, configure, tuple(recipients), ca, folder, per_message=per_message
        )
        await asyncio.to_thread(send, is_done)


def _deliver(
    configure: Callable[[Site], tuple[str, ...]],
    recipients: tuple[str, ...],
    ca: MtaCa,
    folder: Path,
    is_done: Callable[[str], bool],
    *,
    per_message: int,
) -> None:
    folder.mkdir()
    with running(replace(sendmail.SENDMAIL, configure=configure), "none", ca, folder) as mta:
        with smtplib.SMTP(mta.address, mta.port, "client.test", timeout=30) as client:
            for start in range(0, len(recipients), per_message):
                message = EmailMessage()
                message.set_content("a line")
                batch = recipients[start : start + per_message]
                client.send_message(message, "sender@sender.test", batch)
        deadline = time.monotonic() + DELIVERY_TIMEOUT_S
        while not is_done(mta.log()):
            assert time.monotonic() < deadline, mta.log()
            time.sleep(0.1)


def _configure(lab: Lab, resolver: str, rules: str, site: Site) -> tuple[str, ...]:
    (site.folder / "over-etc").mkdir()
    site.write("over-etc/resolv.conf", f"nameserver {resolver}\n")
    site.write("over-etc/nsswitch.conf", "hosts: dns files\npasswd: files\ngroup: files\n")
    site.write("ca.pem", lab.ca_file.read_text())
    mc = _MC.format(
        host_name=site.host_name,
        address=site.address,
        port=site.port,
        smtp_port=lab.port,
    )
    cf = sendmail.expand(site, mc).replace("\nStls_server\n", f"\nStls_server\n{rules}", 1)
    site.write("sendmail.cf", cf)
    site.write("service.switch", "hosts dns files\naliases files\n")
    site.make_folder("queue", owner="root")
    return ("/usr/libexec/sendmail/sendmail", "-bD", "-C", "/srv/sendmail.cf")
