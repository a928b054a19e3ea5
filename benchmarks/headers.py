"""``probe headers``: messages a second that are read, judged and learnt from, without probing.

Measured: the CPU time of this process for a mailbox of 10,000 messages with 5 Received lines each,
drawn in turn from the test table, and the most memory that it had in use.
"""

import functools
import io
import json
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Final

from publicsuffixlist import PublicSuffixList

from benchmarks.figures import Figure, Scale
from benchmarks.process import KB, peak_resident_kb
from prober.headers.habits import Habits
from prober.headers.infer import infer
from prober.headers.mailbox import read_messages
from prober.headers.trust import parse_trusted_by

LINES: Final = Path(__file__).parents[1] / "tests" / "received" / "lines.jsonl"
HOPS: Final = 5


def measure(scale: Scale) -> Iterator[Figure]:
    """Messages a second of CPU, and the peak of memory."""
    raw = _mailbox(scale.of(10_000, 500))
    started = process_time()
    suffixes = PublicSuffixList()
    habits = Habits(functools.cache(lambda host: suffixes.privatesuffix(host) or host))
    messages = read_messages("-", io.BytesIO(raw))
    count = sum(1 for _ in infer(messages, habits, parse_trusted_by(())))
    spent_s = process_time() - started
    yield Figure(what=f"messages of {HOPS} lines, a CPU second", value=count / spent_s)
    yield Figure(what="memory at the peak", value=peak_resident_kb() * KB / 1e6, unit="MB")


def _mailbox(messages: int) -> bytes:
    """An mbox of so many messages."""
    with LINES.open() as file:
        lines = [json.loads(line)["line"] for line in file if line.strip()]
    parts = []
    for number in range(messages):
        hops = (lines[(number * HOPS + hop) % len(lines)] for hop in range(HOPS))
        fields = "".join(f"Received: {line}\n" for line in hops)
        parts.append(f"From x@example.com Mon Jan  1 00:00:00 2026\n{fields}Subject: x\n\nbody\n\n")
    return "".join(parts).encode("utf-8", "surrogateescape")
