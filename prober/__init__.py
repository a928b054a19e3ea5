"""Tells whether a mail domain can receive mail encrypted, and proves it."""

from prober.domains import Entry, parse_domain, parse_entry
from prober.errors import InputError, ProbeError, ReportError, SettingsError
from prober.progress import Progress
from prober.records import DomainReport
from prober.scan import Ending, probe_domain, scan
from prober.settings import Settings
from prober.version import __version__

__all__ = [
    "DomainReport",
    "Ending",
    "Entry",
    "InputError",
    "ProbeError",
    "Progress",
    "ReportError",
    "Settings",
    "SettingsError",
    "__version__",
    "parse_domain",
    "parse_entry",
    "probe_domain",
    "scan",
]
