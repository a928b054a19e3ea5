"""Reads who sent and who received from a Received field: its ``from`` and ``by`` clauses.

A ``from`` clause holds up to three things: the HELO name, which the client chose; the reverse name
that the server looked up; and the client's address. Each kind of server puts them in a different
place, so this module must tell apart what the client wrote and what the server wrote.
RFC 5321 §4.4, From-domain and By-domain.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from prober.headers.records import Peer
from prober.headers.tables import (
    HIDDEN_PEERS,
    INTERNAL_IPV4,
    INTERNAL_IPV6,
    MAX_NAME,
    NO_NAMES,
    NO_RECEIVERS,
)
from prober.headers.tokens import Clause, Token

# Where text that the client chose begins in a comment. Exim writes helo= and ident= after the
# address. Other servers write HELO in a separate comment.
_CLIENT_WORDS: Final = re.compile(r"\b(?:(?:HELO|EHLO|LHLO)[ =:]|ident=)", re.IGNORECASE)
_HELO: Final = re.compile(r"\b(?:HELO|EHLO|LHLO)[ =:]\"?([^\s\")]+)", re.IGNORECASE)
# Comments after the peer that are about something else. Many repeat text that the client chose.
_UNRELATED_COMMENT: Final = re.compile(
    r"(?![^\s:=]+ ?\[[^\[\]]+\])(?!.*@[^\s@]{1,255} \[[^\[\]]+\]\Z)"
    r"(?:(?:using|client|no client|sender|envelope[\w-]*|account"
    r"|mail ?from|from|for|uid|auth\w*|tls|ssl|ORCPT)[ :=<]|version=|cipher="
    r"|(?:tls|ssl)v?[\d._-]{1,5}[ :,]|[^\[]*(?:tls|ssl)(?:[_-]?v?\d|_)[^\[]*\Z)",
    re.IGNORECASE,
)
_ENVELOPE: Final = re.compile(r"envelope|mail ?from", re.IGNORECASE)
_IN_BRACKETS: Final = re.compile(r"\[([^\[\]]+)\]")
_PIECES: Final = re.compile(r"[\s,@()]+")
_HOST: Final = re.compile(r"[\w](?:[\w.-]*\w)?")  # also in UTF-8: RFC 6531 §3.7.3
_PORT_OR_COMMA: Final = re.compile(r"(?::\d{1,5})?,?\Z")  # a port, a comma
_MAY_BE_FORGED: Final = "may be forged"  # Sendmail: the name does not resolve to the address
_MAY_BE_ADDRESS: Final = re.compile(r"[\d.]+(?:[:.\]]+\d+)?|(?=:*[0-9a-f])[0-9a-f]*:[0-9a-f:.]+")
_MAX_ADDRESS: Final = 64  # characters, with brackets, "IPv6:", a zone and a port
_OCTET = r"(0|[1-9]\d{0,2})"
_IPV4: Final = re.compile(r"\.".join([_OCTET] * 4), re.ASCII)
_PORT: Final = re.compile(r"(\d+\.\d+\.\d+\.\d+)[:.]\d+")


def parse_address(text: str) -> str | None:
    """The IP address in *text* in its canonical form, or None. RFC 5321 §4.1.3.

    Brackets, ``IPv6:``, a port and a zone are removed. An IPv4-mapped IPv6 address becomes IPv4.
    """
    if len(text) > _MAX_ADDRESS:
        return None
    bare = text.strip().strip("[]()").lower().removeprefix("ipv6:").partition("%")[0]
    if not _MAY_BE_ADDRESS.fullmatch(bare):  # a cheap test first: most words are not addresses
        return None
    if port := _PORT.fullmatch(bare):
        bare = port[1]
    if octets := _IPV4.fullmatch(bare):  # the common case; ten times as fast as ip_address()
        return bare if all(int(octet) < 256 for octet in octets.groups()) else None
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_internal_address(text: str | None) -> bool:
    """Whether *text*, a canonical address, is loopback, private or link-local."""
    if text is None:
        return False
    if ":" in text:
        return INTERNAL_IPV6.match(text) is not None
    first, second, _ = text.split(".", 2)
    seconds = INTERNAL_IPV4.get(int(first))
    return seconds is not None and int(second) in seconds


def is_loopback(text: str | None) -> bool:
    """Whether *text*, a canonical address, is a loopback address."""
    return text is not None and (text.startswith("127.") or text == "::1")


def parse_host(text: str, *, no_names: frozenset[str] = NO_NAMES) -> str | None:
    """The host name in *text*, in lower case; None where *text* is not a host name.

    A word of *no_names*, such as "unknown", counts as no name. A port and a comma at the end are
    removed.
    """
    if len(text) > MAX_NAME + len(":65535,."):
        return None
    name = text.strip().lower()
    if not name[-1:].isalpha():
        name = _PORT_OR_COMMA.sub("", name, count=1).removesuffix(".")
    if name in no_names or len(name) > MAX_NAME or not _HOST.fullmatch(name):
        return None
    return name


def has_peer_address(comment: str) -> bool:
    """Whether the server wrote the peer's address in *comment*."""
    if "." not in comment and ":" not in comment:
        return False
    server_text, _ = _split_client_words(comment)
    return not _UNRELATED_COMMENT.match(comment) and next(_addresses(server_text), None) is not None


