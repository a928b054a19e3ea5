"""Every personality of the lab, probed in one scan: its facts, its findings, its level."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from prober.lab.internet import Lab
from prober.records import (
    Code,
    Confirmed,
    DomainReport,
    Endpoint,
    Gap,
    Level,
    ProfileName,
    Reason,
    Severity,
    Standing,
    StartTls,
    Step,
)
from prober.report.answer import GAPS, LABELS, headline, reasons
from prober.report.interface import Paper
from prober.report.output import ReportFormat, ReportStyle, domains
from prober.report.words import name_of
from prober.rules.endpoint import depends_on_hello
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess
from tests.personalities import EVERY, every_domain, scan_every
from tests.report import samples
from tests.support.json_schemas import require_valid
from tests.support.reports import open_report
from tests.support.waiting import until
from tests.support.workbooks import csv_rows, read_sheets

in_one_loop = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Scanned:
    reports: dict[str, DomainReport]
    lab: Lab
    sockets_left: int
    tasks_left: int


def open_sockets() -> int:
    names = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sum(os.path.exists(name) and "socket:" in os.readlink(name) for name in names)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scanned() -> AsyncIterator[Scanned]:
    async with Lab(every_domain()) as lab:
        sockets, tasks = open_sockets(), len(asyncio.all_tasks())
        reports = await scan_every(lab)
        await until(lambda: not any(server.open for server in lab.servers.values()))
        yield Scanned(
            reports=reports,
            lab=lab,
            sockets_left=open_sockets() - sockets,
            tasks_left=len(asyncio.all_tasks()) - tasks,
        )


def endpoint_of(scanned: Scanned, personality: str) -> Endpoint:
    (endpoint,) = scanned.reports[personality].endpoints
    return endpoint


NOT_TESTED, NOT_OFFERED = StartTls.NOT_TESTED, StartTls.NOT_OFFERED
OFFERED, REFUSED = StartTls.OFFERED, StartTls.REFUSED
UNTESTED = [Code.NOT_TESTED]

Failed = tuple[Step, Reason, int | None] | None


COULD_NOT_BE_ASKED = [
    ("refuses", NOT_TESTED, (Step.CONNECT, Reason.REFUSED, None), UNTESTED),
    ("busy", NOT_TESTED, (Step.GREETING, Reason.BAD_REPLY, 421), UNTESTED),
    ("no-service", NOT_TESTED, (Step.GREETING, Reason.BAD_REPLY, 554), UNTESTED),
    ("silent", NOT_TESTED, (Step.GREETING, Reason.TIMED_OUT, None), UNTESTED),
    ("tarpit", NOT_TESTED, (Step.GREETING, Reason.TIMED_OUT, None), UNTESTED),
    ("closes-at-once", NOT_TESTED, (Step.GREETING, Reason.CLOSED, None), UNTESTED),
    ("resets-at-once", NOT_TESTED, (Step.GREETING, Reason.RESET, None), UNTESTED),
    ("not-smtp", NOT_TESTED, (Step.GREETING, Reason.BAD_REPLY, None), UNTESTED),
    ("closes-after-greeting", NOT_TESTED, (Step.EHLO, Reason.CLOSED, None), UNTESTED),
    ("ehlo-refused", NOT_TESTED, (Step.EHLO, Reason.BAD_REPLY, 550), UNTESTED),
    ("ehlo-busy", NOT_TESTED, (Step.EHLO, Reason.BAD_REPLY, 421), UNTESTED),
    ("ehlo-silent", NOT_TESTED, (Step.EHLO, Reason.TIMED_OUT, None), UNTESTED),
    ("endless-line", NOT_TESTED, (Step.EHLO, Reason.BAD_REPLY, None), UNTESTED),
    ("endless-reply", NOT_TESTED, (Step.EHLO, Reason.BAD_REPLY, None), UNTESTED),
    (
        "masked",
        NOT_TESTED,
        (Step.EHLO, Reason.MASKED, None),
        [Code.MASKED_BY_MIDDLEBOX, Code.NOT_TESTED],
    ),
    (
        "masked-keywords",
        NOT_TESTED,
        (Step.EHLO, Reason.MASKED, None),
        [Code.MASKED_BY_MIDDLEBOX, Code.NOT_TESTED],
    ),
    ("starttls-busy", NOT_TESTED, (Step.STARTTLS, Reason.BAD_REPLY, 421), UNTESTED),
    ("helo-refused", NOT_TESTED, (Step.EHLO, Reason.BAD_REPLY, 550), UNTESTED),
    ("no-starttls-then-defers", NOT_OFFERED, None, [Code.UNCONFIRMED]),
]


@pytest.mark.parametrize(("personality", "starttls", "failure", "findings"), COULD_NOT_BE_ASKED)
@in_one_loop
async def test_who_could_not_be_asked_is_not_tested(
    scanned: Scanned, personality: str, starttls: StartTls, failure: Failed, findings: list[Code]
) -> None:
    report, endpoint = scanned.reports[personality], endpoint_of(scanned, personality)

    assert endpoint.starttls is starttls
    assert _failed(endpoint) == failure
    assert _codes(report) == findings
    assert (report.verdict.level, report.verdict.complete) == (Level.UNKNOWN, False)
    assert (report.verdict.endpoints, report.verdict.endpoints_tested) == (1, 0)


SAY_NO_TWICE = [
    ("no-starttls", NOT_OFFERED, None, [Code.STARTTLS_NOT_SUPPORTED]),
    ("lookalike-keywords", NOT_OFFERED, None, [Code.STARTTLS_NOT_SUPPORTED]),
    (
        "helo-only",
        NOT_OFFERED,
        None,
        [Code.STARTTLS_NOT_SUPPORTED, Code.EHLO_NOT_SUPPORTED],
    ),
    (
        "starttls-deferred",
        REFUSED,
        (Step.STARTTLS, Reason.BAD_REPLY, 454),
        [Code.STARTTLS_REFUSED],
    ),
    (
        "starttls-refused",
        REFUSED,
        (Step.STARTTLS, Reason.BAD_REPLY, 554),
        [Code.STARTTLS_REFUSED],
    ),
    (
        "starttls-silent",
        REFUSED,
        (Step.STARTTLS, Reason.TIMED_OUT, None),
        [Code.STARTTLS_REFUSED],
    ),
    (
        "starttls-closes",
        REFUSED,
        (Step.STARTTLS, Reason.CLOSED, None),
        [Code.STARTTLS_REFUSED],
    ),
    (
        "starttls-refused-and-closes",
        REFUSED,
        (Step.STARTTLS, Reason.CLOSED, 454),
        [Code.STARTTLS_REFUSED],
    ),
    (
        "starttls-unreadable",
        REFUSED,
        (Step.STARTTLS, Reason.BAD_REPLY, None),
        [Code.STARTTLS_REFUSED],
    ),
    ("starttls-resets", REFUSED, (Step.STARTTLS, Reason.RESET, None), [Code.STARTTLS_REFUSED]),
    ("handshake-garbage", OFFERED, (Step.HANDSHAKE, Reason.BAD_REPLY, 500), [Code.TLS_FAILED]),
    ("handshake-closes", OFFERED, (Step.HANDSHAKE, Reason.CLOSED, None), [Code.TLS_FAILED]),
    ("handshake-resets", OFFERED, (Step.HANDSHAKE, Reason.RESET, None), [Code.TLS_FAILED]),
    ("handshake-silent", OFFERED, (Step.HANDSHAKE, Reason.TIMED_OUT, None), [Code.TLS_FAILED]),
    ("handshake-alert", OFFERED, (Step.HANDSHAKE, Reason.ALERT, None), [Code.TLS_FAILED]),
    ("late-alert", OFFERED, (Step.HANDSHAKE, Reason.ALERT, None), [Code.TLS_FAILED]),
]


@pytest.mark.parametrize(("personality", "starttls", "failure", "findings"), SAY_NO_TWICE)
@in_one_loop
async def test_who_says_no_twice_is_a_confirmed_negative(
    scanned: Scanned, personality: str, starttls: StartTls, failure: Failed, findings: list[Code]
) -> None:
    report, endpoint = scanned.reports[personality], endpoint_of(scanned, personality)

    assert endpoint.starttls is starttls
    assert _failed(endpoint) == failure
    assert endpoint.confirmed is Confirmed.YES
    assert len(scanned.lab.servers[f"mx1.{personality}.test"].sessions) == _sessions(endpoint)
    assert endpoint.tls_version is None
    assert _codes(report) == findings
    assert (report.verdict.level, report.verdict.complete) == (Level.NONE, True)


def _sessions(endpoint: Endpoint) -> int:
    """Two; after a failed handshake one for each of five ClientHellos."""
    return 5 if depends_on_hello(endpoint) else 2


COMPLETE_TLS = [
    ("tls11-only", "TLSv1.1", [Code.TLS_VERSION_OBSOLETE], Level.OPPORTUNISTIC),
    ("tls10-only", "TLSv1", [Code.TLS_VERSION_OBSOLETE], Level.OPPORTUNISTIC),
    (
        "self-signed",
        "TLSv1.3",
        [Code.CERTIFICATE_NOT_TRUSTED, Code.CERTIFICATE_SELF_SIGNED],
        Level.OPPORTUNISTIC,
    ),
    ("expired", "TLSv1.3", [Code.CERTIFICATE_EXPIRED], Level.OPPORTUNISTIC),
    ("not-yet-valid", "TLSv1.3", [Code.CERTIFICATE_NOT_YET_VALID], Level.OPPORTUNISTIC),
    ("wrong-name", "TLSv1.3", [Code.CERTIFICATE_HOST_MISMATCH], Level.OPPORTUNISTIC),
    (
        "cn-only",
        "TLSv1.3",
        [Code.CERTIFICATE_HOST_MISMATCH, Code.CERTIFICATE_COMMON_NAME_ONLY],
        Level.OPPORTUNISTIC,
    ),
    (
        "partial-wildcard",
        "TLSv1.3",
        [
            Code.CERTIFICATE_HOST_MISMATCH,
            Code.CERTIFICATE_NAME_DISPUTED,
            Code.CERTIFICATE_SAN_MALFORMED,
        ],
        Level.OPPORTUNISTIC,
    ),
    (
        "missing-intermediate",
        "TLSv1.3",
        [Code.CERTIFICATE_NOT_TRUSTED, Code.CHAIN_INCOMPLETE],
        Level.OPPORTUNISTIC,
    ),
    ("weak-signature", "TLSv1.3", [Code.CERTIFICATE_SIGNATURE_WEAK], Level.OPPORTUNISTIC),
    ("weak-key", "TLSv1.3", [Code.CERTIFICATE_KEY_WEAK], Level.OPPORTUNISTIC),
    ("anonymous-only", "TLSv1.2", [Code.ANONYMOUS_ONLY], Level.OPPORTUNISTIC),
    ("weak-dh", "TLSv1.2", [Code.DH_WEAK], Level.AUTHENTICATED),
    ("well-configured", "TLSv1.3", [], Level.AUTHENTICATED),
    ("tls13-only", "TLSv1.3", [], Level.AUTHENTICATED),
    ("tls12-only", "TLSv1.2", [], Level.AUTHENTICATED),
    ("rsa-key-exchange", "TLSv1.2", [], Level.AUTHENTICATED),
    ("old-tls-too", "TLSv1.3", [], Level.AUTHENTICATED),
    ("null-suites-too", "TLSv1.3", [], Level.AUTHENTICATED),
    ("expired-rsa-too", "TLSv1.3", [], Level.AUTHENTICATED),
    ("wildcard", "TLSv1.3", [], Level.AUTHENTICATED),
    ("slow", "TLSv1.3", [], Level.AUTHENTICATED),
    ("multiline-greeting", "TLSv1.3", [], Level.AUTHENTICATED),
    ("masked-greeting", "TLSv1.3", [], Level.AUTHENTICATED),
    ("hostile-text", "TLSv1.3", [], Level.AUTHENTICATED),
    ("code-changes", "TLSv1.3", [], Level.AUTHENTICATED),
    (
        "lower-case-keywords",
        "TLSv1.3",
        [Code.STARTTLS_OFFER_MALFORMED],
        Level.AUTHENTICATED,
    ),
    ("empty-line-before-reply", "TLSv1.3", [Code.REPLY_MALFORMED], Level.AUTHENTICATED),
    ("sni-refused", "TLSv1.3", [Code.SNI_REFUSED], Level.AUTHENTICATED),
    ("sni-required", "TLSv1.3", [Code.SNI_REQUIRED], Level.AUTHENTICATED),
    (
        "other-certificate-without-sni",
        "TLSv1.3",
        [Code.SNI_REQUIRED],
        Level.AUTHENTICATED,
    ),
    ("byte-by-byte", "TLSv1.3", [], Level.AUTHENTICATED),
    ("tls-more-keywords", "TLSv1.3", [], Level.AUTHENTICATED),
    ("loses-starttls", "TLSv1.3", [Code.STARTTLS_INTERMITTENT], Level.AUTHENTICATED),
    ("throttle", "TLSv1.3", [], Level.AUTHENTICATED),
    ("bare-lf", "TLSv1.3", [Code.BARE_LF], Level.AUTHENTICATED),
    ("misordered-chain", "TLSv1.3", [Code.CHAIN_MISORDERED], Level.AUTHENTICATED),
    ("no-secure-renegotiation", "TLSv1.2", [Code.RENEGOTIATION_INSECURE], Level.AUTHENTICATED),
    ("no-signing", "TLSv1.3", [Code.CERTIFICATE_KEY_USAGE], Level.AUTHENTICATED),
    ("malformed-san", "TLSv1.3", [Code.CERTIFICATE_SAN_MALFORMED], Level.AUTHENTICATED),
    (
        "asks-client-certificate",
        "TLSv1.3",
        [Code.CLIENT_CERTIFICATE_REQUESTED],
        Level.AUTHENTICATED,
    ),
    (
        "starttls-injection",
        "TLSv1.3",
        [Code.STARTTLS_RESPONSE_INJECTION],
        Level.AUTHENTICATED,
    ),
    ("large-hello-intolerant", "TLSv1.3", [Code.LARGE_HELLO_INTOLERANT], Level.AUTHENTICATED),
    ("ehlo-unknown-once", "TLSv1.3", [Code.STARTTLS_INTERMITTENT], Level.AUTHENTICATED),
    ("handshake-resets-once", "TLSv1.3", [Code.STARTTLS_INTERMITTENT], Level.AUTHENTICATED),
    ("gains-starttls", "TLSv1.3", [Code.STARTTLS_INTERMITTENT], Level.AUTHENTICATED),
    ("tls-offers-starttls-again", "TLSv1.3", [Code.STARTTLS_AFTER_TLS], Level.AUTHENTICATED),
]


@pytest.mark.parametrize(("personality", "tls_version", "findings", "level"), COMPLETE_TLS)
@in_one_loop
async def test_who_completes_tls(
    scanned: Scanned, personality: str, tls_version: str, findings: list[Code], level: Level
) -> None:
    report, endpoint = scanned.reports[personality], endpoint_of(scanned, personality)

    assert endpoint.starttls is StartTls.OFFERED
    assert endpoint.tls_version == tls_version
    assert endpoint.cipher is not None
    assert endpoint.failure is None
    assert _codes(report) == findings
    assert (report.verdict.level, report.verdict.complete) == (level, True)


FAIL_AFTER_TLS = [
    ("tls-closes", Reason.CLOSED, None),
    ("tls-resets", Reason.RESET, None),
    ("tls-silent", Reason.TIMED_OUT, None),
    ("tls-ehlo-refused", Reason.BAD_REPLY, 550),
    ("tls-busy", Reason.BAD_REPLY, 421),
]


@pytest.mark.parametrize(("personality", "reason", "reply_code"), FAIL_AFTER_TLS)
@in_one_loop
async def test_what_fails_after_the_handshake_leaves_tls_completed(
    scanned: Scanned, personality: str, reason: Reason, reply_code: int | None
) -> None:
    report, endpoint = scanned.reports[personality], endpoint_of(scanned, personality)

    assert endpoint.tls_version == "TLSv1.3"
    assert endpoint.ehlo_keywords_tls is None
    assert _failed(endpoint) == (Step.POST_TLS, reason, reply_code)
    assert _codes(report) == [Code.SESSION_FAILED_AFTER_TLS]
    assert report.verdict.level is Level.AUTHENTICATED


def test_the_tables_above_name_every_personality() -> None:
    tables = (COULD_NOT_BE_ASKED, SAY_NO_TWICE, COMPLETE_TLS, FAIL_AFTER_TLS)
    assert sorted(str(row[0]) for table in tables for row in table) == sorted(EVERY)


@pytest.mark.parametrize("personality", EVERY)
@in_one_loop
async def test_manners(scanned: Scanned, personality: str) -> None:
    """As few sessions as will do, never two at once, the name given, QUIT last, never MAIL."""
    server = scanned.lab.servers[f"mx1.{personality}.test"]

    assert len(server.sessions) <= (5 if depends_on_hello(endpoint_of(scanned, personality)) else 2)
    assert server.max_open <= 1
    for session in server.sessions:
        # a server that wants no TLS reads the ClientHello as if it were commands
        commands = [command for command in session.commands if command.isprintable()]
        verbs = [command.split(" ")[0].upper() for command in commands if command.isascii()]
        assert set(verbs) <= {"EHLO", "HELO", "STARTTLS", "NOOP", "QUIT"}
        assert all(
            command.endswith(" probe.lab.test")
            for command in commands
            if command.startswith(("EHLO", "HELO"))
        )


@pytest.mark.parametrize(
    "personality",
    ["well-configured", "no-starttls", "ehlo-refused", "no-service", "masked", "code-changes"],
)
@in_one_loop
async def test_the_last_word_is_quit(scanned: Scanned, personality: str) -> None:
    """A server whose client just leaves counts it as a time-out, and blocks after some."""
    for session in scanned.lab.servers[f"mx1.{personality}.test"].sessions:
        assert session.commands[-1] == "QUIT"


@in_one_loop
async def test_alerts_are_told_by_name(scanned: Scanned) -> None:
    assert endpoint_of(scanned, "handshake-alert").alert == "handshake_failure"
    assert endpoint_of(scanned, "late-alert").alert == "certificate_required"
    assert endpoint_of(scanned, "late-alert").chain


@in_one_loop
async def test_what_was_injected_is_kept(scanned: Scanned) -> None:
    (anomaly,) = endpoint_of(scanned, "starttls-injection").anomalies
    assert anomaly.detail is not None
    assert anomaly.detail.startswith("250 ")


@in_one_loop
async def test_hostile_text_is_kept_as_plain_ascii(scanned: Scanned) -> None:
    endpoint = endpoint_of(scanned, "hostile-text")
    assert endpoint.greeting is not None
    assert endpoint.greeting.isascii()
    assert all(line.line.isascii() for line in endpoint.transcript)


@in_one_loop
async def test_transcripts_are_bounded(scanned: Scanned) -> None:
    for report in scanned.reports.values():
        for endpoint in report.endpoints:
            assert len(endpoint.transcript) <= 5 * 65
            assert all(len(line.line) <= 512 for line in endpoint.transcript)


@in_one_loop
async def test_post_quantum_key_exchange_is_seen(scanned: Scanned) -> None:
    assert endpoint_of(scanned, "well-configured").key_exchange == "X25519MLKEM768"


@in_one_loop
async def test_the_size_of_a_dh_group_is_seen(scanned: Scanned) -> None:
    endpoint = endpoint_of(scanned, "weak-dh")
    assert (endpoint.key_exchange, endpoint.key_exchange_bits) == ("DH", 1024)


@in_one_loop
async def test_what_a_session_up_to_tls12_tells_besides_is_kept(scanned: Scanned) -> None:
    old, new = endpoint_of(scanned, "weak-dh"), endpoint_of(scanned, "well-configured")
    seen = (old.key_exchange_hash, old.extended_master_secret, old.secure_renegotiation)
    assert seen == ("sha256", False, True)
    assert (new.tls_version, new.key_exchange_hash) == ("TLSv1.3", None)
    assert (new.extended_master_secret, new.secure_renegotiation) == (None, None)


@in_one_loop
async def test_nothing_is_left_open(scanned: Scanned) -> None:
    assert (scanned.sockets_left, scanned.tasks_left) == (0, 0)


REQUIREMENTS = (
    Level.OPPORTUNISTIC,
    Level.AUTHENTICATED,
    Level.ENFORCED,
    *(PROFILES[name] for name in ProfileName),
)
each_requirement = pytest.mark.parametrize(
    "require", REQUIREMENTS, ids=lambda require: getattr(require, "name", require)
)


def _written(report: DomainReport, format_: ReportFormat, *, scan: bool = False) -> str:
    formatter = format_.formatter(domains(ReportStyle(scan=scan)), Paper(width=80))
    return (formatter.head() + formatter.body(report)).decode()


@pytest.mark.any_loop
@in_one_loop
async def test_every_report_is_valid_by_the_json_schema(scanned: Scanned) -> None:
    for report in scanned.reports.values():
        for format_ in (ReportFormat.JSON, ReportFormat.JSONL):
            require_valid("check", _written(report, format_))


Told = tuple[str, str, str, frozenset[str]]
"""What a format says of a domain: its name, label, level and the sentences of the reasons."""
_FILES = ("r.html", "r.xlsx", "r.csv", "r.jsonl", "r.json", "r.txt")


@each_requirement
@pytest.mark.any_loop
@in_one_loop
async def test_all_formats_agree_on_standing_level_and_reasons(
    scanned: Scanned, tmp_path: Path, require: Level | Profile
) -> None:
    """One run, with domains of each standing, written in all formats and read back."""
    found = (*scanned.reports.values(), samples.null_mx(), samples.invalid(), samples.nowhere())
    reports = [assess(each, require) for each in found]
    for name in _FILES:
        with open_report(tmp_path / name, totals=samples.totals_of(*reports)) as writer:
            for report in reports:
                writer.write(report)
    html, xlsx, csv_, jsonl, json_, text = (tmp_path / name for name in _FILES)
    expected = [
        (name_of(each), LABELS[each.standing], each.verdict.level, frozenset(reasons(each)))
        for each in reports
        if each.standing is not None
    ]

    assert len(expected) == len(reports)
    assert {label for _, label, _, _ in expected} >= {"FAIL", "UNKNOWN", "NO MAIL", "INVALID"}
    rows = read_sheets(xlsx)["domains"]
    assert rows == csv_rows(csv_.read_text())
    assert list(map(_told_by_a_row, rows)) == expected
    documents = [json.loads(line) for line in jsonl.read_text().splitlines()]
    assert documents == list(_documents(json_.read_text()))
    assert [_told_by_json(each) for each in documents] == expected
    assert sorted(_told_by_html(html.read_text())) == sorted(expected)
    _require_text(text.read_text(), reports)


def _documents(text: str) -> Iterator[object]:
    """The JSON documents in *text*, one after the other."""
    at, decoder = 0, json.JSONDecoder()
    while at < len(text.rstrip()):
        document, end = decoder.raw_decode(text, at)
        yield document
        at = end + 1


def _told_by_a_row(row: dict[str, str]) -> Told:
    given = frozenset(map(_sentence_of, row["reasons"].split()))
    return row["domain"], LABELS[Standing(row["standing"])], row["level"], given


def _told_by_json(document: dict[str, Any]) -> Told:
    given = frozenset(map(_sentence_of, document["reasons"]))
    label = LABELS[Standing(document["standing"])]
    return document["domain"] or document["input"], label, document["verdict"]["level"], given


def _sentence_of(reason: str) -> str:
    return GAPS[Gap(reason)] if reason in list(Gap) else Code(reason).meaning  # type: ignore[call-arg]


def _told_by_html(page: str) -> Iterator[Told]:
    """The badge, the level, and the findings that are marked as reasons, of each domain."""
    for item in re.findall(r"<li data-rank=.*", page):
        label, name, level = (
            unescape(each)
            for each in re.findall(r'<span class="(?:badge|name|value)">([^<]*)</span>', item)[:3]
        )
        marked = re.findall(r'</span> ([^<]*) <span class="cause">Reason for ([^<]*)</span>', item)
        assert {each for _, each in marked} <= {label}
        given = [*(words for words, _ in marked), *re.findall('<li class="reason">([^<]*)', item)]
        yield name, label, level, frozenset(map(unescape, given))


def _require_text(text: str, reports: Sequence[DomainReport]) -> None:
    """Each domain has its label, requirement, level and reasons; blocks are in their order."""
    text, at = " ".join(text.split()), 0
    starts = []
    for report in reports:
        assert report.standing is not None
        label = LABELS[report.standing]
        start = re.compile(rf"{re.escape(name_of(report))}: {label}(\. |, but )").search(text, at)
        assert start is not None, name_of(report)
        starts.append(start.start())
        at = start.end()
    for report, begin, end in zip(reports, starts, (*starts[1:], len(text)), strict=True):
        block = text[begin:end]
        assert f"Required: {report.requirement}." in block
        if report.verdict.level is not Level.INVALID:
            assert f"Level: {report.verdict.level}, " in block
        if report.standing is Standing.NEUTRAL:
            assert "The domain states that it receives no mail (null MX)." in block
            continue
        for sentence in reasons(report):
            assert sentence.removesuffix(".").lower() in block.lower()


@each_requirement
@pytest.mark.any_loop
@in_one_loop
async def test_the_headline_never_contradicts_the_standing(
    scanned: Scanned, require: Level | Profile
) -> None:
    sound = ". Mail is encrypted, and every server's identity is verified."
    for report in (assess(each, require) for each in scanned.reports.values()):
        words = headline(report)
        is_serious = any(each.severity is Severity.HIGH for each in report.findings)
        if report.standing is not Standing.MEETS:
            assert not words.endswith(sound)
            assert report.reasons
        elif is_serious:
            assert ": PASS, but " in words
        assert bool(report.reasons) != (report.standing is Standing.MEETS)


def _failed(endpoint: Endpoint) -> Failed:
    failure = endpoint.failure
    return (failure.step, failure.reason, failure.reply_code) if failure else None


def _codes(report: DomainReport) -> list[Code]:
    return [finding.code for finding in report.findings]
