"""Reports that wait in a file for the resumed run: those after a domain that the budget has cut.

With ``--ordered`` they cannot be written before the domains that are probed again. The file is
FILE.held, beside the checkpoint FILE.resume: the identity of the run, then one report per line.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from prober.errors import InputError, ResumeError
from prober.escape import printable
from prober.files import open_ours, why_unreadable, writing
from prober.records import DomainReport
from prober.report.json_ import decode_report, encode_report

_MAX_LINE: Final = 129 << 20  # a report has at most 128 MiB

Held = tuple[int, DomainReport]
"""A position in the list, and the report on its domain."""


def held_path(checkpoint: Path) -> Path:
    """The path of the file beside *checkpoint*."""
    return checkpoint.with_suffix(".held")


def write_held(path: Path, identity: Mapping[str, str], held: Iterable[Held]) -> None:
    """Write *held* to *path*. If there are none, remove an earlier file. Raises OSError."""
    reports = iter(held)
    first = next(reports, None)
    if first is None:
        path.unlink(missing_ok=True)
        return
    with writing(path) as file:
        file.write(msgspec.json.encode(identity) + b"\n")
        file.write(_line(*first))
        file.writelines(_line(*each) for each in reports)


def _line(position: int, report: DomainReport) -> bytes:
    return b"%d %b\n" % (position, encode_report(report))


def read_held(path: Path, identity: Mapping[str, str]) -> Iterator[Held]:
    """Yield the reports in *path*: none if there is no file, or if it belongs to another run.

    Raises ResumeError if the file cannot be read or is damaged.
    """
    name = printable(str(path))
    try:
        with open(open_ours(path, os.O_RDONLY), "rb") as file:
            if msgspec.json.decode(file.readline(_MAX_LINE), type=dict[str, str]) == identity:
                yield from _lines(file)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ResumeError(f"cannot read {name}: {why_unreadable(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, InputError) as error:
        raise ResumeError(
            f"{name} is damaged: {error}; remove it, and its domains are probed again"
        ) from error


def _lines(file: BinaryIO) -> Iterator[Held]:
    while line := file.readline(_MAX_LINE):
        position, _, report = line.partition(b" ")
        yield int(position), decode_report(report)
