from dataclasses import replace
from datetime import timedelta

import pytest

from prober.records import (
    Answer,
    Dane,
    DomainReport,
    Endpoint,
    Failure,
    Level,
    MxHost,
    Reason,
    Step,
)
from prober.report.interface import Cell
from prober.report.rows import COLUMNS, ENDPOINT_COLUMNS, to_endpoint_rows, to_row
from prober.rules.delivery import forced_tls
from tests.report import samples
from tests.report.samples import make_certificate, make_endpoint, make_failed_endpoint, make_report


def row_of(report: DomainReport) -> dict[str, Cell]:
    return dict(zip(COLUMNS, to_row(report), strict=True))


def endpoint_rows_of(report: DomainReport) -> list[dict[str, Cell]]:
    return [dict(zip(ENDPOINT_COLUMNS, row, strict=True)) for row in to_endpoint_rows(report)]


def test_the_columns_are_those_of_the_design_in_its_order() -> None:
    assert " ".join(COLUMNS) == (
        "domain checked_at encrypted level complete mx_status mx_hosts endpoints endpoints_tested"
        " endpoints_tls tls_versions ciphers key_exchanges certificates_valid certificate_expires"
        " days_to_expiry dnssec dane mta_sts tls_rpt forced_tls findings error elapsed_ms"
        " requirement standing reasons post_quantum legacy_versions broken_suites"
        " static_key_exchange weak_dh accepted"
    )


@pytest.mark.parametrize("report", samples.all_samples(), ids=lambda report: report.domain)
def test_forced_tls_is_what_the_rule_says(report: DomainReport) -> None:
    assert row_of(report)["forced_tls"] == forced_tls(report)


NO, NOT_TESTED, YES = Answer.NO, Answer.NOT_TESTED, Answer.YES


@pytest.mark.parametrize(
    ("endpoints", "answer"),
    [
        pytest.param([], NOT_TESTED, id="no-endpoint"),
        pytest.param([make_failed_endpoint()], NOT_TESTED, id="none-completed-tls"),
        pytest.param([make_endpoint()], YES, id="all-three-yes"),
        pytest.param([make_endpoint(), make_failed_endpoint()], YES, id="untested-does-not-count"),
        pytest.param(
            [make_endpoint(certificate=make_certificate(trusted=NOT_TESTED))],
            NOT_TESTED,
            id="trust",
        ),
        pytest.param([make_endpoint(certificate=make_certificate(name_matches=NO))], NO, id="name"),
        pytest.param(
            [make_endpoint(certificate=make_certificate(in_date=NO, trusted=NOT_TESTED))],
            NO,
            id="no-beats-not-tested-in-one",
        ),
        pytest.param(
            [
                make_endpoint(certificate=make_certificate(trusted=NOT_TESTED)),
                make_endpoint(certificate=make_certificate(in_date=NO)),
            ],
            NO,
            id="no-beats-not-tested-in-another",
        ),
        pytest.param([make_endpoint(certificate=None, chain=())], NO, id="anonymous"),
        pytest.param([make_endpoint(certificate=None)], NOT_TESTED, id="not-judged"),
    ],
)
def test_certificates_valid_is_the_worst_answer(endpoints: list[Endpoint], answer: Answer) -> None:
    assert row_of(make_report(endpoints=tuple(endpoints)))["certificates_valid"] == answer


@pytest.mark.parametrize(
    ("left", "days"),
    [
        pytest.param(timedelta(days=60, hours=23), 60, id="rounded-down"),
        pytest.param(timedelta(seconds=1), 0, id="last-day"),
        pytest.param(timedelta(seconds=-1), -1, id="just-expired"),
        pytest.param(timedelta(days=-3), -3, id="expired"),
    ],
)
def test_days_to_expiry_are_whole_days_rounded_down(left: timedelta, days: int) -> None:
    soon = make_endpoint(certificate=make_certificate(not_after=samples.NOW + left))
    unreadable = make_endpoint(certificate=make_certificate(not_after=None))
    report = make_report(endpoints=(unreadable, soon))

    assert row_of(report)["days_to_expiry"] == days
    assert endpoint_rows_of(report)[1]["days_to_expiry"] == days
    assert endpoint_rows_of(report)[0]["days_to_expiry"] is None


def test_the_earliest_certificate_counts() -> None:
    later = make_endpoint(certificate=make_certificate(not_after=samples.NOW + timedelta(days=90)))
    report = make_report(endpoints=(later, make_endpoint()))

    assert row_of(report)["certificate_expires"] == "2026-03-03T04:04:05Z"


def test_values_in_a_cell_stand_once_and_in_the_same_order() -> None:
    first = make_endpoint("mx.a.example", tls_version="TLSv1.2", key_exchange=None, cipher=None)
    second = make_endpoint("mx.b.example", dane=Dane.MISMATCH)
    report = make_report(endpoints=(first, second, second, replace(first, dane=Dane.MATCH)))
    turned = replace(
        report,
        endpoints=tuple(reversed(report.endpoints)),
        mx_hosts=tuple(reversed(report.mx_hosts)),
    )

    row = row_of(report)

    assert row == row_of(turned)
    assert row["tls_versions"] == "TLSv1.2 TLSv1.3"
    assert row["ciphers"] == "TLS_AES_256_GCM_SHA384"
    assert row["key_exchanges"] == "X25519MLKEM768 none"
    assert row["dane"] == "mismatch none match"
    assert row["mx_hosts"] == "mx.a.example mx.b.example"


def test_a_space_within_a_name_does_not_make_it_two() -> None:
    report = make_report(endpoints=(make_endpoint("mx one.example"),))

    assert row_of(report)["mx_hosts"] == "mx\\x20one.example"


def test_an_input_that_is_no_domain_has_its_row() -> None:
    row = row_of(samples.invalid())

    assert row["domain"] == "https://example.com/"
    assert row["level"] == "invalid"
    assert row["error"] == "line 7: a URL, not a domain"
    assert row["mx_status"] is None


LOST = Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL)


@pytest.mark.parametrize(
    ("report", "rows"),
    [
        pytest.param(samples.null_mx(), [(None, None, "null-mx")], id="null-mx"),
        pytest.param(
            samples.invalid(), [(None, None, "line 7: a URL, not a domain")], id="invalid"
        ),
        pytest.param(samples.dns_error(), [(None, "servfail", "MX")], id="dns-error"),
        pytest.param(
            make_report(
                Level.UNKNOWN,
                (make_endpoint("a.example"),),
                mx_hosts=(
                    MxHost(name="a.example", preference=10, failure=LOST),
                    MxHost(name="b.example", preference=20),
                ),
            ),
            [("a.example", None, None), ("a.example", "servfail", None), ("b.example", None, None)],
            id="hosts-without-an-address",
        ),
    ],
)
def test_what_has_no_endpoint_has_its_row(
    report: DomainReport, rows: list[tuple[str | None, ...]]
) -> None:
    found = endpoint_rows_of(report)

    assert [(row["mx_host"], row["failure_reason"], row["detail"]) for row in found] == rows
    assert {row["domain"] for row in found} == {row_of(report)["domain"]}


def test_an_endpoint_without_its_host_has_no_preference() -> None:
    (row,) = endpoint_rows_of(make_report(mx_hosts=()))

    assert row["preference"] is None
    assert row["port"] == 25
