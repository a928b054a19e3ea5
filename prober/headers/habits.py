"""Habits: which servers state TLS whenever it is used. Only their silence means something.

Habits are learnt from lines, and known for software whose documentation describes them
(``tables``). Only lines of SMTP transfers with the peer's address are compared. What a server
stated in one year says nothing about earlier years.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
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
from prober.headers.trust import OperatorOf, has_helo, is_public_name


class HabitScope(enum.StrEnum):
    """What a habit was observed on."""

    SERVER = "this server"
    OPERATOR = "other servers of its operator with the same software"
    SOFTWARE = "its software, as documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class HabitEvidence:
    """Why a line would have stated TLS: how many other lines did, and in which years."""

    scope: HabitScope
    stated: int = 0
    silent: int = 0
    years: tuple[int, int] | None = None  # first and last year of the lines that stated TLS
    citation: str | None = None  # where the habit is documented


_Key: TypeAlias = tuple[str | None, int | None]
"""Software and year."""


@dataclass(slots=True)
class Habits:
    """The habits learnt so far. *operator_of* returns the operator of a host."""

    operator_of: OperatorOf
    _servers: dict[str, dict[_Key, Habit]] = field(default_factory=dict)
    _operators: dict[tuple[str, str], dict[int, tuple[int, int]]] = field(default_factory=dict)
    _count: int = 0

    def load(self, habits: Iterable[Habit]) -> None:
        """Add habits that were learnt in an earlier run."""
        for habit in habits:
            self._add(habit)

    def learn(self, line: Received, trust: Trust, *, internal: bool, year: int | None) -> None:
        """Count one line of *year*.

        A silent line of an internal hop is not counted, because it means nothing.
        """
        if internal and line.tls is not TlsStatement.STATED:
            return
        if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
            return
        if line.by is None or not is_public_name(line.by) or not is_smtp_transfer(line):
            return
        stated = int(line.tls is not TlsStatement.NOT_STATED)  # a denial counts as a statement
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
        """Why the silence of *line* means that TLS was not used; None if it means nothing.

        A trusted line is judged by trusted lines only. Otherwise a forged line could claim that a
        server states TLS, and so make the silence of that server count against it. *line* itself
        was learnt too, and is not counted.
        """
        if (
            line.truncated
            or line.tls_unread is not None
            or year is None
            or not is_smtp_transfer(line)
        ):
            return None
        claimed = trust is Trust.CLAIMED
        learnt = self._of_server(line, claimed, year) or self._of_operator(line, claimed, year)
        if learnt is not None:
            return learnt
        citation = SHIPPED_HABITS.get(line.software or "")
        if citation is None or year < SHIPPED_SINCE[line.software or ""]:
            return None
        return HabitEvidence(scope=HabitScope.SOFTWARE, citation=citation)

    def __iter__(self) -> Iterator[Habit]:
        """All learnt habits, sorted by server name."""
        for server in sorted(self._servers):
            of_server = self._servers[server].values()
            yield from sorted(of_server, key=lambda each: (each.software or "", each.year or 0))

    def _of_server(self, line: Received, claimed: bool, year: int) -> HabitEvidence | None:
        """Evidence from lines of the same server with the same software.

        A habit without software also fits: some servers name their software only when they state
        TLS.
        """
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
            scope=HabitScope.SERVER,
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
            scope=HabitScope.OPERATOR, stated=sum(stated.values()), years=(min(years), max(years))
        )

    def _add(self, more: Habit) -> None:
        of_server = self._servers.get(more.server, {})
        key = (more.software, more.year)
        known = of_server.get(key)
        if known is None and self._count >= MAX_SERVERS:
            return
        self._count += known is None
        of_server[key] = _sum(known, more) if known else more
        self._servers[more.server] = of_server
        if more.software is not None and more.year is not None and is_public_name(more.server):
            by_year = self._operators.setdefault((self.operator_of(more.server), more.software), {})
            trusted, claimed = by_year.get(more.year, (0, 0))
            by_year[more.year] = (trusted + more.stated, claimed + more.claimed_stated)


def is_smtp_transfer(line: Received) -> bool:
    """Whether the line records SMTP between two hosts.

    Such a line has the peer's address and an SMTP keyword.

    A line without a ``with`` clause needs a HELO instead. Other lines of the same server, such as
    "with spam-scanned", have another form and are not compared.
    """
    if line.peer is None or line.peer.address is None:
        return False
    if line.with_ is None and line.via is None:
        return has_helo(line)
    return SMTP_KEYWORD.search(f"{line.with_ or ''} {line.via or ''}") is not None


def _stated(habit: Habit, claimed: bool) -> int:
    return habit.stated + (habit.claimed_stated if claimed else 0)


def _silent(habit: Habit, claimed: bool) -> int:
    return habit.silent + (habit.claimed_silent if claimed else 0)


def _sum(one: Habit, other: Habit) -> Habit:
    return replace(
        one,
        stated=one.stated + other.stated,
        silent=one.silent + other.silent,
        claimed_stated=one.claimed_stated + other.claimed_stated,
        claimed_silent=one.claimed_silent + other.claimed_silent,
    )
