"""What a record says about runs, as plain records, so that a report needs no database."""

from dataclasses import dataclass
from datetime import datetime

from prober.records.changes import Change, Direction, DomainChanges
from prober.records.judged import AcceptedException
from prober.records.sent import SentWeek
from prober.records.words import Level, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run. ``finished_at`` is None if it was stopped, and can be continued.

    ``standings``: how many domains had each standing, by the requirement of that run.
    """

    id: int
    list: str
    requirement: str
    version: str
    started_at: datetime
    finished_at: datetime | None
    observations: int
    standings: dict[Standing, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainInRun:
    """What one run saw of one domain, and which changes it found.

    ``accepted``: the exception that is in the record now and covers what the run saw.
    """

    domain: str
    run: int
    checked_at: datetime
    level: Level
    standing: Standing
    changes: tuple[Change, ...]
    accepted: AcceptedException | None = None


@dataclass(frozen=True, slots=True)
class DomainHistory:
    """What the runs saw of one domain, and what was sent to it, the oldest first."""

    domain: str
    seen: tuple[DomainInRun, ...]
    sent: tuple[SentWeek, ...] = ()  # by logs of mail servers


@dataclass(frozen=True, slots=True)
class RunList:
    """The runs of a record, the newest first."""

    runs: tuple[RecordedRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNews:
    """What a run changed. ``changes``: those of the worst domains, the worst first.

    ``counts``: of all domains with a change, by the worst one that is worth a mail. ``runs``: that
    run and earlier ones of the same list, the newest first.
    """

    changes: tuple[DomainChanges, ...]
    counts: dict[Direction | None, int]
    runs: tuple[RecordedRun, ...]

    @property
    def is_first(self) -> bool:
        """Whether no earlier run of the list is in the record."""
        return len(self.runs) < 2

    @property
    def left_out(self) -> int:
        """How many domains with a change are not in ``changes``."""
        return sum(self.counts.values()) - len(self.changes)
