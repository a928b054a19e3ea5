"""Reads mail logs and parses each line: time, host, program, process and text.

Syslog as RFC 3164 and RFC 5424 have it, ISO time stamps, ``journalctl -o json`` and Exim's own
main log; plain or packed by gzip, bzip2 or xz. RFC 3164 §4.1.2: such a stamp has neither year nor
zone. The zone is taken from this machine, the year from the file's date and the line before.
"""

import bz2
import gzip
import io
import lzma
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from prober.errors import InputError
from prober.escape import printable
from prober.files import why_unreadable

STDIN: Final = "-"
MAX_LINE_BYTES: Final = 16384  # servers cut their lines at 1 to 8 kB; the rest is dropped
_FIRST_LINES: Final = 100  # the first time stamp of a file is looked for in them
_LEAP: Final = timedelta(days=1)  # a file's date may be so much older than its last line
_PROGRAM: Final = r"([^\s\[\]:]+)(?:\[(\d+)\])?:(?: |$)"
_ISO: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*"
# Lines from a log socket have no host, so it is optional. A line without host is tried first, so
# that no part of the text is taken for a host.
_SYSLOG: Final = re.compile(
    rf"(?:<\d{{1,3}}>)?([A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d|{_ISO}) (?:(\S+) )??{_PROGRAM}"
    r"(?:\[ID \d+ [\w.]+\] )?(.*)",
    re.DOTALL,
)
_SYSLOG_5424: Final = re.compile(
    rf"<\d{{1,3}}>1 ({_ISO}) (\S+) (\S+) (?:(\d+)|\S+) \S+ "
    r'(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*")*\])+)(?: \ufeff?(.*))?',
    re.DOTALL,
)
_EXIM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?) (?:\[(\d+)\] )?(.*)", re.DOTALL
)
# That stamp, in a line of syslog: by a template of the administrator's
_SYSLOG_SPACE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?) "
    r"([A-Za-z\d][\w.:-]*) ([\w./-]+)\[(\d+)\]: (.*)",
    re.DOTALL,
)
_OF_EXIM: Final = re.compile(
    r"[\dA-Za-z]{6}-[\dA-Za-z]{6,11}-[\dA-Za-z]{2,4} |exim |(?:Start|End) queue run|H=|SMTP "
)
_MONTHS: Final = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_SECONDS: Final = [timedelta(seconds=second) for second in range(61)]  # one may be a leap second
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNPACK: Final = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
_DAMAGED: Final = (OSError, EOFError, zlib.error, lzma.LZMAError)


class Line(NamedTuple):
    """The parts of one line. ``pid`` is empty where the line has none."""

    time: datetime
    host: str
    program: str
    pid: str
    text: str


class LineParser:
    """Parses the lines of one log, in their order.

    *reference* is when the log was last written; *zone* that of stamps without one, None for this
    machine's.
    """

    def __init__(self, reference: datetime, zone: tzinfo | None = None) -> None:
        self._reference = reference
        self._zone = zone
        self._stamp = ""  # the last one, and its time: most lines repeat it
        self._time = reference
        self._minute, self._minute_time = "", reference
        self._last: datetime | None = None

    def parse(self, raw: str) -> Line | None:
        """The parts of *raw*, None where it is no line of a log."""
        found = _SYSLOG.match(raw) or _SYSLOG_5424.match(raw) or _SYSLOG_SPACE.match(raw)
        if found is not None:
            stamp, host, program, pid, text = found.groups()
        elif raw.startswith("{"):
            return _of_journal(raw)
        elif (found := _EXIM.match(raw)) is not None:
            stamp, pid, text = found.groups()
            host, program = "", "exim" if _OF_EXIM.match(text) else ""
        else:
            return None
        if stamp != self._stamp:
            time = self._time_of(stamp)
            if time is None:
                return None
            self._stamp, self._time = stamp, time
        return Line(self._time, host or "", program, pid or "", text or "")

    def _time_of(self, stamp: str) -> datetime | None:
        try:
            if not stamp[0].isalpha():
                stamp = stamp[:19] + stamp[19:].replace(" ", "")  # before the zone
                return self._aware(datetime.fromisoformat(stamp)).astimezone(UTC)
            minute, second = stamp[:-2], _SECONDS[int(stamp[-2:])]
            if minute != self._minute:  # a busy log has many lines in a minute
                time = self._classic(f"{minute}00")
                if time is None:
                    return None
                self._minute, self._minute_time = minute, self._aware(time).astimezone(UTC)
            return self._minute_time + second
        except (ValueError, OverflowError, IndexError):
            return None

    def _aware(self, time: datetime) -> datetime:
        """*time* with its zone."""
        if time.tzinfo is not None:
            return time
        return time.astimezone() if self._zone is None else time.replace(tzinfo=self._zone)

    def _classic(self, stamp: str) -> datetime | None:
        """The time of *stamp*, in the year that is nearest to the line before.

        So a clock step does no harm, and January follows December. The first line gets the latest
        year that does not put it after the date of the file.
        """
        month = _MONTHS.get(stamp[:3])
        if month is None:
            return None
        near = self._last or self._reference.replace(tzinfo=None)
        day, hour, minute, second = map(int, (stamp[4:6], *stamp[7:].split(":")))
        times = []
        for year in (near.year - 1, near.year, near.year + 1):
            try:
                times.append(datetime(year, month, day, hour, minute, second))  # noqa: DTZ001 # comes later
            except ValueError:  # 29 February in another year
                continue
        if self._last is None:
            times = [time for time in times if time <= near + _LEAP][-1:]
        if not times:
            return None
        self._last = min(times, key=lambda time: abs(time - near))
        return self._last


