"""No local part of an address gets into a report by default."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prober.logs.base import MAX_TEXT
from prober.logs.privacy import Addresses, Privacy
from prober.logs.records import Delivery
from tests.logs.reading import SENT, read
from tests.logs.test_postfix import START, to

KEY = b"0123456789abcdef"


def delivery(recipient: str, reply: str, message_id: str | None = None) -> Delivery:
    return replace(SENT, recipient=recipient, reply=reply, message_id=message_id)


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("550 5.1.1 <jane.doe@example.com>: unknown", "550 5.1.1 <*@example.com>: unknown"),
        ("550 jane.doe is not here", "550 * is not here"),
        ("550 Jane Doe has left", "550 * * has left"),
        ("550 JANE.DOE@EXAMPLE.COM no", "550 *@EXAMPLE.COM no"),
        ("550 bounce-jane.doe=example.com@lists.test", "550 *@lists.test"),
        ("550 see https://x.test/?a=jane.doe%40example.com", "550 see https://x.test/?a=*"),
        ('550 "jane doe"@example.com', "550 *@example.com"),
        ("550 other.person@example.net no", "550 *@example.net no"),
        ("550 5.7.1 rejected by policy", "550 5.7.1 rejected by policy"),
    ],
)
def test_replies_are_shown_without_names(reply: str, shown: str) -> None:
    result = Privacy().apply(delivery("jane.doe@example.com", reply)).reply
    assert result is not None
    assert "jane" not in result.lower()
    assert "doe" not in result.lower()
    if "https" not in reply:
        assert result == shown


@pytest.mark.parametrize("reply", ["550 <jane.d", "550 no such user: jan", '550 "JANE.DO'])
def test_a_name_that_was_cut_off_is_left_out(reply: str) -> None:
    shown = Privacy().apply(delivery("jane.doe@example.com", reply)).reply
    assert shown is not None
    assert "jan" not in shown.lower()


def test_a_reply_is_cut_between_words() -> None:
    reply = f"550 {'x' * (MAX_TEXT - 11)} other.person@example.net is full"
    line = to(status="bounced", reply=reply)
    (found,) = read([START, f"Nov 28 17:00:01 mx1 postfix/smtp[7]: {line}"]).deliveries
    assert found.reply == reply.partition(" other")[0]


def test_the_recipient_is_left_out_and_the_domain_stays() -> None:
    full = delivery("jane@example.com", "no")
    shown = Privacy().apply(full)
    assert (shown.recipient, shown.domain) == (None, "example.com")


def test_a_message_id_does_not_name_the_recipient() -> None:
    shown = Privacy().apply(delivery("jane@example.com", "no", "<jane.1@example.com>"))
    assert shown.message_id == "<*.1@example.com>"


def test_addresses_are_kept_on_demand() -> None:
    full = delivery("jane@example.com", "550 jane@example.com")
    assert Privacy(Addresses.KEEP).apply(full) is full


def test_pseudonyms_are_stable_and_depend_on_the_key() -> None:
    one = Privacy(key=KEY).apply(delivery("Jane@example.com", "no")).recipient
    same = Privacy(key=KEY).apply(delivery("jane@example.com", "no")).recipient
    other = Privacy(key=KEY[::-1]).apply(delivery("jane@example.com", "no")).recipient
    assert one == same != other
    assert one is not None
    assert one.endswith("@example.com")
    assert "jane" not in one


@given(
    local=st.from_regex(r"[a-z][a-z0-9._+-]{2,20}[a-z0-9]", fullmatch=True),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_local_part_survives(local: str, before: str, after: str) -> None:
    assume(not before[-1:].isalnum() and not after[:1].isalnum())
    reply = f"{before}{local}{after} <{local}@example.com>"
    shown = Privacy().apply(delivery(f"{local}@example.com", reply))
    around = f"{before}{after} @example.com".lower()
    assert local in around or local not in (shown.reply or "").lower()
