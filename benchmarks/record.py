"""The record: what a year of weekly runs costs, in bytes and in time.

52 runs of 10,000 domains, spread over hosts as in plan.py, of which 2 % change a week: half of them
renew their certificate, a quarter lose TLS 1.3, a quarter lose STARTTLS, and get it back a week
later. The reports are made once and only given other times, so that writing is measured and not
judging. Measured on SQLite: the bytes of the file per domain and run, the CPU time to write a
report of the last run, and how long `diff` and `history` take then. What a domain costs that does
not change comes from a further run without any change.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, process_time
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.figures import Figure, Scale
from benchmarks.plan import Plan
from prober.domains import operator_of
from prober.records import (
    Attempt,
    Confirmed,
    Dnssec,
    DomainFacts,
    DomainReport,
    EndpointFacts,
    Hello,
    Level,
    Line,
    MxHost,
    Route,
    RouteStatus,
    Run,
    StartTls,
    StsFacts,
    TrustStore,
    TxtFacts,
)
from prober.records.changes import ChangeCounts
from prober.report.answer import answer
from prober.rules.totals import Tally
from prober.rules.verdict import judge_domain
from prober.store.asking import Comparing, changes_between, domain_changes, history
from prober.store.batch import RunPlan
from prober.store.database import Store, open_store
from prober.store.reader import find_run
from prober.store.writer import RunWriter

DOMAINS: Final = 10_000
WEEKS: Final = 52
CHANGING: Final = 50  # one in so many changes in a week
BEGIN: Final = datetime(2026, 1, 5, 5, 0, tzinfo=UTC)
SCAN_MS: Final = 2.48  # CPU per domain of a scan, concentrated hosts: benchmarks/domain.py
_KEY: Final = ec.generate_private_key(ec.SECP256R1())
_TALLY: Final = Tally(require=Level.OPPORTUNISTIC, operator_of=operator_of, describe=answer)
_RUN: Final = Run(
    version="0",
    ehlo_name="probe.example",
    resolver=("127.0.0.1:53",),
    trust_store=TrustStore(source="/etc/ssl/cert.pem", certificates=144, sha256="00" * 32),
)


def measure(scale: Scale) -> Iterator[Figure]:
    """Bytes and times."""
    domains, weeks = scale.of(DOMAINS, 300), scale.of(WEEKS, 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.db"
        with closing(open_store(str(path))) as store:
            yield from _measure(store, path, domains, weeks)


def _measure(store: Store, path: Path, domains: int, weeks: int) -> Iterator[Figure]:
    world = World(domains)
    spent_s = 0.0
    for week in range(weeks):
        reports = world.week(week)
        spent_s = _record(store, reports)
    size = _size(store, path)
    yield Figure(what="domains, weekly runs", value=domains, note=f"{weeks} runs")
    yield Figure(what="size of the record", value=size / 1e6, unit="MB")
    per_run = size / domains / weeks
    yield Figure(what="a domain and run, 2 % changing", value=per_run, unit="bytes", most=400)
    ms = spent_s / domains * 1000
    yield Figure(what="writing a report", value=ms, unit="ms CPU")
    share = ms / SCAN_MS * 100
    yield Figure(what="writing : scanning a domain", value=share, unit="%", most=10)
    _record(store, [_dated(each, weeks) for each in world.reports])
    more = (_size(store, path) - size) / domains
    yield Figure(what="an unchanged domain, a run", value=more, unit="bytes", most=400)
    yield Figure(
        what="diff of the last two runs that differ", value=_diff_s(store), unit="s", most=2
    )
    yield Figure(what="history of a domain", value=_history_s(store), unit="s", most=2)


def _record(store: Store, reports: Sequence[DomainReport]) -> float:
    """The CPU time it takes to record *reports* as a run."""
    plan = RunPlan(
        list="list.txt",
        identity={},
        requirement="opportunistic",
        operator_of=operator_of,
        judge=_TALLY.judge,
    )
    assessed = [_TALLY.assess(each) for each in reports]
    before = process_time()
    writer = RunWriter(store, plan)
    for report in assessed:
        if writer.is_due:
            writer.flush()
        writer.add(report)
    writer.finish()
    return process_time() - before


def _size(store: Store, path: Path) -> int:
    """Bytes of the file, once all of the write-ahead log is in it."""
    with store.engine.connect() as connection:
        connection.rollback()
        driver = connection.connection.driver_connection
        if driver is not None:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def _diff_s(store: Store) -> float:
    before = monotonic()
    with store.reading() as connection:
        new = find_run(connection, "previous")
        old = find_run(connection, "previous", before=new.id, list_=new.list)
        how = Comparing(operator_of=operator_of, judge=_TALLY.judge)
        found = list(changes_between(connection, old.id, new.id, how, ChangeCounts()))
    if not found:
        raise ValueError("nothing changed: that measures nothing")
    return monotonic() - before


def _history_s(store: Store) -> float:
    before = monotonic()
    with store.reading() as connection:
        history(connection, "d7.example")
        domain_changes(connection, "d7.example")
    return monotonic() - before


class World:
    """The domains as they are in a week; those that lost TLS get it back in the next."""

    def __init__(self, domains: int) -> None:
        self._plan = Plan(domains=domains)
        self._lost: list[int] = []
        self.reports = [judge_domain(self.facts(number, 0)) for number in range(domains)]

    def week(self, week: int) -> list[DomainReport]:
        """The reports of a week."""
        for number in self._lost:
            self.reports[number] = judge_domain(self.facts(number, week))
        self._lost = []
        changing = range(week % CHANGING, len(self.reports), CHANGING) if week else ()
        for at, number in enumerate(changing):
            facts = self.facts(number, week, renewed=at % 4 < 2)
            if at % 4 == 2:
                facts = with_changes(facts, tls_version="TLSv1.2")
            elif at % 4 == 3:
                nothing = {"tls_version": None, "chain": (), "path": ()}
                facts = with_changes(facts, starttls=StartTls.NOT_OFFERED, **nothing)
            if at % 4 >= 2:
                self._lost.append(number)
            self.reports[number] = judge_domain(facts)
        return [_dated(each, week) for each in self.reports]

    def facts(self, number: int, week: int, *, renewed: bool = False) -> DomainFacts:
        """The facts of a domain in a week."""
        host = f"mx.operator{self._plan.host(number)}.example"
        der = _certificate(host, week if renewed else 0)
        attempt = Attempt(
            observed_at=BEGIN,
            hello=Hello.DEFAULT,
            starttls=StartTls.OFFERED,
            tls_version="TLSv1.3",
            cipher="TLS_AES_256_GCM_SHA384",
            failure=None,
        )
        lines = tuple(Line(ms=n, peer="server", line=f"250-line {n} of {host}") for n in range(12))
        endpoint = EndpointFacts(
            mx_host=host,
            address="192.0.2.1",
            port=25,
            observed_at=BEGIN,
            greeting=f"220 {host} ESMTP",
            ehlo_keywords=("PIPELINING", "SIZE 36700160", "STARTTLS", "8BITMIME"),
            ehlo_keywords_tls=("PIPELINING", "SIZE 36700160", "8BITMIME"),
            starttls=StartTls.OFFERED,
            confirmed=Confirmed.YES,
            tls_version="TLSv1.3",
            cipher="TLS_AES_256_GCM_SHA384",
            cipher_bits=256,
            key_exchange="X25519MLKEM768",
            client_certificate_requested=False,
            chain=(der, _certificate("ca.example", 0)),
            path=(0, 1),
            attempts=(attempt,),
            transcript=lines,
        )
        name = f"d{number}.example"
        mx = MxHost(name=host, preference=10, addresses=("192.0.2.1",), dnssec=Dnssec.INSECURE)
        return DomainFacts(
            input=name,
            domain=name,
            checked_at=BEGIN,
            elapsed_ms=1000 + number,
            run=_RUN,
            route=Route(status=RouteStatus.MX, dnssec=Dnssec.INSECURE),
            mx_hosts=(mx,),
            endpoints=(endpoint,),
            sts=StsFacts(txt=TxtFacts()),
            tls_rpt_txt=TxtFacts(),
        )


def with_changes(facts: DomainFacts, **changes: object) -> DomainFacts:
    """*facts* with *changes* at the endpoint."""
    endpoint = replace(facts.endpoints[0], **changes)  # type: ignore[arg-type] # fields of it
    return replace(facts, endpoints=(endpoint,))


def _dated(report: DomainReport, week: int) -> DomainReport:
    at = BEGIN + timedelta(weeks=week)
    endpoints = tuple(replace(each, observed_at=at) for each in report.endpoints)
    return replace(report, checked_at=at, endpoints=endpoints)


_made: dict[tuple[str, int], bytes] = {}


def _certificate(host: str, week: int) -> bytes:
    """A certificate of *host* that was issued in *week*."""
    if (host, week) not in _made:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        begin = BEGIN + timedelta(weeks=week - 1)
        builder = x509.CertificateBuilder(
            name,
            name,
            _KEY.public_key(),
            x509.random_serial_number(),
            begin,
            begin + timedelta(days=400),
        )
        san = x509.SubjectAlternativeName([x509.DNSName(host)])
        signed = builder.add_extension(san, critical=False).sign(_KEY, hashes.SHA256())
        _made[host, week] = signed.public_bytes(serialization.Encoding.DER)
    return _made[host, week]
