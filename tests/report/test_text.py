import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from prober.records import (
    Attempt,
    Code,
    Dnssec,
    DomainReport,
    Failure,
    Hello,
    Level,
    Line,
    MtaSts,
    MxHost,
    ProfileName,
    RatedFact,
    Reason,
    Standing,
    StartTls,
    Step,
    StsStatus,
    TlsaRecord,
    finding,
)
from prober.report.answer import headline, reasons
from prober.report.interface import Formatter, Paper
from prober.report.text import ScanText, TextReport
from prober.report.words import RATED
from prober.rules.operator_advice import OPERATORS
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess
from prober.rules.totals import Totals
from tests.report import samples
from tests.report.samples import totals_of
from tests.report.strategies import reports

SGR = re.compile(r"\x1b\[[0-9;]*m")  # the colours of rich
TERMINAL = Paper(terminal=True, width=80)


def shown(report: DomainReport, paper: Paper | None = None, *, verbose: bool = False) -> str:
    formatter = TextReport(paper or Paper(), verbose=verbose)
    return formatter.body(report).decode("utf-8")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (
            samples.enforced(),
            "enforced.example: PASS. Mail is encrypted, every server's identity is verified, and "
            "the domain requires senders to use TLS.",
        ),
        (
            samples.passes(),
            "example.com: PASS. Mail is encrypted, and every server's identity is verified.",
        ),
        (
            samples.warns(),
            "warns.example: PASS, but senders that check certificates hold mail back, because the "
            "certificate of a server has expired.",
        ),
        (
            samples.partly(),
            "partly.example: FAIL. Mail is encrypted at some servers only: not all complete TLS.",
        ),
        (
            samples.fails(),
            "fails.example: FAIL. Mail is sent unencrypted or is held back: no server completes "
            "TLS.",
        ),
        (
            samples.unknown(),
            "unknown.example: UNKNOWN. Could not test: mx1.example.com: timed out waiting for the "
            "greeting.",
        ),
        (
            samples.make_report(Level.UNKNOWN, (), complete=False),
            "example.com: UNKNOWN. Could not test: no server answered.",
        ),
        (
            samples.null_mx(),
            "null.example: NO MAIL. The domain states that it receives no mail (null MX).",
        ),
        (
            samples.nowhere(),
            "typo.example: UNKNOWN. The domain does not exist, so it receives no mail.",
        ),
        (
            samples.invalid(),
            "https://example.com/: INVALID. This is not a mail domain: line 7: a URL, not a "
            "domain.",
        ),
    ],
)
def test_the_first_line_is_the_answer(report: DomainReport, words: str) -> None:
    report = samples.assessed(report)
    assert headline(report) == words
    assert shown(report).splitlines()[0] == words  # unfolded, for who reads lines


@pytest.mark.parametrize("level", Level)
def test_every_level_has_words_and_a_colour(level: Level) -> None:
    report = samples.make_report(level)

    assert "example.com: " in headline(report)
    assert SGR.match(shown(report, TERMINAL))
    assert not SGR.search(shown(report))


@pytest.mark.parametrize("report", samples.all_samples(), ids=lambda report: report.domain)
@pytest.mark.parametrize("width", [40, 80, 132])
def test_a_terminal_gets_the_whole_answer_within_its_width(
    report: DomainReport, width: int
) -> None:
    paper = Paper(terminal=True, width=width)
    text = SGR.sub("", shown(report, paper))
    first = text.split("\n\n")[0]

    assert max(map(len, text.splitlines())) <= width
    paragraph = first.replace("\n", "").replace(" ", "")
    exception = paragraph.removeprefix(headline(report).replace(" ", ""))
    assert exception != paragraph
    assert exception.startswith("Accepted:") is (report.accepted is not None)


def plain() -> Formatter[DomainReport, Totals]:
    return TextReport(Paper(), verbose=True)


def on_a_terminal() -> Formatter[DomainReport, Totals]:
    return TextReport(TERMINAL, verbose=True)


def scan() -> Formatter[DomainReport, Totals]:
    return ScanText(Paper())


