"""Every way in which an SMTP server behaves in the tests: those of the lab, and more of our own."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from prober.lab.demo import mail_domain
from prober.lab.internet import LabDomain
from prober.lab.personalities import ehlo as _ehlo
from prober.lab.personalities import greeting as _greeting
from prober.lab.personalities import lax as _lax
from prober.lab.personalities import over_tls as _over_tls
from prober.lab.personalities import sessions as _sessions
from prober.lab.personalities import sound as _sound
from prober.lab.personalities import starttls as _starttls
from prober.lab.personalities.scripted import Personality
from tests.personalities import ehlo, greeting, over_tls, sessions, sound, starttls

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
