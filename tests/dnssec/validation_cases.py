"""Zones, signed soundly and not, and what a validator makes of questions about them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS
from dns.rdtypes.ANY.RRSIG import RRSIG

from prober.records import Dnssec
from tests.dnssec.signing import DsSet, Edit, Nsec3, SignedZone, Signer, make_ds

SECURE, INSECURE = Dnssec.SECURE, Dnssec.INSECURE
BOGUS, INDETERMINATE = Dnssec.BOGUS, Dnssec.INDETERMINATE

# every type that mail uses, in every zone; names without a trailing dot are below the zone
STANDARD = (
    "@ MX 10 MX",
    "@ A 127.0.0.9",
    '@ TXT "v=spf1 -all" "second string"',
    "mx A 127.0.0.9",
    "mx AAAA ::9",
    f"_25._tcp.mx TLSA 3 1 1 {'ab' * 32}",
    f"{'0a' * 28}._openpgpkey OPENPGPKEY {'mDME' * 16}",
    f"{'0b' * 28}._smimecert SMIMEA 3 0 1 {'cd' * 32}",
    "a.b.deep A 127.0.0.9",
    '*.wild TXT "from a wildcard"',
    "*.wild MX 5 mx",
    "exists.wild A 127.0.0.9",
    "*.wildalias CNAME mx",
    "alias CNAME mx",
    "alias2 CNAME alias",
    "nowhere CNAME nothing",
    "out CNAME mx.unsigned.test.",
    "across CNAME mx.other.test.",
    "into-bogus CNAME mx.wrong-key.test.",
    "dname DNAME deep",
    "dname-out DNAME unsigned.test.",
    "dname-across DNAME other.test.",
    # out of signed space and back, where the zone is signed; else into it and back
    "there-and-back CNAME across.unsigned.test.",
    "dname-there-and-back DNAME dname-across.unsigned.test.",
    "in-and-out CNAME out.other.test.",
    "dname-in-and-out DNAME dname-out.other.test.",
    "dname-into-bogus DNAME wrong-key.test.",
    "no-name-across CNAME nothing.other.test.",
    "no-type-across CNAME mx.other.test.",
    "delegation NS ns.elsewhere.test.",
    *(f'big TXT "{number:03} {"x" * 200}"' for number in range(12)),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question, and the state of the answer. *unbound* and *delv* where theirs is another."""

    name: str
    rdtype: str
    state: Dnssec
    unbound: Dnssec | None = None
    delv: Dnssec | None = None
    because: str = ""  # of the difference
    reason: str = ""  # what our reason says

    @property
    def id(self) -> str:
        return f"{self.name}-{self.rdtype}"

    @property
    def question(self) -> tuple[dns.name.Name, dns.rdatatype.RdataType]:
        return dns.name.from_text(self.name), dns.rdatatype.from_text(self.rdtype)


