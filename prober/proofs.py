"""Validates the DNSSEC proofs in saved results again, without a network.

What a report calls secure without support in its proof becomes indeterminate, and the report is
judged again: DANE is then not tested. docs/dnssec.md.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Final, Self, assert_never

import dns.name
import dns.rcode
import dns.rdatatype
from dns.name import Name
from dns.rcode import Rcode
from dns.rdata import GenericRdata, Rdata
from dns.rdatatype import RdataType

from prober.dnssec.anchors import Anchors
from prober.dnssec.judgement import Judgement, Reply, Work
from prober.dnssec.proof import Question, check_proof
from prober.dnssec.validator import MAX_CHAIN
from prober.escape import printable
from prober.records import (
    AnomalyKind,
    Code,
    Dnssec,
    DomainFacts,
    DomainReport,
    MxHost,
    Route,
    RouteStatus,
    Severity,
    finding,
)
from prober.rules.dane import claims_security
from prober.rules.mx import ROOT, Exchange, select_exchanges
from prober.rules.verdict import facts_of

Checked = Mapping[Question, tuple[Judgement, Reply]]

_SIGNATURES: Final = 16_000  # to verify, and hashes to compute, for one proof: four times as many
_HASHES: Final = 320_000  # as a domain may cost by default, for runs with larger bounds
_BEFORE: Final = timedelta(days=30)  # that an answer may be older than the report: a run shares it
_AFTER: Final = timedelta(days=1)  # that it may be newer
_MAX_LINES: Final = 1_000
_MAX_DETAIL: Final = 300  # characters
_LONGEST_BELOW: Final = 250  # characters of the name after the port, in the name of TLSA
_SEVERITIES: Final = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a proof shows about one question: the code, and the records behind the aliases.

    ``name``: the name at the end of the aliases, with a final dot.
    """

    rcode: Rcode
    records: frozenset[str]
    name: str = ""


class Proofs(AbstractContextManager["Proofs"]):
    """Validates the proofs in reports by *anchors*, and counts them; a context manager.

    *judge* judges facts by today's rules.
    """

    def __init__(self, anchors: Anchors, judge: Callable[[DomainFacts], DomainReport]) -> None:
        self._anchors = anchors
        self._judge = judge
        self._runner = asyncio.Runner()
        self._validated = 0
        self._bare = 0
        self._invalid = 0
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._runner.close()

    def check(self, report: DomainReport) -> DomainReport:
        """*report*; if its proof does not support what it says, the report without that.

        *report* is judged by today's rules: what it says follows from its facts.
        """
        if report.proof is None:
            self._bare += claims_security(report)
            return report
        facts = facts_of(report)
        try:
            work = Work(_SIGNATURES, _HASHES)
            checked = self._runner.run(check_proof(report.proof, self._anchors, work))
        except ValueError as error:
            checked, faults = {}, [f"it cannot be read: {error}"]
        else:
            faults = list(_faults(facts, checked))
        proved, missing = supported(facts, checked)
        faults += (f"not proved: {each}" for each in missing)
        if not faults:
            self._validated += 1
            return report
        self._invalid += 1
        detail = printable("; ".join(dict.fromkeys(faults)))[:_MAX_DETAIL]
        if len(self._lines) < _MAX_LINES:
            name = printable(report.domain or report.input)
            self._lines.append(f"{name}: the DNSSEC proof is not valid: {detail}")
        return _with_finding(self._judge(proved) if missing else report, detail)

    def lines(self) -> Iterator[str]:
        """What was validated, and which domains have a proof that is not valid."""
        if self._validated or self._invalid:
            yield (
                f"DNSSEC proofs validated again: {self._validated} valid, {self._invalid} not valid"
            )
        yield from self._lines
        if self._invalid > len(self._lines):
            yield f"and {self._invalid - len(self._lines)} more"
        if self._bare:
            yield (
                f"without a DNSSEC proof: {self._bare}; what these results call secure was not "
                "validated again"
            )


