import io
import itertools
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.domain_list import MAX_LINE, DomainList
from prober.domains import Entry, is_known_domain, parse_domain, parse_entry
from prober.errors import InputError

FULL = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])  # 253 characters


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("user@", "empty"),
        (".", "an empty label"),
        (".example.test", "an empty label"),
        ("example..test", "an empty label"),
        ("example.test..", "an empty label"),
        ("user@.test", "an empty label"),
        ("one@a.test, two@b.test", "not one domain, nor one mail address"),
        ("one@a.test;two@b.test", "not one domain, nor one mail address"),
        ("a.test one@b.test", "not one domain, nor one mail address"),
        ("user@a.test@b.test", "not one domain, nor one mail address"),
        ('"quoted"@a.test,two@b.test', "not one domain, nor one mail address"),
        ("https://example.test", "a URL"),
        ("HTTP://example.test/", "a URL"),
        ("smtp+tls://user@example.test", "a URL"),
        ("example.test/path", "a path"),
        ("192.0.2.0/24", "a path or a network"),
        ("192.0.2.1", "an IP address"),
        ("user@192.0.2.1", "an IP address"),
        ("[192.0.2.1]", "an IP address"),
        ("user@[192.0.2.1]", "an IP address"),
        ("2001:db8::1", "an IP address"),
        ("[IPv6:2001:db8::1]", "an IP address"),
        ("192.0.2.1.", "its last label is a number"),
        ("192.0.2", "its last label is a number"),  # inet_aton() takes it for 192.0.0.2
        ("\uff11\uff19\uff12.0.2.1", "its last label is a number"),
        ("example.123", "its last label is a number"),
        ("*.example.test", "a wildcard"),
        ("*", "a wildcard"),
        ("m*.example.test", "not a label of a host name"),
        ("-a.test", "has a hyphen at its start or end"),
        ("a-.test", "has a hyphen at its start or end"),
        ("a_b-.test", "has a hyphen at its start or end"),
        ("-a_b.test", "has a hyphen at its start or end"),
        ("bü_cher.test", "no internationalised domain name"),
        ("_..bücher.test", "an empty label"),
        ("exam ple.test", "not a label of a host name"),
        ("a.test,b.test", "not a label of a host name"),
        ("a.test\rb.test", "not a label of a host name"),
        ("a.test\0", "not a label of a host name"),
        ("\x1b[2Ja.test", "not a label of a host name"),
        ("example.test:25", "a host and a port"),
        ("user@example.test>", "not a label of a host name"),
        (f"{'a' * 64}.test", "a label of 64 characters; DNS allows 63"),
        (f"a{FULL}", "254 characters; a domain name has at most 253"),
        (f"{'ß' * 60}.test", "no internationalised domain name"),
        (f"{'ö.' * 80}test", "no internationalised domain name"),
        ("♥.test", "no internationalised domain name"),  # IDNA 2003 took symbols
        ("a\u200b\u202e.test", "no internationalised domain name"),
        ("a\udcff.test", "no internationalised domain name"),
        ("user\uff20example.test", "no internationalised domain name"),
    ],
)
def test_text_that_is_no_domain_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_domain(text)

    assert why in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.test", "example.test"),
        ("Example.TEST.", "example.test"),
        ("\t example.test \r\n", "example.test"),
        ("localhost", "localhost"),  # a single label is absolute: no search list
        ("a", "a"),
        ("7.a1", "7.a1"),
        ("3com.test", "3com.test"),
        ("_dmarc.example.test", "_dmarc.example.test"),
        ("My_Firm.test", "my_firm.test"),
        ("a_.b__c.test", "a_.b__c.test"),
        ("my_firm.bücher.test", "my_firm.xn--bcher-kva.test"),
        ("my_firm\u3002bücher.test", "my_firm.xn--bcher-kva.test"),
        ("xn--test", "xn--test"),  # no good A-label, yet DNS can be asked
        ("user@example.test", "example.test"),
        ('"odd @ local/part"@example.test', "example.test"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("BÜCHER.test", "xn--bcher-kva.test"),
        ("bu\u0308cher.test", "xn--bcher-kva.test"),  # decomposed
        ("XN--BCHER-KVA.test", "xn--bcher-kva.test"),
        ("user@bücher.test.", "xn--bcher-kva.test"),
        ("faß.de", "xn--fa-hia.de"),  # IDNA 2008; fass.de is somebody else
        ("βόλος.test", "xn--nxasmm1c.test"),  # the final sigma too
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),  # UTS 46: an ideographic full stop
        ("\uff45xample.test", "example.test"),  # UTS 46: full width
        ("\ufeffexample.test", "example.test"),  # a BOM
        (f"{'a' * 63}.test", f"{'a' * 63}.test"),
        (FULL, FULL),
        (f"{FULL}.", FULL),
    ],
)
def test_every_spelling_of_a_domain_is_one_domain(text: str, domain: str) -> None:
    assert parse_domain(text) == domain


