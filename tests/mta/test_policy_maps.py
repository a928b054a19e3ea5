"""The maps for Exim and OpenSMTPD, read by Exim and OpenSMTPD themselves.

Both deliver through their map, with the options that the head of the map asks for. OpenSMTPD also
says that it understands the head as it is: it delivers to one port of the lab, which the head does
not name.
"""

import asyncio
import re
import smtplib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from prober.lab.internet import Lab
from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.sound import Expired, SelfSigned, WellConfigured, Wildcard
from prober.policy.base import LiveMap, Provenance
from prober.policy.exim import EximMap
from tests.mta import sandbox
from tests.mta.base import RunningMta, Site, running
from tests.mta.certificates import MtaCa
from tests.mta.exim import EXIM
from tests.mta.opensmtpd import OPENSMTPD
from tests.mta.opensmtpd_sender import deliver_by_opensmtpd
from tests.mta.sender import resolver_for
from tests.mta.servers import require
from tests.mta.test_policy import (
    BUECHER,
    Written,
    domain,
    look,
    publish_tlsa,
    tlsa_of,
    to,
    world,
    write_map,
)
from tests.personalities.sound import WeakDh
from tests.support.accepting import Accepting

_EXIM_CONF: Final = """\
{macro}
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
smtp_accept_queue_per_connection = 0
begin routers
dnslookup:
  driver = dnslookup
  dnssec_request_domains = *
  self = send
  transport = remote
begin transports
remote:
  driver = smtp
  port = {smtp_port}
  allow_localhost
{options}
begin retry
* * F,1h,1s
"""
_FATE: Final = re.compile(r" (=>|==|\*\*) (\S+@\S+) (.*)$")
_TIMEOUT_S: Final = 120.0

SERVED: Final = (
    Written(name="clear.test", personality=NoStarttls(), line=""),
    Written(name="self-signed.test", personality=SelfSigned(), line="encrypt"),
    Written(name="expired.test", personality=Expired(), line="encrypt"),
    Written(name="own.test", personality=WellConfigured(), line="verify"),
    Written(name="weak-dh.test", personality=WeakDh(), line="verify"),
    Written(name="dane.test", personality=SelfSigned(), tlsa=tlsa_of, line="dane-only"),
)


async def test_exim_delivers_as_its_map_says(mta_ca: MtaCa, tmp_path: Path) -> None:
    require(EXIM)
    lines = {each.name: each.line for each in SERVED}
    async with world(*(each.domain for each in SERVED)) as at:
        for each in SERVED:
            publish_tlsa(at.lab, each.name, each.case)
        reports = await look(at.lab)
        text = write_map(reports.values(), tmp_path, kind="exim")
        assert dict(re.findall(r"^(\S+): (\S+)$", text, re.MULTILINE)) == {
            name: line for name, line in lines.items() if line
        }

        fates: list[Mapping[str, str]] = []
        for situation in (None, Expired(), NoStarttls()):
            for name in lines:
                if situation is not None:
                    personality = Accepting(situation, at.mailbox)
                    at.lab.servers[f"mx.{name}"].personality = personality
            folder = tmp_path / f"exim-{len(fates)}"
            async with resolver_for(at.lab.dns) as resolver:
                sending = partial(_deliver, at.lab, text, resolver, tuple(lines), mta_ca, folder)
                fates.append(await asyncio.to_thread(sending))

    today, expired, stripped = fates
    for name, line in lines.items():
        assert today[name].startswith("=> "), today[name]
        assert (" X=TLS" in today[name]) == bool(line), today[name]
        proved = {"dane-only": " CV=dane ", "verify": " CV=yes "}.get(line)
        assert proved is None or proved in today[name], today[name]
        assert expired[name].startswith("== " if proved else "=> "), expired[name]
        assert stripped[name].startswith("== " if line else "=> "), stripped[name]


REQUIRED: Final = "hosts_require_tls = *"
VERIFIED: Final = (
    "TLS_POLICY = verify",
    "tls_verify_hosts = *",
    "tls_verify_cert_hostnames = *",
    "tls_verify_certificates = system",
)


