"""Sets up logging: errors to stderr; with ``--log-file`` also each domain and each wait."""

import contextlib
import dataclasses
import enum
import json
import logging
import logging.handlers
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from prober.cli.distinct_files import Written
from prober.cli.options import option
from prober.cli.running import tell
from prober.files import require_trusted_links, unwritable

_NOISY: Final = ("asyncio", "aiosmtplib")
_LOG: Final = "Log"


class LogFormat(enum.StrEnum):
    """The format of the log file."""

    TEXT = "text"
    JSON = "json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogOptions:
    """Whether to keep a log."""

    log_file: Annotated[
        str | None,
        option(
            "--log-file",
            metavar="FILE",
            help="Append a log to FILE: each domain, each wait, each problem; more with --verbose.",
            panel=_LOG,
        ),
    ] = None
    log_format: Annotated[
        LogFormat,
        option(
            "--log-format",
            help="A line as text, or as a JSON object.",
            panel=_LOG,
            show_default=True,
        ),
    ] = LogFormat.TEXT

    @property
    def written(self) -> Iterator[Written]:
        """The files that these options have written."""
        if self.log_file is not None:
            yield Written(self.log_file, "the log")


def configure_logging(*, verbose: bool, log: LogOptions | None = None) -> None:
    """Log to stderr: errors, or with *verbose* each step of each session; and as *log* says.

    Raises ReportError where the log file cannot be written.
    """
    logging.raiseExceptions = False  # nor is a stderr that nobody hears a reason to complain
    handlers: list[logging.Handler] = [_to_stderr(verbose=verbose)]
    if log is not None and log.log_file is not None:
        handlers.append(_to_file(log.log_file, log.log_format, verbose=verbose))
    logging.basicConfig(level=min(handler.level for handler in handlers), handlers=handlers)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _to_stderr(*, verbose: bool) -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.DEBUG if verbose else logging.ERROR)
    handler.setFormatter(_TextLines())
    return handler


def _to_file(name: str, format_: LogFormat, *, verbose: bool) -> logging.Handler:
    try:
        require_trusted_links(Path(name))
        handler = _LogFile(name, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise unwritable(name, error, "the log") from error
    handler.setLevel(logging.DEBUG if verbose else logging.INFO)
    handler.setFormatter(_JsonLines() if format_ is LogFormat.JSON else _TextLines())
    return handler


class _LogFile(logging.handlers.WatchedFileHandler):
    """A log file that is opened again after it was rotated.

    Where it cannot be written, as on a full disk, the log ends and the run goes on.
    """

    _is_told = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop what could not be written; else Python tries again at exit, and fails."""
        if not self._is_told:
            self._is_told = True
            tell(f"{self.baseFilename}: the log cannot be written any more; the scan goes on")
        if self.stream is None:  # after a rotation it could not be opened again
            return
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.stream.fileno())
            os.close(null)


class _TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The time in UTC, as RFC 3339 writes it."""
        return _time(record)


class _JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