# what is asked of every sound zone: name below it, type, state; and with opt-out
_ASKED: tuple[tuple[str, str, Dnssec, Dnssec], ...] = (
    ("", "MX", SECURE, SECURE),
    ("", "TXT", SECURE, SECURE),
    ("", "DS", SECURE, SECURE),
    ("", "DNSKEY", SECURE, SECURE),
    ("", "AAAA", SECURE, SECURE),
    ("mx", "A", SECURE, SECURE),
    ("mx", "AAAA", SECURE, SECURE),
    ("mx", "MX", SECURE, SECURE),
    ("_25._tcp.mx", "TLSA", SECURE, SECURE),
    ("_26._tcp.mx", "TLSA", SECURE, INSECURE),
    (f"{'0a' * 28}._openpgpkey", "OPENPGPKEY", SECURE, SECURE),
    (f"{'0b' * 28}._smimecert", "SMIMEA", SECURE, SECURE),
    ("big", "TXT", SECURE, SECURE),
    ("nothing", "A", SECURE, INSECURE),
    ("below.nothing", "TLSA", SECURE, INSECURE),
    ("b.deep", "A", SECURE, SECURE),
    ("deep", "TLSA", SECURE, SECURE),
    ("c.deep", "A", SECURE, INSECURE),
    ("any.wild", "TXT", SECURE, INSECURE),
    ("any.more.wild", "MX", SECURE, INSECURE),
    ("any.wild", "A", SECURE, INSECURE),
    ("exists.wild", "TXT", SECURE, SECURE),
    ("below.exists.wild", "TXT", SECURE, INSECURE),
    ("any.wildalias", "A", SECURE, INSECURE),
    ("alias", "A", SECURE, SECURE),
    ("alias2", "AAAA", SECURE, SECURE),
    ("alias", "TXT", SECURE, SECURE),
    ("alias", "CNAME", SECURE, SECURE),
    ("nowhere", "A", SECURE, INSECURE),
    ("out", "A", INSECURE, INSECURE),
    ("across", "A", SECURE, SECURE),
    ("into-bogus", "A", BOGUS, BOGUS),
    ("a.b.dname", "A", SECURE, SECURE),
    ("x.dname", "A", SECURE, INSECURE),
    ("mx.dname-out", "A", INSECURE, INSECURE),
    ("mx.dname-across", "A", SECURE, SECURE),
    ("there-and-back", "A", INSECURE, INSECURE),
    ("mx.dname-there-and-back", "A", INSECURE, INSECURE),
    ("in-and-out", "A", INSECURE, INSECURE),
    ("mx.dname-in-and-out", "A", INSECURE, INSECURE),
    ("mx.dname-into-bogus", "A", BOGUS, BOGUS),
    ("no-name-across", "A", SECURE, SECURE),
    ("no-type-across", "MX", SECURE, SECURE),
    ("delegation", "DS", SECURE, INSECURE),
)
# delv calls an answer from a wildcard insecure there, as RFC 5155 §9.2 has it, but no denial
_FROM_WILDCARD = {"any.wild TXT", "any.more.wild MX", "any.wildalias A"}
OPT_OUT_DENIAL = "delv takes a denial with opt-out for a proof"


def _sound(name: str, **options: object) -> SignedZone:
    return replace(SignedZone(name=name, lines=STANDARD), **options)  # type: ignore[arg-type]


SOUND = (
    _sound("nsec.test"),
    _sound("nsec-ldns.test", by=Signer.LDNS),
    _sound("nsec3.test", nsec3=Nsec3(), algorithms=("RSASHA256",)),
    _sound("nsec3-ldns.test", by=Signer.LDNS, nsec3=Nsec3(10, "aabbccdd")),
)
OPT_OUT = (
    _sound("optout.test", nsec3=Nsec3(0, "-", opt_out=True)),
    _sound("optout-ldns.test", by=Signer.LDNS, nsec3=Nsec3(1, "ab", opt_out=True)),
)


def _ds(change: Callable[[dns.name.Name, DNSKEY], list[DS]]) -> DsSet:
    return lambda name, keys: [ds for key in keys for ds in change(name, key)]


def _digests(*kinds: str) -> DsSet:
    return _ds(lambda name, key: [make_ds(name, key, kind) for kind in kinds])


def _changed(ds: DS, **fields: object) -> DS:
    changed = ds.replace(**fields)
    assert isinstance(changed, DS)
    return changed


def _broken(ds: DS) -> DS:
    return _changed(ds, digest=bytes(len(ds.digest)))


def _beside(**fields: object) -> DsSet:
    """The right DS, and one more that differs in *fields*."""
    return _ds(
        lambda name, key: [
            make_ds(name, key, "SHA256"),
            _changed(make_ds(name, key, "SHA256"), **fields),
        ]
    )


def _instead(**fields: object) -> DsSet:
    return _ds(lambda name, key: [_changed(make_ds(name, key, "SHA256"), **fields)])


def _none(_name: dns.name.Name, _keys: Sequence[DNSKEY]) -> list[DS]:
    return []


