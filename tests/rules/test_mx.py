"""The MX RRset: RFC 5321 §5.1, RFC 7505, RFC 2181 §10.3."""

import pytest

from prober.records import (
    Anomaly,
    AnomalyKind,
    Code,
    DomainFacts,
    Failure,
    MxHost,
    Reason,
    Route,
    RouteStatus,
    Step,
)
from prober.rules.mx import Exchange, Selection, route_findings, select_exchanges
from tests.support.builders import domain


def select(*records: tuple[int, str], most: int = 20) -> Selection:
    exchanges = [Exchange(preference=preference, host=host) for preference, host in records]
    return select_exchanges(exchanges, most=most)


def names(selection: Selection) -> list[tuple[int, str]]:
    return [(host.preference, host.name) for host in selection.hosts]


@pytest.mark.parametrize(
    ("records", "anomalies"),
    [
        pytest.param([(0, ".")], [], id="rfc7505-3"),
        pytest.param([(10, ".")], [AnomalyKind.NULL_MX_PREFERENCE], id="rfc7505-3-preference"),
        pytest.param([(0, "."), (0, ".")], [], id="twice"),
    ],
)
def test_a_null_mx(records: list[tuple[int, str]], anomalies: list[AnomalyKind]) -> None:
    selection = select(*records)

    assert (selection.status, selection.hosts) == (RouteStatus.NULL_MX, ())
    assert [anomaly.kind for anomaly in selection.anomalies] == anomalies


def test_a_null_mx_beside_others_is_ignored() -> None:
    """RFC 7505 §3: it MUST NOT stand beside other MX records."""
    selection = select((0, "."), (10, "mx.example.com"))

    assert selection.status is RouteStatus.MX
    assert names(selection) == [(10, "mx.example.com")]
    assert [anomaly.kind for anomaly in selection.anomalies] == [AnomalyKind.NULL_MX_IGNORED]


def test_hosts_stand_in_the_order_of_their_preference() -> None:
    selection = select((20, "b"), (10, "z"), (20, "a"))

    assert names(selection) == [(10, "z"), (20, "a"), (20, "b")]


def test_a_host_listed_twice_is_asked_once_at_its_lowest_preference() -> None:
    selection = select((20, "mx"), (10, "mx"), (15, "other"))

    assert names(selection) == [(10, "mx"), (15, "other")]
    assert selection.anomalies == (Anomaly(kind=AnomalyKind.MX_DUPLICATE, detail="mx"),)


def test_hosts_beyond_the_bound_are_listed_as_not_looked_up() -> None:
    selection = select((1, "a"), (2, "b"), (3, "c"), most=2)

    assert [host.failure and host.failure.reason for host in selection.hosts] == [
        None,
        None,
        Reason.LIMIT,
    ]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("192.0.2.1", Code.MX_IP_LITERAL, id="ipv4"),
        pytest.param("[192.0.2.1]", Code.MX_IP_LITERAL, id="ipv4-in-brackets"),
        pytest.param("2001:db8::1", Code.MX_IP_LITERAL, id="ipv6"),
        pytest.param("localhost", Code.MX_LOCALHOST, id="localhost-rfc6761-6.3"),
        pytest.param("mx.localhost", Code.MX_LOCALHOST, id="below-localhost"),
        pytest.param("mx\\000.example.com", Code.MX_INVALID_NAME, id="nul"),
        pytest.param("mx .example.com", Code.MX_INVALID_NAME, id="space"),
    ],
)
def test_what_cannot_be_a_host_is_never_looked_up(name: str, code: Code) -> None:
    (host,) = select((10, name)).hosts

    assert host.failure is not None
    assert (host.failure.step, host.failure.reason) == (Step.RESOLVE, Reason.INVALID_NAME)
    assert [finding.code for finding in route_findings(domain(mx_hosts=(host,)))] == [code]


@pytest.mark.parametrize("name", ["mx_1.example.com", "-mx-.example.com", "xn--a.test", "mx"])
def test_a_host_may_have_an_odd_name(name: str) -> None:
    (host,) = select((10, name)).hosts
    assert host.failure is None


