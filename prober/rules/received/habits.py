"""Habits: which servers state TLS when it is used, so that their silence means something.

Learnt from lines, and shipped for software whose documentation says so (``tables``).
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from prober.records.headers import Habit, Received, TlsStatement, Trust
from prober.rules.received.tables import MOST_SERVERS, OPERATOR_STATEMENTS, SHIPPED_HABITS
from prober.rules.received.trust import OperatorOf


class Whose(enum.StrEnum):
    """Whose habit it is."""

    SERVER = "this server"
    OPERATOR = "other servers of its operator with the same software"
    SOFTWARE = "its software, as documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """That TLS would have been stated, and how often it was; a source where it is documented."""

    whose: Whose
    stated: int = 0
    silent: int = 0
    source: str | None = None


@dataclass(slots=True)
class Habits:
    """What was learnt so far. *operator_of* names who runs a host."""

    operator_of: OperatorOf
    _servers: dict[str, dict[str | None, Habit]] = field(default_factory=dict)
    _operators: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def load(self, habits: Iterable[Habit]) -> None:
        """Add what was learnt before."""
        for habit in habits:
            self._add(habit)

    def learn(self, line: Received, trust: Trust, *, internal: bool) -> None:
        """Count one line. That an internal hop is silent says nothing; that it states TLS does."""
        if line.by is None or (internal and line.tls is not TlsStatement.STATED):
            return
        stated = int(line.tls is not TlsStatement.NOT_STATED)  # a denial is a statement, too
        silent = 1 - stated
        habit = Habit(server=line.by, software=line.software)
        if trust is Trust.TRUSTED:
            self._add(replace(habit, stated=stated, silent=silent))
        else:
            self._add(replace(habit, claimed_stated=stated, claimed_silent=silent))

    def evidence(self, line: Received, trust: Trust) -> Evidence | None:
        """Why silence of *line* means that TLS was not used, None where it means nothing.

        A trusted line is judged by trusted lines only: or else a forged one could teach us that a
        server states TLS which does not, and turn its silence against it. A line without a peer
        may be of a hand-over on one host, or rewritten to hide the client.
        """
        if line.truncated or (line.peer is None and line.with_ is None):
            return None
        claimed = trust is Trust.CLAIMED
        for learnt in (self._of_server(line, claimed), self._of_operator(line, claimed)):
            if learnt is not None:
                return learnt
        source = SHIPPED_HABITS.get(line.software or "") if line.peer is not None else None
        return Evidence(whose=Whose.SOFTWARE, source=source) if source else None

    def __iter__(self) -> Iterator[Habit]:
        """What was learnt, in the order of the servers' names."""
        for server in sorted(self._servers):
            of_server = self._servers[server]
            yield from (of_server[name] for name in sorted(of_server, key=lambda name: name or ""))

    def _of_server(self, line: Received, claimed: bool) -> Evidence | None:
        """Of lines with the same software; some name it only when they state TLS, so none fits."""
        stated = silent = 0
        for software, habit in self._servers.get(line.by or "", {}).items():
            if software is None or line.software is None or software == line.software:
                stated += habit.stated + (habit.claimed_stated if claimed else 0)
                silent += habit.silent + (habit.claimed_silent if claimed else 0)
        return Evidence(whose=Whose.SERVER, stated=stated, silent=silent) if stated else None

    def _of_operator(self, line: Received, claimed: bool) -> Evidence | None:
        if line.by is None or line.software is None:
            return None
        counts = self._operators.get((self._operator(line.by), line.software), (0, 0))
        stated = counts[0] + (counts[1] if claimed else 0)
        if stated < OPERATOR_STATEMENTS:
            return None
        return Evidence(whose=Whose.OPERATOR, stated=stated)

    def _operator(self, server: str) -> str:
        return self.operator_of(server) if _is_name(server) else server

    def _add(self, more: Habit) -> None:
        if more.server not in self._servers and len(self._servers) >= MOST_SERVERS:
            return
        of_server = self._servers.setdefault(more.server, {})
        known = of_server.get(more.software)
        of_server[more.software] = _sum(known, more) if known else more
        if more.software is not None:
            operator = (self._operator(more.server), more.software)
            trusted, claimed = self._operators.get(operator, (0, 0))
            self._operators[operator] = (trusted + more.stated, claimed + more.claimed_stated)


_DIGITS: Final = frozenset("0123456789.:abcdef")


def _is_name(server: str) -> bool:
    """Whether *server* is a name with an operator, not an address or a lone label."""
    return "." in server and not (set(server) <= _DIGITS and server[-1].isdigit())


def _sum(one: Habit, other: Habit) -> Habit:
    return replace(
        one,
        stated=one.stated + other.stated,
        silent=one.silent + other.silent,
        claimed_stated=one.claimed_stated + other.claimed_stated,
        claimed_silent=one.claimed_silent + other.claimed_silent,
    )
