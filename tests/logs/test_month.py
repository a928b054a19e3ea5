"""A generated month, with known truth: every total is exact.

LOGS_MESSAGES is how many messages; a million take about two minutes.
"""

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.logs import Month, read
from prober.cli.logs import status_of
from prober.logs.lines import Line
from prober.logs.postfix import PostfixReader
from prober.rules.exit_status import FAULT_OF_OURS

PERSON = "jane@example.com"
MESSAGES = int(os.environ.get("LOGS_MESSAGES", "20000"))


def test_a_month_gives_the_totals_of_its_truth(tmp_path: Path) -> None:
    month = Month(MESSAGES)
    month.write(tmp_path / "log")
    (tmp_path / "log.gz").write_bytes(gzip.compress((tmp_path / "log").read_bytes(), 1))
    summary = read(tmp_path / "log.gz")

    assert (summary.unread, summary.dropped) == (0, 0)
    assert summary.reasons == {}
    seen: Counter[tuple[str, str]] = Counter()
    expected: Counter[tuple[str, str]] = Counter()
    for (_, domain, _), counts in summary.groups.items():
        seen[domain, "clear"] += counts.clear
        seen[domain, "held"] += counts.held_back
        seen.update({(domain, version): n for version, n in counts.versions.items()})
    words = {"retried": "TLSv1.3", "bounced": "held"}
    for (domain, outcome), count in month.truth.items():
        expected[domain, words.get(outcome, outcome)] += count
    assert +seen == expected
    assert summary.below == sum(n for (_, what), n in expected.items() if what == "clear")


def test_a_fault_of_ours_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    month = Month(20)
    month.write(tmp_path / "log")
    real = PostfixReader.read

    def faulty(self: PostfixReader, line: Line) -> bool:
        if "removed" in line.text:
            raise KeyError(PERSON)
        return real(self, line)

    monkeypatch.setattr(PostfixReader, "read", faulty)
    summary = read(tmp_path / "log")
    assert summary.faults == summary.unread == 20
    assert status_of(summary) == FAULT_OF_OURS
    assert "KeyError" in caplog.text
    assert "in faulty" in caplog.text
    assert PERSON not in caplog.text
