"""What every format gives to the file it is written to."""

import abc

from prober.records import DomainReport


class Formatter(abc.ABC):
    """Bytes before the first report, for each report, and after the last. Does no I/O."""

    def head(self) -> bytes:
        return b""

    @abc.abstractmethod
    def body(self, report: DomainReport) -> bytes: ...

    def foot(self) -> bytes:
        return b""
