"""Who sent and who received, as a Received field tells it. RFC 5321 §4.4: From- and By-domain.

Three things stand in a ``from`` clause and each server puts them elsewhere: the client's own word
(HELO), the reverse name that the server looked up, and the address. A sender chooses the first.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from prober.records.headers import Peer
from prober.rules.received.tables import (
    HIDDEN_PEERS,
    INTERNAL_NETWORKS,
    LONGEST_NAME,
    NO_NAMES,
)
from prober.rules.received.tokens import Clause, Token

_HELO: Final = re.compile(r"\b(?:HELO|EHLO|LHLO)[ =]\"?([^\s\")]+)", re.IGNORECASE)
_IN_BRACKETS: Final = re.compile(r"\[([^\[\]]+)\]")
_PIECES: Final = re.compile(r"[\s,@()]+")
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_FORGED: Final = "may be forged"  # Sendmail: the name does not lead back to the address
_LIKE_AN_ADDRESS: Final = re.compile(r"[\d.]+(?:[:.\]]+\d+)?|[0-9a-f]*:[0-9a-f:.]+")
_PORT: Final = re.compile(r"(\d+\.\d+\.\d+\.\d+)[:.]\d+")


def parse_address(text: str) -> str | None:
    """The IP address in *text*, in its canonical form; brackets, IPv6:, port and zone may be there.

    RFC 5321 §4.1.3. An IPv4 address mapped into IPv6 comes out as IPv4.
    """
    bare = text.strip().strip("[]()").lower().removeprefix("ipv6:").partition("%")[0]
    if not _LIKE_AN_ADDRESS.fullmatch(bare):  # most words are none, and to see that is cheaper
        return None
    if port := _PORT.fullmatch(bare):
        bare = port[1]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_internal_address(text: str | None) -> bool:
    """Whether *text* is an address of the host itself or of a private network."""
    if text is None:
        return False
    address = ipaddress.ip_address(text)
    return any(address in network for network in INTERNAL_NETWORKS)


def is_loopback(text: str | None) -> bool:
    """Whether *text* is an address of the host itself."""
    return text is not None and ipaddress.ip_address(text).is_loopback


def parse_host(text: str) -> str | None:
    """*text* as a host name in lower case, None where it is none or means that there is none."""
    name = text.strip().lower().removesuffix(".")
    if name in NO_NAMES or len(name) > LONGEST_NAME or not _HOST.fullmatch(name):
        return None
    return name


def holds_address(comment: str) -> bool:
    """Whether *comment* is an address, or has one in brackets."""
    return parse_address(comment) is not None or any(_in_brackets([], [comment]))


def parse_peer(
    clause: Clause, *, first_is_verified: bool, names_are_checked: bool = True
) -> Peer | None:
    """The client in a ``from`` clause, None where the clause is empty.

    *first_is_verified* says that the first word is a name that the server looked up, also without
    a HELO elsewhere: Exim writes HELO apart only where it differs. *names_are_checked* says that
    a reverse name is written only where it leads back to the address.
    """
    if clause.phrase in HIDDEN_PEERS or not (clause.words or clause.comments):
        return None
    first = clause.words[0].text if clause.words else ""
    comments = [comment.text for comment in clause.comments]
    helo = next((found[1] for text in comments if (found := _HELO.search(text))), None)
    bare = [_HELO.sub(" ", text) for text in comments]
    address = next(_addresses(clause.words[1:], bare), None)
    name = next(filter(None, map(_name_in, bare)), None)
    confirmed = name is not None
    if parse_address(first) is not None:
        helo = helo or (first if address else None)  # with the address elsewhere, this is HELO
        address = address or parse_address(first)
    elif helo is not None:  # the first word is the name: qmail takes any, Exim looks twice
        confirmed = confirmed or first_is_verified
        name = name or parse_host(first)
    else:
        helo = first or None
        if first_is_verified and name is None:
            name, confirmed = parse_host(first), True
    confirmed = confirmed and names_are_checked and name is not None
    return Peer(helo=helo, name=name, name_confirmed=confirmed, address=address)


def parse_receiver(clause: Clause) -> tuple[str | None, str | None]:
    """The name in a ``by`` clause, an address where that is all there is, and the address."""
    if not clause.words:
        return None, None
    first = clause.words[0].text
    address = parse_address(first)
    if address is not None:
        return address, address
    comments = [comment.text for comment in clause.comments]
    stated = (*_in_brackets(clause.words[1:], comments), *map(parse_address, comments))
    return parse_host(first), next(filter(None, stated), None)  # 8.1.0.9 may be a version


def _in_brackets(words: list[Token], comments: list[str]) -> Iterator[str]:
    for text in (*(word.text for word in words), *comments):
        for inside in _IN_BRACKETS.findall(text):
            if address := parse_address(inside):
                yield address


def _addresses(words: list[Token], comments: list[str]) -> Iterator[str]:
    """Every address, those in brackets first."""
    yield from _in_brackets(words, comments)
    for text in (*(word.text for word in words), *comments):
        for piece in _PIECES.split(text):
            if address := parse_address(piece):
                yield address


def _name_in(comment: str) -> str | None:
    """The reverse name in such as ``mail.example.com [192.0.2.1]`` or ``user@mail.example.com``.

    Of a lone word only what has a dot is taken for one.
    """
    if _FORGED in comment:
        return None
    before, bracket, _ = comment.partition("[")
    words = before.split()
    if len(words) != 1:
        return None
    name = parse_host(words[0].rpartition("@")[2])
    if name is None or parse_address(name) or not (bracket or "." in name):
        return None
    return name
