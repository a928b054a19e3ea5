"""What a list may hold. All of it offline: a domain is then unknown, and that is its row."""

import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.cli.commands import Ended, scan_offline, unknown_offline

CANNOT_SEE, USAGE = 4, 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.txt"


def rows(ended: Ended) -> list[tuple[str, str]]:
    """The input and the level of each report, in order."""
    reports = [json.loads(line) for line in ended.out.splitlines()]
    return [(report["input"], report["verdict"]["level"]) for report in reports]


def scan_lines(path: Path, lines: Iterable[bytes]) -> Ended:
    path.write_bytes(b"\n".join(lines))
    return scan_offline("-f", "jsonl", "--ordered", str(path))


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        pytest.param(b"", "has no domain in it: write one per line", id="empty"),
        pytest.param(
            b"# a.test\n\n \t\n", "has no domain in it: write one per line", id="comments"
        ),
        pytest.param(gzip.compress(b"a.test\n"), "is gzip data; a list is UTF-8", id="gzip"),
        pytest.param(b"PK\x03\x04\x14\0\6", "is a ZIP archive, or a spreadsheet", id="xlsx"),
        pytest.param(b"\x7fELF\2\1\1\0", "is a program; a list is UTF-8 text", id="ELF"),
        pytest.param("a.test\n".encode("utf-16"), "is UTF-16 text; a list is", id="UTF-16"),
        pytest.param("a.test\n".encode("utf-16-le"), "is binary data; a list", id="UTF-16, bare"),
    ],
)
@pytest.mark.parametrize("from_stdin", [False, True])
def test_a_list_without_a_line_to_read_is_told(
    path: Path, raw: bytes, complaint: str, from_stdin: bool
) -> None:
    path.write_bytes(raw)
    ended = scan_offline("-", stdin=raw) if from_stdin else scan_offline(str(path))

    name = "stdin" if from_stdin else path
    assert (ended.status, ended.out) == (USAGE, "")
    assert ended.err.startswith(f"probe: {name} {complaint}")
    assert ended.err.count("\n") == 1


def test_a_list_that_is_not_there_is_told(path: Path) -> None:
    ended = scan_offline(str(path))
    complaint = f"probe: cannot read {path}: No such file or directory: check the path\n"
    assert (ended.status, ended.out, ended.err) == (USAGE, "", complaint)


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    ended = scan_offline(str(tmp_path))
    complaint = f"probe: cannot read {tmp_path}: Is a directory: name the files in it\n"
    assert (ended.status, ended.out, ended.err) == (USAGE, "", complaint)


def test_a_list_that_cannot_be_read_is_told() -> None:
    ended = scan_offline("/proc/self/mem")  # for root, too
    complaint = "probe: cannot read /proc/self/mem: Input/output error\n"
    assert (ended.status, ended.out, ended.err) == (USAGE, "", complaint)


def test_a_bad_list_leaves_an_older_report_alone(path: Path) -> None:
    report = path.with_name("report.csv")
    report.write_text("old")

    assert scan_offline(str(path), "-o", str(report)).status == USAGE
    assert [file.name for file in path.parent.iterdir()] == ["report.csv"]
    assert report.read_text() == "old"


@pytest.mark.parametrize(
    ("line", "shown", "why"),
    [
        (b"a\0b.test", "a\0b.test", r"'a\x00b' is not a label of a host name"),
        (b"x" * 1_000_000, "x" * 80, "longer than 4096 bytes"),
        (b"K\xe4se.test", r"K\xe4se.test", "not UTF-8 at byte 2; save the list as UTF-8"),
        (b"https://a.test/", "https://a.test/", "a URL, not a domain"),
        (b"192.0.2.1", "192.0.2.1", "an IP address, not a domain"),
        (b"me@[192.0.2.1]", "me@[192.0.2.1]", "an IP address, not a domain"),
        (b"*.a.test", "*.a.test", "a wildcard, not a domain"),
        (b"a..test", "a..test", "an empty label"),
        (b"a.test b.test", "a.test b.test", "'test b' is not a label of a host name"),
        (b"\x1b[2J.test", "\x1b[2J.test", r"'\x1b[2j' is not a label of a host name"),
    ],
)
def test_a_line_that_is_no_domain_is_a_row_that_says_where_and_why(
    path: Path, line: bytes, shown: str, why: str
) -> None:
    ended = scan_lines(path, [b"# first", b"a.test", b"", line, b"b.test"])

    assert rows(ended) == [("a.test", "unknown"), (shown, "invalid"), ("b.test", "unknown")]
    error = json.loads(ended.out.splitlines()[1])["error"]
    assert error.startswith("line 4: ")
    assert why in error
    assert ended.err.startswith("probe: 3 domains: 2 UNKNOWN, 1 INVALID\n")
    assert f": INVALID. This is not a mail domain: {error}" in ended.err.replace("\\\\", "\\")


@pytest.mark.parametrize("format_", ["text", "json", "jsonl", "csv"])
def test_every_format_has_the_line_that_is_no_domain(path: Path, format_: str) -> None:
    path.write_bytes(b"a.test\nhttp://b.test\n")
    ended = scan_offline("-f", format_, str(path))
    assert "line 2: a URL, not a domain" in ended.out


@pytest.mark.parametrize(
    ("line", "domain"),
    [
        (b"me@a.test", "a.test"),
        (b"localhost", "localhost"),
        (b"  A.Test.  # a comment", "a.test"),
        (b"\xef\xbb\xbfa.test\r", "a.test"),
        ("faß.test".encode(), "xn--fa-hia.test"),
    ],
)
def test_a_domain_in_any_spelling_is_probed(path: Path, line: bytes, domain: str) -> None:
    ended = scan_lines(path, [line])
    assert [json.loads(row)["domain"] for row in ended.out.splitlines()] == [domain]
    assert ended.err.startswith("probe: 1 domain: 1 UNKNOWN\n")
    assert unknown_offline(domain, indent="  ") in ended.err


