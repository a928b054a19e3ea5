"""Reads a file of accepted exceptions: TOML, a table ``[[exception]]`` for each domain."""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Final

import msgspec

from prober.domains import parse_domain
from prober.errors import InputError
from prober.escape import printable
from prober.files import read_whole, why_unreadable
from prober.records import AcceptedException, Level
from prober.rules.accepted import ACCEPTABLE

_MAX_BYTES: Final = 16 << 20
_KEYS: Final = ("domain", "what", "why", "by", "until")
_MAX_TEXT: Final = 1_000  # characters of a text


def read_exceptions(path: Path) -> dict[str, AcceptedException]:
    """The exceptions in *path*, by domain. Raises InputError that names the entry and the fault."""
    name = printable(str(path))
    try:
        tables = tomllib.loads(read_whole(path, _MAX_BYTES).decode())
    except OSError as error:
        raise InputError(f"cannot read {name}: {why_unreadable(error)}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{name} is not TOML: {printable(str(error))}") from error
    entries = tables.pop("exception", [])
    if tables or not isinstance(entries, list):
        raise InputError(f"{name}: only tables [[exception]] may be in it")
    found: dict[str, AcceptedException] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            exception = parse_exception(entry)
            if exception.domain in found:
                raise InputError(f"{exception.domain} comes twice")
        except InputError as error:
            raise InputError(f"{name}: exception {number}: {error}") from error
        found[exception.domain] = exception
    return found


def identity_of_exceptions(exceptions: Mapping[str, AcceptedException]) -> dict[str, str]:
    """*exceptions* as a part of the identity of a run, whose rows name them; empty without any."""
    if not exceptions:
        return {}
    text = msgspec.json.encode([exceptions[domain] for domain in sorted(exceptions)])
    return {"accepted exceptions": f"sha256 {hashlib.sha256(text).hexdigest()}"}


def parse_exception(entry: object, prefix: str = "") -> AcceptedException:
    """The exception in *entry*, one table. Raises InputError, with *prefix* before each key."""
    if not isinstance(entry, Mapping):
        raise InputError("it is not a table")
    for key in entry:
        if key not in _KEYS:
            raise InputError(f"{printable(str(key))} is none of {', '.join(_KEYS)}")
    texts = {key: _text(entry.get(key), prefix + key) for key in _KEYS if key != "until"}
    until = entry.get("until")
    if until is None:
        raise InputError(f"{prefix}until is missing: give a day, such as 2027-03-31")
    if not isinstance(until, date) or isinstance(until, datetime):
        raise InputError(f"{prefix}until must be a day, such as 2027-03-31, without quotes")
    return AcceptedException(
        domain=parse_domain(texts["domain"]),
        what=_level(texts["what"], prefix + "what"),
        why=texts["why"],
        by=texts["by"],
        until=until,
    )


def _text(value: object, name: str) -> str:
    if value is None:
        raise InputError(f"{name} is missing")
    if not isinstance(value, str):
        raise InputError(f"{name} must be text in quotes")
    if not value.strip():
        raise InputError(f"{name} is empty")
    if len(value) > _MAX_TEXT:
        raise InputError(f"{name} has more than {_MAX_TEXT} characters")
    return value.strip()


def _level(text: str, name: str) -> Level:
    if text not in ACCEPTABLE:
        raise InputError(f"{name}: '{printable(text)}' is not one of {', '.join(ACCEPTABLE)}")
    return Level(text)
