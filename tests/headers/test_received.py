"""Parsing Received fields: a table of real lines from many servers, and properties of any text."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.escape import utc
from prober.headers.parse import parse_received
from prober.headers.records import Peer, Received, TlsFacts, TlsStatement
from prober.headers.shapes import FORMS
from prober.headers.tables import KEYWORDS_TLS, MAX_CHARACTERS

_LINES = Path(__file__).parents[1] / "received" / "lines.jsonl"
TABLE: list[dict[str, Any]] = [json.loads(line) for line in _LINES.read_text().splitlines()]


def as_expected(line: Received) -> dict[str, Any]:
    """What the line says, without what it does not."""
    peer, facts = line.peer or Peer(), line.tls_facts or TlsFacts()
    tls = {
        field.name: getattr(facts, field.name) for field in fields(TlsFacts) if field.name != "span"
    }
    values = {
        "helo": peer.helo,
        "name": peer.name,
        "address": peer.address,
        "by": line.by,
        "by_address": line.by_address,
        "via": line.via,
        "with": line.with_,
        "id": line.id,
        "for": line.for_,
        "date": utc(line.date) if line.date else None,
        "software": line.software,
        "local": line.local or None,
        "tls": line.tls,
        **tls,
    }
    return {key: value for key, value in values.items() if value is not None}


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in TABLE])
def test_a_line_says_what_the_table_has(row: dict[str, Any]) -> None:
    assert as_expected(parse_received(row["line"])) == row["expect"]


def test_the_table_is_wide() -> None:
    families = {row["family"] for row in TABLE if row["family"] != "(form)"}

    assert len(TABLE) >= 120
    assert len(families) >= 25
    assert {row["expect"].get("shape") for row in TABLE} >= {name for name, _ in FORMS} - {
        "starttls",  # Mimecast writes a version after it, and the form with a version comes first
    }


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in TABLE])
def test_folding_changes_nothing(row: dict[str, Any]) -> None:
    folded = row["line"].replace(" ", "\r\n\t ")

    assert as_expected(parse_received(folded)) == row["expect"]


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in TABLE])
def test_the_span_shows_where_tls_was_read(row: dict[str, Any]) -> None:
    line = parse_received(row["line"])
    if line.tls_facts is None:
        return
    assert line.tls_facts.span is not None
    start, end = line.tls_facts.span
    written = line.text[start:end]
    for value in (line.tls_facts.protocol_as_written, line.tls_facts.cipher):
        assert value is None or value in written


_BY = "by mx.example.com"


@pytest.mark.parametrize(
    "text",
    [
        # text that the sender chooses never counts
        pytest.param(f"from (using TLSv1.3 with cipher AES256-SHA) {_BY} with SMTP", id="helo"),
        pytest.param(f"from unknown (HELO (version=TLSv1.3 cipher=AES)) {_BY} with SMTP", id="qm"),
        pytest.param(f"from x (TLSv1.3.example [192.0.2.1]) {_BY} with ESMTP", id="reverse-name"),
        pytest.param(f"from x {_BY} with ESMTP id (envelope-from <TLSv1.3@x>)", id="sender"),
        pytest.param(f"from x (TLS1.3) {_BY} with ESMTP id 1", id="lone-version-of-the-peer"),
        # words that only look like statements
        pytest.param(f"from tls.example {_BY} with ESMTP id TLSv1.3", id="id"),
        pytest.param(f"from x {_BY} with ESMTP for <esmtps@tls.example>", id="recipient"),
        pytest.param("from x by TLSv1.3 with ESMTP", id="by"),
        pytest.param(f"from x {_BY} (No client certificate requested) with ESMTP", id="client"),
        pytest.param(f"from x {_BY} (using TLS is our policy) with ESMTP", id="prose"),
        pytest.param(f"from x {_BY} with ESMTP (version=8.14 cipher=no)", id="no-protocol"),
        pytest.param(f"from x; (using TLSv1.3) {_BY} with ESMTP", id="before-the-server"),
        pytest.param(f"from x {_BY} tls TLS_AES_256_GCM_SHA384", id="tls-without-with"),
        pytest.param(f"from x {_BY} with HTTPS", id="web"),
    ],
)
def test_tls_is_never_invented(text: str) -> None:
    line = parse_received(text)

    assert line.tls is not TlsStatement.STATED
    assert line.tls_facts is None


@pytest.mark.parametrize(
    "comment",
    [
        *("NOT encrypted", "unencrypted", "not using TLS", "without TLS", "no TLS", "TLS not used"),
        *("no encryption", "version=NONE cipher=NONE", "tls=no"),
    ],
)
def test_a_denial_beats_the_keyword_and_every_form(comment: str) -> None:
    line = parse_received(f"from x {_BY} (using TLSv1.3) ({comment}) with ESMTPS id 1")

    assert (line.tls, line.tls_facts) == (TlsStatement.DENIED, None)


@pytest.mark.parametrize("keyword", sorted(KEYWORDS_TLS))
def test_a_keyword_states_tls_in_any_case(keyword: str) -> None:
    """RFC 3848 §1, RFC 6531 §4.3."""
    for spelt in (keyword, keyword.upper()):
        line = parse_received(f"from x {_BY} with {spelt} id 1")
        assert (line.tls, line.tls_facts) == (TlsStatement.STATED, None)


@pytest.mark.parametrize("keyword", ["SMTP", "ESMTP", "ESMTPA", "LMTP", "LMTPA", "UTF8SMTP", "MMS"])
def test_a_keyword_without_the_s_states_nothing(keyword: str) -> None:
    assert parse_received(f"from x {_BY} with {keyword}").tls is TlsStatement.NOT_STATED


@pytest.mark.parametrize(
    ("written", "protocol"),
    [
        ("TLSv1/SSLv3", None),
        ("TLS", None),
        ("SSLv23", None),
        ("SSL", None),
        ("TLSv1", "TLSv1"),
        ("TLS1", "TLSv1"),
        ("TLS-1.0", "TLSv1"),
        ("TLSv1.0", "TLSv1"),
        ("TLS1_1", "TLSv1.1"),
        ("TLS1.2", "TLSv1.2"),
        ("TLSv1.3", "TLSv1.3"),
        ("tls1_3", "TLSv1.3"),
        ("SSLv3", "SSLv3"),
    ],
)
def test_a_version_as_written_becomes_openssls_name(written: str, protocol: str | None) -> None:
    line = parse_received(f"from x {_BY} with ESMTP (version={written} cipher=OTHER)")

    assert line.tls_facts is not None
    assert (line.tls_facts.protocol, line.tls_facts.protocol_as_written) == (protocol, written)


def test_a_line_that_is_too_long_is_cut_and_says_so() -> None:
    line = parse_received("x" * (MAX_CHARACTERS + 1))

    assert line.truncated
    assert len(line.text) == MAX_CHARACTERS


@pytest.mark.parametrize(
    "text",
    [
        *("", ";", "(", ")", '"', "<", "[", "\\", "from", "by", "with", "from by with id for via"),
        *("((((", "))))", "(" * 5000, "[" * 5000, '"' * 5001, "<" * 5000, ";" * 5000),
        *("from from from", "with with", "by [", "from \x00", "\ud800", "from x (\ud800)"),
        "by x; Mon, 31 Feb 2024 00:00:00 +0000",
        "by x; Mon, 1 Jan 0001 00:00:00 +2359",
        "by x; Mon, 1 Jan 9999 23:59:59 -2359",
        "by x; 1 Jan 2024 00:00:00 +999999999999",
        "by x (10.0.0.1.1) ([fe80::1%eth0])",
        "from [999.1.1.1] ([::ffff:1.2.3.4.5]:99999) by x",
    ],
)
def test_no_text_raises(text: str) -> None:
    parse_received(text)


def calls(text: str) -> int:
    """How many functions are called to parse *text*: a measure of work without a clock."""
    count = 0

    def seen(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        parse_received(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "piece",
    [
        *('"\\', "(", "[a]", "<", "a.", "a:", "1.", "HELO ", "TLS: ", " a=a", "; 1", "with "),
        *("(a) ", "(1.2.3.4) ", "(TLSv1.2) ", "(HELO x) ", "by x ", "from ", "x ", "(envelope) "),
    ],
)
def test_a_hostile_line_costs_no_more_than_its_length(piece: str) -> None:
    for start in ("from x (", "from x ", "by x with S (version=TLSv1 cipher=a", "by "):
        short, long = (start + piece * (size // len(piece)) for size in (2000, 4000))
        assert calls(long) < 2.5 * calls(short) + 500


@pytest.mark.parametrize(
    "text",
    [
        "from x) (using TLSv1.3) (y (a.example.net [192.0.2.1]) by mx.example.com with SMTP",
        "from x (y [192.0.2.1]) by z with SMTP for <\"" + "a" * 330 + " with ESMTPS \"@z>",
        "from x (y [192.0.2.1]) by z for <\"" + "a" * 330 + " with ESMTPS \"@z>",
        "from x (y [192.0.2.1]) by z with SMTP id 1 envelope-from <\"" + "a" * 330
        + " with ESMTPS \"@z>",
    ],
)  # fmt: skip
def test_what_a_sender_chooses_states_no_tls(text: str) -> None:
    assert parse_received(text).tls is TlsStatement.NOT_STATED


@given(st.text())
def test_any_text_parses_and_states_tls_only_by_a_word_for_it(text: str) -> None:
    line = parse_received(text)

    if line.tls is TlsStatement.STATED:
        words = text.lower()
        assert any(word in words for word in ("tls", "ssl", "cipher", "encrypted", *KEYWORDS_TLS))


_WORDS = st.sampled_from(
    [
        *("from", "by", "via", "with", "id", "for", "tls", ";", "(", ")", "[", "]", "<", ">", '"'),
        *("mx.example.com", "[192.0.2.1]", "ESMTP", "SMTP", "Postfix", "Exim 4.98", "HELO x"),
        *("TLS", "SSL", "TLSv1.3", "using", "cipher", "version=TLSv1.3", "AES256-SHA", "encrypted"),
        *("tls.example.com", "esmtps.example.com", "Mon, 1 Jan 2024 00:00:00 +0000", "\t", "\\"),
    ]
)


@given(st.lists(_WORDS).map(" ".join))
def test_any_words_parse_and_a_span_lies_inside_the_text(text: str) -> None:
    line = parse_received(text)

    if line.tls_facts is not None and line.tls_facts.span is not None:
        start, end = line.tls_facts.span
        assert 0 <= start < end <= len(line.text)


_LABELS = st.text("abctlsTLS13v.-", min_size=1, max_size=20)


@given(helo=_LABELS, name=_LABELS, by=_LABELS, queue_id=_LABELS, recipient=_LABELS)
def test_names_and_ids_never_state_tls(
    helo: str, name: str, by: str, queue_id: str, recipient: str
) -> None:
    line = parse_received(
        f"from {helo} ({name} [192.0.2.1]) by {by} (Postfix) with ESMTP id {queue_id} "
        f"for <{recipient}@example.com>; Mon, 1 Jan 2024 00:00:00 +0000"
    )

    assert line.tls is TlsStatement.NOT_STATED


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in TABLE])
def test_a_clear_line_stays_clear_whatever_its_names_are(row: dict[str, Any]) -> None:
    if row["expect"]["tls"] != "not-stated":
        return
    renamed = row["line"].replace("mail", "tlsv1.3").replace("mx", "esmtps-ssl")

    assert parse_received(renamed).tls is TlsStatement.NOT_STATED
