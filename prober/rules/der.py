"""A small DER reader (X.690 §8.1) for raw parts of X.509 that `cryptography` does not give.

It never raises and never recurses, and its work is bounded by the length of its input, which comes
from a peer. It stops at an indefinite length or a tag above 30, which do not occur in the outline
of a certificate.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

_MAX_LENGTH: Final = 4  # octets: 4 GiB, far beyond the 16 MiB of a TLS certificate message
MAX_ELEMENTS: Final = 5000  # certificates have 20 extensions and up to 2,000 names; 70 ms
_OPTIONAL_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
# serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo: RFC 5280 §4.1
_FIELDS: Final = (0x02, 0x30, 0x30, 0x30, 0x30, 0x30)


class Element(NamedTuple):
    """One tag, length and value; ``encoded`` is all three."""

    tag: int
    content: bytes
    encoded: bytes


class Extension(NamedTuple):
    """One certificate extension; ``oid`` is the encoded value of its identifier."""

    oid: bytes
    value: bytes


class Outline(NamedTuple):
    """The parts of a certificate, undecoded. ``whole``: all extensions could be read."""

    issuer: bytes
    subject: bytes
    spki: bytes  # as in the certificate: encoding a parsed key again may give other bytes
    extensions: tuple[Extension, ...]
    whole: bool
    validity: bytes = b""


def split(encoded: bytes, *, most: int = MAX_ELEMENTS) -> tuple[tuple[Element, ...], bytes]:
    """The first *most* elements of *encoded* in order, and the bytes after them."""
    elements: list[Element] = []
    offset = 0
    while len(elements) < most and (element := _element_at(encoded, offset)) is not None:
        elements.append(element)
        offset += len(element.encoded)
    return tuple(elements), encoded[offset:]


def read_outline(certificate: bytes) -> Outline | None:
    """The parts of a DER certificate, RFC 5280 §4.1; ``None`` where it is no certificate."""
    fields, rest = split(_inside(_inside(certificate)))
    if fields and fields[0].tag == _OPTIONAL_VERSION:
        fields = fields[1:]
    if tuple(field.tag for field in fields[: len(_FIELDS)]) != _FIELDS:
        return None
    extensions: list[Extension] = []
    whole = not rest
    for field in fields:
        if field.tag == _EXTENSIONS:
            sequence, rest = split(_inside(field.content))
            read = [_extension(element) for element in sequence]
            extensions += [extension for extension in read if extension is not None]
            whole = whole and not rest and None not in read
    _, _, issuer, validity, subject, spki, *_ = fields
    return Outline(
        issuer.encoded,
        subject.encoded,
        spki.encoded,
        extensions=tuple(extensions),
        whole=whole,
        validity=validity.content,
    )


def read_validity(outline: Outline) -> tuple[datetime, datetime] | None:
    """Both dates of a certificate, RFC 5280 §4.1.2.5; ``None`` where one cannot be read."""
    times, rest = split(outline.validity)
    read = [time for each in times if (time := _time(each)) is not None]
    return (read[0], read[1]) if (len(times), len(read), rest) == (2, 2, b"") else None


def _time(element: Element) -> datetime | None:
    """RFC 5280 §4.1.2.5.1: of a year of two digits, 50 and above are of the 20th century."""
    digits = element.content.removesuffix(b"Z")
    if digits == element.content or not digits.isdigit():
        return None
    if (element.tag, len(digits)) == (_UTC_TIME, 12):
        digits = (b"19" if digits >= b"50" else b"20") + digits
    elif (element.tag, len(digits)) != (_GENERALIZED_TIME, 14):
        return None
    try:
        return datetime.strptime(digits.decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _element_at(encoded: bytes, offset: int) -> Element | None:
    start = offset + 2
    if start > len(encoded) or (tag := encoded[offset]) & 0x1F == 0x1F:
        return None
    length = encoded[offset + 1]
    if length & 0x80:
        octets = length & 0x7F
        if not 0 < octets <= min(_MAX_LENGTH, len(encoded) - start):
            return None
        length = int.from_bytes(encoded[start : start + octets])
        start += octets
    end = start + length
    if end > len(encoded):
        return None
    return Element(tag, encoded[start:end], encoded[offset:end])


def _inside(encoded: bytes) -> bytes:
    """The content of the first element; empty without one."""
    element = _element_at(encoded, 0)
    return element.content if element is not None else b""


def _extension(element: Element) -> Extension | None:
    """RFC 5280 §4.1: the identifier first, the value last, and perhaps a flag between them."""
    parts, rest = split(element.content)
    if rest or len(parts) < 2 or (parts[0].tag, parts[-1].tag) != (0x06, 0x04):
        return None
    return Extension(parts[0].content, parts[-1].content)
