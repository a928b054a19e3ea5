"""``probe report --domain`` and ``--letter``: some domains only, and a page for a partner."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import invoke
from tests.cli.test_report import clear, good, write
from tests.report.pages import read_page
from tests.store.builders import record
from tests.support.builders import NOW


@pytest.fixture
def results(tmp_path: Path) -> str:
    return write(
        tmp_path / "run.jsonl", good(), clear(), good("bücher.test".encode("idna").decode())
    )


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "partner.html"


def domains_in(text: str) -> list[str]:
    return [json.loads(line)["domain"] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("clear.test",), ["clear.test"]),
        (("CLEAR.test.",), ["clear.test"]),
        (("bücher.test",), ["xn--bcher-kva.test"]),
        (("clear.test", "good.test"), ["good.test", "clear.test"]),
    ],
    ids=["one", "other-spelling", "u-label", "two-in-the-order-of-the-file"],
)
def test_only_the_named_domains_are_reported(
    results: str, given: tuple[str, ...], found: list[str]
) -> None:
    options = [part for name in given for part in ("--domain", name)]
    ended = invoke("report", results, *options, "-f", "jsonl")
    assert domains_in(ended.out) == found


def test_the_exit_status_is_that_of_the_named_domains(results: str) -> None:
    assert invoke("report", results, "--domain", "good.test").status == 0
    assert invoke("report", results, "--domain", "clear.test").status == 1


@pytest.mark.parametrize("options", [("--domain", "other.test"), ("--domain", "clear.test")])
def test_a_domain_that_is_not_there_is_named(
    results: str, target: Path, options: tuple[str, ...]
) -> None:
    ended = invoke("report", results, *options, "--domain", "gone.test", "-o", str(target))
    assert (ended.status, ended.out) == (2, "")
    assert "gone.test" in ended.err
    assert "is not in the results" in ended.err or "are not in the results" in ended.err
    assert list(target.parent.iterdir()) == [Path(results)]


def test_what_is_no_domain_is_refused(results: str) -> None:
    ended = invoke("report", results, "--domain", "a..b")
    assert ended.status == 2
    assert ended.err.startswith("probe: 'a..b' is not a mail domain: an empty label")


def test_a_letter_is_a_page_on_one_domain(results: str, target: Path) -> None:
    ended = invoke("report", results, "--domain", "clear.test", "--letter", "-o", str(target))

    assert (ended.status, ended.out) == (1, "")
    text = read_page(target.read_bytes()).text
    assert "Encryption of mail to clear.test" in text
    assert "Our mail to you travels unencrypted" in text
    assert "good.test" not in text


def test_a_letter_goes_to_stdout_as_html(results: str) -> None:
    ended = invoke("report", results, "--domain", "clear.test", "--letter", "-f", "html", "-q")
    assert ended.out.startswith("<!doctype html>")
    assert ended.out.count("<!doctype html>") == 1


def test_of_a_domain_that_comes_twice_the_last_result_is_in_the_letter(
    tmp_path: Path, target: Path
) -> None:
    results = write(tmp_path / "runs.jsonl", good("a.test"), clear("a.test"))
    invoke("report", results, "--domain", "a.test", "--letter", "-o", str(target))
    text = read_page(target.read_bytes()).text
    assert text.count("Encryption of mail to a.test") == 2  # title and heading
    assert "Our mail to you travels unencrypted" in text


def test_a_letter_of_a_run_in_the_record(tmp_path: Path, target: Path) -> None:
    from prober.store.database import open_store

    store = open_store(str(tmp_path / "probe.db"))
    record(store, [clear("clear.test", checked_at=NOW), good("good.test", checked_at=NOW)])
    store.close()
    db = ("--db", str(tmp_path / "probe.db"))

    ended = invoke("report", *db, "--domain", "clear.test", "--letter", "-o", str(target))
    assert ended.status == 1
    assert "On 2026-01-02 at 03:04 UTC we tested" in read_page(target.read_bytes()).text
    assert invoke("report", *db, "--domain", "good.test").status == 0
    ended = invoke("report", *db, "--domain", "gone.test")
    assert ended.status == 2
    assert "gone.test is not in the run" in ended.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("-o", "HTML"), "--letter needs one --domain: it is written to the administrators of one"),
        (("--domain", "clear.test", "--domain", "good.test", "-o", "HTML"), "--letter needs one"),
        (("--domain", "clear.test"), "--letter is an HTML page: write it with --output FILE.html"),
        (("--domain", "clear.test", "-o", "CSV"), "--letter is an HTML page"),
        (("--domain", "clear.test", "-o", "HTML", "-o", "CSV"), "--letter is an HTML page"),
        (("--domain", "clear.test", "-o", "HTML", "-f", "json"), "--letter is an HTML page"),
    ],
    ids=["no-domain", "two-domains", "stdout", "csv", "and-csv", "format"],
)
def test_what_a_letter_cannot_be(
    results: str, target: Path, options: tuple[str, ...], complaint: str
) -> None:
    names = {"HTML": str(target), "CSV": str(target.with_suffix(".csv"))}
    ended = invoke("report", results, "--letter", *(names.get(each, each) for each in options))
    assert (ended.status, ended.out) == (2, "")
    assert complaint in " ".join(ended.err.split())
    assert list(target.parent.iterdir()) == [Path(results)]
