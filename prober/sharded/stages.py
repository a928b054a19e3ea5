"""The stages of a scan in shards: what a worker does. Synchronous, and does not know dask.

Resolve each shard, count the operators of each partition, probe each partition, judge each shard.
Each stage reads files that earlier stages wrote. The package docstring explains the stages.
"""

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from prober.records import AcceptedException, DomainFacts, EndpointFacts, Level, Reason, Run
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
from prober.sharded.owner import Owner, for_each
from prober.vantage import Vantage

_BLIND_ROWS: Final = (
    3 * BLIND_ENDPOINTS
)  # higher than for a whole run, because a partition is only part of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The reports to write, and what to judge the domains against."""

    layouts: tuple[Layout, ...]
    require: Level | Profile
    exceptions: Mapping[str, AcceptedException] = field(default_factory=dict)  # by domain
    expires_soon_days: int = EXPIRY_NOTICE_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardedScan:
    """A scan to run, and the folder for its files."""

    folder: Path  # the same path on all machines
    settings: Settings
    judging: Judging
    identity: Mapping[str, str]  # all that changes the answers; a resumed run must have the same
    resume: bool = False
    shard_size: int = 1_000

    @property
    def continues_run(self) -> bool:
        """Whether this scan will continue an earlier run."""
        return self.resume and WorkFolder(self.folder.absolute()).is_begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker needs besides the number of its shard or partition."""

    owner: Owner
    partitions: int
    at_once: int  # number of workers that run at the same time
    settings: Settings  # this worker's share
    judging: Judging
    deep_share: int | None = None  # of the budget of --deep, for a partition; None: all of it

    @property
    def folder(self) -> WorkFolder:
        """The work folder."""
        return self.owner.folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What the probe stage of one partition returns: its run, and its connections of ``--deep``."""

    run: Run
    deep_spent: int


