"""The HTML report, read by a parser: what is in it, and that no text of others can do anything."""

import base64
import hashlib
import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from prober.errors import SettingsError
from prober.files import ResumeFrom
from prober.records import Code, DomainReport, Level, Line, ProfileName, Standing, finding
from prober.report import html
from prober.report.answer import LABELS, answer
from prober.report.letter import write_letter
from prober.report.output import NO_PAGE
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess
from prober.rules.totals import Tally
from tests.cli.commands import invoke
from tests.report import samples
from tests.report.pages import arranged, read_page, written
from tests.report.strategies import reports
from tests.support.reports import open_report

MARK = "markupxyzzy"
SCRIPT = f"{MARK}</script><script>alert(1)</script><img src=x onerror=alert(1)>\" style='x' id=x>"
HREF = re.compile(r"#d-[0-9a-f]{16}")
OURS = {
    "id": re.compile(
        r"d-[0-9a-f]{16}|summary|summary-title|domains|domains-title|tools|search|show|sort|"
        "unfold|fold|count|list|runs-title"
    ),
    "href": HREF,
    "class": re.compile(r"[a-z ]*"),
    "data-rank": re.compile(r"\d|\d{4}"),
    "lang": re.compile("en"),
}
NEVER = {"style", "src", "srcset", "action", "formaction", "data", "srcdoc", "http", "background"}


def assessed(*found: DomainReport) -> list[DomainReport]:
    return [
        replace(each, standing=Standing.FALLS_SHORT) if each.standing is None else each
        for each in found
    ]


def texts_of(page: bytes) -> str:
    return " ".join(read_page(page).text.split())