def scan_on_a_terminal() -> Formatter[DomainReport, Totals]:
    return ScanText(TERMINAL)


@pytest.mark.parametrize("make", [plain, on_a_terminal, scan, scan_on_a_terminal])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(report=reports())
def test_nothing_reaches_the_terminal_that_does_not_print(
    make: Callable[[], Formatter[DomainReport, Totals]], report: DomainReport
) -> None:
    formatter = make()
    text = SGR.sub("", (formatter.body(report) + formatter.foot(totals_of(report))).decode())

    assert text.replace("\n", "").isprintable()
    assert text.endswith("\n")


@pytest.mark.parametrize("reason", ["\x1b[2J", "."])
def test_a_reason_that_a_file_names_and_we_do_not_is_escaped(reason: str) -> None:
    report = replace(samples.passes(), standing=Standing.UNDECIDED, reasons=(reason,))

    assert headline(report).isprintable()


def test_a_reason_in_a_saved_report_is_escaped() -> None:
    report = replace(samples.unknown(), reasons=("\x1b",))
    report = replace(report, verdict=replace(report.verdict, level=Level.OPPORTUNISTIC))

    assert "\x1b" not in headline(report) + "".join(reasons(report))


def test_markup_and_emoji_codes_of_a_peer_are_text() -> None:
    text = shown(samples.hostile(), TERMINAL, verbose=True)

    assert "[bold]TLS 1.3" in text
    assert "[red]" in text
    assert ":smile:" in text


def test_a_charset_without_the_character_gets_an_escape() -> None:
    report = samples.make_report(domain="müller.example")

    text = TextReport(Paper(encoding="ascii")).body(report)

    assert text.startswith(b"m\\xfcller.example: ")


def test_findings_stand_once_a_code_the_most_severe_first() -> None:
    text = shown(samples.large())
    assert text.count("certificate-host-mismatch") == 1
    assert "mx2.large.example 192.0.2.20 and 5 more" in text

    codes = [Code.NULL_MX, Code.BARE_LF, Code.TLS_FAILED, Code.UNCONFIRMED]
    report = samples.make_report(findings=tuple(map(finding, codes)))
    order = re.findall(r"^(HIGH|MEDIUM|LOW|INFO) ", shown(report, verbose=True), re.MULTILINE)
    assert order == ["HIGH", "MEDIUM", "LOW", "INFO"]


def test_a_shared_detail_stands_once_and_others_by_themselves() -> None:
    details = [("a.example", "same"), ("b.example", "same"), ("c.example", "other"), (None, None)]
    findings = tuple(
        finding(Code.TLS_FAILED, mx_host=host, detail=detail) for host, detail in details
    )

    lines = [line.strip() for line in shown(samples.make_report(findings=findings)).splitlines()]

    assert "a.example, b.example: same" in lines
    assert "c.example: other" in lines


def test_why_another_session_failed_is_told_in_words() -> None:
    failure = Failure(step=Step.STARTTLS, reason=Reason.BAD_REPLY, reply_code=454, detail="454 no")
    attempt = Attempt(
        observed_at=samples.NOW,
        hello=Hello.DEFAULT,
        starttls=StartTls.REFUSED,
        tls_version=None,
        cipher=None,
        failure=failure,
    )
    endpoint = samples.make_endpoint(attempts=(attempt,))
    detail = "another session saw: bad-reply at starttls: 454 no"
    found = finding(Code.STARTTLS_INTERMITTENT, mx_host=endpoint.mx_host, detail=detail)

    text = " ".join(
        shown(samples.make_report(Level.OPPORTUNISTIC, (endpoint,), findings=(found,))).split()
    )

    assert "another session saw: reply 454 while waiting for the answer to STARTTLS (no)" in text


