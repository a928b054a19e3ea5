"""Who sent and who received, as a Received field tells it. RFC 5321 §4.4: From- and By-domain.

Three things stand in a ``from`` clause and each server puts them elsewhere: the client's own word
(HELO), the reverse name that the server looked up, and the address. A sender chooses the first.
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

# The client's own words in a comment. Exim writes helo= and ident= behind the address; the others
# write HELO in a comment of its own.
_CLIENT_WORDS: Final = re.compile(r"\b(?:(?:HELO|EHLO|LHLO)[ =:]|ident=)", re.IGNORECASE)
_HELO: Final = re.compile(r"\b(?:HELO|EHLO|LHLO)[ =:]\"?([^\s\")]+)", re.IGNORECASE)
# Comments behind the peer that tell of something else, often in words of the client.
_NOT_THE_PEER: Final = re.compile(
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
_BEHIND_A_NAME: Final = re.compile(r"(?::\d{1,5})?,?\Z")  # a port, a comma
_FORGED: Final = "may be forged"  # Sendmail: the name does not lead back to the address
_LIKE_AN_ADDRESS: Final = re.compile(r"[\d.]+(?:[:.\]]+\d+)?|(?=:*[0-9a-f])[0-9a-f]*:[0-9a-f:.]+")
_MAX_ADDRESS: Final = 64  # characters, with brackets, "IPv6:", a zone and a port
_OCTET = r"(0|[1-9]\d{0,2})"
_IPV4: Final = re.compile(r"\.".join([_OCTET] * 4), re.ASCII)
_PORT: Final = re.compile(r"(\d+\.\d+\.\d+\.\d+)[:.]\d+")


def parse_address(text: str) -> str | None:
    """The IP address in *text*, in its canonical form; brackets, IPv6:, port and zone may be there.

    RFC 5321 §4.1.3. An IPv4 address mapped into IPv6 comes out as IPv4.
    """
    if len(text) > _MAX_ADDRESS:
        return None
    bare = text.strip().strip("[]()").lower().removeprefix("ipv6:").partition("%")[0]
    if not _LIKE_AN_ADDRESS.fullmatch(bare):  # most words are none, and to see that is cheaper
        return None
    if port := _PORT.fullmatch(bare):
        bare = port[1]
    if octets := _IPV4.fullmatch(bare):  # the common case, ten times as fast
        return bare if all(int(octet) < 256 for octet in octets.groups()) else None
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_internal_address(text: str | None) -> bool:
    """Whether *text*, in its canonical form, is of the host itself or of a private network."""
    if text is None:
        return False
    if ":" in text:
        return INTERNAL_IPV6.match(text) is not None
    first, second, _ = text.split(".", 2)
    seconds = INTERNAL_IPV4.get(int(first))
    return seconds is not None and int(second) in seconds


def is_loopback(text: str | None) -> bool:
    """Whether *text*, in its canonical form, is an address of the host itself."""
    return text is not None and (text.startswith("127.") or text == "::1")


def parse_host(text: str, *, no_names: frozenset[str] = NO_NAMES) -> str | None:
    """*text* as a host name in lower case, None where it is none or means that there is none.

    A port and a comma behind it are left out.
    """
    if len(text) > MAX_NAME + len(":65535,."):
        return None
    name = text.strip().lower()
    if not name[-1:].isalpha():
        name = _BEHIND_A_NAME.sub("", name, count=1).removesuffix(".")
    if name in no_names or len(name) > MAX_NAME or not _HOST.fullmatch(name):
        return None
    return name


def holds_address(comment: str) -> bool:
    """Whether *comment* is about the peer, and has its address in the server's own words."""
    if "." not in comment and ":" not in comment:
        return False
    said, _ = _split_client_words(comment)
    return not _NOT_THE_PEER.match(comment) and next(_addresses(said), None) is not None