def is_domain_or_refused(text: str) -> bool:
    try:
        domain = parse_domain(text)
    except InputError:
        return True
    return parse_domain(domain) == domain and domain.isascii() and len(domain) <= 253


NEARLY = st.lists(
    st.sampled_from([*"aZ0-_.@:/[]*# \t\0\x85", "ß", "。", "xn--", "٣", "\u200d", "\udcff"])
).map("".join)


@settings(deadline=None)
@given(st.one_of(st.text(), NEARLY))
def test_any_text_is_a_domain_that_parses_to_itself_or_is_refused(text: str) -> None:
    assert is_domain_or_refused(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://Www.Example.COM/inbox?x#y", "www.example.com"),
        ("http://user:pw@mail.example.com:8080/", "mail.example.com"),
        ("https://müller.example/", "xn--mller-kva.example"),
        ("smtp://mx.example.com", "mx.example.com"),
        ("example.com/", "example.com"),
        ("example.com:25", "example.com"),
        ("user@example.com:25", "example.com"),
        ("https://192.0.2.1/", None),
        ("https://[2001:db8::1]/", None),
        ("https://[nonsense/", None),
        ("https://localhost/", None),
        ("https://", None),
        ("192.0.2.0/24", None),
        ("https://https://a.test/", None),
    ],
)
def test_the_host_of_a_url_is_suggested(text: str, host: str | None) -> None:
    with pytest.raises(InputError) as refused:
        parse_domain(text)
    _, _, suggestion = str(refused.value).partition(": write ")
    assert suggestion == (host or "")


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("example.com", True),
        ("a.co.uk", True),
        ("partners.csv", False),
        ("a.test", False),
        ("com", False),
    ],
)
def test_a_known_domain_has_a_suffix_on_the_list(text: str, is_known: bool) -> None:
    assert is_known_domain(text) is is_known
    assert not is_known_domain(f"/{text}")


def test_an_entry_says_where_and_why_it_is_no_domain() -> None:
    assert parse_entry("a..b", 7) == Entry(
        text="a..b",
        error="line 7: an empty label: two dots in a row, or a dot in front",
        line=7,
    )


def entries(raw: bytes) -> list[Entry]:
    return list(DomainList("list", io.BytesIO(raw)).entries())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n \t\n\r\n", id="blank"),
        pytest.param("\u3000\u00a0\n".encode(), id="blank, in other scripts"),
        pytest.param(b"# a.test\n  # b.test\n\t#\n#", id="comments"),
        pytest.param(b"#" + b"x" * 10_000 + b"\n", id="long comment"),
        pytest.param(b"# K\xe4se\n", id="Latin-1 comment"),
        pytest.param(b"\xef\xbb\xbf", id="BOM"),
        pytest.param(b"\xef\xbb\xbf# a.test", id="BOM and comment"),
    ],
)
def test_blank_lines_and_comments_are_no_entries(raw: bytes) -> None:
    assert entries(raw) == []


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"a.test\nb.test\n", id="lines"),
        pytest.param(b"a.test\nb.test", id="no line end at the end"),
        pytest.param(b"a.test\r\nb.test\r\n", id="CRLF"),
        pytest.param(b"\xef\xbb\xbfa.test\nb.test\n", id="BOM"),
        pytest.param(b"a.test\n\xef\xbb\xbfb.test\n", id="BOM of a second file"),
        pytest.param(b"a.test # one\nb.test\t#two\n", id="comments behind"),
        pytest.param(b"a.test # K\xe4se\nb.test\n", id="Latin-1 in a comment"),
        pytest.param(b"a.test #" + b"x" * 10_000 + b"\nb.test\n", id="long comment behind"),
        pytest.param(b"a.test" + b" " * (MAX_LINE - 6) + b"\nb.test", id="longest line"),
        pytest.param(b"me@a.test\nme#too@b.test\n", id="addresses, # in a local part"),
    ],
)
def test_a_list_has_one_domain_a_line(raw: bytes) -> None:
    assert [(entry.domain, entry.line) for entry in entries(raw)] == [("a.test", 1), ("b.test", 2)]