def supported(facts: DomainFacts, checked: Checked) -> tuple[DomainFacts, list[str]]:
    """*facts*, secure only where the proof in *checked* supports it, and the claims it does not.

    Compared are the route, the addresses of the MX hosts, and their TLSA records.
    """
    shown = {
        (name.to_text().lower(), dns.rdatatype.to_text(rdtype)): answered(name, rdtype, reply)
        for (name, rdtype), (judgement, reply) in checked.items()
        if judgement.state is Dnssec.SECURE and _is_of_the_time(facts, reply)
    }
    missing = []
    route = facts.route
    if route is not None and route.dnssec is Dnssec.SECURE:
        if not shows_route(facts, route, shown.get((f"{facts.domain}.", "MX"))):
            missing.append(f"MX {facts.domain}")
            route = replace(route, dnssec=Dnssec.INDETERMINATE)
    hosts = []
    for host in facts.mx_hosts:
        state, tlsa_state = host.dnssec, host.tlsa_dnssec
        if state is Dnssec.SECURE and not shows_addresses(facts, host, shown):
            missing.append(f"addresses of {host.name}")
            state = Dnssec.INDETERMINATE
        if tlsa_state is Dnssec.SECURE and not shows_tlsa(facts, host, shown):
            missing.append(f"TLSA of {host.name}")
            tlsa_state = Dnssec.INDETERMINATE
        if state is not host.dnssec and tlsa_state is not None:  # RFC 7672 §2.2
            tlsa_state = Dnssec.INDETERMINATE
        hosts.append(replace(host, dnssec=state, tlsa_dnssec=tlsa_state))
    return replace(facts, route=route, mx_hosts=tuple(hosts)), missing


_Shown = Mapping[tuple[str, str], Answered]


def shows_route(facts: DomainFacts, route: Route, answer: Answered | None) -> bool:
    """Whether *route* and the MX hosts follow from the MX answer."""
    if answer is None:
        return False
    if facts.server is not None:  # it need not be in DNS yet
        return True
    match route.status:
        case RouteStatus.NXDOMAIN:
            return answer.rcode == dns.rcode.NXDOMAIN
        case RouteStatus.IMPLICIT_MX:  # RFC 5321 §5.1
            is_itself = all(host.name == facts.domain for host in facts.mx_hosts)
            return is_itself and _has_no_data(answer)
        case RouteStatus.NO_MAIL_HOST if not facts.mx_hosts:
            return _has_no_data(answer)
        case RouteStatus.MX | RouteStatus.NO_MAIL_HOST | RouteStatus.NULL_MX:
            return bool(answer.records) and _selects(answer, facts, route)
        case RouteStatus.DNS_ERROR:
            return True
        case never:
            assert_never(never)


def _has_no_data(answer: Answered) -> bool:
    return answer.rcode == dns.rcode.NOERROR and not answer.records


def _selects(answer: Answered, facts: DomainFacts, route: Route) -> bool:
    """Whether a sender with the MX records of *answer* tries the MX hosts of *facts*."""
    parts = (record.rpartition(" ") for record in answer.records)
    exchanges = [
        Exchange(preference=int(preference), host=host.removesuffix(".") or ROOT)
        for preference, _, host in parts
    ]
    selection = select_exchanges(exchanges, most=len(exchanges))
    if (selection.status is RouteStatus.NULL_MX) is not (route.status is RouteStatus.NULL_MX):
        return False
    wanted = sorted((host.preference, host.name) for host in selection.hosts)
    claimed = sorted((host.preference, host.name) for host in facts.mx_hosts)
    is_cut = any(each.kind is AnomalyKind.MX_LEFT_OUT for each in route.anomalies)
    return claimed == (wanted[: len(claimed)] if is_cut else wanted)