@pytest.mark.parametrize(
    ("options", "expired"),
    [
        pytest.param(VERIFIED, "=> ", id="verify-alone"),
        pytest.param((*VERIFIED, REQUIRED), "== ", id="and-require-tls"),
    ],
)
async def test_exim_verifies_only_where_it_also_requires_tls(
    options: tuple[str, ...], expired: str, mta_ca: MtaCa, tmp_path: Path
) -> None:
    """docs/policy.md on the sender ``verified``: by the one option alone, mail goes in clear.

    GnuTLS takes a wildcard for a name with an underscore, which OpenSSL does not.
    """
    require(EXIM)
    served = (
        Written(name="expired.test", personality=Expired(), line=""),
        Written(name="own.test", personality=WellConfigured(), line=""),
        Written(name="underscore.test", personality=Wildcard(), mx="mx_1.hoster.test", line=""),
    )
    names = tuple(each.name for each in served)
    head = "".join(f"#   {option}\n" for option in options)
    async with world(*(each.domain for each in served)) as at:
        async with resolver_for(at.lab.dns) as resolver:
            sending = partial(_deliver, at.lab, head, resolver, names, mta_ca, tmp_path / "exim")
            fates = await asyncio.to_thread(sending)

    assert fates["expired.test"].startswith(expired), fates
    assert " X=TLS" not in fates["expired.test"]
    for name in ("own.test", "underscore.test"):
        assert fates[name].startswith("=> "), fates
        assert " CV=yes " in fates[name]


REUSED: Final = Written(name="verified.test", personality=Expired(), line="verify")
NO_RESULTS: Final = Provenance(version="0", files=0, first=None, last=None, trust_stores=())
SETTING: Final = "connection_max_messages = 1"


@pytest.mark.parametrize("is_set", [False, True], ids=["by-default", "as-the-head-says"])
async def test_exim_verifies_each_domain_of_a_shared_server(
    is_set: bool, mta_ca: MtaCa, tmp_path: Path
) -> None:
    """By default Exim 4.96 sends what waits for a server over the connection of another domain.

    That connection was opened as the line of the other domain says, or as none says.
    """
    require(EXIM)
    text = EximMap().render([], LiveMap(), NO_RESULTS)
    assert SETTING in text
    if not is_set:
        text = text.replace(f"#   {SETTING}\n", "")
    text += "verified.test: verify\n"
    async with world(REUSED.domain, domain("elsewhere.test", WellConfigured())) as at:
        at.lab.dns.add("opportunistic.test", "MX", f"10 mx.{REUSED.name}")
        async with resolver_for(at.lab.dns) as resolver:
            send = partial(_send_in_turn, at.lab, text, resolver, mta_ca, tmp_path / "exim")
            fates = await asyncio.to_thread(send, awaits_all=not is_set)

    assert fates["opportunistic.test"].startswith("=> "), fates
    assert fates["verified.test"].startswith("== " if is_set else "=> "), fates
    assert " CV=yes " not in fates["verified.test"]


def _send_in_turn(
    lab: Lab, text: str, resolver: str, ca: MtaCa, folder: Path, *, awaits_all: bool
) -> Mapping[str, str]:
    """What Exim logs of a message that waits for a server, and of one that goes there then.

    *awaits_all*: until the first one has left, too.
    """
    folder.mkdir()
    configure = partial(_configure, lab, text, resolver)
    with running(replace(EXIM, configure=configure), "none", ca, folder) as mta:
        _submit(mta, ("verified.test",))
        fates = _await_fates(mta, ("verified.test",))
        assert fates["verified.test"].startswith("== "), fates
        while not fates.get("opportunistic.test", "").startswith("=> "):
            before = len(list(_fates(mta.log())))
            _submit(mta, ("opportunistic.test",))  # a server that failed is left alone for a second
            _await(partial(_has_more, mta, before), mta)
            fates = dict(_fates(mta.log()))
        _submit(mta, ("elsewhere.test",))
        _await_fates(mta, ("elsewhere.test",))
        if awaits_all:
            _await(lambda: dict(_fates(mta.log()))["verified.test"].startswith("=> "), mta)
        return dict(_fates(mta.log()))


def _has_more(mta: RunningMta, fates: int) -> bool:
    return len(list(_fates(mta.log()))) > fates


def _await(is_so: Callable[[], bool], mta: RunningMta) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, mta.log()
        time.sleep(0.05)


def _submit(mta: RunningMta, names: Iterable[str]) -> None:
    """Give Exim a message to each of *names*, one of which may be in Unicode."""
    with smtplib.SMTP(mta.address, mta.port, "client.test", timeout=30) as client:
        for name in names:
            message = EmailMessage()
            message.set_content("a line")
            client.ehlo()
            client.command_encoding = "utf-8"
            client.sendmail("sender@sender.test", [to(name)], message.as_bytes(), ["SMTPUTF8"])


class NotingNames(WellConfigured):
    """Remembers which names clients ask for by SNI."""

    def __init__(self, names: list[str | None]) -> None:
        self._names = names

    async def handshake(self, peer: Peer) -> None:
        await super().handshake(peer)
        self._names.append(peer.session.sni)