def test_advice_on_dane_depends_on_who_runs_the_mx_host() -> None:
    hosts = ("mx1.example.com", "aspmx.l.google.com", "alt1.aspmx.l.google.com")
    findings = tuple(finding(Code.TLSA_INSECURE, mx_host=host) for host in hosts)

    text = " ".join(shown(samples.make_report(findings=findings), verbose=True).split())

    assert text.count(Code.TLSA_INSECURE.meaning) == 1
    assert text.count(Code.TLSA_INSECURE.advice) == 1
    assert text.count(OPERATORS["google.com"]) == 1


def test_transcripts_are_shown_when_asked_for() -> None:
    assert "EHLO probe.example\n" not in shown(samples.passes())

    text = shown(samples.passes(), verbose=True)

    assert "     12 ms S: 220 mx1.example.com ESMTP\n" in text
    assert "     12 ms C: EHLO probe.example\n" in text
    assert "     48 ms -- TLSv1.3, TLS_AES_256_GCM_SHA384\n" in text
    assert text.count("transcript of") == 1  # the others have none


def test_a_transcript_says_under_which_name_the_host_was_asked() -> None:
    said = (Line(ms=0, peer="server", line="220 mx"),)
    seen = samples.make_endpoint(observed_as="mx.shared.example", transcript=said)

    text = shown(samples.make_report(endpoints=(seen,)), verbose=True)

    assert "(asked as mx.shared.example)" in " ".join(text.split())


def test_answers_are_apart_by_an_empty_line() -> None:
    formatter = TextReport(Paper())

    first, second = formatter.body(samples.null_mx()), formatter.body(samples.null_mx())

    assert second == b"\n" + first


def test_an_endpoint_whose_host_is_not_listed_is_shown_all_the_same() -> None:
    assert "MX 0 mx1.example.com" in shown(samples.make_report(mx_hosts=()))


def test_a_scan_gives_a_line_a_domain_and_a_summary() -> None:
    formatter = ScanText(Paper())

    every = list(samples.all_samples())
    lines = [formatter.body(report).decode() for report in every]

    assert all(line.count("\n") == 1 for line in lines)
    assert lines[0] == "PASS     authenticated  example.com\n"
    assert (
        formatter.foot(totals_of(*every))
        .decode()
        .startswith(
            "\n15 domains: 5 PASS, 3 FAIL (1 accepted), 4 UNKNOWN, 1 NO MAIL, 2 INVALID.\n"
            "Levels: 1 enforced, 1 authenticated, 4 opportunistic, 1 partial, 2 none, 2 unknown,"
            " 2 no-mail, 2 invalid. 26 of 28 endpoints tested.\n"
            "Worst:\n  fails.example: FAIL. Mail is sent unencrypted or is held back: "
        )
    )


def test_a_scan_of_nothing_says_so() -> None:
    foot = ScanText(Paper()).foot(Totals())
    assert foot == b"\n0 domains: none.\nLevels: none. 0 of 0 endpoints tested.\n"


KEY = TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes(32))
SECURE = {"dnssec": Dnssec.SECURE, "tlsa_dnssec": Dnssec.SECURE}
NO_ANSWER = Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        pytest.param(
            SECURE | {"tlsa": (KEY,)},
            "DANE: TLSA records for mx1.example.com, not compared with a certificate, DNSSEC of",
            id="published",
        ),
        pytest.param(
            {"dnssec": Dnssec.SECURE, "tlsa_failure": NO_ANSWER},
            "DANE: TLSA records for mx1.example.com could not be looked up, DNSSEC of",
            id="failed",
        ),
        pytest.param(SECURE, None, id="denied"),
        pytest.param(
            SECURE | {"tlsa": (KEY,), "tlsa_dnssec": Dnssec.INSECURE}, None, id="rfc7672-insecure"
        ),
    ],
)
def test_what_is_published_is_shown_also_where_no_server_could_be_asked(
    fields: dict[str, Any], line: str | None
) -> None:
    host = MxHost(name="mx1.example.com", preference=10, addresses=("192.0.2.1",), **fields)
    sts = MtaSts(status=StsStatus.ENFORCE, max_age=604_800, mx=("mx1.example.com",))
    report = replace(samples.unknown(), mx_hosts=(host,), mta_sts=sts)

    text = " ".join(shown(report).split())

    assert "MTA-STS: enforce for 7 days covering every MX host" in text
    assert line in text if line is not None else "DANE:" not in text


