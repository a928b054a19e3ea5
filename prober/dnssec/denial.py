"""Proofs that a name or a type does not exist: NSEC (RFC 4035 §5.4) and NSEC3 (RFC 5155 §8)."""

import base64
import binascii
import enum
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import dns.name
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.NSEC import NSEC
from dns.rdtypes.ANY.NSEC3 import NSEC3

from prober.dnssec.judgement import Work

MAX_ITERATIONS: Final = 100  # above it a zone counts as insecure: RFC 9276 §3.2
_SHA1: Final = 1  # RFC 5155 §11
_OPT_OUT: Final = 1  # RFC 5155 §3.1.2.1
_WILD: Final = dns.name.Name([b"*"])

NS, SOA, DS = dns.rdatatype.NS, dns.rdatatype.SOA, dns.rdatatype.DS
CNAME, DNAME = dns.rdatatype.CNAME, dns.rdatatype.DNAME


class Proved(enum.Enum):
    """What the records of a zone prove about a name and a type."""

    NO_NAME = "the name does not exist"
    NO_DATA = "the name has no such type"
    UNSIGNED = "insecure: the zone makes no statement"  # opt-out, or too many iterations
    NOTHING = "no proof"


@dataclass(frozen=True, slots=True)
class Denial:
    """A proof. ``is_delegation``: *name* is another zone. ``reason`` is set if it is insecure."""

    proved: Proved
    is_delegation: bool = False
    reason: str = ""


_NOTHING: Final = Denial(Proved.NOTHING)
_NO_NAME: Final = Denial(Proved.NO_NAME)
_NO_DATA: Final = Denial(Proved.NO_DATA)
_OPTED_OUT: Final = Denial(Proved.UNSIGNED, reason="opt-out: unsigned delegations are not listed")


def deny(
    name: Name, rdtype: RdataType, zone: Name, rrsets: Iterable[dns.rrset.RRset], work: Work
) -> Denial:
    """What *rrsets* prove about *name* and *rdtype*. Each is verified as signed by *zone*."""
    nsecs, nsec3s = _sort(rrsets)
    by_nsec = _deny_by_nsec(name, rdtype, zone, nsecs)
    if by_nsec.proved is not Proved.NOTHING or not nsec3s:
        return by_nsec
    hashed = _Hashed.of(zone, nsec3s, work)
    return hashed if isinstance(hashed, Denial) else hashed.deny(name, rdtype)


def deny_closer(
    name: Name, labels: int, zone: Name, rrsets: Iterable[dns.rrset.RRset], work: Work
) -> Denial:
    """Whether *name* does not exist, so that a wildcard of *labels* labels may stand for it.

    RFC 4035 §5.3.4, RFC 5155 §8.8. NO_NAME if that is proved.
    """
    nsecs, nsec3s = _sort(rrsets)
    covering = _covering(name, zone, nsecs)
    if covering is not None and len(_closest_encloser(name, *covering)) - 1 == labels:
        return _NO_NAME
    if not nsec3s:
        return _NOTHING
    hashed = _Hashed.of(zone, nsec3s, work)
    if isinstance(hashed, Denial):
        return hashed
    cover = hashed.cover(name.split(labels + 2)[1])
    if cover is None:
        return _NOTHING
    return _OPTED_OUT if cover.flags & _OPT_OUT else _NO_NAME


_Nsecs: TypeAlias = Mapping[Name, NSEC]


def _sort(rrsets: Iterable[dns.rrset.RRset]) -> tuple[_Nsecs, list[tuple[Name, NSEC3]]]:
    nsecs: dict[Name, NSEC] = {}
    nsec3s = []
    for rrset in rrsets:
        for record in rrset:
            if isinstance(record, NSEC):
                nsecs[rrset.name] = record
            elif isinstance(record, NSEC3):
                nsec3s.append((rrset.name, record))
    return nsecs, nsec3s


def _has(record: NSEC | NSEC3, rdtype: RdataType) -> bool:
    """Whether the type bit map has *rdtype*. RFC 4034 §4.1.2."""
    window, bit = divmod(int(rdtype), 256)
    octet, place = divmod(bit, 8)
    return any(
        number == window and octet < len(bitmap) and bitmap[octet] & 0x80 >> place
        for number, bitmap in record.windows
    )


def _is_delegation(record: NSEC | NSEC3) -> bool:
    return _has(record, NS) and not _has(record, SOA)


def _is_above_other_names(record: NSEC | NSEC3) -> bool:
    """Such a record proves nothing about names below its own. RFC 6840 §4.1, RFC 5155 §8.3."""
    return _is_delegation(record) or _has(record, DNAME)


def _deny_type(name: Name, rdtype: RdataType, record: NSEC | NSEC3) -> Denial:
    """What the record at *name* itself proves about *rdtype*."""
    if _has(record, rdtype) or _has(record, CNAME):
        return _NOTHING
    if rdtype == DS:
        # the record must be of the parent; one with SOA is of the child: RFC 4035 §5.2
        if _has(record, SOA) and name != dns.name.root:
            return _NOTHING
    elif _is_delegation(record):  # RFC 6840 §4.1
        return _NOTHING
    return Denial(Proved.NO_DATA, is_delegation=_is_delegation(record))