def _signatures(
    change: Callable[[RRSIG], Sequence[dns.rdata.Rdata]], owner: str, rdtype: str
) -> Edit:
    """Put what *change* makes of each signature over *rdtype* of *owner* in its place."""

    def edit(zone: dns.zone.Zone) -> None:
        assert zone.origin is not None
        covers = dns.rdatatype.from_text(rdtype)
        node = zone[dns.name.from_text(owner, zone.origin) if owner else zone.origin]
        rdataset = node.get_rdataset(zone.rdclass, dns.rdatatype.RRSIG, covers)
        assert rdataset is not None
        made = [new for each in rdataset if isinstance(each, RRSIG) for new in change(each)]
        node.delete_rdataset(zone.rdclass, dns.rdatatype.RRSIG, covers)
        if made:
            node.replace_rdataset(dns.rdataset.from_rdata_list(rdataset.ttl, made))

    return edit


def _flip(signature: RRSIG) -> list[dns.rdata.Rdata]:
    flipped = bytes([signature.signature[0] ^ 1]) + signature.signature[1:]
    return [signature.replace(signature=flipped)]


def _flip_rsa(signature: RRSIG) -> list[dns.rdata.Rdata]:
    return _flip(signature) if signature.algorithm == 8 else [signature]


def _with(**fields: object) -> Callable[[RRSIG], list[dns.rdata.Rdata]]:
    return lambda signature: [signature.replace(**fields)]


def _and(**fields: object) -> Callable[[RRSIG], list[dns.rdata.Rdata]]:
    return lambda signature: [signature.replace(**fields), signature]


def _drop(_signature: RRSIG) -> list[dns.rdata.Rdata]:
    return []


def _change_address(zone: dns.zone.Zone) -> None:
    assert zone.origin is not None
    name = dns.name.from_text("mx", zone.origin)
    zone.replace_rdataset(name, dns.rdataset.from_text("IN", "A", 300, "127.0.0.10"))


def _drop_all_signatures(zone: dns.zone.Zone) -> None:
    for node in zone.nodes.values():
        node.rdatasets = [each for each in node.rdatasets if each.rdtype != dns.rdatatype.RRSIG]


def _revoke(zone: dns.zone.Zone) -> None:
    """Set the REVOKE bit and leave the rest: the key's tag is another one now. RFC 5011 §2.1."""
    assert zone.origin is not None
    keys = zone.find_rdataset(zone.origin, "DNSKEY")
    revoked = [key.replace(flags=key.flags | 0x80) for key in keys if isinstance(key, DNSKEY)]
    zone.replace_rdataset(zone.origin, dns.rdataset.from_rdata_list(keys.ttl, revoked))


