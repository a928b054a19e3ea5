import io
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from prober.errors import InputError
from prober.records import DomainReport
from prober.report import json_
from prober.report.json_ import (
    decode_report,
    encode_report,
    read_reports,
)
from prober.report.output import ReportFormat
from tests.report import samples
from tests.report.strategies import reports
from tests.support.reports import DomainFormatter, formatter

LINES = formatter(ReportFormat.JSONL)
PRETTY = formatter(ReportFormat.JSON)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports())
def test_record_to_json_to_record_is_the_identity(report: DomainReport) -> None:
    line = encode_report(report)

    assert decode_report(line) == report
    assert line.decode().isprintable()  # one line, and nothing that a terminal obeys
    assert [*read_reports(io.BytesIO(PRETTY.body(report)))] == [report]


@pytest.mark.parametrize("report", samples.all_samples(), ids=lambda report: report.domain)
def test_each_sample_comes_back(report: DomainReport) -> None:
    assert decode_report(encode_report(report)) == report


def test_the_object_has_the_form_that_is_documented() -> None:
    read = json.loads(encode_report(samples.passes()))

    assert list(read)[:2] == ["schema", "input"]
    assert read["checked_at"] == "2026-01-02T03:04:05Z"
    assert read["endpoints"][0]["observed_at"] == "2026-01-02T03:04:05.250000Z"
    assert read["endpoints"][0]["chain"][0] == "MGxlYWY="
    assert read["verdict"]["level"] == "authenticated"
    assert read["error"] is None


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    certificate = samples.make_certificate(subject="CN=\ud800\u202e")
    report = samples.make_report(endpoints=(samples.make_endpoint(certificate=certificate),))

    (seen,) = decode_report(encode_report(report)).endpoints

    assert seen == replace(
        report.endpoints[0], certificate=replace(certificate, subject="CN=\\ud800\u202e")
    )


def test_characters_beyond_the_basic_plane_are_escaped_as_pairs() -> None:
    line = encode_report(replace(samples.passes(), input="\U000e0041"))

    assert b"\\udb40\\udc41" in line
    assert decode_report(line).input == "\U000e0041"


LINE = encode_report(samples.passes())


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param(b"", "this is not a JSON object", id="empty"),
        pytest.param(LINE[:-9], "truncated", id="torn"),
        pytest.param(b"domain,level", "this is not a JSON object", id="not-json"),
        pytest.param(b"\xff\xfe", "this is not a JSON object", id="not-utf-8"),
        pytest.param(LINE.replace(b"example.com", b"\xff", 1), "utf-8", id="not-utf-8-within"),
        pytest.param(b"[]", "this is not a JSON object", id="an-array"),
        pytest.param(b"{}", "missing required field `schema`", id="no-schema"),
        pytest.param(LINE.replace(b'"schema":1', b'"schema":2'), "schema 2", id="other-schema"),
        pytest.param(b'{"schema":1}', "missing required field `input`", id="no-fields"),
        pytest.param(LINE.replace(b":25,", b':"25",', 1), "$.endpoints[0].port", id="type"),
        pytest.param(
            LINE.replace(b'"offered"', b'"maybe"', 1), "$.endpoints[0]", id="unknown-word"
        ),
        pytest.param(LINE.replace(b"MGxlYWY=", b"!!!", 1), "$.endpoints[0].chain[0]", id="base64"),
        pytest.param(LINE.replace(b"05Z", b"05", 1), "$.checked_at", id="time-without-zone"),
        pytest.param(
            LINE.replace(b"05.250000Z", b"05.250000", 1), "$.endpoints[0].observed_at", id="zone-2"
        ),
        pytest.param(
            b'{"schema":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion", id="deep"
        ),
    ],
)
def test_what_is_no_report_is_an_input_error_that_says_where(line: bytes, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_report(line)

    assert fault in str(caught.value)


def test_every_time_in_a_record_must_have_its_zone() -> None:
    naive = samples.NOW.replace(tzinfo=None)
    certificate = samples.make_certificate(not_after=naive - timedelta(days=1))
    (attempt,) = samples.passes().endpoints[0].attempts
    for endpoint, path in [
        (samples.make_endpoint(certificate=certificate), "$.endpoints[0].certificate.not_after"),
        (
            samples.make_endpoint(attempts=(replace(attempt, observed_at=naive),)),
            "$.endpoints[0].attempts[0].observed_at",
        ),
    ]:
        with pytest.raises(InputError) as caught:
            decode_report(encode_report(samples.make_report(endpoints=(endpoint,))))
        assert path in str(caught.value)


def test_fields_that_a_later_version_adds_are_passed_over() -> None:
    line = LINE.replace(b'"error":null', b'"error":null,"mta_sts":{"status":"absent"}', 1)

    assert decode_report(line) == samples.passes()


@pytest.mark.parametrize("written_as", [LINES, PRETTY], ids=["jsonl", "json"])
def test_a_file_of_either_form_is_read_back(written_as: DomainFormatter) -> None:
    written = b"\n".join(written_as.body(report) for report in samples.all_samples())

    assert tuple(read_reports(io.BytesIO(written))) == samples.all_samples()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param(LINE + b"\n\n" + LINE[:-5] + b"\n", 3, id="jsonl-torn"),
        pytest.param(LINE + b"\n{\n}\n", 2, id="pretty-empty"),
        pytest.param(LINE + b"\n{\n" + b'  "schema": 1,\n', 2, id="pretty-torn"),
        pytest.param(b"[\n" + LINE + b"\n]\n", 1, id="array"),
    ],
)
def test_a_fault_in_a_file_is_named_with_its_line(text: bytes, number: int) -> None:
    with pytest.raises(InputError, match=f"line {number}: "):
        list(read_reports(io.BytesIO(text)))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
@pytest.mark.parametrize("field", ["checked_at", "observed_at", "not_after"])
def test_a_time_that_utc_cannot_tell_is_named_with_its_line(time: str, field: str) -> None:
    certificate = samples.make_certificate()
    report = samples.make_report(endpoints=(samples.make_endpoint(certificate=certificate),))
    line = re.sub(rf'"{field}":"[^"]*"', f'"{field}":"{time}"', encode_report(report).decode())

    with pytest.raises(InputError, match=rf"line 2: .*out of range.*{field}"):
        list(read_reports(io.BytesIO(LINE + b"\n" + line.encode() + b"\n")))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"x" * 3000, id="no-line-end"),
        pytest.param(b'{"x": "' + b"x" * 3000 + b'"}\n', id="one-line"),
        pytest.param(b"{\n" + b'  "x": 1,\n' * 1000, id="many-lines"),
    ],
)
def test_an_object_larger_than_any_report_is_refused(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_, "_MAX_BYTES", 2000)
    file = io.BytesIO(b"\n" + text)

    with pytest.raises(InputError, match="line 2: longer than 2000 bytes"):
        list(read_reports(file))
    assert file.tell() < 2100  # no more of it was read
