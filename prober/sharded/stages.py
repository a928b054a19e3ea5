"""A scan in shards: what one worker does to one shard. Synchronous, and knows of no engine.

Resolve each shard of the list; count in how many partitions each operator has addresses; probe
each partition of the addresses, so that the limits of an address and its sharing stay in one
process; judge each shard. Each stage reads the files of those before it. docs/scale.md.
"""

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from prober.domains import Entry, operator_of
from prober.endpoints import not_contacted
from prober.errors import SettingsError, blind
from prober.faults import formatted, judged, observed
from prober.files import writing
from prober.net.smtp import Target
from prober.probe import begin, observe_published, observe_route, targets_of
from prober.records import DomainFacts, EndpointFacts, Level, Reason, Run
from prober.report.answer import answer
from prober.report.output import Layout
from prober.rules.norms import Profile
from prober.rules.totals import BLIND_ENDPOINTS, EXPIRY_NOTICE_DAYS, Tally, Totals
from prober.settings import Settings
from prober.sharded.files import (
    Stores,
    StoreWriter,
    decode_target,
    digest_of,
    encode_target,
    partition_of,
    read_lines,
    read_record,
    read_section,
    write_lines,
    write_record,
    write_sections,
)
from prober.sharded.folder import WorkFolder
from prober.sharded.owner import Owner, each
from prober.vantage import Vantage

_BLIND_ROWS: Final = 3 * BLIND_ENDPOINTS  # a partition is not the whole run


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What is to be reported, and held against what."""

    layouts: tuple[Layout, ...]
    require: Level | Profile
    expires_soon_days: int = EXPIRY_NOTICE_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardedScan:
    """What is to be done, and where its files are kept until it is."""

    folder: Path  # at the same path on all machines
    settings: Settings
    judging: Judging
    identity: Mapping[str, str]  # what decides the answers: a resumed run must have the same
    resume: bool = False
    shard_size: int = 1_000

    @property
    def goes_on(self) -> bool:
        """Whether there is a run that this one goes on with."""
        return self.resume and WorkFolder(self.folder.absolute()).is_begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker is told besides the number of its shard."""

    owner: Owner
    partitions: int
    at_once: int  # workers that run at the same time
    settings: Settings  # this worker's share
    judging: Judging

    @property
    def folder(self) -> WorkFolder:
        """Where the files of all stages are."""
        return self.owner.folder