async def test_exim_asks_for_the_name_behind_an_alias_and_verifies_the_alias(
    mta_ca: MtaCa, tmp_path: Path
) -> None:
    """So what a server shows to a client that asks for the alias tells nothing of Exim's mail."""
    require(EXIM)
    names: list[str | None] = []
    served = domain("real.test", NotingNames(names))
    async with world(served) as at:
        for name in ("verify.test", "encrypt.test"):
            at.lab.dns.add(name, "MX", f"10 mx.{name}")
            at.lab.dns.add(f"mx.{name}", "CNAME", "mx.real.test.")
        text = EximMap().render([], LiveMap(), NO_RESULTS)
        text += "verify.test: verify\nencrypt.test: encrypt\n"
        async with resolver_for(at.lab.dns) as resolver:
            sent = ("encrypt.test", "verify.test")
            sending = partial(_deliver, at.lab, text, resolver, sent, mta_ca, tmp_path / "exim")
            fates = await asyncio.to_thread(sending)

    assert fates["encrypt.test"].startswith("=> "), fates
    assert fates["verify.test"].startswith("== "), fates
    assert set(names) == {"mx.real.test"}


IN_UNICODE: Final = ("bücher.test", "BÜCHER.test")


@pytest.mark.parametrize(
    ("macro", "names"),
    [
        pytest.param("$domain", IN_UNICODE[:1], id="as-written-before"),
        pytest.param("${utf8_domain_to_alabel:$domain}", IN_UNICODE, id="as-the-head-says"),
    ],
)
async def test_exim_finds_a_domain_in_any_spelling(
    macro: str, names: tuple[str, ...], mta_ca: MtaCa, tmp_path: Path
) -> None:
    """An address in UTF-8 (RFC 6531) leaves the domain as it is spelt."""
    require(EXIM)
    served = domain(BUECHER, SelfSigned())
    async with world(served) as at:
        reports = await look(at.lab)
        text = write_map(reports.values(), tmp_path, kind="exim")
        assert "${utf8_domain_to_alabel:$domain}" in text
        text = text.replace("${utf8_domain_to_alabel:$domain}", macro)
        at.take_over(BUECHER, NoStarttls())
        async with resolver_for(at.lab.dns) as resolver:
            for name in names:
                send = partial(_fate_of, at.lab, text, resolver, name, mta_ca, tmp_path / name)
                assert " == " in await asyncio.to_thread(send), name
    assert at.mailbox.arrivals == []


def _fate_of(lab: Lab, text: str, resolver: str, name: str, ca: MtaCa, folder: Path) -> str:
    """What Exim logs of one message to *name*."""
    folder.mkdir()
    configure = partial(_configure, lab, text, resolver)
    with running(replace(EXIM, configure=configure), "none", ca, folder) as mta:
        _submit(mta, (name,))
        _await(lambda: bool(_last_words(mta.log())), mta)
        return _last_words(mta.log())[-1]


def _last_words(log: str) -> list[str]:
    return [line for line in log.splitlines() if re.search(r" (=>|==|\*\*) ", line)]


def _deliver(
    lab: Lab, policy_map: str, resolver: str, names: tuple[str, ...], ca: MtaCa, folder: Path
) -> Mapping[str, str]:
    """What Exim logs of a message to each of *names*."""
    folder.mkdir()
    configure = partial(_configure, lab, policy_map, resolver)
    with running(replace(EXIM, configure=configure), "none", ca, folder) as mta:
        _submit(mta, names)
        return _await_fates(mta, names)


def _await_fates(mta: RunningMta, names: tuple[str, ...]) -> Mapping[str, str]:
    _await(lambda: dict(_fates(mta.log())).keys() >= set(names), mta)
    return dict(_fates(mta.log()))


def _fates(log: str) -> Iterator[tuple[str, str]]:
    for line in log.splitlines():
        if (found := _FATE.search(line)) is not None and " defer (-1)" not in line:
            yield found[2].partition("@")[2], f"{found[1]} {found[3]}"


def _configure(lab: Lab, policy_map: str, resolver: str, site: Site) -> tuple[str, ...]:
    (site.folder / "over-etc").mkdir()
    site.write("over-etc/resolv.conf", f"nameserver {resolver}\noptions trust-ad\n")
    site.write("ca.pem", lab.ca_file.read_text())
    site.write("tls_policy", policy_map)
    settings = list(_asked_for(policy_map))
    macros = [each for each in settings if each.startswith("TLS_")]
    options = [each for each in settings if each not in macros]
    site.write(
        "exim.conf",
        _EXIM_CONF.format(
            macro="\n".join(macros),
            options="\n".join(f"  {option}" for option in options),
            host_name=site.host_name,
            address=site.address,
            port=site.port,
            smtp_port=lab.port,
        ),
    )
    site.make_folder("spool", owner="Debian-exim")
    return ("/usr/sbin/exim4", "-bdf", "-C", "/srv/exim.conf")


