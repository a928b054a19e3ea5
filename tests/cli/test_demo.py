import csv
import errno
import importlib.util
import re
import socket
from pathlib import Path

import pytest

from prober.lab import internet, smtp
from prober.lab.demo import DEMO, MAIL_LOG
from prober.lab.internet import LabDomain
from tests.cli.commands import Ended, Probe, invoke
from tests.support.workbooks import csv_rows, read_sheets

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_demo_shows_every_kind_of_answer(probe: Probe, tmp_path: Path) -> None:
    text, table = tmp_path / "demo.txt", tmp_path / "demo.csv"
    book, page = tmp_path / "demo.xlsx", tmp_path / "demo.html"
    files = (text, table, book, page)
    ended = await probe.run("demo", *(part for file in files for part in ("-o", str(file))))

    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"probe: {len(DEMO)} domains: ")
    levels = {row["domain"]: row["level"] for row in csv.DictReader(table.read_text().splitlines())}
    assert list(levels) == [domain.name for domain in DEMO]
    assert levels["well-configured.test"] == "authenticated"
    assert levels["self-signed.test"] == "opportunistic"
    assert levels["dane.test"] == "enforced"  # by validation here, of the lab's own zones
    assert levels["mixed.test"] == "partial"
    assert levels["clear-text.test"] == "none"
    assert levels["silent.test"] == "unknown"
    assert levels["null-mx.test"] == "no-mail"
    assert all(name in text.read_text() for name in levels)
    assert read_sheets(book)["domains"] == csv_rows(table.read_text())
    assert "clear-text.test" in page.read_text()
    assert "probe demo --full" in ended.err
    assert "probe demo -o demo.html" not in ended.err


@pytest.mark.asyncio(loop_scope="module")
async def test_the_demo_says_of_each_domain_what_it_teaches_and_what_to_try_next(
    probe: Probe,
) -> None:
    ended = await probe.run("demo")

    lines, _, summary = ended.out.partition(f"\n{len(DEMO)} domains: ")
    told = " ".join(lines.split())
    assert all(f"{domain.name} " in told and domain.shows in told for domain in DEMO)
    assert max(map(len, (line for line in lines.splitlines() if line.startswith(" ")))) <= 80
    assert "Worst:" in summary
    example = README.partition("It begins:\n\n```\n")[2].partition("```")[0]
    assert example
    assert lines.startswith(example)
    err = re.sub(r"server on \d{4}-\d\d-\d\d", "server on DAY", ended.err)
    assert err.splitlines()[1:] == [
        "probe: A log of a mail server that sent to these domains says:",
        "probe:   1 of 2 messages left in clear, without encryption. 1 more was held back.",
        "probe:   well-configured.test: 1 message left in clear on 2026-11-23; offered TLS 1.3 on "
        "every server on DAY: require TLS, and this cannot happen again",
        f"probe:   `probe logs {MAIL_LOG}` shows the whole answer",
        "probe: What to try next:",
        "probe:   `probe demo --full` shows the whole answer for each of these domains",
        "probe:   `probe explain CODE` explains a finding, such as tlsa-invalid",
        "probe:   `probe example.com` tests a real domain; with `--deep`, more of it",
        "probe:   `probe demo -o demo.html` writes a report to open in a browser",
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_full_shows_the_whole_answers_and_quiet_tells_nothing_else(probe: Probe) -> None:
    ended = await probe.run("demo", "--full", "--quiet")

    assert (ended.status, ended.err) == (1, "")
    assert "\nclear-text.test: FAIL. Mail is sent unencrypted: no server offers TLS." in ended.out
    assert "Worst:" not in ended.out


@pytest.mark.parametrize("domain", DEMO, ids=[domain.name for domain in DEMO])
def test_what_a_domain_teaches_is_told_in_sentences(domain: LabDomain) -> None:
    assert re.fullmatch(r"[A-Z][ -~]+\.", domain.shows)


def test_ports_that_others_hold_are_no_fault_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    def taken(*_: object, **__: object) -> socket.socket:
        nonlocal tries
        tries += 1
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(smtp, "bind", taken)
    complaint = "the demo cannot start its servers on loopback: Address already in use"
    assert invoke("demo") == Ended(status=2, out="", err=f"probe: {complaint}\n")
    assert tries == internet.ATTEMPTS


def test_without_its_extra_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    complaint = "probe: the demo needs an extra: pip install 'smtp-tls-prober[demo]'\n"
    assert invoke("demo") == Ended(status=2, out="", err=complaint)
