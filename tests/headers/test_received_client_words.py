"""No text that a client chooses changes an address, makes a hop internal, or moves trust.

HELO, ident, envelope, id and recipient are the client's; the forms are those of real servers. What
a client says may take an address away, and so turn *internal* into *unknown*, and nothing else.
"""

import itertools
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.headers.parse import parse_received
from prober.headers.records import Received, Trust
from prober.headers.tables import Internal
from prober.headers.trust import TrustedBy, judge_internals, judge_trust, parse_trusted_by
from tests.headers.builders import operator_of

ADDRESS: Final = "192.0.2.33"
DATE: Final = "; Mon, 1 Jan 2024 00:00:00 +0000"
PLAIN: Final = {
    "helo": "c.example.net",
    "ident": "root",
    "env": "a@c.example.net",
    "id": "1abc",
    "rcpt": "u@example.com",
}
NAMED: Final = f"out.example.net [{ADDRESS}]"
FORMS: Final = {
    "postfix": f"from {{helo}} ({NAMED}) by mx.example.com (Postfix) with ESMTP id {{id}} "
    "for <{rcpt}>",
    "sendmail": f"from {{helo}} ([{ADDRESS}]) by mx.example.com (8.14.4/8.14.4) with ESMTP id "
    "{id} for <{rcpt}>",
    "sendmail-ident": f"from {{helo}} ({{ident}}@{NAMED}) by mx.example.com (8.14.4/8.14.4) with "
    "ESMTP id {id}",
    "exim": f"from [{ADDRESS}] (helo={{helo}} ident={{ident}}) by mx.example.com with esmtp "
    "(Exim 4.97) (envelope-from <{env}>) id {id} for {rcpt}",
    "exim-name": f"from out.example.net ([{ADDRESS}] helo={{helo}} ident={{ident}}) by "
    "mx.example.com with esmtp (Exim 4.97) (envelope-from <{env}>) id {id} for {rcpt}",
    "atmail": f"from ({{helo}} [{ADDRESS}]) by mx.example.com (Exim) with ESMTP "
    "(envelope-from <{env}>) id {id}",
    "qmail": f"from unknown (HELO {{helo}}) ({{ident}}@{ADDRESS}) by mx.example.com with SMTP",
    "qmail-name": f"from out.example.net (HELO {{helo}}) ({ADDRESS}) by mx.example.com with SMTP",
    "proofpoint": f"from unknown [{ADDRESS}] (EHLO {{helo}}) by mx.example.com "
    "(envelope-from <{env}>)",
    "exchange": f"from {{helo}} ({ADDRESS}) by mx.example.com (198.51.100.9) with Microsoft SMTP "
    "Server id {id}",
    "google": f"from {{helo}} (out.example.net. [{ADDRESS}]) by mx.google.com with ESMTP id {{id}} "
    "for <{rcpt}>",
    "communigate": f"from [{ADDRESS}] (HELO {{helo}}) by mx.example.com (CommuniGate Pro SMTP 6) "
    "with ESMTP id {id} for {rcpt}",
    "zmailer": f'from out.example.net ([{ADDRESS}]:51736 "EHLO {{helo}}" ident: {{ident}}) by '
    "mx.example.com with ESMTP id {id}",
    "ironport": f"from unknown (HELO {{helo}}) ([{ADDRESS}]) by mx.example.com with ESMTP",
    "momentum": f"from [{ADDRESS}] ([{ADDRESS}:22916] helo={{helo}}) by mx.example.com "
    "(envelope-from <{env}>) (ecelerity 3.6) with ESMTP id {id}",
    "mdaemon": f"from {{helo}} [{ADDRESS}] by mx.example.com with SMTP (MDaemon) for <{{rcpt}}>",
    "maddy": f"from {{helo}} ({NAMED}) by mx.example.com (envelope-sender <{{env}}>) with "
    "UTF8ESMTP id {id}",
    "haraka": f"from {{helo}} ({NAMED}) by mx.example.com (Haraka/2.8) with ESMTP id {{id}} "
    "envelope-from <{env}>",
    "xmail": f"from {{helo}} ({ADDRESS}:2319) by mx.example.com (198.51.100.9:25) with [XMail 1.20 "
    "ESMTP Server] id <{id}> for <{rcpt}> from <{env}>",
    "aliyun": f"from {ADDRESS}(mailfrom:{{env}} fp:SMTPD_x) by mx.example.com(198.51.100.9)",
    "trustwave": f"from {{helo}} (Not Verified[{ADDRESS}]) by mx.example.com with Trustwave SEG "
    "(v7) id <{id}>",
}
HOSTILE: Final = (
    *("10.0.0.5", "[10.0.0.5]", "127.0.0.1", "[127.0.0.1]", "localhost", "::1", "[IPv6:::1]"),
    *("mx.example.com", "x.example.com", "mx.google.com", "[IPv6:::ffff:10.1.1.1]", "[local]"),
    *("x [10.0.0.5]", "x (y [10.0.0.5])", "x (10.0.0.5)", "x) (y [10.0.0.5]", "x) (10.0.0.5"),
    *("x (mx.example.com [192.0.2.99])", "mx.example.com. [192.0.2.1]", "10.0.0.5@192.0.2.9"),
    *("[10.0.0.5]@y", "a@10.0.0.5", "x] [10.0.0.5", "x [::1]", "x helo=[10.0.0.5]", "HELO [::1]"),
    *("x ident=[10.0.0.5]", "x EHLO y", "client [10.0.0.5]", "x from [10.0.0.5]", "x) (helo="),
    *("mx.example.com (Exim 4.97)", "x (Exim 4.97)", "x (Postfix, from userid 0)", "x [local]"),
    *("x ([unix socket])", "x (qmail 1 invoked by uid 7)", "(from mail@localhost)", "recvd-abc"),
    *("x by y with LMTP", "x via HTTP", "x with HTTP", "x with local", "x by mx.example.com"),
    *("x (y [10.0.0.5]) by mx.example.com with LMTP id 1", "x  by  y with lmtp", "x\tby\ty"),
    *("x (y [10.0.0.5]) by mx.example.com with LMTP id 1 (", "x (y [::1])by z with LMTP"),
    *('x (y [10.0.0.5]) by mx.example.com with local id 1 "', "x with MAPI by mx.example.com"),
    *('x" (y [10.0.0.5]) by mx.example.com with LMTP "', "a by b (10.0.0.5) with esmtp (Exim 4) ("),
    *("x [10.0.0.5] by mx.example.com (10.0.0.5) with HTTPS", "x; (y [10.0.0.5])", "x;", "=x"),
    *("x\\", "x\\)", "(", "((", ")", '"', '"x', 'x"', "<", "[", "]", "from", "by", "with", "id"),
    *("for", "via", "tls", "mail pickup service", "authenticated user", "root", "", "1", "x (a)"),
)
FORGED: Final = f"from victim.example.org ([198.51.100.8]) by c.example.net with ESMTP id 7{DATE}"
NAMED_BY_USER: Final = parse_trusted_by(["example.com", "mx.google.com", "10.0.0.0/8", "::1"])


