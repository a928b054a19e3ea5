"""What changed at the MX hosts and their endpoints: addresses, TLS, certificates, TLSA."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from prober.records import (
    Answer,
    Certificate,
    Dane,
    DeepQuestion,
    DomainReport,
    Endpoint,
    MxHost,
)
from prober.records.changes import Change, ChangeCode, Direction
from prober.rules.aspects import (
    Value,
    accepted_reader,
    issuer_of,
    read_addresses,
    read_certificate,
    read_dane,
    read_key_exchange,
    read_other_certificate,
    read_outcome,
    read_post_quantum,
    read_proof,
    read_tls_version,
    read_tlsa,
    read_weak_dh,
    show_tlsa,
)
from prober.rules.endpoint import Outcome, proven
from prober.rules.history import History, found
from prober.rules.tlsa import DANE_EE, deciding, selects
from prober.rules.views import view_of

USUAL_SHARE: Final = 0.5  # of its lifetime left at most, when a certificate is renewed as usual

T = TypeVar("T")


def host_changes(history: History) -> Iterator[Change]:
    for host in history.report.mx_hosts:
        yield from found(_on_addresses(history, host.name), _on_tlsa(history, host))


def _host_in(report: DomainReport, name: str) -> MxHost | None:
    return next((host for host in report.mx_hosts if host.name == name), None)


def _of_host(
    name: str, read: Callable[[MxHost], frozenset[T] | None]
) -> Callable[[DomainReport], frozenset[T] | None]:
    def of(report: DomainReport) -> frozenset[T] | None:
        host = _host_in(report, name)
        return None if host is None else read(host)

    return of


def _on_addresses(history: History, name: str) -> Change | None:
    """Worth a mail only if all of them are gone: large operators return some of many in turn."""
    of = _of_host(name, read_addresses)

    def read(report: DomainReport) -> Value | None:
        addresses = of(report)
        if addresses is None:
            return None
        return Value(addresses, ", ".join(sorted(addresses)) or "none", int(bool(addresses)))

    change = history.changed(ChangeCode.ADDRESSES, read, mx_host=name)
    if change is None or change.direction is not Direction.OTHER:
        return change
    known = [addresses for seen in history.earlier if (addresses := of(seen)) is not None]
    current = of(history.report) or frozenset()
    if len(set(known)) > 1 and current <= frozenset().union(*known):
        return None
    return replace(change, told=False)


def _on_tlsa(history: History, host: MxHost) -> Change | None:
    """Another set of records. Whether one matches, and whether there are any, ``dane`` reports."""
    of = _of_host(host.name, read_tlsa)

    def read(report: DomainReport) -> Value | None:
        records = of(report)
        return None if records is None else Value(records, show_tlsa(records))

    change = history.changed(ChangeCode.TLSA, read, mx_host=host.name)
    if change is None or change.direction is Direction.LOST_SIGHT:
        return change
    if "none" in (change.before, change.after):
        return None
    spare = _spare(history.report, host)
    note = "; prepared for the next key" if spare else ""
    return replace(change, after=f"{change.after}{note}", told=False)


def _spare(report: DomainReport, host: MxHost) -> bool:
    """Whether a record matches no leaf certificate seen, so is of another key. RFC 7671 §8.1."""
    leaves = [
        leaf
        for each in report.endpoints
        if each.mx_host == host.name and (leaf := view_of(each).leaf) is not None
    ]
    return any(
        all(selects(record, leaf) is Answer.NO for leaf in leaves) for record in deciding(host.tlsa)
    )


def endpoint_changes(history: History) -> Iterator[Change]:
    for endpoint in history.report.endpoints:
        yield from _on_endpoint(history, endpoint)


def _endpoints_of(report: DomainReport, name: str) -> list[Endpoint]:
    return [each for each in report.endpoints if each.mx_host == name]


def _base_of(report: DomainReport, like: Endpoint) -> Endpoint | None:
    """The same endpoint in *report*; where its address is new, another of its host."""
    endpoints = _endpoints_of(report, like.mx_host)
    same = (each for each in endpoints if each.address == like.address)
    others = (each for each in endpoints if proven(each) is Outcome.COMPLETED)
    return next(same, None) or next(others, None) or next(iter(endpoints), None)


_ENDPOINT_ASPECTS: Final[tuple[tuple[ChangeCode, Callable[[Endpoint], Value | None]], ...]] = (
    (ChangeCode.TLS_VERSION, read_tls_version),
    (ChangeCode.KEY_EXCHANGE, read_key_exchange),
    (ChangeCode.PROOF, read_proof),
    (ChangeCode.DANE, read_dane),
)
_DEEP_ASPECTS: Final[tuple[tuple[ChangeCode, Callable[[Endpoint], Value | None]], ...]] = (
    (ChangeCode.POST_QUANTUM, read_post_quantum),
    (ChangeCode.LEGACY_VERSIONS, accepted_reader(DeepQuestion.LEGACY_VERSION)),
    (ChangeCode.BROKEN_SUITES, accepted_reader(DeepQuestion.BROKEN_SUITES)),
    (ChangeCode.STATIC_KEY_EXCHANGE, accepted_reader(DeepQuestion.STATIC_KEY_EXCHANGE)),
    (ChangeCode.WEAK_DH, read_weak_dh),
    (ChangeCode.OTHER_CERTIFICATE, read_other_certificate),
)


def _on_endpoint(history: History, endpoint: Endpoint) -> Iterator[Change]:
    yield from found(_aspect(history, endpoint, ChangeCode.STARTTLS, read_outcome))
    if proven(endpoint) is not Outcome.COMPLETED:
        return
    for code, read in _ENDPOINT_ASPECTS:
        change = _aspect(history, endpoint, code, read)
        if change is None or _is_reported_elsewhere(change):
            continue
        yield change
    yield from _on_deep(history, endpoint)
    yield from _on_certificate(history, endpoint)


def _on_deep(history: History, endpoint: Endpoint) -> Iterator[Change]:
    """What else the server accepts. That a run without --deep did not see it is worth no mail."""
    for code, read in _DEEP_ASPECTS:
        for change in found(_aspect(history, endpoint, code, read)):
            is_asked = endpoint.deep is not None or change.direction is not Direction.LOST_SIGHT
            yield replace(change, told=change.told and is_asked)


def _is_reported_elsewhere(change: Change) -> bool:
    """Whether something else reports it: a change of the certificate, or a finding."""
    if change.code is ChangeCode.KEY_EXCHANGE and change.direction is Direction.LOST_SIGHT:
        return True  # the session used another hello: there is a finding on that
    return change.code is ChangeCode.PROOF and change.before == change.after


def _aspect(
    history: History,
    endpoint: Endpoint,
    code: ChangeCode,
    read: Callable[[Endpoint], Value | None],
) -> Change | None:
    def of(report: DomainReport) -> Value | None:
        base = _base_of(report, endpoint)
        return None if base is None else read(base)

    known = _values(history, endpoint.mx_host, read) if code is not ChangeCode.STARTTLS else ()
    change = history.changed(code, of, known, mx_host=endpoint.mx_host, address=endpoint.address)
    if change is None or change.direction is not Direction.OTHER:
        return change
    return replace(change, told=code is not ChangeCode.KEY_EXCHANGE)


def _values(
    history: History, host: str, read: Callable[[Endpoint], Value | None]
) -> Sequence[Value]:
    """What the servers behind the name *host* have shown, newest first."""
    values = (read(each) for seen in history.earlier for each in _endpoints_of(seen, host))
    return [value for value in values if value is not None]


def _on_certificate(history: History, endpoint: Endpoint) -> Iterator[Change]:
    after = read_certificate(endpoint)
    known = [
        certificate
        for seen in history.earlier
        for each in _endpoints_of(seen, endpoint.mx_host)
        if (certificate := read_certificate(each)) is not None
    ]
    if after is None or not known or after.sha256 in {each.sha256 for each in known}:
        return
    bases = ((seen, _base_of(seen, endpoint)) for seen in history.earlier)
    last = next(
        (
            (seen.checked_at, certificate)
            for seen, base in bases
            if base is not None and (certificate := read_certificate(base)) is not None
        ),
        None,
    )
    if last is None:
        return
    at, before = last
    for code, texts, told in _certificate_changes(before, after, known, history.at):
        yield Change(
            code=code,
            direction=Direction.OTHER,
            mx_host=endpoint.mx_host,
            addresses=(endpoint.address,),
            before=texts[0],
            after=texts[1],
            last_seen=at,
            since=history.at,
            told=told,
        )
    yield from _on_next_key(history, endpoint, before, after, at)


_Named = tuple[ChangeCode, tuple[str, str], bool]


def _certificate_changes(
    before: Certificate, after: Certificate, known: Sequence[Certificate], now: datetime
) -> Iterator[_Named]:
    """A new issuer, lost names, or else a renewal, which is reported if it is unusually early."""
    lost = [name for name in before.san if name not in after.san]
    other_issuer = issuer_of(before) != issuer_of(after)
    if other_issuer:
        yield ChangeCode.ISSUER, (issuer_of(before), issuer_of(after)), True
    if lost:
        yield ChangeCode.NAMES, (", ".join(before.san), ", ".join(after.san) or "none"), True
    if not other_issuer and not lost:
        usual = _is_usual(before, after, known, now)
        texts = (_show(before), _show(after) + ("" if usual else "; renewed early"))
        yield ChangeCode.CERTIFICATE, texts, not usual


def _show(certificate: Certificate) -> str:
    until = certificate.not_after
    return f"{certificate.sha256[:16]} until {until.date() if until else 'unknown'}"


def _is_usual(
    before: Certificate, after: Certificate, known: Sequence[Certificate], now: datetime
) -> bool:
    """Whether the renewal came when it usually comes: late in the old one's life, or as before."""
    if before.not_before is None or before.not_after is None:
        return True  # nothing to compare with
    begun = after.not_before or now
    lifetime = before.not_after - before.not_before
    if before.not_after - begun <= lifetime * USUAL_SHARE:
        return True
    starts = sorted({each.not_before for each in known if each.not_before is not None})
    steps = [later - sooner for sooner, later in itertools.pairwise(starts)]
    return bool(steps) and begun - before.not_before >= min(steps) * USUAL_SHARE


def _on_next_key(
    history: History, endpoint: Endpoint, before: Certificate, after: Certificate, at: datetime
) -> Iterator[Change]:
    """TLSA records that were replaced with the key will not match the next. RFC 7671 §8.1."""
    host = _host_in(history.report, endpoint.mx_host)
    keys_change = None not in (before.spki_sha256, after.spki_sha256) and (
        before.spki_sha256 != after.spki_sha256
    )
    if host is None or endpoint.dane is not Dane.MATCH or not keys_change:
        return
    records = deciding(host.tlsa)
    if all(record.usage == DANE_EE for record in records) and not _spare(history.report, host):
        yield Change(
            code=ChangeCode.TLSA_NEXT_KEY,
            direction=Direction.OTHER,
            mx_host=host.name,
            before="the key changed",
            after="the TLSA records are of this key only, and will not match the next one",
            last_seen=at,
            since=history.at,
        )