def shows_addresses(facts: DomainFacts, host: MxHost, shown: _Shown) -> bool:
    """Whether secure answers show the addresses of *host*, or that it has none."""
    answers = [shown.get((f"{host.name}.", rdtype)) for rdtype in ("A", "AAAA")]
    known = {text for each in answers if each is not None for text in each.records}
    if facts.server is not None and facts.server.address is not None:
        return any(answers)
    if not host.addresses:
        return all(answers) and not known
    return set(host.addresses) <= known


def shows_tlsa(facts: DomainFacts, host: MxHost, shown: _Shown) -> bool:
    """Whether an answer has the TLSA records of *host*, or shows that there are none."""
    if f"{host.tlsa_base}." not in _bases(host, shown):
        return False
    records = {f"{t.usage} {t.selector} {t.matching_type} {t.data.hex()}" for t in host.tlsa}
    ports = {each.port for each in facts.endpoints if each.mx_host == host.name}
    below = f"._tcp.{host.tlsa_base}."
    if not records and len(below) >= _LONGEST_BELOW:  # no name can be longer: RFC 1035 §2.3.4
        return True
    answers = [
        answer
        for (name, rdtype), answer in shown.items()
        if rdtype == "TLSA" and name.endswith(below)
        if not ports or name.removesuffix(below) in {f"_{port}" for port in ports}
    ]
    is_part = host.tlsa_failure is not None  # more than are kept
    return any(records <= each.records if is_part else records == each.records for each in answers)


def _bases(host: MxHost, shown: _Shown) -> Iterator[str]:
    """The names whose TLSA records count for *host*: its own, and that behind its alias.

    RFC 7672 §2.2.2. Without this check, records of any signed name could be given as those of
    *host*.
    """
    yield f"{host.name}."
    for rdtype in ("A", "AAAA"):
        answer = shown.get((f"{host.name}.", rdtype))
        if answer is not None:
            yield answer.name


def answered(name: Name, rdtype: RdataType, reply: Reply) -> Answered:
    """What *reply* says, at the end of the aliases."""
    for _ in range(MAX_CHAIN):
        rrset = reply.rrset(name, rdtype)
        if rrset is not None:
            return Answered(reply.rcode, frozenset(map(_text, rrset)), name.to_text().lower())
        alias = reply.rrset(name, dns.rdatatype.CNAME)
        if alias is None:
            break
        name = alias[0].target
    return Answered(reply.rcode, frozenset(), name.to_text().lower())


def _text(record: Rdata) -> str:
    if isinstance(record, GenericRdata) and record.rdtype == dns.rdatatype.TLSA:
        usage, selector, matching_type = record.data[:3]
        return f"{usage} {selector} {matching_type} {record.data[3:].hex()}"
    return record.to_text(chunksize=0).lower()


def _is_of_the_time(facts: DomainFacts, reply: Reply) -> bool:
    age_s = facts.checked_at.timestamp() - reply.now
    return -_AFTER.total_seconds() <= age_s <= _BEFORE.total_seconds()


def _faults(facts: DomainFacts, checked: Checked) -> Iterator[str]:
    """Why an answer in the proof does not count."""
    for (name, rdtype), (judgement, reply) in checked.items():
        if judgement.state is not Dnssec.SECURE:
            yield f"{judgement.state}: {judgement}"
        elif not _is_of_the_time(facts, reply):
            kind = dns.rdatatype.to_text(rdtype)
            yield f"{name} {kind}: answered at another time than the report was made"


def _with_finding(report: DomainReport, detail: str) -> DomainReport:
    """*report* with the finding. It replaces the one which says that no resolver can be trusted."""
    others = [
        each
        for each in report.findings
        if each.code is not Code.TLSA_NOT_TESTED or each.mx_host is not None
    ]
    own = finding(Code.DNSSEC_PROOF_INVALID, detail=detail)
    order = sorted([own, *others], key=lambda each: _SEVERITIES.index(each.severity))
    return replace(report, findings=tuple(order))
