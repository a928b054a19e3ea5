"""Every way in which an SMTP server behaves in the tests: those of the lab, and more of our own."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from prober.domains import parse_entry
from prober.lab.demo import mail_domain
from prober.lab.internet import Lab, LabDomain
from prober.lab.personalities import ehlo as _ehlo
from prober.lab.personalities import greeting as _greeting
from prober.lab.personalities import lax as _lax
from prober.lab.personalities import over_tls as _over_tls
from prober.lab.personalities import sessions as _sessions
from prober.lab.personalities import sound as _sound
from prober.lab.personalities import starttls as _starttls
from prober.lab.personalities.scripted import Personality, Scripted
from prober.records import DomainReport
from prober.scan import scan
from tests.personalities import ehlo, greeting, over_tls, sessions, sound, starttls
from tests.support.waiting import PATIENT

_MODULES: Final = (
    *(_sound, sound, _greeting, greeting, _ehlo, ehlo, _starttls, starttls, _over_tls, over_tls),
    *(_sessions, sessions, _lax),
)


def _defined_in(module: ModuleType) -> Iterator[type[Personality]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Personality):
            if value.__module__ == module.__name__:
                yield value


EVERY: Final[Mapping[str, type[Personality]]] = MappingProxyType(
    {personality.id: personality for module in _MODULES for personality in _defined_in(module)}
)


def every_domain() -> tuple[LabDomain, ...]:
    """A domain ``ID.test`` for each personality there is, with the MX host ``mx1.ID.test``."""
    return tuple(
        mail_domain(f"{name}.test", personality(), shows=(personality.__doc__ or "").strip())
        for name, personality in EVERY.items()
    )


_NEVER_ANSWER: Final[Mapping[str, tuple[float, tuple[str, ...]]]] = MappingProxyType(
    {
        "greeting_s": (0.5, ("silent", "tarpit")),
        "stray_s": (0.5, ("not-smtp",)),
        "command_s": (
            1.5,
            ("ehlo-silent", "starttls-silent", "starttls-unreadable", "tls-silent"),
        ),
        "handshake_s": (0.3, ("handshake-silent",)),
    }
)
"""Which deadline ends a session with these servers. For all others it may be long."""


async def scan_every(lab: Lab) -> dict[str, DomainReport]:
    """The report on each domain of ``every_domain`` by its personality's id, without waits.

    The servers that never answer come last, when no other work in this process delays them.
    """
    for server in lab.servers.values():  # make the keys now: an RSA key takes long
        if isinstance(server.personality, Scripted):
            server.tlsa(server.personality.certificate)
    silent = {name for _, names in _NEVER_ANSWER.values() for name in names}
    reports = await _scan(lab, EVERY.keys() - silent)
    for found in await asyncio.gather(
        *(_scan(lab, names, **{deadline: s}) for deadline, (s, names) in _NEVER_ANSWER.items())
    ):
        reports |= found
    return {name: reports[name] for name in EVERY}


async def _scan(lab: Lab, names: Iterable[str], **deadline: float) -> dict[str, DomainReport]:
    reports: dict[str, DomainReport] = {}

    def keep(report: DomainReport) -> None:
        assert report.domain is not None
        reports[report.domain.removesuffix(".test")] = report

    settings = lab.settings(**{**PATIENT, "quit_s": 0.5, "confirm_delay_s": 0.1, **deadline})
    await scan([parse_entry(f"{name}.test") for name in sorted(names)], settings, keep)
    return reports
