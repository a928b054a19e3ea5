"""Shows what changed: text for people, JSON lines and CSV for programs. docs/record.md.

Values come from peers, so they are escaped here as in every report.
"""

import csv
import enum
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, assert_never

import msgspec

from prober.escape import printable, utc
from prober.records.changes import Change, ChangeCode, ChangeCounts, Direction, DomainChanges
from prober.report.csv_ import neutralised
from prober.report.json_ import visible


class ChangesFormat(enum.StrEnum):
    """The formats of a comparison."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


COLUMNS: Final = (
    *("domain", "direction", "code", "mx_host", "addresses", "before", "after"),
    *("last_seen", "since", "runs", "told"),
)

NAMES: Final[Mapping[ChangeCode, str]] = MappingProxyType(
    {
        ChangeCode.LEVEL: "level",
        ChangeCode.STANDING: "requirement",
        ChangeCode.ROUTE: "MX records",
        ChangeCode.DNSSEC: "DNSSEC of the MX records",
        ChangeCode.MX_HOSTS: "MX hosts",
        ChangeCode.OPERATOR: "operator",
        ChangeCode.ADDRESSES: "addresses",
        ChangeCode.STARTTLS: "STARTTLS",
        ChangeCode.TLS_VERSION: "TLS version",
        ChangeCode.KEY_EXCHANGE: "key exchange",
        ChangeCode.PROOF: "certificate",
        ChangeCode.CERTIFICATE: "certificate renewed",
        ChangeCode.ISSUER: "certificate issuer",
        ChangeCode.NAMES: "names in the certificate",
        ChangeCode.DANE: "DANE",
        ChangeCode.TLSA: "TLSA records",
        ChangeCode.TLSA_NEXT_KEY: "TLSA records",
        ChangeCode.MTA_STS: "MTA-STS",
        ChangeCode.MTA_STS_ID: "MTA-STS id",
        ChangeCode.MTA_STS_POLICY: "MTA-STS policy",
        ChangeCode.TLS_RPT: "TLS-RPT",
    }
)

_TO_DO: Final[Mapping[ChangeCode, str]] = MappingProxyType(
    {
        ChangeCode.STARTTLS: "ask the operator to offer TLS again; until then use another way",
        ChangeCode.PROOF: "ask the operator to correct the certificate",
        ChangeCode.DANE: "ask the operator to publish TLSA records of the key in use",
        ChangeCode.MTA_STS: "ask the domain's owner whether the MTA-STS policy was meant to change",
        ChangeCode.DNSSEC: "ask the domain's owner whether DNSSEC was meant to go",
        ChangeCode.ROUTE: "check the spelling of the domain, and whether its registration lapsed",
        ChangeCode.ADDRESSES: "ask the domain's owner to give the MX host an address again",
        ChangeCode.OPERATOR: "check that the new operator may handle this mail",
        ChangeCode.ISSUER: "ask the operator whether the new issuer is intended",
        ChangeCode.NAMES: "ask the operator whether the lost names are intended",
        ChangeCode.CERTIFICATE: "ask the operator why the certificate was renewed so early",
        ChangeCode.TLSA_NEXT_KEY: "publish the next key's TLSA record before that key is used",
    }
)
_LOST: Final = "nothing is proven; look again, and check this machine with `probe doctor`"


def to_do(change: Change) -> str | None:
    """What to do about *change*, in a few words."""
    if change.direction is Direction.LOST_SIGHT:
        return _LOST
    return None if change.direction is Direction.BETTER else _TO_DO.get(change.code)


def describe(change: Change) -> str:
    """One change in words; safe to show."""
    where = " ".join(part for part in (change.mx_host, _places(change)) if part)
    name = f"{NAMES[change.code]} at {where}" if where else NAMES[change.code]
    if change.direction is Direction.LOST_SIGHT:
        runs = f" in {change.runs} runs" if change.runs > 1 else ""
        text = f"{name} could not be seen{runs}, last seen {utc(change.last_seen)}: {change.before}"
    else:
        text = f"{name} was {change.before}, is {change.after}"
    return printable(text)


_MOST_SHOWN: Final = 2  # addresses in one sentence


def _places(change: Change) -> str:
    more = len(change.addresses) - _MOST_SHOWN
    shown = ", ".join(change.addresses[:_MOST_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def text_line(found: DomainChanges) -> str:
    """One domain on one line: how bad, what changed, what to do."""
    told = [change for change in found.changes if change.told]
    what = "; ".join(dict.fromkeys(map(describe, told)))
    advice = next(filter(None, map(to_do, told)), None)
    end = f". To do: {advice}" if advice else ""
    return f"{found.worst or '':<10}  {printable(found.domain)}: {what}{end}"


def summary(counts: ChangeCounts) -> str:
    """How many domains changed, in one line."""
    parts = [f"{counts.by_worst.get(each, 0)} {_DIRECTIONS[each]}" for each in Direction]
    parts.append(f"{counts.routine} with routine changes only")
    parts.append(f"{counts.unchanged} as before")
    text = f"{_domains(counts.compared)} compared: {', '.join(parts)}"
    if counts.only_before:
        text += f"; {counts.only_before} no longer looked at"
    if counts.only_now:
        text += f"; {counts.only_now} looked at for the first time"
    return text


_DIRECTIONS: Final = MappingProxyType(
    {
        Direction.WORSE: "worse",
        Direction.LOST_SIGHT: "not seen this time",
        Direction.OTHER: "changed otherwise",
        Direction.BETTER: "better",
    }
)


def _domains(number: int) -> str:
    return f"{number} domain{'' if number == 1 else 's'}"


def worst_first(found: Iterable[DomainChanges]) -> list[DomainChanges]:
    """Those with a change, the worst first, then by name."""
    order = [*Direction, None]
    changed = (each for each in found if each.changes)
    return sorted(changed, key=lambda each: (order.index(each.worst), each.domain))


def render(
    found: Sequence[DomainChanges], counts: ChangeCounts, format_: ChangesFormat
) -> Iterator[bytes]:
    """The comparison in *format_*; *found* is in order."""
    match format_:
        case ChangesFormat.TEXT:
            yield f"{summary(counts)}\n".encode()
            for each in found:
                if each.worst is not None:
                    yield f"{text_line(each)}\n".encode("utf-8", "backslashreplace")
        case ChangesFormat.JSON:
            for each in found:
                yield visible(_encoder.encode(each)) + b"\n"
        case ChangesFormat.CSV:
            yield from _csv(found)
        case _:
            assert_never(format_)


_encoder: Final = msgspec.json.Encoder()


def _csv(found: Iterable[DomainChanges]) -> Iterator[bytes]:
    yield _row(COLUMNS)
    for each in found:
        for change in each.changes:
            yield _row(
                (
                    *(each.domain, change.direction, change.code, change.mx_host),
                    *(" ".join(change.addresses), change.before, change.after),
                    *(utc(change.last_seen), utc(change.since), change.runs),
                    "yes" if change.told else "no",
                )
            )


def _row(cells: Iterable[str | int | None]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([neutralised(cell) for cell in cells])
    return buffer.getvalue().encode("utf-8", "backslashreplace")