@dataclass(slots=True)
class _Reading:
    """What a ``from`` clause has behind its first word, down to where only a client writes."""

    helo: str | None = None
    address: str | None = None  # the last one
    said: str = ""  # the comment that has it
    alone: list[str] = field(default_factory=list)  # comments of the server without an address
    seen: list[str] = field(default_factory=list)  # every address
    clients: int = 0  # comments with words of the client and no address
    doubtful: bool = False


def parse_peer(
    clause: Clause, *, first_is_verified: bool, names_are_checked: bool = True
) -> Peer | None:
    """The client in a ``from`` clause, None where the clause is empty.

    *first_is_verified* says that the first word is a name that the server looked up, also without
    a HELO elsewhere: Exim writes HELO apart only where it differs. *names_are_checked* says that
    a reverse name is written only where it leads back to the address.

    The address is the last one that the server wrote. What the client said stands before it, or
    in a place of its own; so another address beside a private one makes the peer doubtful.
    """
    if not clause.comments and (not clause.words or clause.phrase in HIDDEN_PEERS):
        return None
    first = _first_word(clause)
    read = _read_peer(clause, first)
    helo, address, name = read.helo, read.address, _name_in(read.said)
    confirmed = name is not None
    if address is None:
        name = next(filter(None, map(_name_in, read.alone)), None)
    if not first:  # from (NAME [ADDRESS]): the name is the client's word
        helo, name, confirmed = helo or name, None, False
    elif (first_address := parse_address(first)) is not None:
        if address is not None or read.doubtful:
            helo = helo or first  # with the address elsewhere, this is HELO
        elif is_internal_address(first_address) and (read.alone or _has_stranger(clause)):
            helo, read.doubtful = helo or first, True
        else:
            address = first_address
    elif helo is not None:  # the first word is the name: qmail takes any, Exim looks twice
        confirmed = confirmed or first_is_verified
        name = name or parse_host(first)
    else:
        helo = first
        if first_is_verified and name is None:
            name, confirmed = parse_host(first), True
    doubtful = read.doubtful or (
        is_internal_address(address) and not all(map(is_internal_address, read.seen))
    )
    doubtful = doubtful or (address is None and _has_stranger(clause))
    return Peer(
        helo=helo,
        name=name,
        name_confirmed=confirmed and names_are_checked and name is not None and not doubtful,
        address=address,
        doubtful=doubtful,
    )


def _first_word(clause: Clause) -> str:
    """The first word; empty if the text begins with a comment."""
    if not clause.words or (clause.comments and clause.comments[0].start < clause.words[0].start):
        return ""
    return clause.words[0].text


def _read_peer(clause: Clause, first: str) -> _Reading:
    """Words and comments in their order, down to the first behind which a client may write.

    That is HELO or ident behind an address, as in ``from [192.0.2.1] (helo=x)``; in qmail's
    ``from unknown (HELO x) (192.0.2.1)`` the address follows.
    """
    read = _Reading()
    in_brackets = first.startswith("[") and parse_address(first) is not None
    comments = set(map(id, clause.comments))
    words = clause.words[1:] if first else clause.words
    for token in sorted((*words, *clause.comments), key=_start):
        if id(token) not in comments:
            is_known = read.address is not None or in_brackets
            if _ENVELOPE.match(token.text) or (is_known and _CLIENT_WORDS.match(token.text)):
                break  # of a comment that does not close
            _add_addresses(read, token.text, "")
            continue
        said, helo = _split_client_words(token.text)
        read.helo = read.helo or helo
        of_another = _NOT_THE_PEER.match(token.text) is not None
        has_address = not of_another and _add_addresses(read, said, said)
        if said.strip() and not of_another and not has_address:
            read.alone.append(said)
        rest = token.text[len(said) :]  # may have another one: the server's
        in_words = has_address and (" [" in rest if not first else "@" in rest)
        if said != token.text and (in_words or not has_address):
            read.clients += 1
            if read.address is not None and (said.strip() or read.clients > 1):
                read.address, read.said, read.doubtful = None, "", True  # the server's, cut short?
                break
        is_known = read.address is not None or in_brackets
        if said != token.text and read.said != said:
            read.clients += 1
            if read.address is not None and (said.strip() or read.clients > 1):
                read.address, read.said, read.doubtful = None, "", True  # the server's, cut short?
                break
        if _ENVELOPE.match(token.text) or (is_known and (of_another or said != token.text)):
            break
    if read.address is not None and read.helo is not None and not in_brackets:
        # A bare address in the first place: a reverse name that looks so, or the server's word?
        if parse_address(first) is not None and _starts_with_client(clause.comments):
            read.address, read.said, read.doubtful = None, "", True
    if not read.said and is_internal_address(read.address) and _has_stranger(clause):
        read.address, read.doubtful = None, True
    return read


