"""Parses domain names in any spelling, and finds their operators.

RFC 1035 §2.3.4, RFC 5890, UTS 46.

Every domain is parsed here once. After that it is A-labels in lower case without a trailing dot.
"""

import functools
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import idna
from publicsuffixlist import PublicSuffixList

from prober.errors import InputError
from prober.records import GivenServer

MAX_NAME: Final = 253  # characters: 255 octets on the wire, RFC 1035 §2.3.4
MAX_LABEL: Final = 63
_MAX_SHOWN: Final = 80

# RFC 5321 §4.1.2, sub-domain. Also the underscore: some domains with one receive mail.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_DOTS: Final = re.compile(r"[.\u3002\uff0e\uff61]")  # UTS 46 §2.3, separators of labels
_PORT: Final = re.compile(r":[0-9]{1,5}$")
_QUOTED: Final = re.compile(r'^"(?:[^"\\]|\\.)*"$')  # RFC 5321 §4.1.2: it may contain anything
_NOT_LOCAL: Final = re.compile(r"[\s,;@]")  # in no unquoted local part: several names, or a table
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the input: a domain, or an error. ``line`` counts from 1."""

    text: str  # as written, at most 253 characters
    domain: str | None = None
    error: str | None = None
    line: int | None = None
    columns: dict[str, str] = field(
        default_factory=dict
    )  # the other columns of its row in a CSV list
    server: GivenServer | None = None  # tested instead of the MX hosts


def parse_domain(text: str) -> str:
    """The domain in *text*, as A-labels.

    Accepts U-labels, A-labels, any case, a trailing dot, and ``user@domain``. Raises InputError for
    everything else, and says what it is. ASCII labels are accepted unchanged: DNS knows better than
    a rule which names exist.
    """
    name = text.strip()
    if _URL.match(name):
        raise InputError(f"a URL, not a domain{_suggestion(name)}")
    local_part, _, name = name.rpartition("@")
    if _NOT_LOCAL.search(_QUOTED.sub("", local_part)):
        raise InputError("not one domain, nor one mail address")
    _refuse_other_kinds(name)
    name = _to_ascii(name).lower().removesuffix(".")
    if len(name) > MAX_NAME:
        raise InputError(f"{len(name)} characters; a domain name has at most {MAX_NAME}")
    labels = name.split(".")
    for label in labels:
        _require_label(label)
    if labels[-1].isdigit():  # RFC 3696 §2: no top-level domain is all numeric
        raise InputError("its last label is a number, as in an IP address")
    return name


def is_domain(text: str) -> bool:
    """Whether *text* is a domain exactly as ``parse_domain`` returns it: so a map may have it."""
    try:
        return parse_domain(text) == text
    except InputError:
        return False


def _refuse_other_kinds(name: str) -> None:
    if not name:
        raise InputError("empty")
    if "/" in name:
        raise InputError(f"a path or a network, not a domain{_suggestion(name)}")
    if _is_address(name):
        raise InputError("an IP address, not a domain")
    if _PORT.search(name):
        raise InputError(f"a host and a port, not a domain{_suggestion(name)}")


def _suggestion(text: str) -> str:
    """Advice for a URL, a path or HOST:PORT: the host, if it is a domain with a dot."""
    try:
        host = urlsplit(text if _URL.match(text) else f"//{text}").hostname
        domain = parse_domain(host or "")
    except ValueError:  # from urlsplit
        return ""
    except InputError:
        return ""
    return f": write {domain}" if "." in domain else ""


def _is_address(name: str) -> bool:
    bare = name.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(bare.removeprefix("IPv6:"))
    except ValueError:
        return False
    return True


def literal_address(text: str) -> str | None:
    """The address in the address literal *text*, or None. RFC 5321 §4.1.3.

    ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``, with its tag. A zone is not allowed.
    """
    if not (text.startswith("[") and text.endswith("]")) or "%" in text:
        return None
    tag, _, after_tag = text[1:-1].partition(":")
    try:
        if tag.lower() == "ipv6":
            return str(ipaddress.IPv6Address(after_tag))
        return str(ipaddress.IPv4Address(text[1:-1]))
    except ValueError:
        return None


def parse_server(text: str) -> GivenServer:
    """The server in NAME or NAME@ADDRESS; an IPv6 address may have brackets. Raises InputError."""
    name, at, written = text.strip().partition("@")
    if not at:
        return GivenServer(name=parse_domain(name))
    bare = written.removeprefix("[").removesuffix("]")
    try:
        address = str(ipaddress.ip_address(bare))
    except ValueError as error:
        raise InputError(f"{written!r} is not an IP address; write NAME or NAME@ADDRESS") from error
    if "%" in address:
        raise InputError(f"{written!r} has a zone, which no MX host has")
    return GivenServer(name=parse_domain(name), address=address)


def _to_ascii(name: str) -> str:
    if name.isascii():
        return name
    # IDNA rejects underscores, so ASCII labels are not encoded
    labels = _DOTS.split(name) if "_" in name else [name]
    try:
        return ".".join(
            label
            if label.isascii()
            else idna.encode(label, uts46=True, std3_rules=True).decode("ascii")
            for label in labels
        )
    except (idna.IDNAError, UnicodeError) as error:
        raise InputError(f"no internationalised domain name: {error}") from error


def _require_label(label: str) -> None:
    if not label:
        raise InputError("an empty label: two dots in a row, or a dot in front")
    if len(label) > MAX_LABEL:
        raise InputError(f"a label of {len(label)} characters; DNS allows {MAX_LABEL}")
    if label == "*":
        raise InputError("a wildcard, not a domain")
    if label.startswith("-") or label.endswith("-"):
        raise InputError(f"{label[:_MAX_SHOWN]!r} has a hyphen at its start or end")
    if not _LABEL.fullmatch(label):
        raise InputError(
            f"{label[:_MAX_SHOWN]!r} is not a label of a host name: letters, digits and hyphens"
        )


def parse_entry(text: str, line: int | None = None) -> Entry:
    """*text* as an entry. If it is not a domain, the entry has the error."""
    shown = text.strip()[:MAX_NAME]
    try:
        return Entry(text=shown, domain=parse_domain(text), line=line)
    except InputError as error:
        where = f"line {line}: " if line is not None else ""
        return Entry(text=shown, error=f"{where}{error}", line=line)


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()  # 10,000 rules, 50 ms: loaded on first use


def is_known_domain(text: str) -> bool:
    """Whether *text* is a domain below a public suffix that is on the list, such as ``com``."""
    try:
        domain = parse_domain(text)
    except InputError:
        return False
    return _suffixes().privatesuffix(domain, accept_unknown=False) is not None


@functools.lru_cache(maxsize=4096)  # many domains share a host; a look-up takes 20 µs
def operator_of(host: str) -> str:
    """The registered domain of *host*, or *host* itself if it has none."""
    return _suffixes().privatesuffix(host) or host
