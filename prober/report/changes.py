"""Shows what changed: text for people, JSON and CSV for programs. docs/record.md.

Values come from peers, so they are escaped here as in every report.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from prober.escape import listed, printable, utc
from prober.records import Standing
from prober.records.changes import Change, ChangeCode, ChangeCounts, Direction, DomainChanges
from prober.records.history import RunNews
from prober.report.answer import LABELS
from prober.report.interface import Formatter, Kind, Paper, Row, Sheet
from prober.report.json_ import encode_report
from prober.report.summary import domain_line
from prober.report.words import counted

COLUMNS: Final = (
    *("domain", "direction", "code", "mx_host", "addresses", "before", "after"),
    *("last_seen", "since", "runs", "told"),
)

TIMES: Final = frozenset({"last_seen", "since"})
SHEET: Final = "changes"  # of a workbook
_MAX_ADDRESSES: Final = 2  # in one sentence
NO_NEWS: Final = "Unknown: the record could not be read or written."

NAMES: Final[Mapping[ChangeCode, str]] = MappingProxyType(
    {
        ChangeCode.LEVEL: "level",
        ChangeCode.STANDING: "result",
        ChangeCode.ROUTE: "MX records",
        ChangeCode.DNSSEC: "DNSSEC of the MX records",
        ChangeCode.MX_HOSTS: "MX hosts",
        ChangeCode.OPERATOR: "operator",
        ChangeCode.ADDRESSES: "addresses",
        ChangeCode.STARTTLS: "STARTTLS",
        ChangeCode.TLS_VERSION: "TLS version",
        ChangeCode.KEY_EXCHANGE: "key exchange",
        ChangeCode.POST_QUANTUM: "post-quantum key exchange",
        ChangeCode.LEGACY_VERSIONS: "versions below TLS 1.2",
        ChangeCode.BROKEN_SUITES: "broken cipher suites",
        ChangeCode.STATIC_KEY_EXCHANGE: "key exchange without forward secrecy",
        ChangeCode.WEAK_DH: "Diffie-Hellman below 2048 bits",
        ChangeCode.OTHER_CERTIFICATE: "the other certificate",
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
        ChangeCode.LOOKED_AT: "looked at",
    }
)

_TO_DO: Final[Mapping[ChangeCode, str]] = MappingProxyType(
    {
        ChangeCode.STARTTLS: "ask the operator to offer TLS again; until then use another way",
        ChangeCode.PROOF: "ask the operator to correct the certificate",
        ChangeCode.OTHER_CERTIFICATE: "ask the operator to correct the other certificate, too",
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
    if change.code is ChangeCode.LOOKED_AT:
        return _looked_at(change)
    before, after = (_shown(change.code, value) for value in (change.before, change.after))
    addresses = listed(change.addresses, _MAX_ADDRESSES)
    where = " ".join(part for part in (change.mx_host, addresses) if part)
    name = f"{NAMES[change.code]} at {where}" if where else NAMES[change.code]
    if change.direction is Direction.LOST_SIGHT:
        runs = f" in {change.runs} runs" if change.runs > 1 else ""
        text = f"{name} could not be seen{runs}, last seen {utc(change.last_seen)}: {before}"
    else:
        text = f"{name} was {before}, is {after}"
    return printable(text)


def _looked_at(change: Change) -> str:
    if change.before == "no":
        return "looked at for the first time"
    return f"no longer looked at, last seen {utc(change.last_seen)}"


def _shown(code: ChangeCode, value: str | None) -> str:
    """*value* in words: a standing as every report names it."""
    if code is ChangeCode.STANDING and value in set(Standing):
        return LABELS[Standing(value)]
    return str(value)


def text_line(found: DomainChanges) -> str:
    """One domain on one line: how bad, what changed, what to do."""
    return domain_line(found.domain, label(found), what_changed(found))


def label(found: DomainChanges) -> str:
    """How bad the changes are, in capitals."""
    if found.is_in_one_only:
        return "LEFT OUT" if found.changes[0].before == "yes" else "NEW"
    return DIRECTION_LABELS.get(found.worst, "ROUTINE")


def what_changed(found: DomainChanges) -> str:
    """What changed that is worth telling, and what to do; empty where nothing is."""
    told = [change for change in found.changes if change.told]
    what = "; ".join(dict.fromkeys(map(describe, told)))
    advice = next(filter(None, map(to_do, told)), None)
    return f"{what}. To do: {advice}" if advice else what


DIRECTION_LABELS: Final[Mapping[Direction | None, str]] = MappingProxyType(
    {
        Direction.WORSE: "WORSE",
        Direction.LOST_SIGHT: "NOT SEEN",
        Direction.OTHER: "CHANGED",
        Direction.BETTER: "BETTER",
    }
)


def summary(counts: ChangeCounts) -> str:
    """How many domains changed, in one line."""
    parts = [f"{counts.by_worst.get(each, 0)} {_DIRECTIONS[each]}" for each in Direction]
    parts.append(f"{counts.routine} with routine changes only")
    parts.append(f"{counts.unchanged} as before")
    text = f"{counted(counts.compared, 'domain')} compared: {', '.join(parts)}"
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


def news_summary(news: RunNews) -> str:
    """How many domains of a run changed since the run before, in a sentence."""
    counts = news.counts
    parts = [f"{counts[each]} {_DIRECTIONS[each]}" for each in Direction if counts.get(each)]
    if news.is_first:
        return "This is the first run of this list in the record."
    before = news.runs[1]
    since = f"Since run {before.id} of {utc(before.started_at)[:10]}"
    if not parts:
        return f"{since}: no change to report."
    changed = counted(sum(counts.values()) - counts.get(None, 0), "domain")
    return f"{since}, {changed} changed: {', '.join(parts)}."


def badness(found: DomainChanges) -> tuple[int, str]:
    """What sorts the worst first, those in one run only last, then by name."""
    worst = [*Direction, None].index(found.worst)
    return len(Direction) + 1 if found.is_in_one_only else worst, found.domain


class _ChangesText(Formatter[DomainChanges, ChangeCounts]):
    """Counts first, then one line a domain; *counts* are known before it is written."""

    def __init__(self, counts: ChangeCounts, paper: Paper) -> None:
        self._counts = counts
        self._encoding = paper.encoding

    def head(self) -> bytes:
        return self._line(summary(self._counts))

    def body(self, record: DomainChanges) -> bytes:
        return b"" if record.worst is None else self._line(text_line(record))

    def _line(self, text: str) -> bytes:
        return f"{text}\n".encode(self._encoding, "backslashreplace")


def comparison(counts: ChangeCounts, between: str = "") -> Kind[DomainChanges, ChangeCounts]:
    """Reports on what changed, the *counts* of which are complete. *between*: which runs."""
    return Kind(
        text=partial(_ChangesText, counts),
        encode=encode_report,
        columns=COLUMNS,
        rows=change_rows,
        page=partial(_page, counts, between),
        sheets=(Sheet(name=SHEET, columns=COLUMNS, rows=change_rows, times=TIMES),),
        overview=partial(_overview, between),
    )


def _page(counts: ChangeCounts, between: str) -> Formatter[DomainChanges, ChangeCounts]:
    from prober.report.record_pages import ChangesPage

    return ChangesPage(counts, between)


def _overview(between: str, counts: ChangeCounts) -> Iterator[Row]:
    if between:
        yield "runs", between
    yield "domains compared", counts.compared
    for direction in Direction:
        yield _DIRECTIONS[direction], counts.by_worst.get(direction, 0)
    yield "with routine changes only", counts.routine
    yield "as before", counts.unchanged
    yield "no longer looked at", counts.only_before
    yield "looked at for the first time", counts.only_now


def change_rows(found: DomainChanges) -> Iterator[Row]:
    for change in found.changes:
        yield (
            *(found.domain, change.direction, change.code, change.mx_host),
            *(" ".join(change.addresses), change.before, change.after),
            *(utc(change.last_seen), utc(change.since), change.runs),
            "yes" if change.told else "no",
        )
