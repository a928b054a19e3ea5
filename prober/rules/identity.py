"""Decides which host names a certificate is valid for. RFC 9525.

Only dNSName entries count. The common name "MUST NOT be used to identify a service" (§2). An MX
host is not an IP address, so IP-IDs do not match it (§6.4). SMTP does not use SRV-IDs and URI-IDs.
Names are compared as A-labels. Whether a label is valid IDNA is not checked.
"""

import re
from dataclasses import dataclass
from typing import Final

from prober.escape import quoted
from prober.records import Answer
from prober.rules.der import MAX_ELEMENTS, Element, Outline, split

_SUBJECT_ALT_NAME: Final = bytes.fromhex("551d11")  # 2.5.29.17
_SEQUENCE: Final = 0x30
_DNS_NAME: Final = 0x82  # [2] IMPLICIT IA5String, RFC 5280 §4.2.1.6
_IP_ADDRESS: Final = 0x87  # [7] IMPLICIT OCTET STRING of 4 or 16 bytes
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")  # also "_": some hosts and certificates have it
_PLAIN_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")  # RFC 1123 §2.1
_MAX_NAME: Final = 253


@dataclass(frozen=True, slots=True)
class SanNames:
    """The dNSNames of a certificate.

    ``malformed`` describes entries that match nothing. ``refused`` are the dNSNames among them: the
    library of some sender may still accept them.
    """

    names: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def san_of(outline: Outline) -> SanNames | None:
    """Every dNSName of a certificate, entry by entry. RFC 5280 §4.2.1.6.

    A malformed entry does not hide the others, nor does a broken extension elsewhere or a second
    subjectAltName, for which `cryptography` would refuse all extensions. None: there may be names,
    but none could be read.
    """
    names: list[str] = []
    malformed: list[str] = []
    refused: list[str] = []
    unread = not outline.whole
    seen = 0
    for extension in outline.extensions:
        if extension.oid != _SUBJECT_ALT_NAME:
            continue
        entries, whole = _general_names(extension.value)
        seen += len(entries)
        if seen > MAX_ELEMENTS or (not whole and len(entries) == MAX_ELEMENTS):
            return None  # if entries are unread, no name can be called missing
        unread = unread or not whole
        for entry in entries:
            fault = _entry_fault(entry)
            if fault is not None:
                malformed.append(fault)
                if entry.tag == _DNS_NAME:
                    refused.append(_text(entry))
            elif entry.tag == _DNS_NAME:
                names.append(_text(entry))
    if unread and not names and not malformed:
        return None
    return SanNames(tuple(names), tuple(malformed), tuple(refused))


def matches(pattern: str, reference: str) -> bool:
    """Whether *pattern*, a dNSName, covers the host name *reference*. RFC 9525 §6.3.

    *reference* must be a lower-case A-label name without a trailing dot. Anything else, and an IP
    address, matches nothing. A wildcard stands for exactly one label, which may be an A-label.
    """
    presented, host = pattern.lower(), reference.lower()
    if presented.startswith("*."):
        fits = presented.partition(".")[2] == host.partition(".")[2]
    else:
        fits = presented == host
    # last, because it takes ten times as long, and a certificate may have thousands of names
    return fits and "*" not in host and not (name_fault(pattern) or name_fault(reference))


def acceptance(presented: str, reference: str) -> Answer:
    """Whether senders accept *presented* for the host *reference*; not tested if they differ."""
    if "*" not in presented and presented.lower() != reference.lower():
        return Answer.NO  # a quick answer for most names of a large certificate
    if dispute(presented, reference) is not None:
        return Answer.NOT_TESTED
    return Answer.YES if matches(presented, reference) else Answer.NO


def dispute(presented: str, reference: str) -> str | None:
    """Why the TLS libraries of senders disagree about a name; None if they agree.

    OpenSSL (Postfix), GnuTLS (Debian's Exim) and Go agree on names without a wildcard, and on a
    wildcard of RFC 9525 §6.3 before plain labels. tests/mta/test_names.py tests them. Java is not
    considered: it refuses host names with an underscore, and we know no MTA that verifies with it.
    """
    if "*" not in presented:
        return None
    first, _, parent = presented.lower().partition(".")
    host, _, domain = reference.partition(".")
    if "*" not in first or parent != domain or not parent or name_fault(reference) is not None:
        return None
    if first != "*":
        before, _, after = first.partition("*")
        fits = host.startswith(before) and host.endswith(after) and not host.startswith("xn--")
        return (
            "OpenSSL and GnuTLS take some wildcards in a label, and Postfix none" if fits else None
        )
    if "." not in parent:
        return "Go takes a wildcard over a single label, and OpenSSL and GnuTLS do not"
    if all(_PLAIN_LABEL.fullmatch(label) for label in reference.split(".")):
        return None
    return (
        "GnuTLS takes a wildcard where a label has an underscore or begins or ends with a hyphen, "
        "and OpenSSL does not"
    )


def name_fault(name: str) -> str | None:
    """Why *name* cannot be a dNSName that matches anything; None if it can.

    RFC 5280 §4.2.1.6 requires the preferred name syntax, which has no trailing dot; OpenSSL does
    not match a trailing dot either. RFC 9525 §7.1 leaves a wildcard over a single label (``*.com``)
    to the client. It matches nothing here, as in OpenSSL, which Postfix and Exim use.
    """
    if not name:
        return "is empty"
    if not name.isascii():
        return "is not ASCII"
    if len(name) > _MAX_NAME:
        return f"is longer than {_MAX_NAME} characters"
    labels = name.split(".")
    if "*" in name:
        if labels[0] != "*" or "*" in name[1:]:  # RFC 9525 §6.3 rules 1 and 2
            return "has a wildcard that is not its whole left-most label"
        if len(labels) < 3:
            return "has a wildcard over fewer than two labels"
        labels = labels[1:]
    if "" in labels:
        return "has an empty label"
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "is not a host name"
    if labels[-1].isdigit():  # RFC 1123 §2.1: a host name does not end in a number
        return "is an IP address"
    return None


def _general_names(value: bytes) -> tuple[tuple[Element, ...], bool]:
    """The entries of a subjectAltName, and whether all could be read."""
    sequence, _ = split(value)
    if not sequence or sequence[0].tag != _SEQUENCE:
        return (), False
    entries, rest = split(sequence[0].content)
    return entries, not rest


def _entry_fault(entry: Element) -> str | None:
    """What is wrong with a dNSName or an iPAddress. Other kinds of entries are not checked."""
    if entry.tag == _IP_ADDRESS and len(entry.content) not in (4, 16):
        return f"an iPAddress of {len(entry.content)} bytes"
    if entry.tag != _DNS_NAME:
        return None
    name = _text(entry)
    fault = name_fault(name)
    return f"{quoted(name)} {fault}" if fault else None


def _text(entry: Element) -> str:
    """One character per byte, so that non-ASCII bytes can be recognised."""
    return entry.content.decode("latin-1")
