"""``probe logs``: lines a second of a generated month of three Postfix servers, and memory.

Measured: the CPU time of this process to read, join and count the log, without the time to make
it up, and the most memory that it had in use. Processes are interleaved: of 40 messages that are
under way at once, a random one writes the next line.
"""

import io
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Final

from benchmarks.figures import Figure, Scale
from benchmarks.process import KB, peak_resident_kb
from prober.logs.lines import in_order
from prober.logs.reading import Reading, Wanted
from prober.logs.records import Internal
from prober.logs.summary import Summary

BEGIN: Final = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
SERVERS: Final = ("mx1", "mx2", "mx3")
UNDER_WAY: Final = 40
DOMAINS: Final = 5000
SUITES: Final = {
    "TLSv1.3": "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
    "server-signature ECDSA (prime256v1) server-digest SHA256",
    "TLSv1.2": "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
}
# What becomes of a recipient, and how often.
OUTCOMES: Final = {"TLSv1.3": 80, "TLSv1.2": 12, "clear": 3, "retried": 2, "held": 2, "bounced": 1}


@dataclass(slots=True)
class Month:
    """So many messages, the same each time. *truth* counts (domain, outcome) as they are made."""

    messages: int
    truth: Counter[tuple[str, str]] = field(default_factory=Counter)
    lines: int = 0

    def write(self, path: Path) -> None:
        """Write the log."""
        with path.open("w") as file:
            for line in self._lines():
                file.write(line)

    def _lines(self) -> Iterator[str]:
        chance = random.Random(15)  # noqa: S311 # the same month each time
        step = timedelta(days=29) / (self.messages * 6 + 1)
        time = BEGIN
        for server in SERVERS:
            yield _line(
                time, server, "master[1]", "daemon started -- version 3.7.11, configuration"
            )
        started = 0
        under_way: list[tuple[str, Iterator[tuple[str, str]]]] = []
        free = {server: list(range(100, 100 + 2 * UNDER_WAY)) for server in SERVERS}
        while started < self.messages or under_way:
            while started < self.messages and len(under_way) < UNDER_WAY:
                server = chance.choice(SERVERS)
                under_way.append((server, self._message(started, chance, free[server])))
                started += 1
            at = chance.randrange(len(under_way))
            server, texts = under_way[at]
            text = next(texts, None)
            if text is None:
                under_way[at] = under_way[-1]
                under_way.pop()
                continue
            time += step
            self.lines += 1
            yield _line(time, server, *text)

    def _message(
        self, number: int, chance: random.Random, free: list[int]
    ) -> Iterator[tuple[str, str]]:
        """The lines of one message, as program and text."""
        queue_id = f"{number + 0x100000:010X}"
        yield "smtpd[9]", f"{queue_id}: client=pc.us.test[198.51.100.7]"
        yield "cleanup[8]", f"{queue_id}: message-id=<{number}@us.test>"
        active = f"{queue_id}: from=<s@us.test>, size=4000, nrcpt=1 (queue active)"
        yield "qmgr[2]", active
        domain = f"d{chance.randrange(DOMAINS)}.test"
        (outcome,) = chance.choices(list(OUTCOMES), list(OUTCOMES.values()))
        self.truth[domain, outcome] += 1
        attempts = ("held", "TLSv1.3") if outcome == "retried" else (outcome,)
        for attempt in attempts:
            pid = free.pop(chance.randrange(len(free)))
            yield from _attempt(queue_id, domain, attempt, pid)
            free.append(pid)
        yield "qmgr[2]", f"{queue_id}: removed"


def _attempt(queue_id: str, domain: str, outcome: str, pid: int) -> Iterator[tuple[str, str]]:
    relay = f"mx.{domain}[192.0.2.{len(domain)}]:25"
    if outcome in SUITES:
        text = f"Trusted TLS connection established to {relay}: {SUITES[outcome]}"
        yield f"smtp[{pid}]", text
    result = {
        "held": "dsn=4.7.4, status=deferred (TLS is required, but was not offered by host mx)",
        "bounced": f"dsn=5.1.1, status=bounced (host {relay} said: 550 5.1.1 no (in reply to RCPT "
        "TO command))",
    }.get(outcome, "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XyZ)")
    sizes = "delay=0.6, delays=0.1/0.01/0.2/0.3"
    yield f"smtp[{pid}]", f"{queue_id}: to=<p@{domain}>, relay={relay}, {sizes}, {result}"


def _line(time: datetime, server: str, program: str, text: str) -> str:
    return f"{time:%b} {time.day:>2} {time:%H:%M:%S} {server} postfix/{program}: {text}\n"


def read(path: Path) -> Summary:
    """The counts of the log at *path*."""
    summary = Summary()
    logs = in_order([str(path)], io.BytesIO(), datetime.now(UTC))
    Reading(
        lambda _delivery, _scope: None, wanted=Wanted(), internal=Internal(), summary=summary
    ).read(logs)
    return summary


def measure(scale: Scale) -> Iterator[Figure]:
    """Lines a second of CPU, and the peak of memory."""
    month = Month(scale.of(1_000_000, 2_000))
    with TemporaryDirectory() as folder:
        path = Path(folder, "mail.log")
        month.write(path)
        started = process_time()
        summary = read(path)
        spent_s = process_time() - started
        size = path.stat().st_size
    yield Figure(what="lines, a CPU second", value=summary.lines / spent_s, least=50_000)
    yield Figure(what="size of the log", value=size / 1e6, unit="MB")
    peak = peak_resident_kb() * KB / 1e6
    yield Figure(what="memory at the peak", value=peak, unit="MB", most=300)
