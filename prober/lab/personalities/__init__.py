"""All behaviours of SMTP servers in the lab. One module per step at which a server differs."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from prober.lab.personalities import ehlo, greeting, over_tls, sessions, sound, starttls
from prober.lab.personalities.scripted import Personality

_MODULES: Final = (sound, greeting, ehlo, starttls, over_tls, sessions)


def _defined_in(module: ModuleType) -> Iterator[type[Personality]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Personality):
            if value.__module__ == module.__name__:
                yield value


EVERY: Final[Mapping[str, type[Personality]]] = MappingProxyType(
    {personality.id: personality for module in _MODULES for personality in _defined_in(module)}
)
