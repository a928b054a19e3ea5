"""The trust anchors: the keys of the root as IANA publishes them, or those of a file.

The digests are those of Debian's dns-root-data and https://data.iana.org/root-anchors/.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.zonefile
from dns.name import Name
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS

from prober.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Anchor:
    """A trusted key, by its digest, and the time for which it is trusted."""

    ds: DS
    since: float  # seconds since 1970
    until: float | None = None


_RSASHA256, _SHA256 = 8, 2  # RFC 5702, RFC 4509
Anchors = Mapping[Name, tuple[Anchor, ...]]


def _rsa(key_tag: int, sha256: str, since: datetime, until: datetime | None = None) -> Anchor:
    digest = bytes.fromhex(sha256)
    ds = DS(  # type: ignore[no-untyped-call] # dnspython types it nowhere
        dns.rdataclass.IN, dns.rdatatype.DS, key_tag, _RSASHA256, _SHA256, digest
    )
    return Anchor(ds, since.timestamp(), until.timestamp() if until else None)


ROOT: Final[Anchors] = {
    dns.name.root: (
        _rsa(
            20326,
            "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
            since=datetime(2017, 2, 2, tzinfo=UTC),
            until=datetime(2027, 1, 11, tzinfo=UTC),  # the root revokes it
        ),
        _rsa(
            38696,
            "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
            since=datetime(2024, 7, 18, tzinfo=UTC),
        ),
    )
}


def valid_at(anchors: Sequence[Anchor], now: float) -> tuple[DS, ...]:
    """The anchors that are trusted at that time."""
    return tuple(
        each.ds
        for each in anchors
        if each.since <= now and (each.until is None or now < each.until)
    )


def parse_anchors(text: str) -> Anchors:
    """The DS or DNSKEY records in a zone file with absolute names.

    Raises SettingsError if it holds something else, or no such record.
    """
    try:
        rrsets = dns.zonefile.read_rrsets(text, default_ttl=0, rdclass=None, origin=".")
    except (dns.exception.DNSException, ValueError) as error:
        raise SettingsError(f"no DS or DNSKEY records: {error}") from error
    found: dict[Name, tuple[Anchor, ...]] = {}
    for rrset in rrsets:
        for record in rrset:
            found[rrset.name] = (*found.get(rrset.name, ()), Anchor(_to_ds(rrset.name, record), 0))
    if not found:
        raise SettingsError("there is no DS or DNSKEY record in it")
    return found


def _to_ds(name: Name, record: dns.rdata.Rdata) -> DS:
    if isinstance(record, DNSKEY):
        return dns.dnssec.make_ds(name, record, "SHA256")
    if isinstance(record, DS):
        return record
    kind = dns.rdatatype.to_text(record.rdtype)
    raise SettingsError(f"{name} {kind}: a trust anchor is a DS or DNSKEY record")
