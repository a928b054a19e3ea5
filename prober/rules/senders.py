"""What each kind of sender makes of one endpoint, and what becomes of it under attack.

A sender is a row of two tables. ``DELIVERY`` says what happens at one endpoint without an attacker.
``UNDER_ATTACK`` says what happens to mail for the domain while an active attacker strips STARTTLS
(RFC 3207 §6), offers his own certificate, and forges DNS answers that DNSSEC does not protect. The
attacker has no certificate for a name that is not his, and the sender's resolver validates DNSSEC.

The names in brackets are Postfix's: postconf(5) smtp_tls_security_level, TLS_README.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, assert_never

from prober.records import (
    Answer,
    Dane,
    Dnssec,
    DomainReport,
    MtaSts,
    MxHost,
    all_of,
    any_of,
)
from prober.records.delivery import DeliveryOutcome, SenderKind
from prober.rules.certificate_fields import ReadCertificate
from prober.rules.dane import authenticates, has_secure_tlsa, is_secure
from prober.rules.identity import acceptance, dispute, name_fault
from prober.rules.mta_sts import sts_in_force
from prober.rules.mx import cannot_be_host, may_receive
from prober.rules.views import View, Views

_AUTHENTICATED: Final = DeliveryOutcome.AUTHENTICATED
_ENCRYPTED: Final = DeliveryOutcome.ENCRYPTED
_CLEAR: Final = DeliveryOutcome.CLEAR
_INTERCEPTED: Final = DeliveryOutcome.INTERCEPTED
_DEFERRED: Final = DeliveryOutcome.DEFERRED
_UNKNOWN: Final = DeliveryOutcome.UNKNOWN

# What is worse for the one who asks. A proven fault outweighs what was not seen, and that outweighs
# what is well: so unknown is never a yes and never a no.
_WORST_FIRST: Final = (_CLEAR, _INTERCEPTED, _DEFERRED, _UNKNOWN, _ENCRYPTED, _AUTHENTICATED)
# Under attack, mail that is held back is what one could wish for.
_WORST_FIRST_ATTACKED: Final = (_CLEAR, _INTERCEPTED, _UNKNOWN, _DEFERRED)

NEXTHOP: Final = "nexthop"
DOT_NEXTHOP: Final = "dot-nexthop"
HOSTNAME: Final = "hostname"
# postconf(5) smtp_tls_secure_cert_match: the domain itself, or anything below it
SECURE_MATCH: Final = (NEXTHOP, DOT_NEXTHOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A domain as a sender knows it that is about to deliver."""

    domain: str
    mx_dnssec: Dnssec  # of the MX RRset, or of its denial
    mta_sts: MtaSts | None


def worst(outcomes: Sequence[DeliveryOutcome]) -> DeliveryOutcome:
    """The worst of *outcomes*; unknown where there is none: nothing was seen."""
    return min(outcomes, key=_WORST_FIRST.index, default=_UNKNOWN)


def opportunistic_delivery(views: Views, to: Destination) -> DeliveryOutcome:
    """[may] RFC 7435 §3: TLS where it is there. What comes without it depends on the step."""
    return _agreed(views, lambda view: view.opportunistic)


def mandatory_delivery(views: Views, to: Destination) -> DeliveryOutcome:
    """[encrypt], with ``smtp_tls_mandatory_protocols = >=TLSv1.2``. RFC 9325 §3.1.1."""
    return _agreed(views, lambda view: view.mandatory)


def trusted_ca_delivery(views: Views, to: Destination) -> DeliveryOutcome:
    """A valid chain for whatever name: "issued by a trusted CA". Nobody's identity is proved."""
    met = _agreed(views, lambda view: _pkix(view, Answer.YES))
    return _ENCRYPTED if met is _AUTHENTICATED else met


def verified_delivery(views: Views, to: Destination) -> DeliveryOutcome:
    """[verify] A valid chain, and the name of the MX host in the certificate. RFC 9525 §6."""
    return _agreed(views, _verified)


def domain_verified_delivery(views: Views, to: Destination) -> DeliveryOutcome:
    """[secure] A valid chain, and the name of the domain or of something below it."""
    return secure_delivery(views, to, SECURE_MATCH)


def secure_delivery(views: Views, to: Destination, match: Sequence[str]) -> DeliveryOutcome:
    """[secure] with the attribute ``match=``: *match* has names, ``.names`` and Postfix's words.

    ``.example.com`` is any name below example.com, however deep, and a wildcard there.
    """
    return _agreed(views, lambda view: _secure(view, to, match))


