"""The prober and Postfix agree on DANE, over a signed tree of NSD's that unbound validates.

The rules on chains alone have OpenSSL for a referee in test_openssl.py.
"""

import asyncio
from dataclasses import replace

import pytest

from prober.domains import parse_entry
from prober.lab.smtp import LabSmtpServer
from prober.net import resolver as resolver_module
from prober.probe import probe_entry
from prober.records import Dane, DomainReport
from prober.rules.dane import is_dane_usable
from prober.settings import Settings, Validation
from prober.vantage import Vantage
from tests.dnssec.cases import CASES, Case
from tests.dnssec.conftest import Tree
from tests.dnssec.posttls_finger import Sender, posttls_finger_dane
from tests.mta.postfix import POSTFIX
from tests.mta.servers import require

SENDER = {
    Dane.MATCH: Sender.AUTHENTICATES,
    Dane.MISMATCH: Sender.REFUSES,
    Dane.NO_TLS: Sender.REFUSES,
    Dane.UNUSABLE: Sender.ENCRYPTS,
    Dane.NONE: Sender.ENCRYPTS,
    Dane.NOT_TESTED: Sender.DEFERS,
}


def serve(case: Case, tree: Tree) -> LabSmtpServer:
    return LabSmtpServer(
        case.personality,
        tree.addresses[case.id],
        port=tree.port,
        name=case.server_name,
        ca=tree.ca,
    )


async def probe(case: Case, settings: Settings) -> DomainReport:
    async with Vantage(settings) as vantage:
        return await probe_entry(parse_entry(case.domain), vantage)


def dane_of(report: DomainReport) -> Dane:
    """Of its only endpoint; a host whose address is not known has none that could be tested."""
    answers = [endpoint.dane for endpoint in report.endpoints]
    return answers[0] if answers else Dane.NOT_TESTED


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_the_prober_and_postfix_agree(
    case: Case, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(POSTFIX)
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.01)
    async with serve(case, tree):
        report = await probe(case, tree.settings)
        told = await asyncio.to_thread(
            posttls_finger_dane,
            f"{case.domain}:{tree.port}",
            resolver=tree.resolver,
            ca_file=tree.ca_file,
        )
    assert dane_of(report) is case.dane
    assert told.sender is SENDER[case.dane], told.output
    assert report.route is not None
    for host in report.mx_hosts:
        assert is_dane_usable(host, report.route) is case.insists


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_validated_here_the_verdict_is_the_same(
    case: Case, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a resolver that does not validate, and from whose answers nothing is taken."""
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.01)
    here = replace(
        tree.settings,
        resolvers=(tree.forwarder,),
        dnssec=Validation.LOCAL,
        trust_anchor=tree.anchor_file,
    )
    async with serve(case, tree):
        by_resolver, by_us = await probe(case, tree.settings), await probe(case, here)
    assert dane_of(by_us) is case.dane
    assert what_was_found(by_us) == what_was_found(by_resolver)


def what_was_found(report: DomainReport) -> object:
    """All that DNSSEC can change in a report: states, records, verdict and findings."""
    assert report.route is not None
    hosts = [
        (
            host.name,
            host.addresses,
            host.alias_of,
            host.dnssec,
            host.tlsa,
            host.tlsa_base,
            host.tlsa_dnssec,
            host.failure and host.failure.reason,
            host.tlsa_failure and host.tlsa_failure.reason,
        )
        for host in report.mx_hosts
    ]
    route = (report.route.status, report.route.dnssec, report.route.reason)
    codes = sorted(finding.code for finding in report.findings)
    return route, hosts, codes, report.verdict
