"""What happens to mail, per kind of sender: today, at the backup hosts, and under attack."""

import enum
from dataclasses import dataclass
from typing import assert_never


class SenderKind(enum.StrEnum):
    """What a sender requires. docs/policy.md says which setting of mail servers each one is."""

    OPPORTUNISTIC = "opportunistic"  # TLS where offered, else in clear: Postfix may
    MANDATORY = "mandatory"  # forced TLS 1.2 or better, any certificate: Postfix encrypt
    TRUSTED_CA = "trusted-ca"  # of a public CA, for whatever name
    VERIFIED = "verified"  # naming the MX host: Postfix verify
    DOMAIN_VERIFIED = "domain-verified"  # naming the domain: Postfix secure
    DANE = "dane"  # RFC 7672; opportunistic where nothing is published: Postfix dane
    MTA_STS = "mta-sts"  # RFC 8461; opportunistic where nothing is enforced


class DeliveryOutcome(enum.StrEnum):
    """What happens to a message."""

    AUTHENTICATED = "authenticated"  # delivered, encrypted, to a server that proved a name
    ENCRYPTED = "encrypted"  # delivered, encrypted, to whoever answered
    CLEAR = "clear"  # delivered in clear text
    INTERCEPTED = "intercepted"  # delivered, encrypted, to the attacker
    DEFERRED = "deferred"  # held back by the sender, which tries again and then gives up
    UNKNOWN = "unknown"  # not seen, or senders of this kind differ
    NOT_APPLICABLE = "not-applicable"  # the domain receives no mail


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderOutcomes:
    """What happens to the mail of one kind of sender."""

    now: DeliveryOutcome  # the worst over the hosts that are asked first, of those that answer
    fallback: DeliveryOutcome  # the worst over all hosts
    attacked: DeliveryOutcome  # while somebody on the path forges, strips and impersonates


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What happens to mail for a domain, per kind of sender."""

    opportunistic: SenderOutcomes
    mandatory: SenderOutcomes
    trusted_ca: SenderOutcomes
    verified: SenderOutcomes
    domain_verified: SenderOutcomes
    dane: SenderOutcomes
    mta_sts: SenderOutcomes

    def of(self, sender: SenderKind) -> SenderOutcomes:
        """The outcomes for *sender*."""
        match sender:
            case SenderKind.OPPORTUNISTIC:
                return self.opportunistic
            case SenderKind.MANDATORY:
                return self.mandatory
            case SenderKind.TRUSTED_CA:
                return self.trusted_ca
            case SenderKind.VERIFIED:
                return self.verified
            case SenderKind.DOMAIN_VERIFIED:
                return self.domain_verified
            case SenderKind.DANE:
                return self.dane
            case SenderKind.MTA_STS:
                return self.mta_sts
            case _:
                assert_never(sender)
