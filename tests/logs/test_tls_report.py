"""TLS reports, RFC 8460: every way in which they come, and what counts."""

import gzip
import io
import json
import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.errors import InputError
from prober.logs import tls_report
from prober.logs.tls_report import Sessions, parse_report, read_claims
from tests.cli.commands import invoke

# RFC 8460 §5.1? The example of Appendix B, shortened.
REPORT = {
    "organization-name": "Company-X",
    "date-range": {
        "start-datetime": "2016-04-01T00:00:00Z",
        "end-datetime": "2016-04-01T23:59:59Z",
    },
    "contact-info": "sts-reporting@company-x.example",
    "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
    "policies": [
        {
            "policy": {
                "policy-type": "sts",
                "policy-string": ["version: STSv1", "mode: testing"],
                "policy-domain": "company-y.example",
                "mx-host": ["*.mail.company-y.example"],
            },
            "summary": {
                "total-successful-session-count": 5326,
                "total-failure-session-count": 303,
            },
            "failure-details": [
                {
                    "result-type": "certificate-expired",
                    "sending-mta-ip": "2001:db8:abcd:0012::1",
                    "receiving-mx-hostname": "mx1.mail.company-y.example",
                    "failed-session-count": 100,
                },
                {
                    "result-type": "validation-failure",
                    "sending-mta-ip": "198.51.100.62",
                    "receiving-ip": "203.0.113.58",
                    "receiving-mx-hostname": "mx-backup.mail.company-y.example",
                    "failed-session-count": 203,
                    "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
                },
            ],
        }
    ],
}
RAW = json.dumps(REPORT).encode()


def changed(**fields: object) -> bytes:
    return json.dumps(REPORT | fields).encode()


def message(content: bytes = RAW, subtype: str = "tlsrpt+json") -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Report Domain: company-y.example Submitter: Company-X"
    mail.set_content("a report")
    mail.add_attachment(content, maintype="application", subtype=subtype)
    return mail


def mbox(folder: Path) -> bytes:
    box = mailbox.mbox(folder / "made")
    box.add(message())
    box.add(message(gzip.compress(changed(**{"organization-name": "Company-Z"})), "tlsrpt+gzip"))
    box.close()
    return (folder / "made").read_bytes()


def spoken(*raw: bytes) -> tls_report.Claims:
    claims = tls_report.Claims()
    for each in raw:
        claims.add(parse_report(each))
    return claims


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        pytest.param(lambda _: RAW, 1, id="json"),
        pytest.param(lambda _: b"\xef\xbb\xbf" + RAW, 1, id="json-with-bom"),
        pytest.param(lambda _: gzip.compress(RAW), 1, id="gzip"),
        pytest.param(lambda _: message().as_bytes(), 1, id="message"),
        pytest.param(
            lambda _: message(gzip.compress(RAW), "tlsrpt+gzip").as_bytes(), 1, id="packed"
        ),
        pytest.param(mbox, 2, id="mailbox"),
    ],
)
def test_every_way_in_which_a_report_comes(raw, number: int, tmp_path: Path) -> None:  # type: ignore[no-untyped-def] # a lambda
    made = raw(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(made)
    for name in (str(folder), str(folder / "file"), "-"):
        claims = read_claims([name], io.BytesIO(made))
        assert len(claims.counted) == number
        assert claims.counted[0].about.summary == Sessions(successful=5326, failed=303)


def test_the_other_files_of_a_maildir_are_no_reports(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    box.add(message())
    (tmp_path / "box" / "dovecot-uidlist").write_text("3 V1 N2\n")
    (tmp_path / "box" / "tmp" / "1").write_text("half of a message")
    claims = read_claims([str(tmp_path / "box")], io.BytesIO())
    assert (len(claims.counted), claims.unreadable) == (1, [])


def test_a_folder_without_reports_is_no_pass(tmp_path: Path) -> None:
    ended = invoke("logs", "--tls-report", str(tmp_path))
    assert (ended.status, "no TLS report is in" in ended.err) == (2, True)


def test_a_report_that_cannot_be_read_is_no_pass(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json.gz"
    policy = {"policy": {"policy-type": "sts", "policy-domain": "company-y.example"}}
    good.write_bytes(changed(policies=[policy]))
    assert invoke("logs", "--tls-report", str(good)).status == 0
    bad.write_bytes(gzip.compress(RAW, mtime=0)[:-20])
    ended = invoke("logs", "--tls-report", str(good), str(bad))
    assert ended.status == 3
    assert "bad.json.gz: no TLS report: " in ended.err
    assert "Could not be read as a TLS report: 1." in ended.out


def test_a_report_counts_once() -> None:
    later = {"start-datetime": "2016-04-02T00:00:00Z", "end-datetime": "2016-04-02T23:59:59Z"}
    overlapping = {"start-datetime": "2016-04-01T12:00:00Z", "end-datetime": "2016-04-02T12:00:00Z"}
    claims = spoken(
        RAW,
        RAW,
        changed(**{"report-id": "another"}),
        changed(**{"date-range": overlapping}),
        changed(**{"date-range": later}),
        changed(**{"organization-name": "Company-Z"}),
    )
    assert [each.report.organization_name for each in claims.counted] == [
        "Company-X",
        "Company-X",
        "Company-Z",
    ]
    assert claims.repeated == 3


def test_a_policy_may_be_named_twice_in_one_report() -> None:
    assert len(spoken(changed(policies=REPORT["policies"] * 2)).counted) == 2  # type: ignore[operator] # a list


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[1]",
        b"{" * 100_000,
        gzip.compress(RAW, mtime=0)[:-20],
        b"\x1f\x8bno gzip",
        changed(policies=7),
        changed(**{"date-range": {"start-datetime": "x", "end-datetime": "y"}}),
        changed(**{"date-range": {"start-datetime": "0001-01-01T00:00:00+23:00",
                                  "end-datetime": "0001-01-01T00:00:00+23:00"}}),
        RAW.replace(b"5326", b"-1"),
        RAW.replace(b"5326", b"1e300"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(InputError):
        spoken(raw)


def test_a_report_is_bounded_also_when_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_report, "MAX_REPORT_BYTES", 1000)
    with pytest.raises(InputError, match="more than 1000 bytes when unpacked"):
        parse_report(gzip.compress(RAW + b" " * 10_000))


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda at, x: RAW[:at] + x + RAW[at:], st.integers(0, len(RAW)), st.binary(max_size=3)
    )
)
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    try:
        read_claims(["-"], io.BytesIO(raw))
    except InputError:
        pass


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(RAW)
    ended = invoke("logs", "--tls-report", str(path))
    assert ended.out.startswith("Senders report that TLS failed in 303 of 5629 sessions.")
    assert "certificate-expired" in ended.out
    assert "DKIM signatures are not checked" in " ".join(ended.out.split())
    assert ended.status == 1
    rows = invoke("logs", "--tls-report", str(path), "-f", "csv").out.splitlines()
    assert rows[0] == ",".join(tls_report.CLAIM_COLUMNS)
    assert len(rows) == 3
    found = json.loads(invoke("logs", "--tls-report", str(path), "-f", "jsonl").out)
    assert (found["domain"], len(found["failures"])) == ("company-y.example", 2)
    path.write_bytes(b"words")
    assert invoke("logs", "--tls-report", str(path)).status == 2