def routed(status: RouteStatus, **fields: object) -> DomainFacts:
    return domain(route=Route(status=status, **fields))  # type: ignore[arg-type] # by name


def host(**fields: object) -> DomainFacts:
    defaults = {"name": "mx.example.com", "preference": 10, "addresses": ("192.0.2.1",)}
    return domain(mx_hosts=(MxHost(**(defaults | fields)),))  # type: ignore[arg-type] # by name


def failed(reason: Reason) -> Failure:
    return Failure(step=Step.RESOLVE, reason=reason)


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        pytest.param(domain(route=None), [], id="no-domain"),
        pytest.param(routed(RouteStatus.MX), [], id="mx"),
        pytest.param(host(), [], id="host"),
        pytest.param(
            routed(RouteStatus.DNS_ERROR, reason=Reason.SERVFAIL), [Code.DNS_ERROR], id="servfail"
        ),
        pytest.param(
            routed(RouteStatus.DNS_ERROR, reason=Reason.BOGUS), [Code.DNSSEC_INVALID], id="bogus"
        ),
        pytest.param(routed(RouteStatus.NULL_MX), [Code.NULL_MX], id="null-mx"),
        pytest.param(routed(RouteStatus.NXDOMAIN), [Code.DOMAIN_NOT_FOUND], id="nxdomain"),
        pytest.param(routed(RouteStatus.NO_MAIL_HOST), [Code.NO_MAIL_HOST], id="no-mail-host"),
        pytest.param(routed(RouteStatus.IMPLICIT_MX), [Code.IMPLICIT_MX], id="implicit-mx"),
        pytest.param(
            domain(domain="my_firm.test"), [Code.NAME_WITH_UNDERSCORE], id="rfc5321-4.1.2-domain"
        ),
        pytest.param(
            host(name="mx_1.example.com"), [Code.NAME_WITH_UNDERSCORE], id="rfc1123-2.1-mx-host"
        ),
        pytest.param(
            host(name="mx_ .example.com", addresses=(), failure=failed(Reason.INVALID_NAME)),
            [Code.MX_INVALID_NAME],
            id="underscore-in-what-is-no-host-name",
        ),
        pytest.param(host(addresses=()), [Code.MX_NO_ADDRESS], id="no-address"),
        pytest.param(host(alias_of="a.example"), [Code.MX_IS_CNAME], id="cname-rfc2181-10.3"),
        pytest.param(host(failure=failed(Reason.LIMIT)), [Code.LIMIT_REACHED], id="limit"),
        pytest.param(host(failure=failed(Reason.BOGUS)), [Code.DNSSEC_INVALID], id="host-bogus"),
        pytest.param(host(failure=failed(Reason.TIMED_OUT)), [Code.DNS_ERROR], id="host-timeout"),
    ],
)
def test_route_findings(facts: DomainFacts, codes: list[Code]) -> None:
    assert [finding.code for finding in route_findings(facts)] == codes


def test_anomalies_of_the_route_are_findings() -> None:
    kinds = (
        AnomalyKind.MX_DUPLICATE,
        AnomalyKind.NULL_MX_IGNORED,
        AnomalyKind.NULL_MX_PREFERENCE,
    )
    facts = routed(RouteStatus.MX, anomalies=tuple(Anomaly(kind=kind) for kind in kinds))

    assert [finding.code for finding in route_findings(facts)] == [
        Code.MX_DUPLICATE,
        Code.NULL_MX_IGNORED,
        Code.NULL_MX_PREFERENCE,
    ]


def test_hosts_far_beyond_the_bound_are_counted() -> None:
    selection = select(*((number, f"h{number}") for number in range(5)), most=2)

    assert len(selection.hosts) == 4
    (anomaly,) = selection.anomalies
    assert (anomaly.kind, anomaly.detail) == (
        AnomalyKind.MX_LEFT_OUT,
        "1 more MX hosts are not listed",
    )
    facts = routed(RouteStatus.MX, anomalies=selection.anomalies)
    assert [finding.code for finding in route_findings(facts)] == [Code.LIMIT_REACHED]
