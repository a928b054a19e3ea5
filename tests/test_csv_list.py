"""A list of domains in a CSV table: its column, its other columns, and no row is lost."""

import csv
import io
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.csv_list import MAX_ROW, CsvList
from prober.domain_list import DomainList
from prober.domains import Entry
from prober.errors import InputError


def table(raw: bytes, column: str = "domain") -> CsvList:
    return CsvList(DomainList("list.csv", io.BytesIO(raw)), column)


def entries(raw: bytes, column: str = "domain") -> list[Entry]:
    return list(table(raw, column).entries())


@pytest.mark.parametrize(
    ("raw", "column"),
    [
        pytest.param(b"owner,domain\nAnn,a.test\nBob,b.test\n", "domain", id="commas"),
        pytest.param(b"owner;domain\r\nAnn;a.test\r\nBob;b.test", "domain", id="semicolons, CRLF"),
        pytest.param(b"owner\tdomain\nAnn\ta.test\nBob\tb.test\n", "domain", id="tabs"),
        pytest.param(b"\xef\xbb\xbfowner,domain\nAnn,a.test\nBob,b.test\n", "domain", id="BOM"),
        pytest.param(b'"owner","domain"\n"Ann","a.test"\n"Bob",b.test\n', "domain", id="quotes"),
        pytest.param(b'"owner",Domain \nAnn,a.test\nBob, b.test \n', "DOMAIN", id="case, blanks"),
        pytest.param(b"owner,domain\nAnn,a.test\nBob,b.test\n", "2", id="by number"),
        pytest.param(b"\n,\nowner,domain\n,\nAnn,a.test\n\nBob,b.test\n", "2", id="blank rows"),
        pytest.param(b"owner,domain\nAnn,x@a.test\nBob,b.test.\n", "domain", id="addresses"),
        pytest.param(b'"owner,""x"";",domain\nAnn,a.test\nBob,b.test\n', "2", id="marks in quotes"),
    ],
)
def test_a_column_has_the_domains(raw: bytes, column: str) -> None:
    read = table(raw, column)
    owner = read.columns[0]
    assert [(entry.domain, entry.columns) for entry in read.entries()] == [
        ("a.test", {owner: "Ann"}),
        ("b.test", {owner: "Bob"}),
    ]


def test_a_number_works_without_a_row_of_names() -> None:
    assert entries(b"Ann,a.test,1\nBob,b.test,2\n", "2") == [
        Entry(text="a.test", domain="a.test", line=1, columns={"column 1": "Ann", "column 3": "1"}),
        Entry(text="b.test", domain="b.test", line=2, columns={"column 1": "Bob", "column 3": "2"}),
    ]


def test_no_two_columns_have_one_name() -> None:
    assert table(b"owner,domain,,owner,owner 2\n").columns == (
        "owner",
        "column 3",
        "owner 2",
        "owner 2 2",
    )


def test_a_name_that_is_a_number_is_a_name() -> None:
    (entry,) = entries(b"1,2\na.test,b.test\n", "2")
    assert entry.domain == "b.test"
    (entry,) = entries(b"2,1\na.test,b.test\n", "2")
    assert entry.domain == "a.test"


@pytest.mark.parametrize(
    ("row", "text", "error"),
    [
        (b"Ann;;x", "Ann;;x", "line 2: no domain in the column 'domain'"),
        (b"Ann", "Ann", "line 2: no domain in the column 'domain'"),
        (
            b"Ann;a b;x",
            "a b",
            "line 2: 'a b' is not a label of a host name: letters, digits and hyphens",
        ),
        (b"A;a.test;x;y", "A;a.test;x;y", "4 fields, the first row has 3; quote a field with ';'"),
        (b"K\xe4se;a.test;x", r"K\xe4se;a.test;x", "not UTF-8 at byte 2; save the list as UTF-8"),
        (b'"Ann;a.test;x', '"Ann;a.test;x', "a quoted field does not end"),
        (b'"Ann"x;a.test;x', '"Ann"x;a.test;x', "';' expected after '\"'"),
        (b"x" * (MAX_ROW + 1), "x" * 80, f"longer than {MAX_ROW} bytes"),
        (b'"' + b"x\n" * MAX_ROW, '"x', f"a quoted field does not end within {MAX_ROW} bytes"),
    ],
)
def test_a_bad_row_is_an_entry_and_costs_no_other(row: bytes, text: str, error: str) -> None:
    raw = b"owner;domain;note\n" + row + b"\nBob;b.test;y\n"
    bad, *others = entries(raw)

    assert (bad.line, bad.text, bad.domain) == (2, text, None)
    assert bad.error is not None
    assert bad.error.startswith("line 2: ")
    assert error in bad.error
    assert others[-1].domain == "b.test"
    assert others[-1].columns == {"owner": "Bob", "note": "y"}


