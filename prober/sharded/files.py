"""Reads and writes the files of a work folder, through which workers pass results to each other.

A file appears by a rename, so a process that dies while writing leaves no incomplete file. The
files hold only JSON and SQLite rows, so reading them never runs code of another user.
"""

import contextlib
import functools
import hashlib
import itertools
import sqlite3
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from prober.files import new_file, writing
from prober.net.smtp import Target
from prober.records import EndpointFacts

T = TypeVar("T")
_MAX_OPEN_STORES: Final = 64  # one file descriptor each; the usual limit is 1,024
_MAX_CACHED_FACTS: Final = 1_000  # about 20 kB each
_COMMIT_ROWS: Final = 1_000
_PIECE_BYTES: Final = 1_048_576  # bytes read at once

_encode = msgspec.json.Encoder().encode
_decode_facts = msgspec.json.Decoder(EndpointFacts).decode
_decode_target = msgspec.json.Decoder(Target).decode


def partition_of(key: str, partitions: int) -> int:
    """The partition of *key*: a number below *partitions*, the same on every machine."""
    return int.from_bytes(digest_of(key.encode())) % partitions


def digest_of(text: bytes) -> bytes:
    """A hash of 8 bytes. The same on every machine, in every run."""
    return hashlib.blake2b(text, digest_size=8).digest()


def write_record(path: Path, record: object) -> None:
    """Write one record as JSON."""
    with writing(path) as stream:
        stream.write(_encode(record))


def read_record(path: Path, type_: type[T]) -> T:
    """The record in *path*. Raises OSError if the file is missing."""
    return msgspec.json.decode(path.read_bytes(), type=type_)


def write_lines(path: Path, records: Iterable[object]) -> None:
    """Write records as JSON, one per line."""
    with writing(path) as stream:
        stream.writelines(_encode(record) + b"\n" for record in records)


def read_lines(path: Path, type_: type[T]) -> Iterator[T]:
    """Yield the records in *path*."""
    decode = msgspec.json.Decoder(type_).decode
    with open(path, "rb") as stream:
        for line in stream:
            yield decode(line)


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield the contents of *path* in pieces of about 1 MiB, each of complete rows."""
    with open(path, "rb") as rows:
        while lines := rows.readlines(_PIECE_BYTES):
            yield b"".join(lines)


def write_sections(path: Path, sections: Sequence[Iterable[bytes]]) -> None:
    """Write lines in numbered sections, so that one section can be read without the others.

    One file holds all sections: a file per partition would need shards times partitions of them.
    The file starts with the offsets of all sections and of the end, 8 bytes each, little-endian.
    """
    bodies = [b"".join(b"%b\n" % line for line in lines) for lines in sections]
    first = _OFFSET.size * (len(bodies) + 1)
    offsets = itertools.accumulate((len(body) for body in bodies), initial=first)
    with writing(path) as stream:
        stream.writelines(_OFFSET.pack(offset) for offset in offsets)
        stream.writelines(bodies)


def read_section(path: Path, number: int) -> list[bytes]:
    """The lines of one section."""
    with open(path, "rb") as stream:
        stream.seek(_OFFSET.size * number)
        start, end = (_OFFSET.unpack(stream.read(_OFFSET.size))[0] for _ in range(2))
        stream.seek(start)
        return stream.read(end - start).splitlines()


_OFFSET: Final = struct.Struct("<Q")


def encode_target(target: Target) -> bytes:
    """*target* as a line of JSON, which is also the key of its facts."""
    return _encode(target)


def decode_target(line: bytes) -> Target:
    """The target in *line*."""
    return _decode_target(line)


class StoreWriter:
    """Writes facts of endpoints, by target, to a file that appears when it is complete."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.rows = 0

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a store for *path*.

        No other process uses its draft, so it needs no locks and no journal.
        """
        with new_file(path) as draft, contextlib.closing(_connect(draft, "nolock=1")) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE endpoints (target BLOB PRIMARY KEY, facts BLOB)")
            yield cls(connection)
            connection.commit()

    def add(self, target: Target, facts: EndpointFacts) -> None:
        """Store the facts of *target*."""
        row = (encode_target(target), _encode(facts))
        self._connection.execute("INSERT INTO endpoints VALUES (?, ?)", row)
        self.rows += 1
        if self.rows % _COMMIT_ROWS == 0:
            self._connection.commit()


class Stores:
    """Looks up facts in the stores of all partitions. A `with` block closes them."""

    def __init__(self, path_of: Callable[[int], Path], partitions: int) -> None:
        self._path_of = path_of
        self._partitions = partitions
        self._open: OrderedDict[int, sqlite3.Connection] = OrderedDict()
        self.facts = functools.lru_cache(maxsize=_MAX_CACHED_FACTS)(self._look_up)

    def _look_up(self, target: Target) -> EndpointFacts:
        """The facts of *target*. Raises LookupError if its partition has none."""
        store = self._store(partition_of(target.address, self._partitions))
        rows = store.execute(
            "SELECT facts FROM endpoints WHERE target = ?", (encode_target(target),)
        )
        row: tuple[bytes] | None = rows.fetchone()
        if row is None:
            raise LookupError(f"no facts of {target}")
        return _decode_facts(row[0])

    def _store(self, partition: int) -> sqlite3.Connection:
        if partition not in self._open:
            path = self._path_of(partition)
            self._open[partition] = _connect(path, "mode=ro&immutable=1")
        self._open.move_to_end(partition)
        if len(self._open) > _MAX_OPEN_STORES:
            _, least_used = self._open.popitem(last=False)
            least_used.close()
        return self._open[partition]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in self._open.values():
            connection.close()


def _connect(path: Path, options: str) -> sqlite3.Connection:
    """Open without locks: many shared file systems do not support them."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True)
