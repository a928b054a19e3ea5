"""The pages of `probe logs`: what comes first, and that no text of others is more than text."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prober.lab.demo import MAIL_LOG as EXAMPLE
from prober.logs.html import MAX_ROWS, ClaimsPage, LogsPage, StoryPage
from prober.logs.records import Attempt, Content, Delivery, Scope, Session, Status, Tls
from prober.logs.summary import Advice, Summary
from prober.logs.tls_report import (
    Claims,
    Failure,
    Policy,
    PolicyName,
    Range,
    Sessions,
    TlsReport,
)
from tests.cli.commands import invoke
from tests.report.pages import read_page
from tests.report.samples import HOSTILE
from tests.report.test_html import SCRIPT
from tests.support.workbooks import read_sheets, read_summary

NOW = datetime(2026, 3, 9, tzinfo=UTC)
PEERS = "time", "server", "queue_id", "message_id", "domain", "recipient", "relay", "address"


def attempt(text: str = "x.test", tls: Tls = Tls.CLEAR, at: int = 0) -> Attempt:
    """Each text that somebody else may have written is *text*."""
    delivery = Delivery(
        time=NOW,
        server=text,
        software="postfix",
        queue_id=f"{text}{at}",
        message_id=text,
        domain=text,
        recipient=text,
        relay=text,
        address=text,
        status=Status.SENT,
        content=Content.LEFT,
        session=Session(tls=tls, why=text, version=text, cipher=text),
        reply=text,
    )
    return Attempt(delivery, Scope.OUTSIDE)


def summary_of(*attempts: Attempt) -> Summary:
    summary = Summary()
    summary.server_lines = len(attempts)
    for delivery, scope in attempts:
        summary.add(delivery, scope)
    return summary


def claims_of(text: str) -> Claims:
    claims = Claims()
    failure = Failure(result_type=text, receiving_mx_hostname=text, failed_session_count=2)
    policy = Policy(
        policy=PolicyName(policy_type=text, policy_domain=text),
        summary=Sessions(successful=5, failed=2),
        failure_details=[failure],
    )
    claims.add(
        TlsReport(
            date_range=Range(start=NOW, end=NOW),
            report_id=text,
            organization_name=text,
            policies=[policy],
        )
    )
    return claims


def logs_page(*attempts: Attempt) -> bytes:
    page, summary = LogsPage[Attempt](), summary_of(*attempts)
    summary.advice = tuple(Advice(one.domain, "code", one.domain) for one, _ in attempts)
    return b"".join(map(page.body, attempts)) + page.foot(summary)


def story_page(*attempts: Attempt) -> bytes:
    page = StoryPage()
    return b"".join(map(page.body, attempts)) + page.foot(summary_of(*attempts))


PAGES: dict[str, Callable[[str], bytes]] = {
    "clear": lambda text: logs_page(attempt(text)),
    "unknown": lambda text: logs_page(attempt(text, Tls.UNKNOWN)),
    "encrypted": lambda text: logs_page(attempt(text, Tls.ENCRYPTED)),
    "summary": lambda text: LogsPage[Summary]().foot(summary_of(attempt(text))),
    "story": lambda text: story_page(attempt(text)),
    "claims": lambda text: ClaimsPage().foot(claims_of(text)),
}


@pytest.mark.parametrize("text", [SCRIPT, HOSTILE, "x" * 100_000, "\u202e\x00\ud800"])
@pytest.mark.parametrize("name", PAGES)
def test_text_of_others_is_text_alone(name: str, text: str) -> None:
    raw, plain = PAGES[name](text), PAGES[name]("plain")
    page, same = read_page(raw), read_page(plain)
    assert page.attributes == same.attributes
    assert len(raw) < len(plain) + 20 * 20_000
    assert not re.search(r"[\x00\u202e]", page.text)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    page = read_page(PAGES[name]("plain"))
    (policy,) = (each for each in page.values("content") if "default-src" in each)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert page.values("src") == page.values("href") == []
    assert page.inside("title") == page.inside("h1")


def test_what_left_in_clear_comes_first(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    invoke("logs", str(EXAMPLE), "-o", str(target))
    text = read_page(target.read_bytes()).text
    order = (
        "1 of 2 messages left in clear",
        "Sent in clear",
        "<20261123093010.2@clinic.test>",
        "What to do next",
        "By domain and week",
        "TLS versions",
        "Lines read",
    )
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "jane" not in text


def test_the_counts_and_the_story_as_pages(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    invoke("logs", str(EXAMPLE), "--summary", "-o", str(target))
    assert "By domain and week" in read_page(target.read_bytes()).text
    target.unlink()
    invoke("logs", str(EXAMPLE), "--queue-id", "7B01D1C0A2", "-o", str(target))
    assert "the message went over this connection" in read_page(target.read_bytes()).text
    target.unlink()
    invoke("logs", str(EXAMPLE), "--queue-id", "NONE", "-o", str(target))
    assert "No such message is in the log." in read_page(target.read_bytes()).text


def test_addresses_are_there_on_demand(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    invoke("logs", str(EXAMPLE), "--addresses", "keep", "-o", str(target))
    assert "(jane.doe@well-configured.test)" in read_page(target.read_bytes()).text


def test_long_tables_are_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.logs.html.MAX_ROWS", 2)
    attempts = [attempt(f"d{at}.test", at=at) for at in range(5)]
    text = read_page(logs_page(*attempts)).text
    assert text.count("And 3 more: see -o FILE.csv.") == 1
    assert text.count("And 3 more: see --summary -o FILE.csv.") == 1
    assert "And 3 more: see --summary -f json." in text
    assert "And 3 more attempts: see -o FILE.csv." in read_page(story_page(*attempts)).text


def test_a_page_is_bounded() -> None:
    attempts = [attempt(f"d{at}.test", at=at) for at in range(MAX_ROWS + 10)]
    assert logs_page(*attempts).count(b"<tr>") < 3 * MAX_ROWS + 20


@pytest.mark.parametrize(
    ("made", "css"),
    [
        (logs_page(attempt()), "fail"),
        (logs_page(attempt(tls=Tls.UNKNOWN)), "unknown"),
        (logs_page(attempt(tls=Tls.ENCRYPTED)), "pass"),
        (ClaimsPage().foot(claims_of("x")), "fail"),
        (ClaimsPage().foot(Claims()), "pass"),
        (LogsPage().foot(Summary()), "unknown"),
    ],
    ids=["clear", "unknown", "encrypted", "failed", "none-failed", "no-mail-server"],
)
def test_the_answer_has_its_colour(made: bytes, css: str) -> None:
    assert f'<p class="{css}"><strong class="state">' in made.decode()


def test_tls_reports_as_a_page_and_as_a_workbook(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(
        '{"organization-name":"=A","date-range":{"start-datetime":"2026-03-09T00:00:00Z",'
        '"end-datetime":"2026-03-09T23:59:59Z"},"report-id":"1","policies":[{"policy":'
        '{"policy-type":"sts","policy-domain":"us.test"},"summary":'
        '{"total-successful-session-count":5,"total-failure-session-count":2},'
        '"failure-details":[{"result-type":"certificate-expired","failed-session-count":2}]}]}'
    )
    page, book = tmp_path / "r.html", tmp_path / "r.xlsx"
    ended = invoke("logs", "--tls-report", str(report), "-o", str(page), "-o", str(book))
    assert ended.status == 1
    text = read_page(page.read_bytes()).text
    assert "Senders report that TLS failed in 2 of 7 sessions." in text
    assert "DKIM signatures are not checked" in text
    sheets = read_sheets(book)
    assert sheets["report"][0]["submitter"] == "=A"
    assert sheets["report"][0]["start"] == "2026-03-09T00:00:00Z"
    assert sheets["failures"][0]["result type"] == "certificate-expired"
    assert sheets["days"][0]["successful"] == "5"
    assert read_summary(book)["failed"] == 2


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for options in ((), ("--summary",), ("--queue-id", "A")):
        ended = invoke("logs", str(EXAMPLE), *options, "-o", str(tmp_path / "r.html"))
        assert (ended.status, "smtp-tls-prober[report]" in ended.err) == (2, True)


def test_a_workbook_has_no_formula_of_a_peer(tmp_path: Path) -> None:
    from prober.logs.report import attempts
    from prober.report.output import open_report

    hostile = attempt('=HYPERLINK("http://x")')
    held = replace(hostile.delivery, content=Content.HELD, queue_id="2")
    target = tmp_path / "r.xlsx"
    summary = summary_of(hostile)
    with open_report(str(target), attempts(summary, story=False), summary) as writer:
        writer.write(hostile)
        writer.write(Attempt(held, Scope.OUTSIDE))
    sheets = read_sheets(target)
    assert len(sheets["in clear"]) == 1
    assert sheets["in clear"][0]["relay"] == '=HYPERLINK("http://x")'
    assert len(sheets["report"]) == 2
