"""How many messages a second ``probe headers`` reads, judges and learns from, without probing."""

import io
import json
import resource
from pathlib import Path
from time import perf_counter, process_time

from prober.headers import read_messages
from prober.infer import infer, operators
from prober.rules.received.habits import Habits
from prober.rules.received.trust import parse_trusted_by

LINES = Path(__file__).parents[1] / "tests" / "received" / "lines.jsonl"
HOPS = 5
MESSAGES = 10_000


def mailbox() -> bytes:
    """An mbox of MESSAGES messages, their Received fields drawn in turn from the test table."""
    with LINES.open() as file:
        lines = [json.loads(line)["line"] for line in file if line.strip()]
    parts = []
    for number in range(MESSAGES):
        hops = (lines[(number * HOPS + hop) % len(lines)] for hop in range(HOPS))
        fields = "".join(f"Received: {line}\n" for line in hops)
        parts.append(f"From x@example.com Mon Jan  1 00:00:00 2026\n{fields}Subject: x\n\nbody\n\n")
    return "".join(parts).encode("utf-8", "surrogateescape")


def measure() -> dict[str, float]:
    """Messages and hops a second of CPU, and the peak of memory in MB."""
    raw = mailbox()
    started, wall = process_time(), perf_counter()
    habits = Habits(operators())
    messages = read_messages("-", io.BytesIO(raw))
    count = sum(1 for _ in infer(messages, habits, parse_trusted_by(())))
    spent = process_time() - started
    return {
        "messages": count,
        "messages a CPU second": count / spent,
        "hops a CPU second": count * HOPS / spent,
        "wall seconds": perf_counter() - wall,
        "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