def _of_journal(raw: str) -> Line | None:
    """A line of ``journalctl -o json``. systemd's Journal Export Formats, "JSON"."""
    try:
        entry = msgspec.json.decode(raw)
        time = entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry["__REALTIME_TIMESTAMP"]
        text = entry["MESSAGE"]
        if isinstance(text, list):  # bytes that are no UTF-8
            text = bytes(text).decode("utf-8", "backslashreplace")
        program = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or ""
        pid = entry.get("SYSLOG_PID") or entry.get("_PID") or ""
        host = entry.get("_HOSTNAME") or ""
        if not all(isinstance(part, str) for part in (text, program, pid, host)):
            return None
        when = _EPOCH + timedelta(microseconds=int(time))
    except (msgspec.DecodeError, AttributeError, KeyError, ValueError, TypeError, OverflowError):
        return None
    return Line(when, host, program, pid, text)


class Log:
    """One file of a log, or stdin. ``begins`` is the time of its first line, None if unknown."""

    def __init__(self, name: str, stdin: BinaryIO, now: datetime) -> None:
        self.name = name
        self.shown = "stdin" if name == STDIN else printable(name)
        self._stdin = stdin
        self._reference = now
        self.begins: datetime | None = None
        self.is_stream = name == STDIN  # to be read once only
        self.identity: object = name
        if self.is_stream:
            return
        try:
            status = Path(name).stat()
        except OSError as error:
            raise InputError(f"cannot read {self.shown}: {why_unreadable(error)}") from error
        self.identity = (status.st_dev, status.st_ino)
        self.is_stream = not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))
        if self.is_stream:  # a FIFO, such as <(command) in a shell
            return
        self._reference = datetime.fromtimestamp(status.st_mtime).astimezone()
        parser = self.parser()
        for number, raw in enumerate(self.lines()):
            if (line := parser.parse(raw)) is not None:
                self.begins = line.time
                break
            if number >= _FIRST_LINES:
                break

    def parser(self) -> LineParser:
        """A parser for the lines of this file."""
        return LineParser(self._reference)

    def lines(self) -> Iterator[str]:
        """The lines, without their ends. Raises InputError."""
        try:
            if self.name == STDIN:
                yield from _lines(_unpacked(self._stdin))
            else:
                with open(self.name, "rb") as stream:
                    yield from _lines(_unpacked(stream))
        except _DAMAGED as error:
            why = f"damaged: {error}"
            if isinstance(error, OSError) and error.strerror is not None:
                why = why_unreadable(error)
            raise InputError(f"cannot read {self.shown}: {why}") from error


def in_order(names: Sequence[str], stdin: BinaryIO, now: datetime) -> list[Log]:
    """The logs named, the oldest first: the files of a rotated set may be named in any order.

    With stdin or a FIFO among them the order stays. Raises InputError, also where a file is named
    twice: its messages would count twice.
    """
    logs: dict[object, Log] = {}
    for name in names:
        log = Log(name, stdin, now)
        if (other := logs.setdefault(log.identity, log)) is not log:
            raise InputError(f"{other.shown} and {log.shown} are the same file: name it once")
    if any(log.is_stream for log in logs.values()):
        return list(logs.values())
    return sorted(logs.values(), key=lambda log: log.begins or datetime.max.replace(tzinfo=UTC))


def _unpacked(stream: BinaryIO) -> BinaryIO:
    if not isinstance(stream, io.BufferedReader):
        return stream
    start = stream.peek(8)
    if not start:  # a terminal has to be asked no second time for its end
        return io.BytesIO()
    for magic, unpack in _UNPACK:
        if start.startswith(magic):
            return unpack(stream)  # type: ignore[return-value] # read as bytes
    return stream


def _lines(stream: BinaryIO) -> Iterator[str]:
    is_new = True
    while raw := stream.readline(MAX_LINE_BYTES):
        whole = raw.endswith(b"\n")
        if is_new:
            yield raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
        is_new = whole