def dane_delivery(views: Views, to: Destination) -> DeliveryOutcome:
    """[dane] RFC 7672 §2.2: records decide; without any, it is an opportunistic sender.

    Where they do it sends SNI (§8.1). TLSA records behind an unsigned MX RRset (§2.2.1): Postfix
    obeys them by its default smtp_tls_dane_insecure_mx_policy, Exim does not look. So only what
    both do is known there.
    """
    mandatory = views.with_sni.mandatory
    binds = to.mx_dnssec is Dnssec.SECURE
    dane = views.seen.endpoint.dane
    if any(other.dane is not dane for other in views.seen.endpoint.other_certificates):
        return _UNKNOWN  # which certificate a sender is shown depends on what it offers
    match dane:
        case Dane.NOT_TESTED:
            return _UNKNOWN
        case Dane.NONE:
            return opportunistic_delivery(views, to)
        case Dane.MATCH if binds and mandatory is _ENCRYPTED:
            return _AUTHENTICATED
        case Dane.MATCH if binds or mandatory is _ENCRYPTED:
            return mandatory
        case Dane.UNUSABLE if binds:  # §2.2: TLS is mandatory, and not authenticated
            return mandatory
        case Dane.MISMATCH | Dane.NO_TLS if binds:
            return _DEFERRED
        case Dane.MATCH | Dane.UNUSABLE | Dane.MISMATCH | Dane.NO_TLS:
            return _UNKNOWN
        case _:
            assert_never(dane)


def mta_sts_delivery(views: Views, to: Destination) -> DeliveryOutcome:
    """RFC 8461 §4, §5: under ``enforce`` a listed MX host, and a certificate that names it.

    The sender then sends SNI (§4.1). Without a policy in force it is an opportunistic sender.
    Unknown where ``sts_in_force`` is not tested.
    """
    match sts_in_force(to.mta_sts):
        case Answer.YES if to.mta_sts is not None:
            return _policy_delivery(views, to, to.mta_sts)
        case Answer.NO:
            return opportunistic_delivery(views, to)
        case _:
            return _UNKNOWN


DELIVERY: Final[Mapping[SenderKind, Callable[[Views, Destination], DeliveryOutcome]]] = (
    MappingProxyType(
        {
            SenderKind.OPPORTUNISTIC: opportunistic_delivery,
            SenderKind.MANDATORY: mandatory_delivery,
            SenderKind.TRUSTED_CA: trusted_ca_delivery,
            SenderKind.VERIFIED: verified_delivery,
            SenderKind.DOMAIN_VERIFIED: domain_verified_delivery,
            SenderKind.DANE: dane_delivery,
            SenderKind.MTA_STS: mta_sts_delivery,
        }
    )
)


