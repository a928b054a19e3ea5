"""DNS data, and how a resolver finds answers in it. RFC 1034 §4.3.2, RFC 2308."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL = 300
ALIASES = 8  # maximum CNAMEs in a row; resolvers follow 8 to 16

Records = Mapping[str, Sequence[tuple[str, str]]]  # owner: (type, text) …

# used in negative answers where the data has no SOA
_ROOT_SOA = dns.rrset.from_text(".", TTL, "IN", "SOA", "ns.lab. admin.lab. 1 3600 600 86400 60")


@dataclass(slots=True)
class Found:
    """The result of one look-up."""

    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    names: list[dns.name.Name] = field(
        default_factory=list
    )  # the name in the question, and its aliases
    answer: list[dns.rrset.RRset] = field(default_factory=list)
    authority: list[dns.rrset.RRset] = field(default_factory=list)


class LabZone:
    """All records of the lab, in all zones."""

    def __init__(self, records: Records) -> None:
        self._rrsets: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        self._names: set[dns.name.Name] = set()  # all existing names, including empty non-terminals
        for owner, entries in records.items():
            for rdtype, text in entries:
                self.add(parse_record(owner, rdtype, text))

    def add(self, rrset: dns.rrset.RRset) -> None:
        """Add *rrset* to the records of its owner."""
        key = (rrset.name, rrset.rdtype)
        known = self._rrsets.get(key)
        self._rrsets[key] = rrset if known is None else known | rrset
        self._names.update(with_parents(rrset.name))

    def __iter__(self) -> Iterator[dns.rrset.RRset]:
        return iter(self._rrsets.values())

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Found:
        """Follow CNAMEs from *name* to records of *rdtype*, or to a negative answer."""
        found = Found()
        while len(found.names) <= ALIASES:
            found.names.append(name)
            if rrset := self._rrsets.get((name, rdtype)):
                found.answer.append(rrset)
                return found
            alias = self._rrsets.get((name, dns.rdatatype.CNAME))
            if alias is None:
                return self._nothing(found, name)
            found.answer.append(alias)
            name = alias[0].target
        return Found(rcode=dns.rcode.SERVFAIL, names=found.names)

    def _nothing(self, found: Found, name: dns.name.Name) -> Found:
        if name not in self._names:
            found.rcode = dns.rcode.NXDOMAIN
        found.authority.append(self._soa(name))
        return found

    def _soa(self, name: dns.name.Name) -> dns.rrset.RRset:
        for owner in with_parents(name):
            if rrset := self._rrsets.get((owner, dns.rdatatype.SOA)):
                return rrset
        return _ROOT_SOA


def parse_record(owner: str, rdtype: str, *texts: str) -> dns.rrset.RRset:
    """The records of one owner and type. Names are absolute, with or without a dot at the end."""
    name = dns.name.from_text(owner)
    if rdtype == "TLSA":  # dnspython refuses digests of the wrong length
        return dns.rrset.from_rdata_list(name, TTL, [_tlsa(text) for text in texts])
    return dns.rrset.from_text_list(
        name, TTL, "IN", rdtype, texts, origin=dns.name.root, relativize=False
    )


def _tlsa(text: str) -> dns.rdata.GenericRdata:
    """RFC 6698 §2.2; the digest in one piece."""
    *header, digest = text.split()
    rdata = bytes(map(int, header)) + bytes.fromhex(digest)
    return dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.TLSA, rdata)


def with_parents(name: dns.name.Name) -> Iterator[dns.name.Name]:
    """Yield *name* and each of its parents, up to the root."""
    yield name
    while name != dns.name.root:
        name = name.parent()
        yield name