# a zone, the state of its MX, the state of mx below it where that differs, and what we say
_FAULTY: tuple[tuple[SignedZone, Dnssec, str], ...] = (
    (_sound("other.test"), SECURE, ""),
    (_sound("unsigned.test", by=Signer.NOBODY, ds=_none), INSECURE, "no DS record"),
    (_sound("rsasha512.test", algorithms=("RSASHA512",)), SECURE, ""),
    (_sound("p384.test", algorithms=("ECDSAP384SHA384",)), SECURE, ""),
    (_sound("ed25519.test", algorithms=("ED25519",)), SECURE, ""),
    (_sound("ed448.test", algorithms=("ED448",)), SECURE, ""),
    (_sound("rsa-ldns.test", by=Signer.LDNS, algorithms=("RSASHA256",)), SECURE, ""),
    (_sound("two-algorithms.test", algorithms=("RSASHA256", "ECDSAP256SHA256")), SECURE, ""),
    (_sound("two-keys.test", algorithms=("ECDSAP256SHA256", "ECDSAP256SHA256")), SECURE, ""),
    (_sound("sha1-ds.test", ds=_digests("SHA1")), SECURE, ""),
    (_sound("sha384-ds.test", ds=_digests("SHA384")), SECURE, ""),
    (_sound("all-ds.test", ds=_digests("SHA1", "SHA256", "SHA384")), SECURE, ""),
    (_sound("extra-ds.test", ds=_beside(key_tag=1, digest=bytes(32))), SECURE, ""),
    (_sound("extra-ds-digest.test", ds=_beside(digest=bytes(32))), SECURE, ""),
    (_sound("extra-ds-algorithm.test", ds=_beside(algorithm=99)), SECURE, ""),
    (_sound("extra-ds-unknown-digest.test", ds=_beside(digest_type=99)), SECURE, ""),
    (
        _sound(
            "bad-sha1-ds.test",
            ds=_ds(lambda n, k: [make_ds(n, k, "SHA256"), _broken(make_ds(n, k, "SHA1"))]),
        ),
        SECURE,
        "",
    ),
    (_sound("wrong-key.test", ds=_instead(key_tag=1)), BOGUS, "which name 1"),
    (_sound("wrong-digest.test", ds=_instead(digest=bytes(32))), BOGUS, "no key matches"),
    (_sound("ds-wrong-algorithm.test", ds=_instead(algorithm=8)), BOGUS, "no key matches"),
    (_sound("ds-unknown-algorithm.test", ds=_instead(algorithm=99)), INSECURE, "algorithm 99"),
    (_sound("ds-algorithm-12.test", ds=_instead(algorithm=12)), INSECURE, "algorithm 12"),
    (_sound("ds-private-algorithm.test", ds=_instead(algorithm=253)), INSECURE, "algorithm 253"),
    (_sound("ds-unknown-digest.test", ds=_instead(digest_type=99)), INSECURE, "digest 99"),
    (_sound("ds-digest-3.test", ds=_instead(digest_type=3)), INSECURE, "digest 3"),
    (_sound("no-ds.test", ds=_none), INSECURE, "no DS record"),
    (_sound("ds-but-unsigned.test", edit=_drop_all_signatures), BOGUS, "no signature"),
    (_sound("revoked.test", edit=_revoke), BOGUS, "no key matches"),
    (_sound("expired.test", times=("-3d", "-1d")), BOGUS, "the signature expired at"),
    (_sound("not-yet.test", times=("+5d", "+30d")), BOGUS, "is not valid before"),
    (_sound("flipped-mx.test", edit=_signatures(_flip, "", "MX")), BOGUS, "does not verify"),
    (_sound("flipped-key.test", edit=_signatures(_flip, "", "DNSKEY")), BOGUS, "does not verify"),
    (_sound("no-rrsig.test", edit=_signatures(_drop, "", "MX")), BOGUS, "no signature"),
    (_sound("no-key-rrsig.test", edit=_signatures(_drop, "", "DNSKEY")), BOGUS, "no signature"),
    (
        _sound(
            "other-signer.test",
            edit=_signatures(_with(signer=dns.name.from_text("test.")), "", "MX"),
        ),
        BOGUS,
        "zone test.",
    ),
    (
        _sound(
            "strange-signer.test",
            edit=_signatures(_with(signer=dns.name.from_text("other.test.")), "", "MX"),
        ),
        BOGUS,
        "no signature",
    ),
    (_sound("other-tag.test", edit=_signatures(_with(key_tag=1), "", "MX")), BOGUS, "no such key"),
    (_sound("tag-beside.test", edit=_signatures(_and(key_tag=1), "", "MX")), SECURE, ""),
    (
        _sound("signature-algorithm.test", edit=_signatures(_with(algorithm=99), "", "MX")),
        BOGUS,
        "algorithm 99",
    ),
    (_sound("algorithm-beside.test", edit=_signatures(_and(algorithm=99), "", "MX")), SECURE, ""),
    (_sound("short-signature.test", edit=_signatures(_with(signature=b"x"), "", "MX")), BOGUS, ""),
    (_sound("other-labels.test", edit=_signatures(_with(labels=1), "", "MX")), BOGUS, ""),
    (_sound("more-labels.test", edit=_signatures(_with(labels=5), "", "MX")), BOGUS, ""),
    (_sound("other-ttl.test", edit=_signatures(_with(original_ttl=1), "", "MX")), BOGUS, ""),
    (_sound("iterations-100.test", by=Signer.LDNS, nsec3=Nsec3(100)), SECURE, ""),
    (_sound("iterations-151.test", by=Signer.LDNS, nsec3=Nsec3(151)), SECURE, ""),
)