def _asked_for(policy_map: str) -> Iterator[str]:
    """The settings in the head of the map, with this sandbox's paths."""
    for setting in re.findall(r"^#   (\w+ = .+?)(?:  +\(.*)?$", policy_map, re.MULTILINE):
        if not setting.startswith("openssl_options"):  # Debian's Exim has GnuTLS
            setting = setting.replace("/etc/exim4/tls_policy", "/srv/tls_policy")
            yield setting.replace("certificates = system", "certificates = /srv/ca.pem")


@pytest.mark.parametrize("served", [SERVED, SERVED[:1]], ids=["some", "none"])
async def test_opensmtpd_understands_its_map(served: tuple[Written, ...], tmp_path: Path) -> None:
    require(OPENSMTPD)
    async with world(*(each.domain for each in served)) as at:
        reports = await look(at.lab)
    text = write_map(reports.values(), tmp_path, kind="opensmtpd")
    settings = re.findall(r"^#   (.+)$", text, re.MULTILINE)
    folder = tmp_path / "opensmtpd"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "tls-policy.conf").write_text(text)
    (folder / "smtpd.conf").write_text(
        "".join(f"{setting}\n" for setting in settings).replace("/etc/mail", "/srv")
    )

    said = sandbox.run_sandboxed(
        OPENSMTPD.root,
        folder,
        ["/usr/sbin/smtpd", "-n", "-f", "/srv/smtpd.conf"],
        timeout_s=60.0,
    )

    assert said.strip() == "configuration OK"


async def test_opensmtpd_delivers_as_its_map_says(mta_ca: MtaCa, tmp_path: Path) -> None:
    require(OPENSMTPD)
    # it has no DANE, and Debian's refuses weak groups
    served = tuple(replace(each, line="") if each.name == "weak-dh.test" else each
                   for each in SERVED[:-1])  # fmt: skip
    lines = {each.name: each.line for each in served}
    recipients = [to(name) for name in lines]
    async with world(*(each.domain for each in served)) as at:
        reports = await look(at.lab)
        text = write_map(reports.values(), tmp_path, kind="opensmtpd")
        assert {name: _level(text, name) for name in lines} == lines
        fates: list[Mapping[str, str]] = []
        for situation in (None, Expired(), NoStarttls()):
            for name in lines:
                if situation is not None:
                    personality = Accepting(situation, at.mailbox)
                    at.lab.servers[f"mx.{name}"].personality = personality
            at.mailbox.arrivals.clear()
            folder = tmp_path / f"opensmtpd-{len(fates)}"
            await deliver_by_opensmtpd(
                at.lab,
                recipients,
                ca=mta_ca,
                folder=folder,
                is_done=lambda log: len(_results(log)) == len(recipients),
                rules=_rules(text, lines, at.lab.port),
            )
            log = (folder / "log").read_text(errors="backslashreplace")
            fates.append(_results(log))
            for name, fate in fates[-1].items():
                arrival = at.mailbox.arrival(to(name))
                assert (arrival is not None) == (fate == "Ok"), log
                assert arrival is None or arrival.encrypted or not lines[name], log

    today, expired, stripped = fates
    assert set(today.values()) == {"Ok"}, today
    for name, line in lines.items():
        assert (expired[name] == "Ok") == (line != "verify"), expired
        assert (stripped[name] == "Ok") == (line == ""), stripped


def _level(text: str, name: str) -> str:
    """The table of the map that has the domain *name*."""
    tables = re.findall(r"^table tls_(\w+) \{(.*?)\}", text, re.MULTILINE | re.DOTALL)
    return next((level for level, members in tables if f'"{name}"' in members), "")


def _rules(text: str, names: Iterable[str], port: int) -> str:
    """The map, with the actions and matches of its head for the MX host and port of each domain."""
    head = re.findall(r"^#   (.+)$", text, re.MULTILINE)
    actions = dict(re.findall(r'action "(\w+)" relay (.+)', "\n".join(head)))
    matches = [re.fullmatch(r'match for domain <(\w+)> action "\1"', line) for line in head]
    tables = [found[1] for found in matches if found is not None]
    assert list(actions) == tables
    rules = [text]
    for table in tables:
        for name in names:
            own = f"{table} {name}"
            rules.append(
                f'action "{own}" relay host "smtp://mx.{name}:{port}" ca "lab" {actions[table]}\n'
                f'match from any for domain <{table}> rcpt-to "{to(name)}" action "{own}"\n'
            )
    return "".join(rules)


def _results(log: str) -> dict[str, str]:
    """What became of the first attempt to deliver to each domain."""
    found = re.findall(r' mta delivery evpid=.* to=<user@([^>]+)>.* result="(\w+)"', log)
    return dict(reversed(found))
