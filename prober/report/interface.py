"""What every format gives to the file it is written to."""

import abc

from prober.records import DomainReport
from prober.rules.totals import Totals


class Formatter(abc.ABC):
    """Bytes before the first report, for each report, and after the last. Does no I/O.

    It keeps no count of its own, so that what several runs or workers formatted can be joined.
    """

    def head(self) -> bytes:
        return b""

    @abc.abstractmethod
    def body(self, report: DomainReport) -> bytes: ...

    def foot(self, totals: Totals) -> bytes:
        return b""
