"""A small DNS tree, from the root down: zones signed, unsigned, bogus, and one that is not loaded.

Signed by dnspython with one ECDSA key a zone (RFC 6605), NSEC, and DS records in the parent. The
files are for NSD; who validates takes the root's DS as its trust anchor.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.dnskeybase import Flag

from prober.lab.zone import parse_record

Key = tuple[ec.EllipticCurvePrivateKey, dns.rdtypes.ANY.DNSKEY.DNSKEY]

_TTL = 300
_NAMESERVER = "ns."  # of every zone; its address stands in the root


class Trust(enum.StrEnum):
    """What a validator makes of a zone."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    BOGUS = "bogus"  # signed, but the DS in the parent is of another key
    NOT_LOADED = "not-loaded"  # the server has no data, and says SERVFAIL


@dataclass(frozen=True)
class Zone:
    """One zone; a record is owner, type, text, and names in it are absolute."""

    name: str
    trust: Trust
    records: tuple[tuple[str, str, str], ...] = ()

    @property
    def file_name(self) -> str:
        return f"{self.name or 'root'}.zone"


def write_tree(folder: Path, zones: Sequence[Zone], *, nameserver: str) -> str:
    """Write the files of *zones*, of which one is the root, and give the root's DS as text.

    *nameserver* is the address at which all of them are to be served.
    """
    zones = [_with_nameserver(zone, nameserver) for zone in zones]
    keys = {zone.name: _make_key() for zone in zones}
    for zone in zones:
        if zone.trust is not Trust.NOT_LOADED:
            _write(folder, zone, [each for each in zones if _parent(each, zones) is zone], keys)
    return f". IN DS {_make_ds('', keys[''])}"


def _with_nameserver(zone: Zone, address: str) -> Zone:
    return zone if zone.name else replace(zone, records=(*zone.records, ("ns", "A", address)))


def _write(folder: Path, zone: Zone, children: Sequence[Zone], keys: dict[str, Key]) -> None:
    lines = [f"@ {_TTL} IN SOA {_NAMESERVER} admin.test. 1 3600 600 86400 60"]
    lines.append(f"@ {_TTL} IN NS {_NAMESERVER}")
    lines += [
        f"{owner}. {_TTL} IN {rdtype} {text}"
        for owner, rdtype, text in zone.records
        if rdtype != "TLSA"
    ]
    for child in children:
        lines.append(f"{child.name}. {_TTL} IN NS {_NAMESERVER}")
        if child.trust in (Trust.SIGNED, Trust.BOGUS):
            key = _make_key() if child.trust is Trust.BOGUS else keys[child.name]
            lines.append(f"{child.name}. {_TTL} IN DS {_make_ds(child.name, key)}")
    parsed = dns.zone.from_text("\n".join(lines), origin=f"{zone.name}.", relativize=False)
    for owner, rdtype, text in zone.records:
        if rdtype == "TLSA":  # not by the text of a zone, where digests must have the right length
            rrset = parse_record(owner, rdtype, text)
            for rdata in rrset:
                parsed.find_rdataset(rrset.name, rrset.rdtype, create=True).add(rdata, _TTL)
    if zone.trust is not Trust.UNSIGNED:
        _sign(parsed, keys[zone.name])
    (folder / zone.file_name).write_text(parsed.to_text(relativize=False))


def _parent(zone: Zone, zones: Sequence[Zone]) -> Zone | None:
    """The closest zone above."""
    above = [each for each in zones if each is not zone and _is_below(zone.name, each.name)]
    return max(above, key=lambda each: len(each.name), default=None)


def _is_below(name: str, parent: str) -> bool:
    return not parent or name.endswith(f".{parent}")


def _make_key() -> Key:
    private = ec.generate_private_key(ec.SECP256R1())
    algorithm = dns.dnssectypes.Algorithm.ECDSAP256SHA256
    flags = Flag.ZONE | Flag.SEP
    return private, dns.dnssec.make_dnskey(private.public_key(), algorithm, flags=flags)


def _make_ds(name: str, key: Key) -> str:
    return dns.dnssec.make_ds(dns.name.from_text(f"{name}."), key[1], "SHA256").to_text()


def _sign(zone: dns.zone.Zone, key: Key) -> None:
    now = datetime.now(UTC)
    with zone.writer() as transaction:
        dns.dnssec.sign_zone(
            zone,
            transaction,
            keys=[key],
            dnskey_ttl=_TTL,
            inception=now - timedelta(days=1),
            expiration=now + timedelta(days=1),
        )
