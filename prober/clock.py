"""The time, as records hold it: UTC, whole seconds."""

from datetime import UTC, datetime


def now() -> datetime:
    """Now, in UTC; the fraction of a second would be noise in a report that is compared."""
    return datetime.now(UTC).replace(microsecond=0)