def test_a_domain_that_comes_again_is_reported_once_and_counted(path: Path) -> None:
    ended = scan_lines(path, [b"b\xc3\xbccher.test", b"a.test", b"XN--BCHER-KVA.TEST.", b"a.test"])

    assert [name for name, _ in rows(ended)] == ["bücher.test", "a.test"]
    assert ended.err.startswith("probe: 2 domains: 2 UNKNOWN; 2 repeated lines left out\n")


def test_a_line_that_is_no_domain_has_its_row_each_time(path: Path) -> None:
    assert rows(scan_lines(path, [b"*", b"*"])) == [("*", "invalid"), ("*", "invalid")]


def test_the_list_may_come_from_stdin() -> None:
    ended = scan_offline("-", "-f", "jsonl", "--ordered", stdin=b"a.test\n*\n")
    assert rows(ended) == [("a.test", "unknown"), ("*", "invalid")]


TABLE = """partner;Domain;owner
"Miller & Sons";a.test;=Ann
ACME;b.test;
ACME;a.test;Bob
ACME;A.test.;Bob
;;
Umbrella;;Eve
"""
OTHERS = [("Miller & Sons", "=Ann"), ("ACME", ""), ("ACME", "Bob"), ("Umbrella", "Eve")]


def test_the_other_columns_of_a_table_are_in_each_report(path: Path) -> None:
    path.write_text(TABLE)
    files = {kind: path.with_name(f"r.{kind}") for kind in ("csv", "jsonl", "txt")}
    outputs = [part for file in files.values() for part in ("-o", str(file))]
    ended = scan_offline(str(path), "--column", "domain", "--ordered", *outputs)

    counts = "probe: 4 domains: 3 UNKNOWN, 1 INVALID; 1 repeated line left out\n"
    assert ended.err.startswith(counts)
    cells = [row[-2:] for row in csv.reader(files["csv"].read_text().splitlines())]
    neutralised = [[partner, owner.replace("=", "'=")] for partner, owner in OTHERS]
    assert cells == [["list_partner", "list_owner"], *neutralised]
    reports = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    assert [tuple(report["columns"].values()) for report in reports] == OTHERS
    assert [report["domain"] for report in reports] == ["a.test", "b.test", "a.test", None]
    assert "(partner: Miller & Sons; owner: =Ann)\n" in files["txt"].read_text()


def test_rows_per_endpoint_have_the_other_columns_too(path: Path) -> None:
    path.write_text(TABLE)
    ended = scan_offline(str(path), "--column", "2", "--ordered", "--per-endpoint", "-f", "csv")
    head, *found = csv.reader(ended.out.splitlines())
    assert head[-2:] == ["list_partner", "list_owner"]
    assert [row[-2] for row in found] == [partner for partner, _ in OTHERS]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"partner,domain\nA,a.test\nB,b.test\n", id="with-names"),
        pytest.param(b"a.test;A\nb.test;B\n", id="without-names"),
        pytest.param(b"a.test\tA\nb.test\tB\n", id="tabs"),
        pytest.param(b'partner,domain\n"A\nB",a.test\nC,c.test\nD,d.test\n', id="quoted"),
        pytest.param(b"# partners\na.test,A\n", id="one-row"),
    ],
)
def test_a_table_without_column_is_refused_with_a_hint(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    ended = scan_offline(str(path))
    assert (ended.status, ended.out) == (USAGE, "")
    assert ended.err.startswith(f"probe: {path} looks like CSV: name the column of the domains")
    assert "--column NAME" in ended.err


def test_a_table_that_ends_with_mail_addresses_is_refused_too(path: Path) -> None:
    path.write_bytes(b"partner;domain;contact\nA;a.test;ann@x.test\nB;b.test;bob@y.test\n")
    ended = scan_offline(str(path))
    assert (ended.status, ended.out) == (USAGE, "")
    assert "Its first row is: partner, domain, contact" in ended.err


@pytest.mark.parametrize("raw", [b"a.test\nb.test, c.test\n", b"a;b.test\na.test\nb.test\n"])
def test_a_line_with_a_comma_makes_no_table(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    assert scan_offline(str(path)).out.count("invalid") >= 1


def test_a_column_that_is_not_there_is_told(path: Path) -> None:
    path.write_text(TABLE)
    ended = scan_offline(str(path), "--column", "domian")
    complaint = (
        f"probe: {path} has no column 'domian'; did you mean 'Domain'? "
        "Its first row is: partner, Domain, owner\n"
    )
    assert (ended.status, ended.out, ended.err) == (USAGE, "", complaint)


def test_domains_example_txt_is_a_list() -> None:
    path = Path(__file__).parents[2] / "domains.example.txt"
    ended = scan_offline("-f", "jsonl", str(path))
    assert {level for _, level in rows(ended)} == {"unknown"}
    assert ended.err.startswith("probe: 4 domains: 4 UNKNOWN; 1 repeated line left out\n")


def test_a_report_may_not_replace_the_list(path: Path) -> None:
    path.write_bytes(b"a.test\n")
    ended = scan_offline(str(path), "-o", str(path), "-f", "csv")

    assert ended.status == USAGE
    assert (
        ended.err
        == f"probe: {path} is the list, and the report would overwrite it: write elsewhere\n"
    )
    assert path.read_bytes() == b"a.test\n"
