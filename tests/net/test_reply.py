"""Replies by RFC 5321 §4.2, keywords by §4.1.1.1: what is not one, first."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.escape import as_ascii
from prober.net.reply import (
    MAX_LINE,
    MAX_REPLY,
    BadReplyError,
    Reply,
    ReplyReader,
    ehlo_keywords,
    masked_by,
    odd_offer,
    offers,
    parse_reply,
    why_senders_differ,
)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"2200 too many digits\r\n", id="four-digits"),
        pytest.param(b"22 too few\r\n", id="two-digits"),
        pytest.param(b"250\ttab\r\n", id="tab-which-no-sender-reads"),
        pytest.param(b"220-a\r\nb\r\n", id="line-without-code"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(b"\r\n", id="empty-line"),
        pytest.param(b" 220 space in front\r\n", id="space-in-front"),
        pytest.param(b"220_x\r\n", id="odd-separator"),
        pytest.param("\uff12\uff12\uff10 full-width digits\r\n".encode(), id="full-width-digits"),
        pytest.param(b"220 " + b"x" * MAX_LINE, id="endless-line"),
        pytest.param(b"220-x\r\n" * (MAX_REPLY // 7 + 1), id="endless-reply"),
    ],
)
def test_what_can_never_become_a_reply_is_refused(raw: bytes) -> None:
    with pytest.raises(BadReplyError):
        parse_reply(raw)


@pytest.mark.parametrize("raw", [b"", b"2", b"220", b"220 x", b"220-x\r\n", b"220-x\r\n220 y\r"])
def test_a_reply_that_is_not_whole_is_none(raw: bytes) -> None:
    assert parse_reply(raw) is None


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        pytest.param(b"220 mx ESMTP\r\n", Reply(code=220, lines=("mx ESMTP",)), id="one-line"),
        pytest.param(b"250\r\n", Reply(code=250, lines=("",)), id="code-alone-rfc5321-4.2"),
        pytest.param(b"250-\r\n250 \r\n", Reply(code=250, lines=("", "")), id="no-text"),
        pytest.param(b"220-a\r\n220 b\r\n", Reply(code=220, lines=("a", "b")), id="greeting-of-2"),
        pytest.param(b"120 a\r\n", Reply(code=120, lines=("a",)), id="first-digit-1"),
        pytest.param(b"654 a\r\n", Reply(code=654, lines=("a",)), id="first-digit-6"),
        pytest.param(
            b"220-a\r\n521 b\r\n",
            Reply(code=521, lines=("a", "b"), codes=(220, 521)),
            id="the-last-code-counts",
        ),
        pytest.param(b"220 a\n", Reply(code=220, lines=("a",), bare_lf=True), id="bare-lf"),
        pytest.param(b"220 a\xff\r\n", Reply(code=220, lines=("a\\xff",)), id="no-ascii"),
        pytest.param(b"220 a\rb\r\n", Reply(code=220, lines=("a\rb",)), id="bare-cr-is-text"),
    ],
)
def test_a_reply(raw: bytes, reply: Reply) -> None:
    assert parse_reply(raw) == (reply, len(raw))


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        pytest.param(
            b"\r\n220 a\r\n", Reply(code=220, lines=("a",), strays=("",)), id="empty-line-first"
        ),
        pytest.param(
            b"250-a\r\nb\r\n250 c\r\n",
            Reply(code=250, lines=("a", "c"), strays=("b",)),
            id="line-without-code-within",
        ),
        pytest.param(
            b"220\ta\r\n220 b\r\n",
            Reply(code=220, lines=("b",), strays=("220\ta",)),
            id="tab",
        ),
    ],
)
def test_a_reader_skips_lines_without_a_code_and_keeps_them(raw: bytes, reply: Reply) -> None:
    assert ReplyReader().feed(bytearray(raw)) == reply


@pytest.mark.parametrize(
    "line", [b"x" * MAX_LINE + b"y\n", b"x\r\n" * (MAX_REPLY // 3 + 1)], ids=["line", "lines"]
)
def test_lines_without_a_code_are_bounded_too(line: bytes) -> None:
    with pytest.raises(BadReplyError):
        ReplyReader().feed(bytearray(line))


def _read(raw: bytes) -> Reply:
    reply = ReplyReader().feed(bytearray(raw))
    assert reply is not None
    return reply


# What real Postfix and Exim make of each is in tests/mta/test_faulty_servers.py.
@pytest.mark.parametrize(
    ("raw", "differ"),
    [
        pytest.param(b"250 mx\r\n", False, id="plain"),
        pytest.param(b"220-a\r\n250 b\r\n", False, id="codes-of-one-class"),
        pytest.param(b"220-a\r\n454 b\r\n", True, id="codes-of-two-classes"),
        pytest.param(b"\r\n220 a\r\n", True, id="empty-line"),
        pytest.param(b"220 " + b"a" * 3000 + b"\r\n", False, id="long-single-line"),
        pytest.param(b"250-mx\r\n250-" + b"a" * 3000 + b"\r\n250 b\r\n", True, id="long-line"),
        pytest.param(b"250-mx\r\n" + b"250-XLINE\r\n" * 120 + b"250 b\r\n", False, id="121-lines"),
        pytest.param(b"250-mx\r\n" + b"250-XLINE\r\n" * 500 + b"250 b\r\n", True, id="long-reply"),
    ],
)
def test_replies_that_senders_read_differently(raw: bytes, differ: bool) -> None:
    assert (why_senders_differ(_read(raw)) is not None) is differ


_GREETING = _read(b"220 mx ESMTP\r\n")


@pytest.mark.parametrize(
    ("ehlo", "odd"),
    [
        pytest.param(b"250-mx\r\n250 STARTTLS\r\n", False, id="plain"),
        pytest.param(b"250-mx\r\n250-STARTTLS foo\r\n250 HELP\r\n", False, id="parameter"),
        pytest.param(b"250-mx\r\n250-STARTTLS \r\n250 HELP\r\n", False, id="trailing-space"),
        pytest.param(b"250-mx\r\n250-starttls\r\n250 STARTTLS\r\n", False, id="twice"),
        pytest.param(b"250-mx\r\n250 starttls\r\n", True, id="lower-case"),
        pytest.param(b"250-mx\r\n250 StartTLS\r\n", True, id="mixed-case"),
        pytest.param(b"250-mx\r\n250- STARTTLS\r\n250 HELP\r\n", True, id="leading-space"),
        pytest.param(b"250-mx\r\n250-STARTTLS=1\r\n250 HELP\r\n", True, id="equals"),
        pytest.param(b"250-mx\r\n250-STARTTLS\tfoo\r\n250 HELP\r\n", True, id="tab"),
        pytest.param(b"250-mx\r\n251-STARTTLS\r\n250 HELP\r\n", True, id="another-code"),
        pytest.param(b"251-mx\r\n251 STARTTLS\r\n", True, id="another-code-throughout"),
        pytest.param(b"250-mx\0\r\n250 STARTTLS\r\n", True, id="nul"),
        pytest.param(b"250-\r\n250 STARTTLS\r\n", True, id="no-server-name"),
    ],
)
def test_offers_that_some_senders_do_not_see(ehlo: bytes, odd: bool) -> None:
    reply = _read(ehlo)
    assert offers(ehlo_keywords(reply), "STARTTLS")
    assert (odd_offer(_GREETING, reply) is not None) is odd


def test_behind_an_empty_greeting_some_senders_do_not_see_the_offer() -> None:
    assert odd_offer(_read(b"220\r\n"), _read(b"250-mx\r\n250 STARTTLS\r\n")) is not None


_text = st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b""))
_lines = st.lists(_text, min_size=1, max_size=12)


def _wire(code: int, lines: list[bytes]) -> bytes:
    *head, last = lines
    return b"".join(b"%d-%s\r\n" % (code, line) for line in head) + b"%d %s\r\n" % (code, last)


@given(st.integers(200, 599), _lines, st.binary(max_size=40))
def test_a_reply_cut_at_every_byte_and_followed_by_junk_is_the_same(
    code: int, lines: list[bytes], junk: bytes
) -> None:
    wire = _wire(code, lines)
    for cut in range(len(wire)):
        assert parse_reply(wire[:cut]) is None
    reply = Reply(code=code, lines=tuple(as_ascii(line) for line in lines))
    assert parse_reply(wire + junk) == (reply, len(wire))


@given(st.integers(200, 599), _lines, st.lists(st.integers(0, 400)))
def test_a_reply_in_any_segments_is_the_same(
    code: int, lines: list[bytes], cuts: list[int]
) -> None:
    wire = _wire(code, lines)
    reader, buffer, reply = ReplyReader(), bytearray(), None
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    for start, end in itertools.pairwise(edges):
        assert reply is None
        buffer += wire[start:end]
        reply = reader.feed(buffer)
    assert reply == parse_reply(wire)[0]  # type: ignore[index] # it is whole
    assert not buffer


@given(st.binary(max_size=300))
def test_any_bytes_are_a_reply_or_none_or_refused(raw: bytes) -> None:
    try:
        parsed = parse_reply(raw)
    except BadReplyError:
        return
    assert parsed is None or 0 < parsed[1] <= len(raw)


def _ehlo(*lines: str) -> Reply:
    return Reply(code=250, lines=("mx.example.com at your service", *lines))


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        pytest.param((), False, id="nothing"),
        pytest.param(("XSTARTTLS",), False, id="substring-behind"),
        pytest.param(("STARTTLSX",), False, id="substring-before"),
        pytest.param(("AUTH STARTTLS",), False, id="parameter"),
        pytest.param(("X-NOTE STARTTLS follows",), False, id="words"),
        pytest.param(("-STARTTLS",), False, id="no-keyword"),
        pytest.param(("STARTTLS",), True, id="plain"),
        pytest.param(("starttls",), True, id="lower-case-rfc5321-4.1.1.1"),
        pytest.param(("StartTLS ",), True, id="trailing-space"),
        pytest.param((" STARTTLS",), True, id="leading-space-postfix-reads-it"),
        pytest.param(("STARTTLS=1",), True, id="equals-postfix-reads-it"),
        pytest.param(("STARTTLS\0",), True, id="nul-ends-the-line"),
        pytest.param(("STARTTLS,",), False, id="comma"),
        pytest.param(("AUTH=STARTTLS",), False, id="value"),
        pytest.param(("STARTTLS REQUIRED",), True, id="with-parameter"),
        pytest.param(("SIZE 1000", "STARTTLS", "8BITMIME"), True, id="among-others"),
    ],
)
def test_starttls_is_offered_by_its_keyword_alone(lines: tuple[str, ...], offered: bool) -> None:
    assert offers(ehlo_keywords(_ehlo(*lines)), "STARTTLS") is offered


def test_the_first_line_names_the_server_and_is_no_keyword() -> None:
    assert ehlo_keywords(Reply(code=250, lines=("STARTTLS",))) == ()


def test_keywords_keep_their_parameters() -> None:
    reply = _ehlo("size 1000", "Auth  PLAIN login")
    assert ehlo_keywords(reply) == ("SIZE 1000", "AUTH PLAIN login")


_PLAIN = Reply(code=220, lines=("mx.example.com ESMTP",))


@pytest.mark.parametrize(
    ("greeting", "ehlo", "masked"),
    [
        pytest.param(_PLAIN, _ehlo("SIZE 1"), None, id="plain"),
        pytest.param(
            Reply(code=220, lines=("*** no spam ***",)), _ehlo(), None, id="asterisks-as-ornament"
        ),
        pytest.param(_PLAIN, _ehlo("XCLIENT NAME", "X-EXPS"), None, id="keywords-with-x"),
        pytest.param(_PLAIN, _ehlo("XXXXXXXA"), "XXXXXXXA", id="keyword"),
        pytest.param(_PLAIN, _ehlo("XXXXXXXB 1000"), "XXXXXXXB 1000", id="keyword-with-parameter"),
        pytest.param(
            Reply(code=220, lines=("********0******2**",)), _ehlo(), "********0******2**", id="pix"
        ),
        pytest.param(
            Reply(code=220, lines=("************",)), None, "************", id="helo-only"
        ),
    ],
)
def test_masking_by_a_middlebox(greeting: Reply, ehlo: Reply | None, masked: str | None) -> None:
    assert masked_by(greeting, ehlo) == masked


@pytest.mark.parametrize(
    "line", ["*" * MAX_LINE + "x", "X" * MAX_LINE + "!", "2" * MAX_LINE, "*x" * 4000]
)
def test_no_line_holds_the_loop(line: str) -> None:
    """Each pattern is linear: without that, the longest line would take minutes."""
    reply = Reply(code=250, lines=("mx", line))
    masked_by(reply, reply)
    ehlo_keywords(reply)
    with contextlib.suppress(BadReplyError):
        parse_reply(line.encode() + b"\r\n")