def require_harmless(page: bytes) -> None:
    """No text but ours in an attribute that does something, in script or in style."""
    read = read_page(page)
    for element, name, value in read.attributes:
        assert name not in NEVER, (element, name)
        assert not name.startswith("on")
        assert element not in ("img", "iframe", "link", "object", "base", "form", "a") or (
            element == "a" and HREF.fullmatch(value)
        )
        if name in OURS:
            assert OURS[name].fullmatch(value), (name, value)
    (script,) = read.inside("script")
    (style,) = read.inside("style")
    (policy,) = [value for _, name, value in read.attributes if value.startswith("default-src")]
    for text, what in ((script, "script-src"), (style, "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{what} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert script == (Path(html.__file__).with_name("templates") / "script.js").read_text()
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in script


def hostile(text: str) -> DomainReport:
    """Every field that a peer or a list fills."""
    report = samples.hostile()
    host = f"mx.{text}"
    seen = replace(
        report.endpoints[0],
        mx_host=host,
        address=text,
        greeting=text,
        cipher=text,
        transcript=(Line(ms=1, peer="server", line=text),),
        certificate=samples.make_certificate(
            subject=text, issuer=text, san=(text,), errors=(text,)
        ),
    )
    found = tuple(replace(each, mx_host=host, detail=text) for each in report.findings)
    return replace(
        report,
        input=text,
        domain=text,
        endpoints=(seen,),
        findings=found,
        columns={"owner": text},
    )


@pytest.mark.parametrize(
    "text", [SCRIPT, samples.HOSTILE, "x" * 1_000_000], ids=["tags", "all", "1 MB"]
)
@pytest.mark.parametrize("make", [written, arranged], ids=["stream", "file"])
def test_text_of_others_is_shown_and_does_nothing(text: str, make: object) -> None:
    page = (written if make is written else arranged)(*assessed(hostile(text)), columns=("owner",))
    require_harmless(page)
    shown = read_page(page).text
    assert text[:20].partition("\x1b")[0] in shown
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert len(page) < 500_000


@settings(max_examples=25)
@given(reports())
def test_any_report_is_a_sound_page(report: DomainReport) -> None:
    page = arranged(*assessed(report))
    require_harmless(page)
    assert page.count(b"\n<li data-rank=") == 1


def test_the_letter_of_any_hostile_report_is_a_sound_page() -> None:
    letter = html.letter_page(write_letter(hostile(SCRIPT)))
    read = read_page(letter)
    assert read.inside("script") == []
    assert MARK in read.text
    assert "alert" not in "".join(value for _, _, value in read.attributes)


def test_nothing_is_loaded_from_anywhere() -> None:
    page = arranged(*assessed(*samples.all_samples()))
    assert not re.search(rb"(src|href)\s*=\s*.?(https?:)?//", page)
    require_harmless(page)


def test_the_summary_comes_first_in_a_file_and_last_in_a_stream() -> None:
    found = assessed(*samples.all_samples())
    in_file, in_stream = arranged(*found), written(*found)
    assert in_file.index(b'id="summary"') < in_file.index(b'id="domains"')
    assert in_stream.index(b'id="summary"') > in_stream.index(b'id="domains"')
    kept = set(texts_of(in_stream).split())
    assert kept <= set(texts_of(in_file).split())


def test_the_worst_come_first_in_a_file() -> None:
    found = [
        replace(samples.passes(), standing=Standing.MEETS, domain="good.example"),
        replace(samples.null_mx(), standing=Standing.NEUTRAL),
        replace(samples.unknown(), standing=Standing.UNDECIDED),
        replace(samples.fails(), standing=Standing.FALLS_SHORT),
        replace(samples.warns(), standing=Standing.MEETS),
    ]
    names = re.findall(rb'<span class="name">([^<]*)</span>', arranged(*found))
    assert [name.decode() for name in names] == [
        "fails.example",
        "unknown.example",
        "warns.example",
        "good.example",
        "null.example",
    ]
    assert "1 domain passes with a warning: see the list." in texts_of(arranged(*found))


@pytest.mark.parametrize(
    ("code", "is_offered"), [(Code.CERTIFICATE_EXPIRED, True), (Code.DNSSEC_PROOF_INVALID, False)]
)
def test_a_letter_is_offered_where_the_receiver_can_change_something(
    code: Code, is_offered: bool
) -> None:
    report = replace(samples.passes(), standing=Standing.MEETS, findings=(finding(code),))
    assert ("Message to send" in texts_of(arranged(report))) is is_offered


def test_a_domain_that_comes_twice_has_one_id() -> None:
    page = read_page(arranged(samples.fails(), samples.passes(), samples.fails()))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert page.text.count("fails.example") > ids.count(html.anchor_of("fails.example")) == 1


@pytest.mark.parametrize(
    ("left", "text"),
    [(1, "1 more domain is counted above"), (2, "2 more domains are counted above")],
)
def test_what_is_left_out_is_counted_in_whole_words(left: int, text: str) -> None:
    assert html.not_listed(left) == f"{text} and not listed here."


def test_only_the_worst_have_sections_and_all_have_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MAX_SECTIONS", 2)
    monkeypatch.setattr(html, "MAX_ROWS", 4)
    found = [
        replace(samples.passes(), domain=f"d{number}.example", standing=Standing.MEETS)
        for number in range(20)
    ]
    found.append(replace(samples.fails(), standing=Standing.FALLS_SHORT))
    page = arranged(*found)
    assert page.count(b'<div class="section">') == 2
    assert page.count(b"<li data-rank=") == 4
    assert b"fails.example" in page.partition(b"<li data-rank=")[2].partition(b"\n")[0]
    assert "17 more domains are counted above and not listed here." in texts_of(page)
    require_harmless(page)


@pytest.mark.parametrize(("detail", "sections"), [(0, 0), (1, 1), (5, 5), (900, 9)])
def test_so_many_as_asked_for_have_sections(detail: int, sections: int) -> None:
    found = [
        replace(samples.passes(), domain=f"d{number}.example", standing=Standing.MEETS)
        for number in range(9)
    ]
    page = arranged(*found, detail=detail)
    assert page.count(b'<div class="section">') == sections
    assert page.count(b"<li data-rank=") == 9
    assert ("give a greater number with --detail" in texts_of(page)) == (detail < 9)


def test_a_long_list_has_parts_of_100_rows_so_that_only_those_on_screen_are_laid_out() -> None:
    found = [replace(samples.passes(), domain=f"d{number}.example") for number in range(250)]
    page = arranged(*assessed(*found))
    parts = re.findall(rb'<ul class="(list|list far)">\n(.*?)</ul>', page, re.DOTALL)
    assert [css for css, _ in parts] == [b"list", b"list far", b"list far"]
    assert [part.count(b"<li data-rank=") for _, part in parts] == [100, 100, 50]
    require_harmless(page)


@pytest.mark.parametrize(
    ("require", "words"),
    [
        (Level.OPPORTUNISTIC, "all its mail servers encrypt mail (level opportunistic)."),
        (Level.ENFORCED, "and it requires senders to use TLS (level enforced)."),
        (
            PROFILES[ProfileName.HIPAA],
            "what its mail servers negotiate meets the profile hipaa.",
        ),
    ],
    ids=["opportunistic", "enforced", "profile"],
)
def test_the_summary_says_when_a_domain_passes(require: Level | Profile, words: str) -> None:
    tally = Tally(require=require, operator_of=str, describe=answer)
    tally.add(tally.assess(samples.passes()))
    writer = html.Html()
    page = " ".join(read_page(writer.head() + writer.foot(tally.totals)).text.split())
    assert "A domain passes when " in page
    assert words in page


def test_the_columns_of_the_list_are_shown_and_can_be_sorted_by() -> None:
    report = replace(samples.passes(), columns={"owner": "Ann", "id": "7"})
    page = texts_of(arranged(*assessed(report), columns=("owner", "id")))
    assert "owner: Ann id: 7" in page
    assert "level owner id" in page  # the choices


def test_what_is_below_the_profile_has_its_value_rating_and_paragraph() -> None:
    weak = samples.make_endpoint(tls_version="TLSv1.2", cipher="AES128-SHA", key_exchange=None)
    report = samples.make_report(endpoints=(weak,))
    page = arranged(assess(report, PROFILES[ProfileName.HIPAA])).decode()
    table = page.partition("<h3>Below profile hipaa</h3>")[2].partition("</table>")[0]
    assert "The norm: 45 CFR 164.312(e), 74 FR 19006, by way of NIST SP 800-52 Rev. 2" in table
    assert (
        "<th>mx1.example.com 192.0.2.1</th><td>cipher suite</td>"
        "<td>TLS_RSA_WITH_AES_128_CBC_SHA</td><td>insufficient</td>"
        "<td>appendix D; SP 800-131A r2 §6; our reading: "
    ) in table


def test_a_domain_that_meets_the_profile_has_no_such_table() -> None:
    report = assess(samples.passes(), PROFILES[ProfileName.HIPAA])
    assert b"Below profile" not in arranged(replace(report, standing=Standing.MEETS))


def test_the_reasons_are_marked_among_the_findings() -> None:
    report = samples.assessed(samples.fails())
    page = arranged(report).decode()
    causes = re.findall(r'</span> ([^<]*) <span class="cause">Reason for FAIL</span>', page)
    assert set(causes) == {each.meaning for each in Code if each in report.reasons}


def test_transcripts_are_left_out_where_they_would_fill_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(html, "_MAX_TRANSCRIPTS", 400)
    page = arranged(*assessed(*(samples.passes() for _ in range(3))))
    assert page.count(b"<summary>Transcript") == 1
    assert "2 domains are shown without transcripts: a JSON report has them." in texts_of(page)
    require_harmless(page)


def test_it_has_the_words_of_the_text_report() -> None:
    found = assessed(*samples.all_samples())
    page = texts_of(arranged(*found))
    for report in found:
        for each in report.findings:
            assert each.code.meaning in page
    assert all(LABELS[each.standing] in page for each in found if each.standing)


def test_a_file_is_arranged_when_it_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("older")
    found = assessed(*samples.all_samples())
    with open_report(target, totals=samples.totals_of(*found)) as writer:
        for report in found:
            writer.write(report)
        assert target.read_text() == "older"
    assert target.read_bytes() == arranged(*found)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_an_empty_run_is_a_sound_page() -> None:
    page = arranged()
    require_harmless(page)
    assert "0 domains" in texts_of(page)


def test_a_failed_arrangement_leaves_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that --resume can go on."""
    writer = open_report(tmp_path / "report.html")
    writer.write(*assessed(samples.passes()))
    monkeypatch.setattr(html, "_left_out", lambda *_counts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        writer.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html.partial"]


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"pip install 'smtp-tls-prober\[report\]'"):
        open_report("report.html")


def test_other_reports_have_no_page_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "message.eml").write_text("Received: by a\n\n")
    ended = invoke("headers", "message.eml", "-o", "out.html")
    assert ended.status == 2
    assert NO_PAGE in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["message.eml"]


def test_300_domains_take_less_than_2_mb() -> None:
    found = [
        replace(each, domain=f"d{number}.example")
        for number, each in enumerate(assessed(*samples.all_samples() * 30)[:300])
    ]
    assert len(arranged(*found)) < 2_000_000


def test_a_file_that_goes_on_is_the_same_as_one_written_at_once(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    found = assessed(*samples.all_samples())
    totals = samples.totals_of(*found)
    stopped = open_report(target, totals=totals)
    for report in found[:4]:
        stopped.write(report)
    mark = stopped.mark
    assert mark is not None
    stopped.write(found[0])  # no checkpoint knows of it
    stopped.abandon()
    with open_report(target, totals=totals, resume_from=ResumeFrom(mark)) as writer:
        for report in found[4:]:
            writer.write(report)
    assert target.read_bytes() == arranged(*found)