def worker_share(settings: Settings, *, on_machine: int, at_once: int) -> Settings:
    """One worker's share of *settings*.

    There are *on_machine* workers on its machine and *at_once* in total.

    Limits on sockets are per machine. The limit on DNS questions is per machine too, unless a
    configured resolver is on another host: then all workers share it.
    """
    on_resolver = at_once if any(map(_is_remote, settings.resolvers)) else on_machine
    pace = settings.pace
    worker_share = replace(
        pace,
        sessions=max(1, pace.sessions // on_machine),
        slow_sessions=max(1, pace.slow_sessions // on_machine),
        dns_concurrency=max(1, pace.dns_concurrency // on_machine),
        dns_per_s=pace.dns_per_s / on_resolver,
    )
    return replace(settings, pace=worker_share)


def _is_remote(resolver: str) -> bool:
    host = resolver.strip("[").split("]")[0]
    for text in (host, host.rpartition(":")[0]):
        with contextlib.suppress(ValueError):
            return not ipaddress.ip_address(text).is_loopback
    return True


def require_same(one: Run, other: Run) -> None:
    """Raise SettingsError if two workers could judge the same domain differently."""
    if one.version != other.version:
        raise SettingsError(
            f"workers run different versions, {one.version} and {other.version}: "
            "install the same version on all"
        )
    stores = [run.trust_store for run in (one, other)]
    if stores[0].sha256 != stores[1].sha256:
        shown = " and ".join(f"{store.source} (SHA-256 {store.sha256})" for store in stores)
        raise SettingsError(
            f"workers have different trust stores, {shown}: give all of them the same --ca-file"
        )


def resolve_shard(work: Work, shard: int) -> Run:
    """Look up the shard's domains and policies. Write the results, and the endpoints to probe.

    Returns the description of this worker's run. Raises BlindError if no nameserver answers.
    """
    return work.owner.run(_resolve(work, shard))


async def _resolve(work: Work, shard: int) -> Run:
    entries = read_lines(work.folder.entries(shard), Entry)
    done = work.folder.resolved(shard)
    if done.exists():  # by another worker that had the same task
        return read_record(done, Run)
    async with Vantage(work.settings) as vantage:
        seen = [begin(entry, vantage) for entry in entries]

        async def observe(position: int) -> None:
            seen[position] = await _observe(seen[position], vantage)

        await for_each(range(len(seen)), observe, at_once=vantage.settings.pace.concurrency)
        run = vantage.run
    _raise_if_blind(work, seen)
    if done.exists():
        return read_record(done, Run)
    write_lines(work.folder.facts(shard), seen)
    _write_targets(work, shard, seen)
    write_record(work.folder.resolved(shard), run)
    return run


def _raise_if_blind(work: Work, seen: Sequence[DomainFacts]) -> None:
    """Raise BlindError if there are many domains and DNS failed for all of them."""
    tally = _tally(work)
    for facts in seen:
        tally.note_route(facts.route)
    why = tally.totals.why_blind
    if why is not None and len(seen) >= BLIND_ENDPOINTS:
        raise blind(why)


def _tally(work: Work) -> Tally:
    return Tally(
        require=work.judging.require,
        exceptions=work.judging.exceptions,
        operator_of=operator_of,
        describe=answer,
        expires_soon_days=work.judging.expires_soon_days,
    )


async def _observe(facts: DomainFacts, vantage: Vantage) -> DomainFacts:
    """*facts* with everything except endpoints."""
    started = monotonic()
    facts = await observe_route(facts, vantage)
    if facts.mx_hosts:
        facts = await observe_published(facts, vantage)
        facts = await observed(facts, partial(_require_targets, facts, vantage.settings))
    return replace(facts, elapsed_ms=round((monotonic() - started) * 1000))


async def _require_targets(facts: DomainFacts, settings: Settings, _domain: str) -> DomainFacts:
    """Return *facts*. Raises if targets cannot be made: here this affects one domain only."""
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
    """The endpoints to probe for *facts*; none after an internal fault."""
    if facts.error is not None:
        return iter(())
    return targets_of(facts.mx_hosts, port=settings.port, most=settings.addresses)


def count_operators(work: Work, partition: int) -> int:
    """Write the operators with addresses in several partitions, and in how many partitions.

    The work is partitioned by operator, because a long list may have nearly as many operators as
    domains: too many for one process. Returns how many endpoints the partition has, which decides
    its share in the budget of ``--deep``; without ``--deep`` they are not counted, and it is 0.
    """
    counts: Counter[str] = Counter()
    for held in _section_of_all(work, work.folder.operators, partition):
        counts[held.decode().partition(" ")[0]] += 1
    shared = {operator: count for operator, count in counts.items() if count > 1}
    write_record(work.folder.shared(partition), shared)
    is_deep = work.settings.deep
    endpoints = len(_section_of_all(work, work.folder.targets, partition)) if is_deep else 0
    write_record(work.folder.counted(partition), endpoints)
    return endpoints


def probe_partition(work: Work, partition: int) -> Probed:
    """Probe every endpoint of the partition once, and write the facts to its store.

    Returns a description of this worker's run. Raises BlindError if no connection succeeds.
    """
    return work.owner.run(_probe(work, partition))


async def _probe(work: Work, partition: int) -> Probed:
    done = work.folder.probed(partition)
    if done.exists():
        return read_record(done, Probed)
    lines = _section_of_all(work, work.folder.targets, partition)
    # Sorted by a hash: many endpoints of one operator in a row would wait for its limit together.
    targets = map(decode_target, sorted(lines, key=digest_of))
    tally = _tally(work)
    vantage = Vantage(
        work.settings, operator_shards=_operator_shards(work), deep_share=work.deep_share
    )
    async with vantage:
        with StoreWriter.open(work.folder.store(partition)) as store:

            async def probe_one(target: Target) -> None:
                facts = await vantage.endpoint(target)
                store.add(target, facts)
                tally.note_endpoint(facts)
                why = tally.totals.why_blind
                if why is not None and store.rows >= _BLIND_ROWS:
                    raise blind(why)

            await for_each(targets, probe_one, at_once=min(len(lines), work.settings.pace.in_hand))
        probed = Probed(run=vantage.run, deep_spent=vantage.deep_spent)
    write_record(done, probed)
    return probed


def _operator_shards(work: Work) -> Mapping[str, int]:
    """For each operator: how many partitions share its limit while they are probed at once."""
    if work.at_once == 1:
        return {}
    return {
        operator: min(count, work.at_once)
        for partition in range(work.partitions)
        for operator, count in read_record(work.folder.shared(partition), dict[str, int]).items()
    }


def judge_shard(work: Work, shard: int) -> Totals:
    """Write the shard's rows for each report, and return the totals."""
    tally = _tally(work)
    formatters = [layout.formatter() for layout in work.judging.layouts]
    check = work.owner.check()
    with contextlib.ExitStack() as stack:
        stores = stack.enter_context(Stores(work.folder.store, work.partitions))
        files = [
            stack.enter_context(writing(work.folder.rows(shard, number)))
            for number in range(len(formatters))
        ]
        for facts in read_lines(work.folder.facts(shard), DomainFacts):
            check.require_owned()
            report = judged(_join(facts, stores, work.settings), tally.reader)
            report, rows = formatted(report, tally, formatters)
            tally.add(report)
            for row, file in zip(rows, files, strict=True):
                file.write(row)
    write_record(work.folder.judged(shard), tally.totals)
    return tally.totals


def _join(facts: DomainFacts, stores: Stores, settings: Settings) -> DomainFacts:
    """*facts* with its endpoints. Its time is that of the look-ups plus the longest session."""
    endpoints = tuple(_facts_of(target, stores) for target in _targets_of(facts, settings))
    longest_ms = max((line.ms for seen in endpoints for line in seen.transcript), default=0)
    return replace(facts, endpoints=endpoints, elapsed_ms=facts.elapsed_ms + longest_ms)


def _facts_of(target: Target, stores: Stores) -> EndpointFacts:
    try:
        return stores.facts(target)
    except LookupError:  # two workers ran the same task, and DNS gave them different addresses
        return not_contacted(target, Reason.LOCAL, "two workers got different addresses from DNS")


def _section_of_all(work: Work, path_of: Callable[[int], Path], partition: int) -> set[bytes]:
    """The lines of one partition from the files of all shards, without duplicates."""
    check = work.owner.check()
    lines: set[bytes] = set()
    for shard in range(work.folder.plan.shards):
        check.require_owned()
        lines.update(read_section(path_of(shard), partition))
    return lines