# NSEC


def _deny_by_nsec(name: Name, rdtype: RdataType, zone: Name, nsecs: _Nsecs) -> Denial:
    own = nsecs.get(name)
    if own is not None:
        return _deny_type(name, rdtype, own)
    covering = _covering(name, zone, nsecs)
    if covering is None:
        return _NOTHING
    if covering[1].is_subdomain(name):  # an empty non-terminal: RFC 4592 §2.2.2
        return _NO_DATA
    wildcard = _WILD + _closest_encloser(name, *covering)
    source = nsecs.get(wildcard)
    if source is not None:
        denial = _deny_type(wildcard, rdtype, source)
        return _NO_DATA if denial.proved is Proved.NO_DATA else _NOTHING
    return _NO_NAME if _covering(wildcard, zone, nsecs) else _NOTHING


def _covering(name: Name, zone: Name, nsecs: _Nsecs) -> tuple[Name, Name] | None:
    """Owner and next name of the record in whose gap *name* is. RFC 4034 §6.1."""
    if not name.is_subdomain(zone):
        return None
    for owner, record in nsecs.items():
        is_last = record.next == zone
        if not owner < name or not (is_last or name < record.next):
            continue
        if name.is_subdomain(owner) and _is_above_other_names(record):
            continue
        return owner, record.next
    return None


def _closest_encloser(name: Name, owner: Name, next_name: Name) -> Name:
    """The longest existing name above *name*, by the two names around the gap."""
    common = max(name.fullcompare(each)[2] for each in (owner, next_name))
    return name.split(common)[1]


# NSEC3


@dataclass(frozen=True, slots=True)
class _Hashed:
    """The NSEC3 records of one zone with one set of parameters, by the hash of their owner."""

    zone: Name
    records: Mapping[bytes, NSEC3]
    salt: bytes
    iterations: int
    work: Work

    @classmethod
    def of(cls, zone: Name, owned: Sequence[tuple[Name, NSEC3]], work: Work) -> "_Hashed | Denial":
        """Records of an unknown hash or with unknown flags are ignored. RFC 5155 §8.1, §8.2."""
        usable = [
            (digest, record)
            for owner, record in owned
            if record.algorithm == _SHA1 and not record.flags & ~_OPT_OUT
            if len(owner) == len(zone) + 1 and owner.is_subdomain(zone)
            if (digest := _digest_of(owner)) is not None
        ]
        if not usable:
            return _NOTHING
        first = usable[0][1]
        if any(record.iterations > MAX_ITERATIONS for _, record in usable):
            reason = f"more than {MAX_ITERATIONS} NSEC3 iterations: RFC 9276"
            return Denial(Proved.UNSIGNED, reason=reason)
        same = {
            digest: record
            for digest, record in usable
            if (record.salt, record.iterations) == (first.salt, first.iterations)
        }
        if len(same) < len({digest for digest, _ in usable}):  # RFC 5155 §8.2
            return _NOTHING
        return cls(zone, same, first.salt, first.iterations, work)

    def deny(self, name: Name, rdtype: RdataType) -> Denial:
        """RFC 5155 §8.4 to §8.7."""
        own = self.match(name)
        if own is not None:
            return _deny_type(name, rdtype, own)
        found = self._closest_encloser(name)
        if found is None:
            return _NOTHING
        encloser, next_closer = found
        cover = self.cover(next_closer)
        if cover is None:
            return _NOTHING
        if cover.flags & _OPT_OUT:  # §8.6; for other types it cannot be secure either: §9.2
            return _OPTED_OUT
        wildcard = _WILD + encloser
        source = self.match(wildcard)
        if source is not None:
            denial = _deny_type(wildcard, rdtype, source)
            return _NO_DATA if denial.proved is Proved.NO_DATA else _NOTHING
        return _NO_NAME if self.cover(wildcard) is not None else _NOTHING

    def match(self, name: Name) -> NSEC3 | None:
        """The record of the name itself."""
        return self.records.get(self._hash(name))

    def cover(self, name: Name) -> NSEC3 | None:
        """The record whose gap contains the hash of *name*."""
        digest = self._hash(name)
        for owner, record in self.records.items():
            if owner < record.next:
                if owner < digest < record.next:
                    return record
            elif digest > owner or digest < record.next:  # the last one of the zone
                return record
        return None

    def _closest_encloser(self, name: Name) -> tuple[Name, Name] | None:
        """RFC 5155 §8.3: the longest name above *name* that exists, and the name below it."""
        while name != self.zone and name.is_subdomain(self.zone):
            next_closer, name = name, name.parent()
            record = self.match(name)
            if record is not None:
                return None if _is_above_other_names(record) else (name, next_closer)
        return None

    def _hash(self, name: Name) -> bytes:
        """RFC 5155 §5."""
        self.work.spend(hashes=self.iterations + 1)
        digest = name.to_digestable()
        for _ in range(self.iterations + 1):
            digest = hashlib.sha1(digest + self.salt, usedforsecurity=False).digest()
        return digest


def _digest_of(owner: Name) -> bytes | None:
    try:
        return base64.b32hexdecode(owner[0].upper())
    except (binascii.Error, ValueError):
        return None
