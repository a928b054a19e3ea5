"""Parses MTA-STS TXT records and policies, and matches MX hosts against a policy. RFC 8461.

Every parser accepts any text and never raises. Where senders are known to differ, a comment says
which reading is used here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from prober.escape import quoted
from prober.records import PolicyFetch, StsStatus
from prober.rules.identity import matches, name_fault
from prober.rules.txt_record import Invalid, is_extension_value, read_fields

VERSION: Final = "STSv1"
MAX_AGE_LIMIT_S: Final = 31_557_600  # §3.2: one year

_MODES: Final = MappingProxyType(
    {mode.value: mode for mode in (StsStatus.ENFORCE, StsStatus.TESTING, StsStatus.NONE)}
)
_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_POLICY_FIELD: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(?P<value>[^\x00-\x20\x7f][^\x00-\x1f\x7f]*)"
)
_MAX_AGE: Final = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class StsRecord:
    """A valid TXT record. §3.1."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StsPolicy:
    """A valid policy. §3.2. ``remarks``: violations of the grammar that most senders ignore."""

    mode: StsStatus  # one of the three modes
    max_age: int  # seconds
    mx: tuple[str, ...] = ()  # lower case
    remarks: tuple[str, ...] = ()


def parse_sts_txt(records: Sequence[str]) -> StsRecord | Invalid | None:
    """The record among the TXT *records* at ``_mta-sts``; None if there is none. §3.1.

    Fields may come in any order. Unknown fields are ignored. If ``id`` is given twice, the first
    counts (§3.2, which covers TXT records and policies).
    """
    fields = read_fields(records, f"v={VERSION}")
    if fields is None or isinstance(fields, Invalid):
        return fields
    first_id = next((value for name, value in fields if name == "id"), None)
    if first_id is None:
        return Invalid("there is no id")
    if not _ID.fullmatch(first_id):
        return Invalid(f"the id {quoted(first_id)} is not 1 to 32 letters and digits")
    for name, value in fields:
        if not is_extension_value(value):
            return Invalid(f"the value of {name} may not be {quoted(value)}")
    return StsRecord(first_id)


def fetched_body(fetch: PolicyFetch | None) -> str | None:
    """The policy file; None if it was not requested, or the fetch failed."""
    return None if fetch is None or fetch.failure is not None else fetch.body


def parse_policy(body: str) -> StsPolicy | Invalid:
    """Parse the policy file *body*. Lines end in LF or CRLF. §3.2.

    Unknown fields are ignored. If a field other than ``mx`` is given twice, the first counts.
    """
    fields: dict[str, str] = {}
    patterns: list[str] = []
    empty: list[int] = []
    for number, line in enumerate(body.removesuffix("\n").split("\n"), 1):
        text = line.removesuffix("\r").rstrip(" \t")
        field = _POLICY_FIELD.fullmatch(text)
        if not text:  # the grammar forbids it, but most senders skip it (mox does not)
            empty.append(number)
        elif field is None:
            return Invalid(f"line {number}: {quoted(text)} is no 'name: value'")
        elif field["name"] == "mx":
            patterns.append(field["value"].lower())
        else:
            fields.setdefault(field["name"], field["value"])
    remarks = [f"line {number} is empty, which RFC 8461 §3.2 does not allow" for number in empty]
    return _policy(fields, tuple(dict.fromkeys(patterns)), tuple(remarks[:1]))


def _policy(
    fields: dict[str, str], patterns: tuple[str, ...], remarks: tuple[str, ...]
) -> StsPolicy | Invalid:
    missing = [name for name in ("version", "mode", "max_age") if name not in fields]
    if missing:
        return Invalid(f"there is no {', no '.join(missing)}")
    mode = _MODES.get(fields["mode"])
    if fields["version"] != VERSION:
        return Invalid(f"the version is {quoted(fields['version'])}, not {VERSION}")
    if mode is None:
        return Invalid(f"the mode is {quoted(fields['mode'])}: not enforce, testing or none")
    max_age = _seconds(fields["max_age"])
    if max_age is None:
        text = quoted(fields["max_age"])
        return Invalid(f"the max_age is {text}: not seconds, at most {MAX_AGE_LIMIT_S}")
    for pattern in patterns:
        if fault := _pattern_fault(pattern):
            return Invalid(f"the mx {quoted(pattern)} {fault}")
    if not patterns and mode is not StsStatus.NONE:
        return Invalid(f"there is no mx, which the mode {mode} needs")
    return StsPolicy(mode=mode, max_age=max_age, mx=patterns, remarks=remarks)


def _seconds(text: str) -> int | None:
    if not _MAX_AGE.fullmatch(text) or int(text) > MAX_AGE_LIMIT_S:
        return None
    return int(text)


def _pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern. §3.2, §4.1.

    It must be A-labels, with a wildcard only as the whole first label.
    """
    name = pattern.removeprefix("*.")
    if "*" in name:
        return "has a wildcard that is not its whole left-most label"
    return name_fault(name)


def is_covered(mx_host: str, patterns: Iterable[str]) -> bool:
    """Whether *patterns* of a policy, in lower case, list *mx_host*. §4.1.

    A wildcard stands for one label. A policy may have thousands of patterns, but only two can
    match, so only those two are tested.
    """
    candidates = {mx_host, "*." + mx_host.partition(".")[2]}
    return any(matches(pattern, mx_host) for pattern in candidates.intersection(patterns))