def _cases() -> Iterator[Case]:
    for zone in SOUND:
        for name, rdtype, state, _ in _ASKED:
            yield Case(name=_below(name, zone), rdtype=rdtype, state=state)
    for zone in OPT_OUT:
        for name, rdtype, sound, state in _ASKED:
            case = Case(name=_below(name, zone), rdtype=rdtype, state=state)
            if (name, zone.by) == ("delegation", Signer.LDNS):  # it lists delegations all the same
                case = replace(case, state=SECURE)
            elif sound is not state and f"{name} {rdtype}" not in _FROM_WILDCARD:
                case = replace(case, delv=SECURE, because=OPT_OUT_DENIAL)
            yield case
    for zone, state, reason in _FAULTY:
        yield Case(name=zone.name, rdtype="MX", state=state, reason=reason)
    yield from EXTRA


def _below(name: str, zone: SignedZone) -> str:
    return f"{name}.{zone.name}".lstrip(".")


SHA1 = "signatures by SHA-1 are not believed: RFC 9905"
ITERATIONS = "more than 100 iterations: RFC 9276"
ONE_FAILURE = "BIND 9.18 gives up at the first signature that does not verify"
EXTRA_ZONES = (
    _sound("changed.test", edit=_change_address),
    _sound("flipped-nsec.test", edit=_signatures(_flip, "", "NSEC")),
    _sound("no-nsec-rrsig.test", edit=_signatures(_drop, "", "NSEC")),
    _sound(
        "only-sha1-right.test",
        ds=_ds(lambda n, k: [_broken(make_ds(n, k, "SHA256")), make_ds(n, k, "SHA1")]),
    ),
    _sound("expired-beside.test", edit=_signatures(_and(expiration=1_000_000_000), "", "MX")),
    _sound("flipped-beside.test", edit=_signatures(_and(signature=bytes(64)), "", "MX")),
    _sound(
        "one-of-two-algorithms.test",
        algorithms=("RSASHA256", "ECDSAP256SHA256"),
        edit=_signatures(_flip_rsa, "", "MX"),
    ),
    _sound("three-keys-of-one-tag.test", algorithms=("RSASHA256",), same_tag=2),
    _sound("keys-of-one-tag.test", algorithms=("RSASHA256",), same_tag=80),
    _sound("rsasha1.test", algorithms=("RSASHA1",)),
    _sound("rsasha1-nsec3.test", algorithms=("NSEC3RSASHA1",), nsec3=Nsec3()),
    _sound("rsasha1-beside.test", algorithms=("RSASHA1", "ECDSAP256SHA256")),
    _sound("iterations-101.test", by=Signer.LDNS, nsec3=Nsec3(101)),
    _sound("iterations-150.test", by=Signer.LDNS, nsec3=Nsec3(150)),
    _sound("child.nsec.test"),
    _sound("child.unsigned.test"),
    _sound("child.wrong-key.test"),
    _sound("unsigned-child.nsec.test", by=Signer.NOBODY, ds=_none),
    _sound("unsigned-child.nsec3.test", by=Signer.NOBODY, ds=_none),
    _sound("unsigned-child.optout.test", by=Signer.NOBODY, ds=_none),
    _sound("signed-child.optout.test"),
    _sound("far.below.nsec.test"),
)
# the same from a zone that is not signed
FROM_UNSIGNED = tuple(
    Case(name=f"{name}.unsigned.test", rdtype=rdtype, state=state)
    for name, rdtype, state in (
        ("alias", "A", INSECURE),
        ("across", "A", INSECURE),
        ("mx.dname-across", "A", INSECURE),
        ("_25._tcp.mx.dname-across", "TLSA", INSECURE),
        ("there-and-back", "A", INSECURE),
        ("in-and-out", "A", INSECURE),
        ("mx.dname-in-and-out", "A", INSECURE),
        ("no-name-across", "A", INSECURE),
        ("no-type-across", "MX", INSECURE),
        ("into-bogus", "A", BOGUS),
        ("mx.dname-into-bogus", "A", BOGUS),
        ("nowhere", "A", INSECURE),
    )
)
EXTRA = (
    *FROM_UNSIGNED,
    Case(name="mx.changed.test", rdtype="A", state=BOGUS, reason="does not verify"),
    Case(name="flipped-nsec.test", rdtype="AAAA", state=BOGUS),
    Case(name="no-nsec-rrsig.test", rdtype="AAAA", state=BOGUS),
    Case(
        name="only-sha1-right.test",
        rdtype="MX",
        state=BOGUS,
        unbound=SECURE,
        because="unbound takes SHA-1 beside SHA-2, but for harden-algo-downgrade: RFC 4509 §3",
    ),
    Case(name="expired-beside.test", rdtype="MX", state=SECURE, delv=BOGUS, because=ONE_FAILURE),
    Case(name="flipped-beside.test", rdtype="MX", state=SECURE, delv=BOGUS, because=ONE_FAILURE),
    Case(
        name="one-of-two-algorithms.test",
        rdtype="MX",
        state=SECURE,
        delv=BOGUS,
        because=ONE_FAILURE,
    ),
    Case(
        name="three-keys-of-one-tag.test",
        rdtype="MX",
        state=SECURE,
        delv=BOGUS,
        because=ONE_FAILURE,
    ),
    Case(
        name="keys-of-one-tag.test",
        rdtype="MX",
        state=INDETERMINATE,
        unbound=BOGUS,
        delv=BOGUS,
        because="the bound on work: they have no other word for it",
        reason="more signatures to verify than the bound allows",
    ),
    Case(
        name="rsasha1.test", rdtype="MX", state=INSECURE, unbound=SECURE, delv=SECURE, because=SHA1
    ),
    Case(
        name="rsasha1-nsec3.test",
        rdtype="MX",
        state=INSECURE,
        unbound=SECURE,
        delv=SECURE,
        because=SHA1,
    ),
    Case(name="rsasha1-beside.test", rdtype="MX", state=SECURE),
    Case(name="iterations-100.test", rdtype="AAAA", state=SECURE),
    Case(name="nothing.iterations-100.test", rdtype="A", state=SECURE),
    Case(
        name="nothing.iterations-101.test",
        rdtype="A",
        state=INSECURE,
        unbound=SECURE,
        delv=SECURE,
        because=ITERATIONS,
    ),
    Case(
        name="nothing.iterations-150.test",
        rdtype="A",
        state=INSECURE,
        unbound=SECURE,
        delv=SECURE,
        because=ITERATIONS,
    ),
    Case(name="nothing.iterations-151.test", rdtype="A", state=INSECURE),
    Case(name="iterations-151.test", rdtype="AAAA", state=INSECURE),
    Case(name="mx.iterations-151.test", rdtype="A", state=SECURE),
    Case(name="child.nsec.test", rdtype="MX", state=SECURE),
    Case(name="child.unsigned.test", rdtype="MX", state=INSECURE),
    Case(name="child.wrong-key.test", rdtype="MX", state=BOGUS),
    Case(name="unsigned-child.nsec.test", rdtype="MX", state=INSECURE),
    Case(name="unsigned-child.nsec.test", rdtype="DS", state=SECURE),
    Case(name="nothing.unsigned-child.nsec.test", rdtype="A", state=INSECURE),
    Case(name="unsigned-child.nsec3.test", rdtype="MX", state=INSECURE),
    Case(name="unsigned-child.nsec3.test", rdtype="DS", state=SECURE),
    Case(name="unsigned-child.optout.test", rdtype="MX", state=INSECURE),
    Case(
        name="unsigned-child.optout.test",
        rdtype="DS",
        state=INSECURE,
        delv=SECURE,
        because=OPT_OUT_DENIAL,
    ),
    Case(name="signed-child.optout.test", rdtype="MX", state=SECURE),
    Case(name="signed-child.optout.test", rdtype="AAAA", state=SECURE),
    Case(name="far.below.nsec.test", rdtype="MX", state=SECURE),
    Case(name="below.nsec.test", rdtype="A", state=SECURE),
    Case(name="test", rdtype="DS", state=SECURE),
    Case(name="nothing.test", rdtype="MX", state=SECURE),
    Case(name="nothing", rdtype="MX", state=SECURE),
    Case(name="test", rdtype="SOA", state=SECURE),
)
ZONES = (
    SignedZone(name=""),
    SignedZone(name="test"),
    *SOUND,
    *OPT_OUT,
    *(zone for zone, _, _ in _FAULTY),
    *EXTRA_ZONES,
)
CASES = tuple(_cases())
