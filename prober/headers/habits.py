"""Habits: which servers state TLS when it is used, so that their silence means something.

Learnt from lines, and shipped for software whose documentation says so (``tables``). Only lines of
SMTP transfers with the peer's address are compared, and what a server stated in one year says
nothing about the years before it.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from prober.headers.records import Habit, Received, TlsStatement, Trust
from prober.headers.tables import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_SERVERS,
    OPERATOR_STATEMENTS,
    SHIPPED_HABITS,
    SHIPPED_SINCE,
    SMTP_KEYWORD,
)
from prober.headers.trust import OperatorOf, is_public_name, tells_helo


class Whose(enum.StrEnum):
    """Whose habit it is."""

    SERVER = "this server"
    OPERATOR = "other servers of its operator with the same software"
    SOFTWARE = "its software, as documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class HabitEvidence:
    """That TLS would have been stated: how often it was in other lines, and from when to when."""

    whose: Whose
    stated: int = 0
    silent: int = 0
    years: tuple[int, int] | None = None  # of the statements: the first and the last
    source: str | None = None  # where it is documented


_Key: TypeAlias = tuple[str | None, int | None]
"""Software and year."""


@dataclass(slots=True)
class Habits:
    """What was learnt so far. *operator_of* names who runs a host."""

    operator_of: OperatorOf
    _servers: dict[str, dict[_Key, Habit]] = field(default_factory=dict)
    _operators: dict[tuple[str, str], dict[int, tuple[int, int]]] = field(default_factory=dict)
    _known: int = 0

    def load(self, habits: Iterable[Habit]) -> None:
        """Add what was learnt before."""
        for habit in habits:
            self._add(habit)

    def learn(self, line: Received, trust: Trust, *, internal: bool, year: int | None) -> None:
        """Count one line of *year*. That an internal hop is silent says nothing."""
        if internal and line.tls is not TlsStatement.STATED:
            return
        if line.by is None or not _is_known_year(year):
            return
        if not is_public_name(line.by) or not is_transfer(line):
            return
        stated = int(line.tls is not TlsStatement.NOT_STATED)  # a denial is a statement, too
        silent = 1 - stated
        trusted = trust is Trust.TRUSTED
        self._add(
            Habit(
                server=line.by,
                software=line.software,
                year=year,
                stated=stated if trusted else 0,
                silent=silent if trusted else 0,
                claimed_stated=0 if trusted else stated,
                claimed_silent=0 if trusted else silent,
            )
        )

    def evidence(self, line: Received, trust: Trust, year: int | None) -> HabitEvidence | None:
        """Why silence of *line* means that TLS was not used, None where it means nothing.

        A trusted line is judged by trusted lines only: or else a forged one could teach us that a
        server states TLS which does not, and turn its silence against it. *line* itself is among
        those learnt from, and is not counted.
        """
        if line.truncated or line.tls_unread is not None or year is None or not is_transfer(line):
            return None
        claimed = trust is Trust.CLAIMED
        for learnt in (
            self._of_server(line, claimed, year),
            self._of_operator(line, claimed, year),
        ):
            if learnt is not None:
                return learnt
        source = SHIPPED_HABITS.get(line.software or "")
        if source is None or year < SHIPPED_SINCE[line.software or ""]:
            return None
        return HabitEvidence(whose=Whose.SOFTWARE, source=source)

    def __iter__(self) -> Iterator[Habit]:
        """What was learnt, in the order of the servers' names."""
        for server in sorted(self._servers):
            of_server = self._servers[server]
            yield from (of_server[key] for key in sorted(of_server, key=_in_order))

    def _of_server(self, line: Received, claimed: bool, year: int) -> HabitEvidence | None:
        """Of lines with the same software; some name it only when they state TLS, so none fits."""
        fitting = [
            habit
            for habit in self._servers.get(line.by or "", {}).values()
            if habit.software is None or line.software in (None, habit.software)
            if habit.year is not None and habit.year <= year
        ]
        years = [habit.year or 0 for habit in fitting if _stated(habit, claimed)]
        if not years:
            return None
        first, last = min(years), max(years)
        compared = [habit for habit in fitting if (habit.year or 0) >= first]
        return HabitEvidence(
            whose=Whose.SERVER,
            stated=sum(_stated(habit, claimed) for habit in compared),
            silent=max(sum(_silent(habit, claimed) for habit in compared) - 1, 0),
            years=(first, last),
        )

    def _of_operator(self, line: Received, claimed: bool, year: int) -> HabitEvidence | None:
        if line.by is None or line.software is None or not is_public_name(line.by):
            return None
        by_year = self._operators.get((self.operator_of(line.by), line.software), {})
        stated = {
            then: counts[0] + (counts[1] if claimed else 0)
            for then, counts in by_year.items()
            if then <= year
        }
        years = [then for then, count in stated.items() if count]
        if sum(stated.values()) < OPERATOR_STATEMENTS:
            return None
        return HabitEvidence(
            whose=Whose.OPERATOR, stated=sum(stated.values()), years=(min(years), max(years))
        )

    def _add(self, more: Habit) -> None:
        of_server = self._servers.get(more.server, {})
        key = (more.software, more.year)
        known = of_server.get(key)
        if known is None and self._known >= MAX_SERVERS:
            return
        self._known += known is None
        of_server[key] = _sum(known, more) if known else more
        self._servers[more.server] = of_server
        if more.software is not None and more.year is not None and is_public_name(more.server):
            by_year = self._operators.setdefault((self.operator_of(more.server), more.software), {})
            trusted, claimed = by_year.get(more.year, (0, 0))
            by_year[more.year] = (trusted + more.stated, claimed + more.claimed_stated)


def is_transfer(line: Received) -> bool:
    """Whether the line is of SMTP between two hosts: it has the peer's address and a keyword.

    Where it has no ``with`` clause at all, a HELO shows the same. Other lines of one server, such
    as "with spam-scanned", are of another form and are not compared.
    """
    if line.peer is None or line.peer.address is None:
        return False
    if line.with_ is None and line.via is None:
        return tells_helo(line)
    return SMTP_KEYWORD.search(f"{line.with_ or ''} {line.via or ''}") is not None


def _is_known_year(year: int | None) -> bool:
    return year is not None and FIRST_YEAR <= year <= LAST_YEAR


def _stated(habit: Habit, claimed: bool) -> int:
    return habit.stated + (habit.claimed_stated if claimed else 0)


def _silent(habit: Habit, claimed: bool) -> int:
    return habit.silent + (habit.claimed_silent if claimed else 0)


def _in_order(key: _Key) -> tuple[str, int]:
    software, year = key
    return software or "", year or 0


def _sum(one: Habit, other: Habit) -> Habit:
    return Habit(
        server=one.server,
        software=one.software,
        year=one.year,
        stated=one.stated + other.stated,
        silent=one.silent + other.silent,
        claimed_stated=one.claimed_stated + other.claimed_stated,
        claimed_silent=one.claimed_silent + other.claimed_silent,
    )
