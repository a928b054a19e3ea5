"""What two scans of the same servers must agree on: all but the times."""

import json
import re
from collections.abc import Iterable

from prober.records import DomainReport
from prober.report.json_ import encode_report

TIMES = frozenset({"checked_at", "observed_at", "elapsed_ms", "ms"})
_DAYS = re.compile(r"\b\d+ days")  # of a certificate, from the time of the check


def timeless(reports: Iterable[DomainReport | bytes]) -> list[object]:
    """*reports*, as records or as lines of JSON, without their times."""
    return [_without_times(json.loads(_line(report))) for report in reports]


def _line(report: DomainReport | bytes) -> bytes:
    return report if isinstance(report, bytes) else encode_report(report)


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return _DAYS.sub("some days", value) if isinstance(value, str) else value
