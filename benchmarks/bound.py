"""How soon a scan can be done, whatever the CPU: what latency and manners allow.

Each part is a lower bound by itself; the scan can be no faster than the largest. What else the
parts add to each other is left out, so the bound is a low one.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.plan import Behaviour, Plan
from prober.settings import Settings

TXT_QUESTIONS: Final = 2  # MTA-STS and TLS-RPT
LEARNT_FROM: Final = 3  # server names at an address, until further ones share what these saw
SESSION_ROUND_TRIPS: Final = 7  # connect, greeting, EHLO, STARTTLS, TLS 1.3, EHLO, QUIT


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that takes time: what, and seconds at least."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is to be asked at one address: by how many sessions, of which host."""

    host: int
    sessions: int


def bound(plan: Plan, settings: Settings) -> Part:
    """The part that takes longest."""
    return max(parts(plan, settings), key=lambda part: part.seconds)


def parts(plan: Plan, settings: Settings) -> Iterator[Part]:
    """All of them."""
    names = len({plan.mx_host(domain) for domain in range(plan.domains)})
    questions = plan.domains * (1 + TXT_QUESTIONS) + 2 * names
    yield Part("DNS questions a second", questions / settings.pace.dns_per_s)
    in_turn = 2 * plan.domains + names  # MX, then addresses where they are new, then TXT
    yield Part("domains looked up at once", in_turn * plan.round_trip_s / settings.pace.concurrency)
    at_once = questions * plan.round_trip_s
    yield Part("DNS questions at once", at_once / settings.pace.dns_concurrency)
    endpoints = list(_endpoints(plan))
    session_s = SESSION_ROUND_TRIPS * plan.round_trip_s
    sessions = sum(endpoint.sessions for endpoint in endpoints)
    yield Part("sessions at once", sessions * session_s / settings.pace.sessions)
    slot_s = max(settings.pace.address_interval_s, session_s / settings.pace.per_address)
    most = max(endpoint.sessions for endpoint in endpoints)
    yield Part("the busiest address", (most - 1) * slot_s + session_s)
    yield Part("the busiest operator", _operator_s(endpoints, settings))
    yield max(_hosts(plan, settings), key=lambda part: part.seconds)


def _hosts(plan: Plan, settings: Settings) -> Iterator[Part]:
    """The last host of each behaviour that the list names: found once all before it were asked."""
    last = {plan.behaviour(plan.host(domain)): domain for domain in range(plan.domains)}
    for kind, domain in last.items():
        found_s = domain / settings.pace.dns_per_s  # one question, for MX, of each domain before it
        yield Part(f"the last host: {kind.name.lower()}", found_s + _host_s(kind, plan, settings))


def _endpoints(plan: Plan) -> Iterator[Endpoint]:
    names: dict[int, set[str]] = {}
    hosts: dict[int, int] = {}
    for domain in range(plan.domains):
        address = plan.address(domain)
        hosts[address] = plan.host(domain)
        names.setdefault(address, set()).add(plan.mx_host(domain))
    for address, at_address in names.items():
        again = plan.behaviour(hosts[address]) in _ASKED_AGAIN
        sessions = min(len(at_address), LEARNT_FROM) + again
        yield Endpoint(hosts[address], sessions)


_ASKED_AGAIN: Final = (Behaviour.CLEAR, Behaviour.THROTTLING, Behaviour.DEAD)


def _operator_s(endpoints: list[Endpoint], settings: Settings) -> float:
    sessions: Counter[int] = Counter()
    for endpoint in endpoints:
        sessions[endpoint.host] += endpoint.sessions
    return (max(sessions.values()) - 1) * settings.pace.operator_interval_s


def _host_s(behaviour: Behaviour, plan: Plan, settings: Settings) -> float:
    """From the first question about a domain at such a host to its last answer."""
    lookups_s = 2 * plan.round_trip_s
    session_s = SESSION_ROUND_TRIPS * plan.round_trip_s
    match behaviour:
        case Behaviour.SLOW:
            return lookups_s + session_s + plan.slow_s
        case Behaviour.CLEAR | Behaviour.THROTTLING:
            return lookups_s + 2 * session_s + settings.confirm_delay_s
        case Behaviour.DEAD:
            return (
                lookups_s
                + settings.greeting_s
                + settings.confirm_delay_s
                + settings.slow_greeting_s
            )
        case _:
            return lookups_s + session_s