@dataclass(slots=True)
class _PeerText:
    """What a ``from`` clause says after its first word.

    Reading stops where all further text may have been chosen by the client.
    """

    helo: str | None = None
    address: str | None = None  # the last one that the server wrote
    server_text: str = ""  # the comment that contains the address
    other_comments: list[str] = field(default_factory=list)  # the server's, without an address
    addresses: list[str] = field(default_factory=list)  # every address in the clause
    client_comments: int = 0  # how many comments have text of the client and no address
    ambiguous: bool = False

    def ends_at_client_text(self, server_text: str) -> bool:
        """Count a comment with text of the client, which begins with *server_text*.

        True where it may be a truncated comment of the server: the address is not known then.
        """
        self.client_comments += 1
        if self.address is None or not (server_text.strip() or self.client_comments > 1):
            return False
        self.forget_address()
        return True

    def forget_address(self) -> None:
        self.address, self.server_text, self.ambiguous = None, "", True


def parse_peer(
    clause: Clause, *, first_is_verified: bool, names_are_checked: bool = True
) -> Peer | None:
    """The client that a ``from`` clause describes, or None where the clause is empty.

    *first_is_verified*: the first word is a name that the server looked up, even if no HELO
    follows. Exim writes HELO separately only where it differs from that name. *names_are_checked*:
    this software writes a reverse name only if the name resolves to the address.

    The result has the last address that the server wrote, since the client's text comes before it
    or in a separate place. A private address beside a different address makes the peer ambiguous.
    """
    if not clause.comments and (not clause.words or clause.phrase in HIDDEN_PEERS):
        return None
    first = _first_word(clause)
    read = _read_peer(clause, first)
    helo, address, name = read.helo, read.address, _name_in(read.server_text)
    confirmed = name is not None
    if address is None:
        name = next(filter(None, map(_name_in, read.other_comments)), None)
    if not first:  # from (NAME [ADDRESS]): the client chose the name
        helo, name, confirmed = helo or name, None, False
    elif (first_address := parse_address(first)) is not None:
        if address is not None or read.ambiguous:
            helo = helo or first  # the address is in a comment, so the first word is HELO
        elif is_internal_address(first_address) and (
            read.other_comments or _has_public_address(clause)
        ):
            helo, read.ambiguous = helo or first, True
        else:
            address = first_address
    elif helo is not None:
        # The first word is the reverse name. qmail does not verify it, Exim does.
        confirmed = confirmed or first_is_verified
        name = name or parse_host(first)
    else:
        helo = first
        if first_is_verified and name is None:
            name, confirmed = parse_host(first), True
    ambiguous = read.ambiguous or (
        is_internal_address(address) and not all(map(is_internal_address, read.addresses))
    )
    ambiguous = ambiguous or (address is None and _has_public_address(clause))
    return Peer(
        helo=helo,
        name=name,
        name_confirmed=confirmed and names_are_checked and name is not None and not ambiguous,
        address=address,
        ambiguous=ambiguous,
    )


def _first_word(clause: Clause) -> str:
    """The first word, or an empty string where a comment comes first."""
    if not clause.words or (clause.comments and clause.comments[0].start < clause.words[0].start):
        return ""
    return clause.words[0].text