def look(form: str, **said: str) -> tuple[Received, Internal | None, tuple[Trust, Trust]]:
    """Rows: the line, why it is internal, the trust in the forged line below (default, by name)."""
    text = FORMS[form].format(**(PLAIN | said)) + DATE
    lines = [parse_received(text), parse_received(FORGED)]
    internals = judge_internals(lines, operator_of)
    below = [judge_trust(lines, internals, named)[1] for named in (TrustedBy(), NAMED_BY_USER)]
    return lines[0], internals[0], (below[0].trust, below[1].trust)


def fields(form: str) -> list[str]:
    return [name for name in PLAIN if f"{{{name}}}" in FORMS[form]]


def assert_harmless(form: str, **said: str) -> None:
    line, internal, below = look(form, **said)
    address = line.peer.address if line.peer is not None else None

    assert address in (ADDRESS, None), said
    assert internal is None, said
    assert below == (Trust.CLAIMED, Trust.CLAIMED), said


@pytest.mark.parametrize("form", FORMS)
def test_each_form_shows_the_address_that_the_server_wrote(form: str) -> None:
    line, internal, below = look(form)

    assert line.peer is not None
    assert line.peer.address == ADDRESS
    assert (internal, below) == (None, (Trust.CLAIMED, Trust.CLAIMED))


@pytest.mark.parametrize("form", FORMS)
def test_no_hostile_word_does_harm(form: str) -> None:
    for name, word in itertools.product(fields(form), HOSTILE):
        assert_harmless(form, **{name: word})


@pytest.mark.parametrize("form", FORMS)
def test_a_bare_literal_in_helo_leaves_the_address(form: str) -> None:
    if "helo" not in fields(form):
        return
    for literal in ("[10.0.0.5]", "10.0.0.5", "[127.0.0.1]", "localhost", "[IPv6:::1]"):
        line, _, _ = look(form, helo=literal)
        assert line.peer is not None
        assert line.peer.address == ADDRESS


_TEXT = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                *("from", "by", "with", "id", "for", "via", "(", ")", "[", "]", "<", ">", '"', ";"),
                *("10.0.0.5", "[10.0.0.5]", "mx.example.com", "LMTP", "local", "HTTP", "helo="),
                *("HELO", "@", "(Exim 4.97)", "ident=", "x", "\\", "envelope-from"),
            ]
        ),
        max_size=9,
    ).map(" ".join),
)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(form=st.sampled_from(sorted(FORMS)), data=st.data())
def test_no_text_in_one_place_does_harm(form: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(fields(form)))

    assert_harmless(form, **{name: data.draw(_TEXT)})


@settings(derandomize=True, max_examples=400, deadline=None)
@given(form=st.sampled_from(sorted(FORMS)), data=st.data())
def test_no_texts_in_all_places_make_a_hop_internal(form: str, data: st.DataObject) -> None:
    said = {name: data.draw(st.sampled_from(HOSTILE)) for name in fields(form)}

    _, internal, below = look(form, **said)

    assert internal is None
    assert below == (Trust.CLAIMED, Trust.CLAIMED)
