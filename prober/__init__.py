"""Tells whether a mail domain can receive mail encrypted, and proves it."""

from prober.records import DomainReport
from prober.scan import probe_domain, scan
from prober.settings import Settings
from prober.version import __version__

__all__ = ["DomainReport", "Settings", "__version__", "probe_domain", "scan"]