@pytest.mark.parametrize(
    ("line", "text", "error"),
    [
        pytest.param(b"K\xe4se.test", r"K\xe4se.test", "not UTF-8 at byte 2; save", id="Latin-1"),
        pytest.param(
            b"a\0b.test", "a\0b.test", r"'a\x00b' is not a label of a host name", id="NUL"
        ),
        pytest.param(b"a" * MAX_LINE + b"a", "a" * 80, "longer than 4096 bytes", id="too long"),
        pytest.param(b"a" * 1_000_000, "a" * 80, "longer than 4096 bytes", id="1 MB"),
        pytest.param(b"a" * 300, "a" * 253, "300 characters", id="long name"),
        pytest.param(
            b"a.test#b", "a.test#b", "'test#b' is not a label of a host name", id="# inside"
        ),
        pytest.param(
            b"a.test\rb.test", "a.test\rb.test", "not a label of a host name", id="CR inside"
        ),
    ],
)
def test_a_bad_line_is_an_entry_and_affects_no_other(line: bytes, text: str, error: str) -> None:
    before, bad, after = entries(b"a.test\n" + line + b"\nb.test\n")

    assert (before.domain, after.domain) == ("a.test", "b.test")
    assert (bad.domain, bad.line, after.line) == (None, 2, 3)
    assert bad.text == text
    assert bad.error is not None
    assert bad.error.startswith("line 2: ")
    assert error in bad.error


PIECES = st.sampled_from([b"a.test", b"#", b" ", b"\r", b"\n", b"\n", b"\xe4", b"\0", b"\xff\xfe"])


@settings(deadline=None)
@given(st.one_of(st.binary(), st.lists(PIECES).map(b"".join)))
def test_every_line_that_is_not_empty_gives_an_entry(raw: bytes) -> None:
    lines = raw.split(b"\n")
    written = [number for number, line in enumerate(lines, 1) if is_written(line)]
    seen = entries(raw)

    assert [entry.line for entry in seen] == written
    assert all((entry.domain is None) != (entry.error is None) for entry in seen)


def is_written(line: bytes) -> bool:
    line = line.removeprefix(b"\xef\xbb\xbf")
    text = line.decode("utf-8", "replace").strip()
    return bool(text) and not line.lstrip().startswith(b"#")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x1f\x8b\x08\x00", "gzip data"),
        (b"BZh91AY&SY", "bzip2 data"),
        (b"PK\x03\x04", "a ZIP archive, or a spreadsheet"),
        (b"\xd0\xcf\x11\xe0", "an old Office document"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x7fELF\x02", "a program"),
        ("a.test\n".encode("utf-16"), "UTF-16 text"),
        ("a.test\n".encode("utf-16-be"), "binary data"),
        (b"\xfd7zXZ\0\0\4", "binary data"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_its_kind(
    tmp_path: Path, start: bytes, what: str
) -> None:
    path = tmp_path / "list"
    path.write_bytes(start + b"a.test\n")

    with pytest.raises(InputError) as refused, DomainList.open(str(path)):
        pass

    assert str(refused.value) == f"{path} is {what}; a list is UTF-8 text, one domain per line"


@pytest.mark.parametrize(
    "raw", [b"", b"a.test\n", b"a.test\n" * 10_000, b"a\0b.test\n" + b"#" * 20]
)
def test_a_text_is_read_from_its_start(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "list"
    path.write_bytes(raw)

    with DomainList.open(str(path)) as list_:
        assert list_.stream.read() == raw


@pytest.mark.parametrize("raw", [b"", b"a.test\n", b"a.test\n" * 100_000])
def test_a_pipe_is_a_list_too(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(raw,))
    writer.start()
    with DomainList.open(str(path)) as list_:
        assert list_.stream.read() == raw
    writer.join()


def test_a_list_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path, why in [
        (tmp_path / "none", "No such file or directory: check the path"),
        (tmp_path, "Is a directory: name the files in it"),
        (tmp_path / "none" / "x", "No such file or directory: check the path"),
    ]:
        with pytest.raises(InputError) as refused, DomainList.open(str(path)):
            pass
        assert str(refused.value) == f"cannot read {path}: {why}"


def test_a_closed_stdin_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(InputError, match="cannot read stdin: it is closed"), DomainList.open("-"):
        pass


LINES = st.sampled_from(
    [b"a.test", b"# c", b" #", b" ", b"\t", b"\xc2\xa0", b"\xef\xbb\xbf", b"\x1c", b"\xff", b"*"]
)


@given(
    st.lists(st.one_of(LINES, st.binary(max_size=6), st.just(b"x" * 2 * MAX_LINE)), max_size=8),
    st.sampled_from([b"\n", b"\r\n", b""]),
    st.integers(0, 3),
)
def test_as_many_entries_are_counted_as_are_read(lines: list[bytes], end: bytes, read: int) -> None:
    """Also after some were read, which go on where they were."""
    raw = b"".join(line + end for line in lines)
    list_ = DomainList("list", io.BytesIO(raw))
    reading = list_.entries()
    before = list(itertools.islice(reading, read))
    count = list_.count()
    assert [*before, *reading] == entries(raw)
    assert count == len(entries(raw))