def _read_peer(clause: Clause, first: str) -> _PeerText:
    """Read words and comments in order, and stop where all further text may be the client's.

    That is at a HELO or ident after the address, as in ``from [192.0.2.1] (helo=x)``. In qmail's
    ``from unknown (HELO x) (192.0.2.1)`` the address comes after the HELO, so reading continues.
    """
    read = _PeerText()
    in_brackets = first.startswith("[") and parse_address(first) is not None
    comments = set(map(id, clause.comments))
    words = clause.words[1:] if first else clause.words
    for token in sorted((*words, *clause.comments), key=_start):
        if id(token) not in comments:
            is_known = read.address is not None or in_brackets
            if _ENVELOPE.match(token.text) or (is_known and _CLIENT_WORDS.match(token.text)):
                break  # a comment without its closing parenthesis
            _add_addresses(read, token.text, "")
            continue
        server_text, helo = _split_client_words(token.text)
        read.helo = read.helo or helo
        of_another = _UNRELATED_COMMENT.match(token.text) is not None
        has_address = not of_another and _add_addresses(read, server_text, server_text)
        if server_text.strip() and not of_another and not has_address:
            read.other_comments.append(server_text)
        rest = token.text[len(server_text) :]  # may contain another address, written by the server
        in_words = has_address and (" [" in rest if not first else "@" in rest)
        is_known = read.address is not None or in_brackets
        of_client = server_text != token.text
        if of_client and (in_words or not has_address) and read.ends_at_client_text(server_text):
            break
        is_other = of_client and read.server_text != server_text
        if is_other and read.ends_at_client_text(server_text):
            break
        if _ENVELOPE.match(token.text) or (is_known and (of_another or of_client)):
            break
    if read.address is not None and read.helo is not None and not in_brackets:
        # The first word is a bare address. Either the server wrote it, or it is a reverse name
        # that looks like an address.
        if parse_address(first) is not None and _starts_with_client(clause.comments):
            read.forget_address()
    if not read.server_text and is_internal_address(read.address) and _has_public_address(clause):
        read.forget_address()
    return read


def _has_public_address(clause: Clause) -> bool:
    """Whether any comment contains a public address, from the server or from the client."""
    found = (one for comment in clause.comments for one in _addresses(comment.text))
    return not all(map(is_internal_address, found))


def _start(token: Token) -> int:
    return token.start


def _add_addresses(read: _PeerText, text: str, server_text: str) -> bool:
    found = list(_addresses(text))
    if found:
        read.addresses += found
        read.address, read.server_text = found[-1], server_text
    return bool(found)


def _starts_with_client(comments: list[Token]) -> bool:
    """Whether the first comment contains only text of the client."""
    return not _split_client_words(comments[0].text)[0].strip()


def parse_receiver(clause: Clause) -> tuple[str | None, str | None]:
    """The name and the address in a ``by`` clause.

    Where the clause has no name, the address is returned as both.
    """
    if not clause.words:
        return None, None
    first = clause.words[0].text
    address = parse_address(first)
    if address is not None:
        return address, address
    stated = [one for word in clause.words[1:] for one in _bracketed_addresses(word.text)]
    for comment in takewhile(lambda one: not _ENVELOPE.match(one.text), clause.comments):
        # Without brackets only a comment that is nothing else: 8.1.0.9 may also be a version.
        whole = parse_address(comment.text)
        stated += [whole] if whole else _bracketed_addresses(comment.text)
    return parse_host(first, no_names=NO_RECEIVERS), next(iter(stated), None)


def _split_client_words(comment: str) -> tuple[str, str | None]:
    """The part of *comment* that the server wrote, and the HELO name if it is in there."""
    found = _CLIENT_WORDS.search(comment)
    if found is None:
        return comment, None
    helo = _HELO.search(comment)
    return comment[: found.start()], helo[1] if helo else None


def server_comments(comments: list[Token]) -> Iterator[str]:
    """What the server wrote about the peer, one item per comment."""
    for comment in comments:
        server_text, _ = _split_client_words(comment.text)
        if server_text.strip() and not _UNRELATED_COMMENT.match(comment.text):
            yield server_text


def _bracketed_addresses(text: str) -> Iterator[str]:
    for inside in _IN_BRACKETS.findall(text):
        if address := parse_address(inside):
            yield address


def _addresses(text: str) -> Iterator[str]:
    """Every address in *text*: the bracketed ones, or all where none is in brackets.

    An ident name before an ``@`` is skipped.
    """
    text = text.rpartition("@")[2]
    if "." not in text and ":" not in text:
        return
    found = list(_bracketed_addresses(text)) if "[" in text else []
    if found:
        yield from found
        return
    for piece in _PIECES.split(text):
        if address := parse_address(piece):
            yield address


def _name_in(comment: str) -> str | None:
    """The reverse name in text such as ``a.example [192.0.2.1]`` or ``user@a.example``.

    A single word counts as a name only if it contains a dot.
    """
    if _MAY_BE_FORGED in comment:
        return None
    before, bracket, _ = comment.rpartition("@")[2].partition("[")
    words = before.split()
    if len(words) != 1:
        return None
    name = parse_host(words[0])
    if name is None or parse_address(name) or not (bracket or "." in name):
        return None
    return name
