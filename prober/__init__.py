"""Tells whether a mail domain can receive mail encrypted, and proves it.

A name of this package is imported when it is first used, so ``import prober`` is quick.
"""

import sys
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Final

from prober.version import __version__

if TYPE_CHECKING:
    from prober.domains import Entry, parse_entry
    from prober.errors import InputError, ProbeError, SettingsError
    from prober.records import DomainReport
    from prober.scan import probe_domain, scan
    from prober.settings import Pace, Settings

__all__ = [
    "DomainReport",
    "Entry",
    "InputError",
    "Pace",
    "ProbeError",
    "Settings",
    "SettingsError",
    "__version__",
    "parse_entry",
    "probe_domain",
    "scan",
]

_MODULES: Final = MappingProxyType(
    {
        "DomainReport": "records",
        "Entry": "domains",
        "InputError": "errors",
        "ProbeError": "errors",
        "Pace": "settings",
        "Settings": "settings",
        "SettingsError": "errors",
        "parse_entry": "domains",
        "probe_domain": "scan",
        "scan": "scan",
    }
)
"""The module of each public name."""


class _Package(ModuleType):
    """This package. Importing a submodule such as ``scan`` does not replace the name ``scan``."""

    def __getattr__(self, name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and name in _MODULES:
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