def test_a_row_without_a_domain_keeps_its_other_columns() -> None:
    (entry,) = entries(b"owner;domain\nAnn;\n")
    assert (entry.domain, entry.columns) == (None, {"owner": "Ann"})


def test_a_field_of_several_lines_becomes_one_and_lines_are_counted_on() -> None:
    first, second = entries(b'note,domain\n"one\ntwo  three",a.test\nx,b.test\n')
    assert (first.line, first.columns) == (2, {"note": "one two three"})
    assert second.line == 4


@pytest.mark.parametrize(
    ("raw", "column", "why"),
    [
        (b"", "domain", "list.csv: it has no row"),
        (b"\n,,\n", "domain", "list.csv: it has no row"),
        (b"K\xe4se,domain\n", "domain", "list.csv: not UTF-8 at byte 2"),
        (b"a,b\n", "0", "list.csv has 2 columns, and --column is 0"),
        (b"a,b\n", "3", "list.csv has 2 columns, and --column is 3"),
        (b"a,b\n", "9" * 5000, "list.csv has 2 columns"),
        (b"owner,domain\n", "domian", "no column 'domian'; did you mean 'domain'? Its first row"),
        (b"owner,host\n", "domain", "no column 'domain'. Its first row is: owner, host"),
        (b"host,Host\n", "host", "list.csv has several columns 'host': give a number"),
        (b"x," * 100 + b"domain\n", "domain", "list.csv has 101 columns; at most 100 work"),
    ],
)
def test_a_column_that_is_not_there_is_refused(raw: bytes, column: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        table(raw, column)
    assert why in str(refused.value)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8), st.sampled_from(",;\t"))
def test_what_a_spreadsheet_writes_is_read(rows: Sequence[Sequence[str]], delimiter: str) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["owner", "domain", "note"], *rows])
    seen = entries(buffer.getvalue().encode())

    written = [row for row in rows if any(cell.strip() for cell in row)]
    assert len(seen) == len(written)
    for entry, (owner, _, note) in zip(seen, written, strict=True):
        assert entry.columns == {"owner": " ".join(owner.split()), "note": " ".join(note.split())}


PIECES = st.sampled_from(
    [b"a.test", b",", b";", b'"', b" ", b"\r", b"\n", b"\xe4", b"\xef\xbb\xbf"]
)


@settings(deadline=None)
@given(st.lists(PIECES).map(b"".join))
def test_no_line_with_anything_on_it_is_lost(raw: bytes) -> None:
    """Each has an entry of its own, or is in the quoted field of a good row before it."""
    lines = (b"owner,domain\n" + raw).split(b"\n")
    seen = entries(b"\n".join(lines))
    starts = [entry.line or 0 for entry in seen]

    assert starts == sorted(set(starts))
    for start, after in itertools.pairwise([1, *starts, len(lines) + 1]):
        whole = b"\n".join(lines[start - 1 : after - 1])
        left_out = lines[start : after - 1]
        assert b'"' in whole or not any(line.strip(b" ,;\r\xef\xbb\xbf") for line in left_out)


@pytest.mark.parametrize(
    ("raw", "column", "count"),
    [
        pytest.param(b"owner,domain\nAnn,a.test\n\n#,b.test\n", "domain", 2, id="names"),
        pytest.param(b"Ann,a.test\nBob,b.test", "2", 2, id="no names"),
    ],
)
def test_rows_are_counted_but_for_the_names(raw: bytes, column: str, count: int) -> None:
    list_ = table(raw, column)
    assert list_.count() == len(list(list_.entries())) == count