def test_senders_that_differ_on_a_policy_are_named() -> None:
    sts = MtaSts(status=StsStatus.POLICY_INVALID, detail="no mx", senders_differ="x and not by y")
    text = " ".join(shown(replace(samples.unknown(), mta_sts=sts)).split())
    assert "MTA-STS: policy-invalid (no mx) (senders differ: x and not by y)" in text


def below(profile: ProfileName, *addresses: str, **seen: Any) -> DomainReport:
    """A domain whose servers have TLS 1.2 with a suite that is weak; *seen* besides."""
    weak: dict[str, Any] = {"tls_version": "TLSv1.2", "cipher": "AES128-SHA", "key_exchange": None}
    endpoints = tuple(
        samples.make_endpoint(f"mx{number}.example.com", address, **(weak | seen))
        for number, address in enumerate(addresses, 1)
    )
    report = samples.make_report(Level.AUTHENTICATED, endpoints, findings=())
    return assess(report, PROFILES[profile])


def test_what_is_below_the_profile_is_told_with_the_paragraph() -> None:
    out = " ".join(shown(below(ProfileName.HIPAA, "192.0.2.1", "192.0.2.2")).split())

    assert "Below profile hipaa. Its norm is 45 CFR 164.312(e), 74 FR 19006, by way of NIST" in out
    assert (
        "mx1.example.com 192.0.2.1, mx2.example.com 192.0.2.2: cipher suite "
        "TLS_RSA_WITH_AES_128_CBC_SHA is insufficient (appendix D; SP 800-131A r2 §6; our reading)"
    ) in out
    assert out.count("TLS_RSA_WITH_AES_128_CBC_SHA") == 1  # one line for both servers


@pytest.mark.parametrize(
    ("profile", "seen", "words"),
    [
        pytest.param(
            ProfileName.NCSC_NL,
            {"cipher": "AES256-GCM-SHA384", "extended_master_secret": False},
            "192.0.2.1: extended master secret is missing, which is insufficient (§4.1; our",
            id="a-feature",
        ),
        pytest.param(
            ProfileName.NIST,
            {"tls_version": "TLSv1.1"},
            "192.0.2.1: TLS version TLSv1.1 should be phased out (§3.1",
            id="phase-out",
        ),
        pytest.param(
            ProfileName.NIST,
            {"cipher": "ECDHE-RSA-AES128-SHA", "key_exchange": "secp224r1"},
            None,
            id="a-group-that-does-not-decide",
        ),
    ],
)
def test_each_fact_below_a_profile_has_its_line(
    profile: ProfileName, seen: dict[str, Any], words: str | None
) -> None:
    out = " ".join(shown(below(profile, "192.0.2.1", **seen)).split())
    if words is None:
        assert "Below profile" not in out
    else:
        assert words in out


def test_a_rating_of_our_own_is_marked_and_explained_when_asked_for() -> None:
    report = below(ProfileName.NIST, "192.0.2.1")
    assert "SP 800-131A r2 §6; our reading)" in " ".join(shown(report).split())
    told = " ".join(shown(report, verbose=True).split())
    assert "our reading: Appendix D lists it; we leave it out: RSA key transport" in told


def test_without_a_profile_or_where_it_is_met_nothing_is_below() -> None:
    assert "Below" not in shown(samples.passes())
    met = assess(samples.passes(), PROFILES[ProfileName.DEFAULT])
    assert "Below" not in shown(met)


def test_many_servers_below_a_profile_are_counted() -> None:
    addresses = [f"192.0.2.{number}" for number in range(1, 8)]
    out = " ".join(shown(below(ProfileName.HIPAA, *addresses)).split())
    assert "mx4.example.com 192.0.2.4 and 3 more: cipher suite" in out


@pytest.mark.parametrize("fact", RatedFact)
def test_every_rated_fact_has_words(fact: RatedFact) -> None:
    assert fact in RATED
