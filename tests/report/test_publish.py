"""What a domain can publish: only what is missing, and never from names that are not plain."""

from dataclasses import replace

import pytest

from prober.records import (
    Dane,
    Dnssec,
    DomainReport,
    GivenServer,
    MtaSts,
    MxHost,
    Route,
    RouteStatus,
    StsStatus,
    TlsRpt,
    TlsRptStatus,
)
from prober.report.publish import is_plain, publications
from tests.report import samples

KEY = "ef" * 32


def lines(report: DomainReport) -> list[str]:
    return [line for each in publications(report) for line in each.lines]


def signed(
    dane: Dane = Dane.NONE, host: str = "mx1.example.com", **changes: object
) -> DomainReport:
    mx = MxHost(
        name=host,
        preference=10,
        addresses=("192.0.2.1",),
        dnssec=Dnssec.SECURE,
        tlsa_dnssec=Dnssec.SECURE,
    )
    report = samples.make_report(
        endpoints=(samples.make_endpoint(host, dane=dane),),
        route=Route(status=RouteStatus.MX, dnssec=Dnssec.SECURE),
        mx_hosts=(mx,),
    )
    return replace(report, **changes)  # type: ignore[arg-type]  # the test names the fields


@pytest.mark.parametrize("dane", [Dane.NONE, Dane.MISMATCH, Dane.UNUSABLE])
def test_tlsa_is_for_the_key_that_was_seen(dane: Dane) -> None:
    (found,) = publications(signed(dane))
    assert found.lines == (f"_25._tcp.mx1.example.com. IN TLSA 3 1 1 {KEY}",)
    assert any("Compare it with your own key" in note for note in found.notes)


def unsigned_host() -> DomainReport:
    report = signed()
    return replace(report, mx_hosts=(replace(report.mx_hosts[0], dnssec=Dnssec.INSECURE),))


def untested_tlsa() -> DomainReport:
    report = signed()
    return replace(report, mx_hosts=(replace(report.mx_hosts[0], tlsa_dnssec=None),))


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(signed(Dane.MATCH), id="matches"),
        pytest.param(signed(Dane.NOT_TESTED), id="not tested"),
        pytest.param(
            signed(route=Route(status=RouteStatus.MX)), id="MX not signed, RFC 7672 2.2.1"
        ),
        pytest.param(unsigned_host(), id="host not signed, RFC 7672 2.2.2"),
        pytest.param(untested_tlsa(), id="TLSA not looked up"),
        pytest.param(signed(host="mx1.google.com"), id="only the operator can"),
        pytest.param(signed(host="mx1.exa$(reboot).com"), id="no plain name"),
        pytest.param(signed(server=GivenServer(name="mx9.example.com")), id="--server"),
        pytest.param(signed(domain="exa mple.com"), id="no plain domain"),
    ],
)
def test_no_tlsa(report: DomainReport) -> None:
    assert lines(report) == []


@pytest.mark.parametrize(
    ("status", "is_offered"),
    [
        (StsStatus.ABSENT, True),
        (StsStatus.TXT_INVALID, True),
        (StsStatus.FETCH_FAILED, True),
        (StsStatus.POLICY_INVALID, True),
        (StsStatus.TEMPFAIL, False),
        (StsStatus.ENFORCE, False),
        (StsStatus.TESTING, False),
        (StsStatus.NONE, False),
    ],
)
def test_an_mta_sts_policy_is_offered_where_there_is_none(
    status: StsStatus, is_offered: bool
) -> None:
    expected = [
        "version: STSv1",
        "mode: testing",
        "mx: mx1.example.com",
        "max_age: 604800",
        '_mta-sts.example.com. IN TXT "v=STSv1; id=20260102030405"',
    ]
    report = samples.make_report(mta_sts=MtaSts(status=status))
    assert lines(report) == (expected if is_offered else [])


def test_a_policy_that_leaves_a_host_out_is_completed_and_stays_enforced() -> None:
    sts = MtaSts(status=StsStatus.ENFORCE, mx=("mx2.example.com",), uncovered=("mx1.example.com",))
    assert "mode: enforce" in lines(samples.make_report(mta_sts=sts))


@pytest.mark.parametrize(
    ("status", "is_offered"),
    [
        (TlsRptStatus.ABSENT, True),
        (TlsRptStatus.INVALID, True),
        (TlsRptStatus.VALID, False),
        (TlsRptStatus.NOT_TESTED, False),
    ],
)
def test_tls_rpt(status: TlsRptStatus, is_offered: bool) -> None:
    record = '_smtp._tls.example.com. IN TXT "v=TLSRPTv1; rua=mailto:tls-reports@example.com"'
    report = samples.make_report(tls_rpt=TlsRpt(status=status))
    assert lines(report) == ([record] if is_offered else [])


@pytest.mark.parametrize(
    "name",
    [
        "a b.example",
        "a;b.example",
        'a".example',
        "a\n.example",
        "$(x).example",
        "-a.example",
        "example",
        ".",
    ],
)
def test_what_is_no_plain_name(name: str) -> None:
    assert not is_plain(name)


@pytest.mark.parametrize(
    "name", ["example.com", "mx-1.example.com", "xn--bcher-kva.example", "a_b.example"]
)
def test_what_is_a_plain_name(name: str) -> None:
    assert is_plain(name)
