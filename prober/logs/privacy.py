"""Leaves people's names out of reports: local parts of addresses, also where replies repeat them.

A recipient can be a patient. The part before an @ (also as %40 or =40) is left out, and so is the
recipient's own name and its parts. A name that a server writes in another way is not recognised.
"""

import enum
import hashlib
import hmac
import re
from dataclasses import replace
from typing import Final

from prober.logs.records import Delivery

LEFT_OUT: Final = "*"
MIN_KEY_BYTES: Final = 16
MAX_KEY_BYTES: Final = 4096
_DIGITS: Final = 16  # of a pseudonym: 64 bits
_MIN_PART: Final = 3  # letters; shorter parts of a name are not looked for
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*+"(?=@)')
_LOCAL_PART: Final = re.compile(
    r"[^\s<>\[\]():;,\"@%]+(?:%[0-9A-Fa-f]{2}[^\s<>\[\]():;,\"@%]*)*(?=@)"
)
_ENCODED: Final = re.compile(r"[^\s<>\[\]():;,\"@]+?(?:%40|=40|=(?=[\w-]+(?:\.[\w-]+)+@))", re.I)
_LAST: Final = re.compile(r"[^\s<>\[\]():;,\"'@*]{3,}\Z")
# In lines of mail servers: a user of the machine, whose name has no domain.
_USER: Final = re.compile(
    r"(\b(?:to|from|user|ctladdr|rcpt)=<?|_to=<| (?:=>|->|>>|==|\*\*|<=) )[^\s<>,@*]+(?=[\s<>,]|\Z)"
)
_WORDS: Final = re.compile(r"[^\W_]+")


class Addresses(enum.StrEnum):
    """The values of --addresses."""

    DROP = "drop"
    KEEP = "keep"


class Privacy:
    """Shows deliveries as --addresses and --pseudonyms say."""

    def __init__(self, addresses: Addresses = Addresses.DROP, key: bytes | None = None) -> None:
        self._keep = addresses is Addresses.KEEP
        self._key = key

    def apply(self, delivery: Delivery) -> Delivery:
        """*delivery* as it may be shown."""
        if self._keep:
            return delivery
        local = (delivery.recipient or "").rpartition("@")[0] or delivery.recipient or ""
        reply, message_id = delivery.reply, delivery.message_id
        return replace(
            delivery,
            recipient=self._pseudonym(delivery) if self._key and delivery.recipient else None,
            reply=None if reply is None else without_names(reply, local),
            message_id=None if message_id is None else _without_name(message_id, local),
        )

    def _pseudonym(self, delivery: Delivery) -> str:
        """A hash: the same for the same address and key, in upper or lower case."""
        address = (delivery.recipient or "").lower()
        digest = hmac.new(self._key or b"", address.encode(), hashlib.sha256).hexdigest()
        return f"{digest[:_DIGITS]}@{delivery.domain}"


def without_names(text: str, local: str = "") -> str:
    """*text* without local parts of addresses, and without the name *local* and its parts."""
    if "@" in text or "40" in text:
        text = _QUOTED.sub(LEFT_OUT, text)
        text = _ENCODED.sub(f"{LEFT_OUT}=40", text)
        text = _LOCAL_PART.sub(LEFT_OUT, text)
    return _without_name(text, local)


def line_without_names(line: str) -> str:
    """*line* of a log without local parts of addresses, also of those without a domain."""
    return _USER.sub(rf"\1{LEFT_OUT}", without_names(line))


def _without_name(text: str, local: str) -> str:
    parts = {part for part in _WORDS.findall(local) if len(part) >= _MIN_PART}
    low = text.casefold()
    last = _LAST.search(text)
    if last is not None and local.casefold().startswith(last[0].casefold()):  # it was cut off
        text = text[: last.start()] + LEFT_OUT
    names = {name for name in (local, local.strip('"'), *parts) if name and name.casefold() in low}
    if not names:  # as in nearly every reply
        return text
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", LEFT_OUT, text, flags=re.IGNORECASE)