def verified_under_attack(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """Where the MX RRset is not signed, the attacker names a host of his own, with a certificate.

    TLS_README, "Mandatory server certificate verification": "vulnerable to forged MX records".
    """
    return _outcome(is_secure(to.mx_dnssec), yes=_DEFERRED, no=_INTERCEPTED)


def dane_under_attack(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """The worst MX host counts: the attacker blocks the others, or names an unsigned one."""
    hosts = (_tlsa_under_attack(host) for host in report.mx_hosts if _can_be_reached(host))
    weakest = min(hosts, key=_WORST_FIRST_ATTACKED.index, default=_UNKNOWN)
    return _outcome(is_secure(to.mx_dnssec), yes=weakest, no=_CLEAR)


def mta_sts_under_attack(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """A policy that the sender already has keeps the attacker out: RFC 8461 §10.2.

    At first contact he can suppress it, as he can everything else that is opportunistic.
    """
    return _outcome(sts_in_force(to.mta_sts), yes=_DEFERRED, no=_CLEAR)


UNDER_ATTACK: Final[Mapping[SenderKind, Callable[[DomainReport, Destination], DeliveryOutcome]]] = (
    MappingProxyType(
        {
            # He strips STARTTLS from the EHLO reply: RFC 3207 §6.
            SenderKind.OPPORTUNISTIC: lambda report, to: _CLEAR,
            # He answers in place of the server, with a certificate that nobody looks at.
            SenderKind.MANDATORY: lambda report, to: _INTERCEPTED,
            # He has a certificate of a public CA, for a name of his own.
            SenderKind.TRUSTED_CA: lambda report, to: _INTERCEPTED,
            SenderKind.VERIFIED: verified_under_attack,
            # The name comes from the recipient's address, not from DNS: TLS_README, "secure".
            SenderKind.DOMAIN_VERIFIED: lambda report, to: _DEFERRED,
            SenderKind.DANE: dane_under_attack,
            SenderKind.MTA_STS: mta_sts_under_attack,
        }
    )
)


def _outcome(answer: Answer, *, yes: DeliveryOutcome, no: DeliveryOutcome) -> DeliveryOutcome:
    """*yes* or *no*, as *answer* says; unknown where it is not tested."""
    return {Answer.YES: yes, Answer.NO: no, Answer.NOT_TESTED: _UNKNOWN}[answer]


def _agreed(views: Views, meet: Callable[[View], DeliveryOutcome]) -> DeliveryOutcome:
    """What senders with and without SNI both meet; unknown where they fare differently.

    Each kind of sender stands for both: hellos.py names them.
    """
    if views.sni_makes_no_difference:
        return _same((views.seen,), meet)
    plain = views.without_sni
    return _UNKNOWN if plain is None else _same((views.with_sni, plain), meet)


def _same(views: Sequence[View], meet: Callable[[View], DeliveryOutcome]) -> DeliveryOutcome:
    """What senders meet in each of *views*, with every certificate that is shown there.

    Each kind of sender has members that prefer RSA and others that prefer ECDSA.
    """
    outcomes = {meet(each) for view in views for each in (view, *view.others)}
    return outcomes.pop() if len(outcomes) == 1 else _UNKNOWN


def _verified(view: View) -> DeliveryOutcome:
    certificate, mx_host = view.endpoint.certificate, view.endpoint.mx_host
    named = certificate.name_matches if certificate else Answer.NO
    if named is Answer.NO and _some_sender_takes(view.leaf, mx_host):
        named = Answer.NOT_TESTED
    return _pkix(view, named)


def _secure(view: View, to: Destination, match: Sequence[str]) -> DeliveryOutcome:
    leaf = view.leaf
    if leaf is None:
        return _pkix(view, Answer.NO)
    if leaf.san is None:
        return _pkix(view, Answer.NOT_TESTED)
    wanted = [_spelt_out(each, view.endpoint.mx_host, to) for each in match]
    names = (*leaf.san.names, *leaf.san.refused)
    named = any_of(_covers(name, each) for name in names for each in wanted)
    if named is Answer.NO and any(_names_by_subject_only(leaf, each) for each in wanted):
        named = Answer.NOT_TESTED
    return _pkix(view, named)


def _pkix(view: View, named: Answer) -> DeliveryOutcome:
    """A certificate by RFC 5280 §6, where *named* says whether its names will do."""
    if view.mandatory is not _ENCRYPTED:
        return view.mandatory
    return _outcome(_judge_pkix(view, named), yes=_AUTHENTICATED, no=_DEFERRED)


def _judge_pkix(view: View, named: Answer) -> Answer:
    """Weak keys and signatures: OpenSSL takes RSA 1024 at security level 1, which is Postfix's, and
    not at level 2, which is Debian's default. Senders differ, so that is not tested."""
    certificate = view.endpoint.certificate
    if certificate is None:
        return Answer.NOT_TESTED if view.endpoint.tls_version is None else Answer.NO
    strong = Answer.YES if view.path_strength is Answer.YES else Answer.NOT_TESTED
    return all_of((certificate.trusted, certificate.in_date, named, strong))


def _some_sender_takes(leaf: ReadCertificate | None, host: str) -> bool:
    """Whether a certificate that RFC 9525 does not take for *host* has a name that some do take."""
    if leaf is None or leaf.san is None:
        return False
    disputed = any(dispute(name, host) is not None for name in leaf.san.refused)
    return disputed or _names_by_subject_only(leaf, host)


def _names_by_subject_only(leaf: ReadCertificate, name: str) -> bool:
    """Whether only a common name says *name*: RFC 9525 §2 forbids that, some senders take it."""
    if leaf.subject is None or leaf.san is None or leaf.san.names or leaf.san.refused:
        return False
    return any(_covers(each, name) is not Answer.NO for each in leaf.subject.common_names)


def _spelt_out(word: str, mx_host: str, to: Destination) -> str:
    words = {NEXTHOP: to.domain, DOT_NEXTHOP: f".{to.domain}", HOSTNAME: mx_host}
    return words.get(word, word)


def _covers(presented: str, wanted: str) -> Answer:
    """Whether the certificate's name *presented* is one that *wanted* asks for.

    Postfix takes for ``.example.com`` whatever ends so, even what is not a host name.
    """
    if not wanted.startswith("."):
        return acceptance(presented, wanted)
    if not presented.lower().endswith(wanted):
        return Answer.NO
    return Answer.YES if name_fault(presented) is None else Answer.NOT_TESTED


def _policy_delivery(views: Views, to: Destination, sts: MtaSts) -> DeliveryOutcome:
    """RFC 8461 §4.1: a listed MX host, and a certificate that names this host.

    Postfix before 3.10.5 compares the certificate with the list, ``*.`` for any depth, and not the
    MX host: for it any listed name will do. Where that makes a difference, senders differ.
    """
    listed = views.with_sni.endpoint.mx_host not in sts.uncovered
    names = [pattern.removeprefix("*") for pattern in sts.mx]

    def meet(view: View) -> DeliveryOutcome:
        strict = _verified(view) if listed else _DEFERRED
        return strict if strict is _secure(view, to, names) else _UNKNOWN

    return _same((views.with_sni,), meet)


def _tlsa_under_attack(host: MxHost) -> DeliveryOutcome:
    """RFC 7672 §2.1.1, §2.2: only a secure answer to a secure host binds the sender."""
    secure = _DEFERRED if authenticates(host) is Answer.YES else _INTERCEPTED
    return _outcome(has_secure_tlsa(host), yes=secure, no=_CLEAR)


def _can_be_reached(host: MxHost) -> bool:
    """Whether a sender can be made to go to *host*: an attacker can forge an unsigned address."""
    forgeable = not cannot_be_host(host) and host.dnssec is not Dnssec.SECURE
    return may_receive(host) or forgeable
