"""One run: each line goes to the reader of its server, each delivery to filters and counts."""

import functools
import ipaddress
import logging
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prober.domains import parse_domain
from prober.errors import InputError, SettingsError
from prober.escape import printable
from prober.logs.base import Emit, Reader
from prober.logs.exim import EximReader
from prober.logs.lines import Log
from prober.logs.opensmtpd import OpenSmtpdReader
from prober.logs.postfix import COMPONENTS, PostfixReader
from prober.logs.records import Delivery, Internal, Scope
from prober.logs.sendmail import SendmailReader
from prober.logs.summary import UNREAD, Summary

# The line of a message that came in, which decides nothing about those that were sent.
_ARRIVED: Final = re.compile(
    r"(?:[\d:.+\[\]-]+ ){0,4}[\w-]+(?: <= |: from=)|[\da-f]{16} smtp "
    r"|(?:\w+ )?TLS connection \w+ from "
)
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which deliveries are reported."""

    since: datetime | None = None
    until: datetime | None = None
    domains: frozenset[str] = frozenset()
    message_id: str | None = None
    queue_id: str | None = None

    def may_have(self, time: datetime) -> bool:
        """Whether a delivery of which only the *time* is known may be one of them."""
        return not self.one_message and self._is_in_time(time)

    @property
    def one_message(self) -> bool:
        """Whether one message is asked for."""
        return self.message_id is not None or self.queue_id is not None

    def _is_in_time(self, time: datetime) -> bool:
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )

    def has(self, delivery: Delivery) -> bool:
        """Whether *delivery* is one of them."""
        return (
            self._is_in_time(delivery.time)
            and (not self.domains or delivery.domain in self.domains)
            and (self.queue_id is None or delivery.queue_id == self.queue_id)
            and (self.message_id is None or _bare(delivery.message_id) == _bare(self.message_id))
        )


def _tell_fault(where: str, error: Exception) -> None:
    """Log a fault without its message, which may have words of the line."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s: internal fault: %s\n%s", where, type(error).__name__, trace)


def _bare(message_id: str | None) -> str | None:
    return None if message_id is None else message_id.strip().removeprefix("<").removesuffix(">")


@dataclass(kw_only=True)
class Reading:
    """Reads logs. ``report`` gets each wanted delivery, ``unread`` each line not understood."""

    report: Callable[[Delivery, Scope], None] = field(kw_only=False)
    wanted: Wanted
    internal: Internal
    summary: Summary
    unread: Callable[[str, int, str], None] | None = None
    inbound: bool = False
    tls_logged: bool = False

    def __post_init__(self) -> None:
        self._readers = make_readers(self._take, inbound=self.inbound, tls_logged=self.tls_logged)

    def read(self, logs: Sequence[Log]) -> None:
        """Read all of *logs*, in their order. Raises InputError."""
        for log in logs:
            self._read(log)
        for each in self._readers.values():
            each.finish()
            self.summary.dropped += each.dropped

    def _read(self, log: Log) -> None:
        parser, summary = log.parser(), self.summary
        number, is_log = 0, False
        for number, raw in enumerate(log.lines(), 1):
            line = parser.parse(raw)
            if line is None:
                if raw:
                    self._not_understood(log.name, number, raw)
                continue
            is_log = True
            reader = self._readers.get(software_of(line.program))
            if reader is None:
                summary.other_lines += 1
                continue
            summary.server_lines += 1
            try:
                understood = reader.read(line)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                summary.faults += 1
                _tell_fault(f"{log.shown} line {number}", error)
                understood = False
            if not understood:
                if self.wanted.may_have(line.time) and not _ARRIVED.match(line.text):
                    summary.undecide(UNREAD)
                self._not_understood(log.name, number, raw)
        summary.lines += number
        if number and not is_log:
            why = f"none of its {number} lines has a time stamp and a program"
            raise InputError(f"{log.shown} is not a log: {why}")

    def _take(self, delivery: Delivery) -> None:
        if self.wanted.has(delivery):
            scope = self.internal.scope(delivery)
            self.summary.add(delivery, scope)
            self.report(delivery, scope)

    def _not_understood(self, name: str, number: int, raw: str) -> None:
        self.summary.unread += 1
        if self.unread is not None:
            self.unread(name, number, raw)


def parse_internal(texts: list[str]) -> Internal:
    """The networks and domains of --internal. Raises SettingsError."""
    networks, domains = [], []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            try:
                domains.append(parse_domain(text))
            except InputError as error:
                why = f"{printable(text)} is neither a network nor a domain"
                raise SettingsError(f"--internal: {why}") from error
    return Internal(tuple(networks), tuple(domains))


_PROGRAMS: Final = {
    "exim": re.compile(r"exim[\w.-]*"),
    "opensmtpd": re.compile(r"smtpd|opensmtpd"),
    "sendmail": re.compile(r"sm-mta|sm-msp-queue|sendmail[\w.-]*"),
}


def make_readers(emit: Emit, *, inbound: bool, tls_logged: bool) -> dict[str, Reader]:
    """A reader for each kind of server."""
    kinds = (PostfixReader, EximReader, OpenSmtpdReader, SendmailReader)
    readers = [kind(emit, inbound=inbound, tls_logged=tls_logged) for kind in kinds]
    return {reader.software: reader for reader in readers}


@functools.lru_cache(maxsize=10_000)
def software_of(program: str) -> str:
    """The kind of server that *program* is part of; empty: none that is read."""
    instance, _, component = program.rpartition("/")
    if instance:
        return "postfix" if component in COMPONENTS else ""
    return next((name for name, form in _PROGRAMS.items() if form.fullmatch(program)), "")