def share(settings: Settings, *, on_machine: int, at_once: int) -> Settings:
    """One worker's share of *settings*, of so many on its machine and so many in all.

    Sockets are a machine's; so are questions, unless all ask the same resolver somewhere else.
    """
    on_resolver = at_once if any(map(_is_remote, settings.resolvers)) else on_machine
    pace = settings.pace
    share = replace(
        pace,
        sessions=max(1, pace.sessions // on_machine),
        slow_sessions=max(1, pace.slow_sessions // on_machine),
        dns_concurrency=max(1, pace.dns_concurrency // on_machine),
        dns_per_s=pace.dns_per_s / on_resolver,
    )
    return replace(settings, pace=share)


def _is_remote(resolver: str) -> bool:
    host = resolver.strip("[").split("]")[0]
    for text in (host, host.rpartition(":")[0]):
        with contextlib.suppress(ValueError):
            return not ipaddress.ip_address(text).is_loopback
    return True


def require_same(one: Run, other: Run) -> None:
    """Raise SettingsError where two workers would judge the same domain differently."""
    if one.version != other.version:
        raise SettingsError(
            f"workers run different versions, {one.version} and {other.version}: install one"
        )
    stores = [run.trust_store for run in (one, other)]
    if stores[0].sha256 != stores[1].sha256:
        shown = " and ".join(f"{store.source} (SHA-256 {store.sha256})" for store in stores)
        raise SettingsError(
            f"workers have different trust stores, {shown}: give all of them the same --ca-file"
        )


def resolve_shard(work: Work, shard: int) -> Run:
    """Write what DNS and the policy hosts say of the shard's domains, and whom to ask about them.

    Gives with what it was looked at. Raises BlindError where no nameserver answers.
    """
    return work.owner.run(_resolve(work, shard))


async def _resolve(work: Work, shard: int) -> Run:
    entries = read_lines(work.folder.entries(shard), Entry)
    done = work.folder.resolved(shard)
    if done.exists():  # by another worker, to whom the task was given as well
        return read_record(done, Run)
    async with Vantage(work.settings) as vantage:
        seen = [begin(entry, vantage) for entry in entries]

        async def observe(position: int) -> None:
            seen[position] = await _observe(seen[position], vantage)

        await each(range(len(seen)), observe, at_once=vantage.settings.pace.concurrency)
        run = vantage.run
    _require_sight(work, seen)
    if done.exists():
        return read_record(done, Run)
    write_lines(work.folder.facts(shard), seen)
    _write_targets(work, shard, seen)
    write_record(work.folder.resolved(shard), run)
    return run


def _require_sight(work: Work, seen: Sequence[DomainFacts]) -> None:
    """Raise BlindError where not one of many domains could be looked up, for want of DNS."""
    tally = _tally(work)
    for facts in seen:
        tally.note_route(facts.route)
    why = tally.totals.why_blind
    if why is not None and len(seen) >= BLIND_ENDPOINTS:
        raise blind(why)


def _tally(work: Work) -> Tally:
    return Tally(
        require=work.judging.require,
        operator_of=operator_of,
        describe=answer,
        expires_soon_days=work.judging.expires_soon_days,
    )


async def _observe(facts: DomainFacts, vantage: Vantage) -> DomainFacts:
    """*facts* with all but endpoints, which probe.py asks beside the policy."""
    started = monotonic()
    facts = await observe_route(facts, vantage)
    if facts.mx_hosts:
        facts = await observe_published(facts, vantage)
        facts = await observed(facts, partial(_require_targets, facts, vantage.settings))
    return replace(facts, elapsed_ms=round((monotonic() - started) * 1000))


async def _require_targets(facts: DomainFacts, settings: Settings, _domain: str) -> DomainFacts:
    """*facts*; raises here, where it costs one domain, if what to ask cannot be told."""
    for _ in _targets_of(facts, settings):
        pass
    return facts


def _write_targets(work: Work, shard: int, seen: Sequence[DomainFacts]) -> None:
    targets: list[set[bytes]] = [set() for _ in range(work.partitions)]
    operators: list[set[bytes]] = [set() for _ in range(work.partitions)]
    for target in {target for facts in seen for target in _targets_of(facts, work.settings)}:
        partition = partition_of(target.address, work.partitions)
        operator = operator_of(target.mx_host)
        targets[partition].add(encode_target(target))
        operators[partition_of(operator, work.partitions)].add(f"{operator} {partition}".encode())
    write_sections(work.folder.targets(shard), targets)
    write_sections(work.folder.operators(shard), operators)


def _targets_of(facts: DomainFacts, settings: Settings) -> Iterator[Target]:
    """What to ask for *facts*; nothing where this program failed on them."""
    if facts.error is not None:
        return iter(())
    return targets_of(facts.mx_hosts, port=settings.port, most=settings.addresses)


def count_operators(work: Work, partition: int) -> int:
    """Write in how many partitions each operator of this one has addresses, if in several.

    Gives the number of those. In the long tail there are as many operators as domains: no process
    may have to hold them all.
    """
    counts: Counter[str] = Counter()
    for held in _section_of_all(work, work.folder.operators, partition):
        counts[held.decode().partition(" ")[0]] += 1
    shared = {operator: count for operator, count in counts.items() if count > 1}
    write_record(work.folder.shared(partition), shared)
    write_record(work.folder.counted(partition), len(shared))
    return len(shared)


def probe_partition(work: Work, partition: int) -> Run:
    """Ask every endpoint of the partition once, and write the facts where they can be looked up.

    Gives with what it was looked at. Raises BlindError where this machine connects to nobody.
    """
    return work.owner.run(_probe(work, partition))


async def _probe(work: Work, partition: int) -> Run:
    done = work.folder.probed(partition)
    if done.exists():
        return read_record(done, Run)
    lines = _section_of_all(work, work.folder.targets, partition)
    # by a hash, so that no operator's names come in a row and hold up the others
    targets = map(decode_target, sorted(lines, key=digest_of))
    tally = _tally(work)
    async with Vantage(work.settings, operator_shards=_operator_shards(work)) as vantage:
        with StoreWriter.open(work.folder.store(partition)) as store:

            async def ask(target: Target) -> None:
                facts = await vantage.endpoint(target)
                store.add(target, facts)
                tally.note_endpoint(facts)
                why = tally.totals.why_blind
                if why is not None and store.rows >= _BLIND_ROWS:
                    raise blind(why)

            await each(targets, ask, at_once=min(len(lines), work.settings.pace.in_hand))
        run = vantage.run
    write_record(work.folder.probed(partition), run)
    return run


def _operator_shards(work: Work) -> Mapping[str, int]:
    """How many partitions that are probed at the same time share each operator's budget."""
    if work.at_once == 1:
        return {}
    return {
        operator: min(count, work.at_once)
        for partition in range(work.partitions)
        for operator, count in read_record(work.folder.shared(partition), dict[str, int]).items()
    }


def judge_shard(work: Work, shard: int) -> Totals:
    """Write the shard's rows for each report, and count what they say."""
    tally = _tally(work)
    formatters = [layout.formatter() for layout in work.judging.layouts]
    watch = work.owner.watch()
    with contextlib.ExitStack() as stack:
        stores = stack.enter_context(Stores(work.folder.store, work.partitions))
        files = [
            stack.enter_context(writing(work.folder.rows(shard, number)))
            for number in range(len(formatters))
        ]
        for facts in read_lines(work.folder.facts(shard), DomainFacts):
            watch.require_owned()
            report = judged(_join(facts, stores, work.settings), tally.reader)
            report, rows = formatted(report, tally, formatters)
            tally.add(report)
            for row, file in zip(rows, files, strict=True):
                file.write(row)
    write_record(work.folder.judged(shard), tally.totals)
    return tally.totals


def _join(facts: DomainFacts, stores: Stores, settings: Settings) -> DomainFacts:
    """*facts* with its endpoints; it took as long as its look-ups and the longest session."""
    endpoints = tuple(_facts_of(target, stores) for target in _targets_of(facts, settings))
    longest_ms = max((line.ms for seen in endpoints for line in seen.transcript), default=0)
    return replace(facts, endpoints=endpoints, elapsed_ms=facts.elapsed_ms + longest_ms)


def _facts_of(target: Target, stores: Stores) -> EndpointFacts:
    try:
        return stores.facts(target)
    except LookupError:  # two workers had the same shard, and DNS told them different addresses
        return not_contacted(target, Reason.LOCAL, "workers saw different addresses in DNS")


def _section_of_all(work: Work, path_of: Callable[[int], Path], partition: int) -> set[bytes]:
    """The lines of one partition in the files of all shards, each once."""
    watch = work.owner.watch()
    lines: set[bytes] = set()
    for shard in range(work.folder.plan.shards):
        watch.require_owned()
        lines.update(read_section(path_of(shard), partition))
    return lines
