"""From one zone to the next: DS records, their denial, and the DNSKEY RRset. RFC 4035 §5.2."""

import hashlib
from collections.abc import Sequence
from typing import Final

import dns.name
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS

from prober.dnssec.denial import Denial, Proved, deny, deny_closer
from prober.dnssec.judgement import SECURE, Judgement, Reply, Work, Zone, bogus, insecure
from prober.dnssec.keys import Key, is_zone_key
from prober.dnssec.signatures import SUPPORTED, is_expanded, unsigned, verify
from prober.records import Dnssec

_DIGESTS: Final = {1: "sha1", 2: "sha256", 4: "sha384"}  # RFC 3658, RFC 4509, RFC 6605
_SHA1: Final = 1
NO_KEY: Final = "no key matches"
MAX_DENIALS: Final = 16  # RRsets in a response; RFC 5155 §7.2 needs three
_DS, _DNSKEY, _CNAME = dns.rdatatype.DS, dns.rdatatype.DNSKEY, dns.rdatatype.CNAME


def judge_rrset(rrset: dns.rrset.RRset, zone: Zone, reply: Reply, work: Work) -> Judgement:
    """The state of *rrset* in *reply*. Its zone is *zone*, which is secure. Raises LimitError."""
    signatures = reply.signatures(rrset)
    if not signatures:
        return unsigned(zone.name, rrset.name, rrset.rdtype, reply)
    outcome = verify(rrset, signatures, zone, reply.now, work)
    signature = outcome.signature
    if signature is None or not is_expanded(rrset, signature):
        return outcome.judgement
    if rrset.rdtype == dns.rdatatype.DNAME:  # RFC 6672 §3.3: a wildcard DNAME is undefined
        return bogus(zone.name, rrset.name, rrset.rdtype, "made from a wildcard")
    rrsets = verified_denials(zone, reply, work)
    denial = deny_closer(rrset.name, signature.labels, zone.name, rrsets, work)
    if denial.proved is Proved.NO_NAME:
        return SECURE
    if denial.proved is Proved.UNSIGNED:
        return insecure(zone.name, rrset.name, rrset.rdtype, denial.reason)
    fault = "made from a wildcard, without proof that the name does not exist"
    return bogus(zone.name, rrset.name, rrset.rdtype, fault, signature.key_tag)


def judge_denial(name: Name, rdtype: RdataType, zone: Zone, reply: Reply, work: Work) -> Judgement:
    """The state of *reply* as a proof that *name* has no *rdtype*, or does not exist."""
    denial = _deny(name, rdtype, zone, reply, work)
    wanted = Proved.NO_NAME if reply.rcode == Rcode.NXDOMAIN else Proved.NO_DATA
    if denial.proved is wanted:
        return SECURE
    if denial.proved is Proved.UNSIGNED:
        return insecure(zone.name, name, rdtype, denial.reason)
    return _no_proof(name, rdtype, zone, reply, wanted)


def judge_delegation(name: Name, parent: Zone, reply: Reply, work: Work) -> Zone | tuple[DS, ...]:
    """The zone of *name*, by the answer to a question for its DS records, which is in *parent*.

    With DS records, *name* is a zone, and they vouch for its keys. Without, the result is *parent*
    if *name* is not a delegation, else an insecure zone (RFC 4035 §5.2), or why the zone is not
    known. Raises LimitError.
    """
    rrset = reply.rrset(name, _DS)
    if rrset is not None:
        judgement = judge_rrset(rrset, parent, reply, work)
        if judgement.state is not Dnssec.SECURE:
            return Zone(name=name, judgement=judgement, ttl=rrset.ttl)
        return usable_ds(name, [each for each in rrset if isinstance(each, DS)], rrset.ttl)
    alias = reply.rrset(name, _CNAME)
    if alias is not None:  # then it is no delegation: RFC 2181 §10.1
        judgement = judge_rrset(alias, parent, reply, work)
        if judgement.state is Dnssec.SECURE:
            return parent
        return Zone(name=name, judgement=judgement)
    denial = _deny(name, _DS, parent, reply, work)
    match denial.proved:
        case Proved.NO_DATA if denial.is_delegation:
            fault = "the parent zone proves that there is no DS record"
            return Zone(name=name, judgement=insecure(parent.name, name, _DS, fault))
        case Proved.NO_DATA | Proved.NO_NAME:
            return parent
        case Proved.UNSIGNED:
            judgement = insecure(parent.name, name, _DS, denial.reason)
            return Zone(name=name, judgement=judgement)
        case Proved.NOTHING:
            no_proof = _no_proof(name, _DS, parent, reply, Proved.NO_DATA)
            return Zone(name=name, judgement=no_proof)


