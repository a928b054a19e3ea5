"""The decision table of docs/logs.md: what left, beside what probing saw and what the map says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prober.logs.advice import Known, Seen, advise
from prober.logs.records import Content, Scope, Session, Tls
from prober.logs.summary import Summary
from prober.records import GivenServer, Level
from prober.report.json_ import encode_report
from tests.cli.commands import invoke
from tests.logs.reading import SENT
from tests.report.samples import passes

LEFT = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def summary(
    tls: Tls = Tls.CLEAR, content: Content = Content.LEFT, domain: str = "example.com"
) -> Summary:
    made = Summary()
    delivery = replace(SENT, time=LEFT, domain=domain, content=content, session=Session(tls=tls))
    made.add(delivery, Scope.OUTSIDE)
    return made


def seen(level: Level, days: int = 3, *, complete: bool = True, tls: str = "TLSv1.3") -> Seen:
    return Seen(LEFT + days * DAY, level, complete, tls)


GOOD, BLIND = Level.OPPORTUNISTIC, Level.UNKNOWN
SINCE = "offers TLS 1.3 on every server since {} (last tested on 2026-03-13): require TLS"


LOG = (
    "Nov 23 10:00:00 mx1 postfix/master[1]: daemon started\n"
    "Nov 23 10:00:01 mx1 postfix/smtp[7]: AAAAAA: to=<a@clear.test>, relay=mx[192.0.2.1]:25, "
    "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
)


@pytest.mark.parametrize(
    ("reports", "code", "says"),
    [
        ([], "not-probed", "probe it"),
        ([seen(Level.NONE)], "offers-none", "no server offered TLS on 2026-03-13: use a portal"),
        ([seen(Level.PARTIAL)], "offers-partly", "only some servers"),
        ([seen(Level.UNKNOWN)], "not-seen", "probe it again"),
        ([seen(Level.NO_MAIL)], "not-seen", "probe it again"),
        ([seen(Level.OPPORTUNISTIC, complete=False)], "not-seen", "probe it again"),
        ([seen(GOOD)], "offers-all", "require TLS, and this cannot happen again"),
        ([seen(Level.AUTHENTICATED)], "offers-all", "TLS 1.3 on every server on 2026-03-13"),
        ([seen(Level.ENFORCED, -3)], "offers-all", "on every server on 2026-03-07"),
        ([seen(GOOD, tls="")], "offers-all", "offered TLS on every server on"),
        ([seen(GOOD, tls="TLSv1.1")], "offers-old", "only TLS 1.1 on 2026-03-13: ask them for TLS"),
        ([seen(GOOD, tls="TLSv1")], "offers-old", "only TLS 1.0"),
        ([seen(GOOD, -9), seen(GOOD)], "offers-all", SINCE.format("2026-03-01")),
        ([seen(GOOD, -9), seen(BLIND, 0), seen(GOOD)], "offers-all", SINCE.format("2026-03-01")),
        (
            [seen(GOOD, -9), seen(GOOD, 0, complete=False, tls=""), seen(GOOD)],
            "offers-all",
            SINCE.format("2026-03-01"),
        ),
        (
            [seen(GOOD, -9, tls="TLSv1.2"), seen(GOOD, 0), seen(GOOD)],
            "offers-all",
            SINCE.format("2026-03-10"),
        ),
        ([seen(GOOD, -9), seen(Level.NONE, 1), seen(GOOD)], "offers-all", "server on 2026-03-13"),
        ([seen(GOOD, -9), seen(Level.PARTIAL, 1), seen(GOOD)], "offers-all", "on 2026-03-13"),
        ([seen(Level.NONE, -3), seen(GOOD)], "offers-now", "no server offered TLS on 2026-03-07"),
        ([seen(Level.NONE, -3), seen(GOOD)], "offers-now", "now TLS 1.3 on every server on"),
        ([seen(Level.PARTIAL, -3), seen(GOOD)], "offers-now", "only some servers offered TLS on"),
        ([seen(Level.ENFORCED), seen(Level.NONE, -3)], "offers-now", "on 2026-03-07"),
        (
            [seen(Level.NONE, -5), seen(BLIND, -3), seen(GOOD, 1), seen(GOOD)],
            "offers-now",
            "no server offered TLS on 2026-03-05; now TLS 1.3 on every server since 2026-03-11",
        ),
        ([seen(Level.ENFORCED, -3), seen(Level.NONE)], "offers-none", "on 2026-03-13"),
    ],
)
def test_a_domain_that_got_mail_in_clear(reports: list[Seen], code: str, says: str) -> None:
    (advice,) = advise(summary(), Known(seen={"example.com": reports}))
    assert (advice.domain, advice.code) == ("example.com", code)
    assert says in advice.text


@pytest.mark.parametrize(
    ("made", "required", "code"),
    [
        (summary(), {"example.com"}, "map-not-obeyed"),
        (summary(content=Content.HELD), {"example.com"}, "map-holds-back"),
        (summary(Tls.ENCRYPTED), set(), "can-tighten"),
        (summary(Tls.ENCRYPTED), {"example.com"}, None),
        (summary(Tls.UNKNOWN), set(), None),
        (summary(), set(), None),
    ],
)
def test_the_policy_map(made: Summary, required: set[str], code: str | None) -> None:
    known = Known(required=frozenset(required), listed=frozenset(required))
    assert [each.code for each in advise(made, known)] == ([code] if code else [])


def test_without_results_and_map_there_is_no_advice() -> None:
    assert list(advise(summary(), Known())) == []


def test_the_command_joins_results_and_a_map(tmp_path: Path) -> None:
    report = passes()
    results, policy, log = tmp_path / "r.jsonl", tmp_path / "map", tmp_path / "log"
    results.write_bytes(encode_report(replace(report, domain="clear.test")) + b"\n")
    policy.write_text("clear.test encrypt\n")
    log.write_text(LOG)
    options = ("--tls-logged", "--results", str(results), "--policy", str(policy))
    out = " ".join(invoke("logs", str(log), *options).out.split())
    assert "clear.test: offered TLS 1.3 on every server" in out
    assert "clear.test: the map requires TLS, and 1 message left in clear" in out
    policy.write_text("words\n")
    ended = invoke("logs", str(log), *options)
    assert (ended.status, "map: line 1: no level" in ended.err) == (2, True)


def test_what_a_server_given_by_hand_offers_is_not_what_the_domain_offers(tmp_path: Path) -> None:
    results, log = tmp_path / "r.jsonl", tmp_path / "log"
    given = replace(passes(), domain="clear.test", server=GivenServer(name="new.clear.test"))
    results.write_bytes(encode_report(given) + b"\n")
    log.write_text(LOG)
    out = " ".join(invoke("logs", str(log), "--tls-logged", "--results", str(results)).out.split())
    assert "clear.test: it was not probed" in out


def test_the_newest_results_of_a_domain_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.cli.logs.MAX_SEEN", 2)
    results, log = tmp_path / "r.jsonl", tmp_path / "log"
    reports = [
        replace(passes(), domain="clear.test", checked_at=LEFT + day * DAY) for day in (3, 1, 4, 2)
    ]
    results.write_bytes(b"".join(encode_report(each) + b"\n" for each in reports))
    log.write_text(LOG)
    out = " ".join(invoke("logs", str(log), "--tls-logged", "--results", str(results)).out.split())
    assert "since 2026-03-13 (last tested on 2026-03-14)" in out


def test_a_domain_in_unicode_is_found_in_the_results() -> None:
    made = summary(domain="b\u00fccher.test")
    (advice,) = advise(made, Known(seen={"xn--bcher-kva.test": [seen(GOOD)]}))
    assert (advice.domain, advice.code) == ("b\u00fccher.test", "offers-all")
