from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.escape import MAX_QUOTED, as_ascii, listed, printable, quoted, utc


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[2J", "\\x1b[2J", id="ESC"),
        pytest.param("\x9b2J", "\\x9b2J", id="C1-CSI"),
        pytest.param("a\r\n\tb\x00\x7f", "a\\x0d\\x0a\\x09b\\x00\\x7f", id="C0-and-DEL"),
        pytest.param("a\u202eb\u2066c", "a\\u202eb\\u2066c", id="bidi"),
        pytest.param("a\u2028b\u200b\ufeff", "a\\u2028b\\u200b\\ufeff", id="separators"),
        pytest.param("a\xa0b\u3000", "a\\xa0b\\u3000", id="odd-spaces"),
        pytest.param("\ud800", "\\ud800", id="lone-surrogate"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag-character"),
        pytest.param("Müller \\x1b 日本", "Müller \\x1b 日本", id="printable-stays"),
        pytest.param("", "", id="empty"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))  # with surrogates
def test_the_result_prints_and_stays_as_it_is(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert printable(shown) == shown


@given(st.text(st.characters()))
def test_quoted_text_is_printable_ascii_and_short(text: str) -> None:
    shown = quoted(text)

    assert shown.isascii()
    assert shown.isprintable()
    assert shown[0] == shown[-1]
    assert shown[0] in "'\""
    assert eval(shown) == text or len(text) > MAX_QUOTED  # noqa: S307 # a literal
    assert len(shown) <= 10 * MAX_QUOTED + 5  # all escaped, as \\U000e0041


def test_longer_text_is_cut_where_it_is_quoted() -> None:
    assert quoted("a" * MAX_QUOTED) == f"'{'a' * MAX_QUOTED}'"
    assert quoted("a" * (MAX_QUOTED + 1)) == f"'{'a' * MAX_QUOTED}...'"


@given(st.binary())
def test_bytes_as_ascii_keep_what_is_ascii(raw: bytes) -> None:
    text = as_ascii(raw)
    assert text.isascii()
    assert text == raw.decode("latin-1") or max(raw) > 0x7F


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a'b\n", '"a\'b\\n"', id="quoted"),
        pytest.param("M\u00fcller \x1b\u202e", "'M\\xfcller \\x1b\\u202e'", id="ascii"),
        pytest.param("x" * 80, f"'{'x' * 80}'", id="longest"),
        pytest.param("x" * 81, f"'{'x' * 80}...'", id="cut"),
    ],
)
def test_a_text_in_a_sentence_is_ascii_in_quotes_and_bounded(text: str, shown: str) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, ""), (2, "0, 1"), (5, "0, 1, 2, 3, 4"), (7, "0, 1, 2, 3, 4 and 2 more")],
)
def test_few_of_many_texts_are_listed(count: int, shown: str) -> None:
    assert listed([str(number) for number in range(count)]) == shown


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=-5))), "2026-01-02T08:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_utc_to_the_second(time: datetime, text: str) -> None:
    assert utc(time) == text
