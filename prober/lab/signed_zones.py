"""Signs the zones of the lab: the root, and each domain that is to be signed.

RFC 4034, RFC 4035 §3.1. Each zone has one ECDSA key and a chain of NSEC records. Names in no signed
zone are below an unsigned delegation of the root.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.name import Name
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.NSEC import NSEC
from dns.rdtypes.dnskeybase import Flag

TTL = 300
_DAYS = timedelta(days=1)  # signatures are valid from a day ago until a day from now
_OWN = frozenset({dns.rdatatype.DS, dns.rdatatype.DNSKEY, dns.rdatatype.NSEC})


@dataclass(frozen=True, slots=True)
class Key:
    """The only key of a zone."""

    private: ec.EllipticCurvePrivateKey
    public: DNSKEY

    @classmethod
    def new(cls) -> "Key":
        """A new key."""
        private = ec.generate_private_key(ec.SECP256R1())
        public = dns.dnssec.make_dnskey(
            private.public_key(),
            dns.dnssectypes.Algorithm.ECDSAP256SHA256,
            flags=Flag.ZONE | Flag.SEP,
        )
        return cls(private, public)

    def ds(self, zone: Name) -> str:
        """The DS record for the parent of *zone*, or for a file of trust anchors."""
        return dns.dnssec.make_ds(zone, self.public, "SHA256").to_text()


class SignedZones:
    """Signs *rrsets* as they are now. Later changes are not signed."""

    def __init__(self, rrsets: Iterable[dns.rrset.RRset], keys: Mapping[Name, Key]) -> None:
        lines: dict[Name, list[str]] = {name: [_apex(name)] for name in keys}
        cuts: set[Name] = set()
        for rrset in rrsets:
            zone = max(
                (candidate for candidate in keys if rrset.name.is_subdomain(candidate)), key=len
            )
            if zone == dns.name.root and rrset.name != dns.name.root:
                cuts.add(rrset.name.split(min(len(rrset.name), 3))[1])
            else:
                lines[zone].append(rrset.to_text())
        lines[dns.name.root] += [f"{name} {TTL} IN NS ns.lab." for name in cuts - keys.keys()]
        for name in keys.keys() - {dns.name.root}:
            lines[dns.name.root].append(f"{name} {TTL} IN NS ns.lab.")
            lines[dns.name.root].append(f"{name} {TTL} IN DS {keys[name].ds(name)}")
        self._zones = {name: _sign(name, text, keys[name]) for name, text in lines.items()}

    def own(self, name: Name, rdtype: RdataType) -> dns.rrset.RRset | None:
        """The RRset at *name* of a type that only signed zones have: DS, DNSKEY or NSEC."""
        if rdtype not in _OWN:
            return None
        zone = self._zones[self._zone_of(name, rdtype)]
        return zone.get_rrset(name, rdtype)

    def sign(self, answer: Iterable[dns.rrset.RRset]) -> Iterator[dns.rrset.RRset]:
        """Yield *answer* with its signatures, where there are any."""
        for rrset in answer:
            yield rrset
            zone = self._zones[self._zone_of(rrset.name, rrset.rdtype)]
            yield from _signature(zone, rrset.name, rrset.rdtype)

    def deny(self, name: Name, rdtype: RdataType) -> Iterator[dns.rrset.RRset]:
        """SOA and NSEC records that prove that *name* has no *rdtype*. RFC 4035 §3.1.3."""
        apex = self._zone_of(name, rdtype)
        zone = self._zones[apex]
        owners = {apex: dns.rdatatype.SOA}
        gaps = sorted(
            candidate for candidate in zone if zone.get_rdataset(candidate, dns.rdatatype.NSEC)
        )
        at = max(candidate for candidate in gaps if candidate <= name)
        nsec = zone.get_rdataset(at, dns.rdatatype.NSEC)
        if nsec is None or not isinstance(nsec[0], NSEC):
            return
        found = {at}
        if at != name and not nsec[0].next.is_subdomain(name):  # the name does not exist
            encloser = name.parent()
            while not any(candidate.is_subdomain(encloser) for candidate in gaps):
                encloser = encloser.parent()
            wildcard = dns.name.Name([b"*"]) + encloser
            found.add(max(candidate for candidate in gaps if candidate <= wildcard))
        for owner, kind in [
            *owners.items(),
            *((candidate, dns.rdatatype.NSEC) for candidate in found),
        ]:
            rrset = zone.get_rrset(owner, kind)
            if rrset is not None:
                yield rrset
                yield from _signature(zone, owner, kind)

    def _zone_of(self, name: Name, rdtype: RdataType) -> Name:
        above = name.parent() if rdtype == dns.rdatatype.DS and name != dns.name.root else name
        return max(
            (candidate for candidate in self._zones if above.is_subdomain(candidate)), key=len
        )

    def is_signed(self, name: Name, rdtype: RdataType) -> bool:
        """Whether *name* is in a signed zone, and not below an unsigned delegation."""
        zone = self._zone_of(name, rdtype)
        if zone != dns.name.root or name == dns.name.root or rdtype == dns.rdatatype.DS:
            return True
        cut = name.split(min(len(name), 3))[1]
        return self._zones[zone].get_rdataset(cut, dns.rdatatype.NS) is None


def _apex(zone: Name) -> str:
    return f"{zone} {TTL} IN SOA ns.lab. admin.lab. 1 3600 600 86400 60\n{zone} {TTL} IN NS ns.lab."


def _sign(name: Name, lines: list[str], key: Key) -> dns.zone.Zone:
    zone = dns.zone.from_text("\n".join(lines), origin=name, relativize=False)
    now = datetime.now(UTC)
    with zone.writer() as transaction:
        dns.dnssec.sign_zone(
            zone,
            transaction,
            keys=[(key.private, key.public)],
            dnskey_ttl=TTL,
            inception=now - _DAYS,
            expiration=now + _DAYS,
        )
    return zone


def _signature(zone: dns.zone.Zone, name: Name, rdtype: RdataType) -> Iterator[dns.rrset.RRset]:
    signature = zone.get_rrset(name, dns.rdatatype.RRSIG, rdtype)
    if signature is not None:
        yield signature
