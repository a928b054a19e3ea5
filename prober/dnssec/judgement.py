"""The types of the validator: a reply, a judgement with its reason, and the limits of work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.RRSIG import RRSIG

from prober.dnssec.keys import Key
from prober.records import Dnssec, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One of the four states of RFC 4035 §4.3, and why.

    ``failure`` is set if a look-up that validation needs failed, or a limit was reached: a
    validating resolver gives no answer then either. It is None if this resolver, or the trust
    anchor, allows no validation at all.
    """

    state: Dnssec
    zone: str = ""
    record: str = ""  # owner and type
    key_tag: int | None = None
    fault: str = ""
    failure: Reason | None = None

    def __str__(self) -> str:
        key = f"key {self.key_tag}" if self.key_tag is not None else ""
        zone = f"zone {self.zone}" if self.zone else ""
        return ": ".join(part for part in (zone, self.record, key, self.fault) if part)


SECURE: Final = Judgement(state=Dnssec.SECURE)

_STRENGTH: Final = (Dnssec.BOGUS, Dnssec.INDETERMINATE, Dnssec.INSECURE, Dnssec.SECURE)


def weakest(judgements: Sequence[Judgement]) -> Judgement:
    """The judgement of an answer with several parts: that of its weakest part."""
    return min(judgements, key=lambda each: _STRENGTH.index(each.state))


def because(
    state: Dnssec,
    zone: Name | None,
    owner: Name,
    rdtype: RdataType,
    fault: str,
    key_tag: int | None = None,
    failure: Reason | None = None,
) -> Judgement:
    """A judgement with a reason that names zone, record, key and fault."""
    return Judgement(
        state=state,
        zone="" if zone is None else str(zone),
        record=f"{owner} {dns.rdatatype.to_text(rdtype)}",
        key_tag=key_tag,
        fault=fault,
        failure=failure,
    )


bogus: Final = partial(because, Dnssec.BOGUS)
insecure: Final = partial(because, Dnssec.INSECURE)
indeterminate: Final = partial(because, Dnssec.INDETERMINATE)


class LimitError(Exception):
    """The limit of signatures or hashes for one answer or one zone is reached."""


class DomainLimitError(LimitError):
    """The limit for a whole domain is reached. Zones that others share are not judged by that."""


@dataclass(slots=True)
class Work:
    """The work that is left for one answer and, in ``domain``, for all answers of a domain.

    Limits KeyTrap (CVE-2023-50387) and NSEC3 exhaustion (CVE-2023-50868).
    """

    signatures: int
    hashes: int  # applications of SHA-1, and digests of keys
    domain: "Work | None" = None

    def spend(self, *, signatures: int = 0, hashes: int = 0) -> None:
        """Raises LimitError before the work is done that would exceed a bound."""
        self.signatures -= signatures
        self.hashes -= hashes
        if self.signatures < 0:
            raise LimitError("more signatures to verify than the bound allows")
        if self.hashes < 0:
            raise LimitError("more NSEC3 hashes to compute than the bound allows")
        if self.domain is not None:
            try:
                self.domain.spend(signatures=signatures, hashes=hashes)
            except LimitError as error:
                raise DomainLimitError(f"{error} for one domain") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply to one question that was asked with DO and CD."""

    rcode: Rcode
    answer: tuple[dns.rrset.RRset, ...] = ()
    authority: tuple[dns.rrset.RRset, ...] = ()
    knows_dnssec: bool = True  # DO is set in the response too: RFC 3225 §3
    now: float = 0.0  # when it came: seconds since 1970

    def rrset(self, owner: Name, rdtype: RdataType) -> dns.rrset.RRset | None:
        """The RRset of *rdtype* at *owner* in the answer."""
        return next((each for each in self._of(self.answer, rdtype) if each.name == owner), None)

    def signatures(self, rrset: dns.rrset.RRset) -> tuple[RRSIG, ...]:
        """The signatures over *rrset* by zones that contain its owner. RFC 4035 §5.3.1."""
        return tuple(
            signature
            for section in (self.answer, self.authority)
            for each in section
            if each.rdtype == dns.rdatatype.RRSIG
            and each.covers == rrset.rdtype
            and each.rdclass == rrset.rdclass
            and each.name == rrset.name
            for signature in each
            if isinstance(signature, RRSIG) and rrset.name.is_subdomain(signature.signer)
        )

    def denials(self) -> Iterator[dns.rrset.RRset]:
        """The NSEC and NSEC3 RRsets of the authority section."""
        for rdtype in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3):
            yield from self._of(self.authority, rdtype)

    @staticmethod
    def _of(section: Sequence[dns.rrset.RRset], rdtype: RdataType) -> Iterator[dns.rrset.RRset]:
        for each in section:
            if each.rdtype == rdtype and each.rdclass == dns.rdataclass.IN:
                yield each


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """The zone of a name, as far as the chain of trust goes. It has keys only if it is secure."""

    name: Name
    judgement: Judgement = SECURE
    keys: tuple[Key, ...] = ()
    ttl: float = field(default=0.0, compare=False)  # seconds

    @property
    def is_secure(self) -> bool:
        """Whether its records must be signed."""
        return self.judgement.state is Dnssec.SECURE