def usable_ds(name: Name, records: Sequence[DS], ttl: float = 0.0) -> Zone | tuple[DS, ...]:
    """The DS records with a supported algorithm and digest. Without any, the zone is insecure.

    SHA-1 is ignored if there is a better digest. RFC 4509 §3, RFC 6840 §5.2.
    """
    known = [ds for ds in records if ds.algorithm in SUPPORTED and ds.digest_type in _DIGESTS]
    if not known:
        seen = sorted({(int(ds.algorithm), int(ds.digest_type)) for ds in records})
        pairs = ", ".join(f"algorithm {algorithm} digest {digest}" for algorithm, digest in seen)
        judgement = insecure(name, name, _DS, f"none of them is supported: {pairs}")
        return Zone(name=name, judgement=judgement, ttl=ttl)
    better = {ds.algorithm for ds in known if ds.digest_type != _SHA1}
    return tuple(ds for ds in known if ds.digest_type != _SHA1 or ds.algorithm not in better)


def judge_keys(name: Name, anchors: Sequence[DS], reply: Reply, work: Work) -> Zone:
    """The zone *name* with its keys. One of them must match *anchors* and sign the DNSKEY RRset.

    RFC 4035 §5.2, RFC 6840 §5.11: one valid path is enough. Raises LimitError.
    """
    rrset = reply.rrset(name, _DNSKEY)
    if rrset is None and reply.knows_dnssec:
        judgement = bogus(name, name, _DNSKEY, "the zone has no keys")
        return Zone(name=name, judgement=judgement)
    signatures = () if rrset is None else reply.signatures(rrset)
    if rrset is None or not signatures:
        return Zone(name=name, judgement=unsigned(name, name, _DNSKEY, reply))
    keys = tuple(Key(key) for key in rrset if isinstance(key, DNSKEY) and is_zone_key(key))
    entry = tuple(key for key in keys if _is_vouched(name, key, anchors, work))
    if not entry:
        tags = ", ".join(str(ds.key_tag) for ds in anchors)
        fault = f"{NO_KEY} the DS records or trust anchors, which name {tags}"
        return Zone(name=name, judgement=bogus(name, name, _DNSKEY, fault))
    outcome = verify(rrset, signatures, Zone(name=name, keys=entry), reply.now, work)
    if outcome.signature is None:
        return Zone(name=name, judgement=outcome.judgement)
    return Zone(name=name, keys=keys, ttl=rrset.ttl)


def verified_denials(zone: Zone, reply: Reply, work: Work) -> list[dns.rrset.RRset]:
    """The NSEC and NSEC3 RRsets of *reply* that *zone* signed.

    One that was expanded from a wildcard is left out: its gap is at the name of the wildcard.
    """
    found = []
    for rrset in list(reply.denials())[:MAX_DENIALS]:
        signature = verify(rrset, reply.signatures(rrset), zone, reply.now, work).signature
        if signature is not None and not is_expanded(rrset, signature):
            found.append(rrset)
    return found


def _deny(name: Name, rdtype: RdataType, zone: Zone, reply: Reply, work: Work) -> Denial:
    return deny(name, rdtype, zone.name, verified_denials(zone, reply, work), work)


def _no_proof(name: Name, rdtype: RdataType, zone: Zone, reply: Reply, wanted: Proved) -> Judgement:
    if not any(reply.signatures(rrset) for rrset in reply.denials()):
        return unsigned(zone.name, name, rdtype, reply)
    return bogus(zone.name, name, rdtype, f"no valid proof that {wanted.value}")


def _is_vouched(name: Name, key: Key, anchors: Sequence[DS], work: Work) -> bool:
    """RFC 4034 §5.1.4."""
    for ds in anchors:
        if (ds.key_tag, ds.algorithm) == (key.tag, key.record.algorithm):
            work.spend(hashes=1)
            hashed = hashlib.new(_DIGESTS[ds.digest_type], usedforsecurity=False)
            hashed.update(name.to_digestable() + key.record.to_digestable())
            if hashed.digest() == ds.digest:
                return True
    return False