def _has_stranger(clause: Clause) -> bool:
    """Whether any comment has a public address, in whatever words."""
    found = (one for comment in clause.comments for one in _addresses(comment.text))
    return not all(map(is_internal_address, found))


def _start(token: Token) -> int:
    return token.start


def _add_addresses(read: _Reading, text: str, said: str) -> bool:
    found = list(_addresses(text))
    if found:
        read.seen += found
        read.address, read.said = found[-1], said
    return bool(found)


def _starts_with_client(comments: list[Token]) -> bool:
    """Whether the first comment holds the client's words and nothing else."""
    return not _split_client_words(comments[0].text)[0].strip()


def parse_receiver(clause: Clause) -> tuple[str | None, str | None]:
    """The name in a ``by`` clause, an address where that is all there is, and the address."""
    if not clause.words:
        return None, None
    first = clause.words[0].text
    address = parse_address(first)
    if address is not None:
        return address, address
    stated = [one for word in clause.words[1:] for one in _in_brackets(word.text)]
    for comment in takewhile(lambda one: not _ENVELOPE.match(one.text), clause.comments):
        whole = parse_address(comment.text)  # 8.1.0.9 may be a version: the whole of it
        stated += [whole] if whole else _in_brackets(comment.text)
    return parse_host(first, no_names=NO_RECEIVERS), next(iter(stated), None)


def _split_client_words(comment: str) -> tuple[str, str | None]:
    """What the server wrote in *comment*, and HELO where it stands in there."""
    found = _CLIENT_WORDS.search(comment)
    if found is None:
        return comment, None
    helo = _HELO.search(comment)
    return comment[: found.start()], helo[1] if helo else None


def server_words(comments: list[Token]) -> tuple[list[str], str | None]:
    """What the server itself wrote of the peer, comment by comment; and HELO."""
    own, helo = [], None
    for comment in comments:
        said, word = _split_client_words(comment.text)
        helo = helo or word
        if said.strip() and not _NOT_THE_PEER.match(comment.text):
            own.append(said)
    return own, helo


def _in_brackets(text: str) -> Iterator[str]:
    for inside in _IN_BRACKETS.findall(text):
        if address := parse_address(inside):
            yield address


def _addresses(text: str) -> Iterator[str]:
    """Every address in *text*: those in brackets, or else all. Not the ident before an ``@``."""
    text = text.rpartition("@")[2]
    if "." not in text and ":" not in text:
        return
    found = list(_in_brackets(text)) if "[" in text else []
    if found:
        yield from found
        return
    for piece in _PIECES.split(text):
        if address := parse_address(piece):
            yield address


def _name_in(comment: str) -> str | None:
    """The reverse name in such as ``mail.example.com [192.0.2.1]`` or ``user@mail.example.com``.

    Of a lone word only what has a dot is taken for one.
    """
    if _FORGED in comment:
        return None
    before, bracket, _ = comment.rpartition("@")[2].partition("[")
    words = before.split()
    if len(words) != 1:
        return None
    name = parse_host(words[0])
    if name is None or parse_address(name) or not (bracket or "." in name):
        return None
    return name
