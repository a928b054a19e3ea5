"""What each kind of sender makes of one endpoint, and what becomes of it under attack.

A sender is a row of two tables: ``PEACE`` says what happens at one endpoint that is left alone,
``WAR`` what happens to mail for the domain while an active attacker strips STARTTLS (RFC 3207 §6),
offers a certificate of his own, and answers DNS where DNSSEC does not forbid it. The attacker
cannot get a CA to certify a name that is not his, and the sender's own resolver validates.

The names in brackets are Postfix's: postconf(5) smtp_tls_security_level, TLS_README.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, assert_never

from prober.records import (
    Answer,
    Certificate,
    Dane,
    Dnssec,
    DomainReport,
    Endpoint,
    MtaSts,
    MxHost,
    Reason,
    StsStatus,
)
from prober.records.delivery import DeliveryOutcome, SenderKind
from prober.rules.baseline import ACCEPTABLE_TLS_VERSIONS, SMALLEST_CIPHER_BITS
from prober.rules.certificate import judge_authenticity
from prober.rules.certificate_fields import read_certificate
from prober.rules.dane import authenticates, has_secure_tlsa
from prober.rules.endpoint import Outcome, outcome, proven
from prober.rules.identity import acceptance, dispute, name_fault

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


def meet_opportunistic(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[may] RFC 7435 §3: without TLS, or after a failed handshake, mail goes in clear."""
    match proven(endpoint):
        case Outcome.NOT_TESTED:
            return _UNKNOWN
        case Outcome.NEGATIVE:
            return _CLEAR
        case Outcome.COMPLETED:
            return _UNKNOWN if _senders_differ(endpoint) else _ENCRYPTED
        case never:
            assert_never(never)


def meet_mandatory(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[encrypt], with ``smtp_tls_mandatory_protocols = >=TLSv1.2``. RFC 9325 §3.1.1.

    The server chose the highest version that it has, so one below TLS 1.2 is proof. It also chose
    the suite: whether it has a stronger one for a sender that refuses a weak one was not seen.
    """
    outcome = meet_opportunistic(endpoint, to)
    if outcome is _CLEAR:
        return _DEFERRED
    if endpoint.tls_version is not None and endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS:
        return _DEFERRED
    weak = endpoint.cipher_bits is not None and endpoint.cipher_bits < SMALLEST_CIPHER_BITS
    return _UNKNOWN if weak else outcome


def meet_trusted_ca(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """A valid chain for whatever name: "issued by a trusted CA". Nobody's identity is proved."""
    met = _meet_pkix(endpoint, to, Answer.YES)
    return _ENCRYPTED if met is _AUTHENTICATED else met


def meet_verified(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[verify] A valid chain, and the name of the MX host in the certificate. RFC 9525 §6."""
    named = endpoint.certificate.name_matches if endpoint.certificate else Answer.NO
    if named is Answer.NO and _some_sender_takes(endpoint, endpoint.mx_host):
        named = Answer.NOT_TESTED
    return _meet_pkix(endpoint, to, named)


def meet_domain_verified(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[secure] A valid chain, and the name of the domain or of something below it."""
    return meet_secure(endpoint, to, SECURE_MATCH)


def meet_secure(endpoint: Endpoint, to: Destination, match: Sequence[str]) -> DeliveryOutcome:
    """[secure] with the attribute ``match=``: *match* has names, ``.names`` and Postfix's words.

    ``.example.com`` is any name below example.com, however deep, and a wildcard there.
    """
    if not endpoint.chain:
        return _meet_pkix(endpoint, to, Answer.NO)
    wanted = [_spelt_out(each, endpoint, to) for each in match]
    san = read_certificate(endpoint.chain[0]).san
    if san is None:
        return _meet_pkix(endpoint, to, Answer.NOT_TESTED)
    answers = {_covers(name, each) for name in (*san.names, *san.refused) for each in wanted}
    if Answer.YES in answers:
        return _meet_pkix(endpoint, to, Answer.YES)
    differ = Answer.NOT_TESTED in answers or any(
        _names_by_subject_only(endpoint, each) for each in wanted
    )
    return _meet_pkix(endpoint, to, Answer.NOT_TESTED if differ else Answer.NO)


def meet_dane(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[dane] RFC 7672 §2.2: records decide; without any, it is an opportunistic sender.

    TLSA records behind an unsigned MX RRset (§2.2.1): Postfix obeys them by its default
    smtp_tls_dane_insecure_mx_policy, Exim does not look. So only what both do is known there.
    """
    mandatory = meet_mandatory(endpoint, to)
    binds = to.mx_dnssec is Dnssec.SECURE
    match endpoint.dane:
        case Dane.NOT_TESTED:
            return _UNKNOWN
        case Dane.NONE:
            return meet_opportunistic(endpoint, to)
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
            assert_never(endpoint.dane)


def meet_mta_sts(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """RFC 8461 §4, §5: under ``enforce`` a listed MX host, and a certificate that names it.

    Without a policy in force it is an opportunistic sender. Not looked up (``mta_sts`` is None),
    not to be looked up, or not fetched is unknown: the sender may hold a policy from before.
    """
    match _sts_status(to):
        case StsStatus.ENFORCE:
            unlisted = to.mta_sts is not None and endpoint.mx_host in to.mta_sts.uncovered
            return _DEFERRED if unlisted else meet_verified(endpoint, to)
        case None | StsStatus.TEMPFAIL | StsStatus.FETCH_FAILED:
            return _UNKNOWN
        case _:
            return meet_opportunistic(endpoint, to)


PEACE: Final[Mapping[SenderKind, Callable[[Endpoint, Destination], DeliveryOutcome]]] = (
    MappingProxyType(
        {
            SenderKind.OPPORTUNISTIC: meet_opportunistic,
            SenderKind.MANDATORY: meet_mandatory,
            SenderKind.TRUSTED_CA: meet_trusted_ca,
            SenderKind.VERIFIED: meet_verified,
            SenderKind.DOMAIN_VERIFIED: meet_domain_verified,
            SenderKind.DANE: meet_dane,
            SenderKind.MTA_STS: meet_mta_sts,
        }
    )
)


def suffer_verified(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """Where the MX RRset is not signed, the attacker names a host of his own, with a certificate.

    TLS_README, "Mandatory server certificate verification": "vulnerable to forged MX records".
    """
    match to.mx_dnssec:
        case Dnssec.SECURE:
            return _DEFERRED
        case Dnssec.INSECURE:
            return _INTERCEPTED
        case Dnssec.BOGUS | Dnssec.INDETERMINATE:
            return _UNKNOWN
        case _:
            assert_never(to.mx_dnssec)


def suffer_dane(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """The worst MX host counts: the attacker blocks the others, or names an unsigned one."""
    match to.mx_dnssec:
        case Dnssec.SECURE:
            hosts = (_suffer_tlsa(host) for host in report.mx_hosts if _can_be_reached(host))
            return min(hosts, key=_WORST_FIRST_ATTACKED.index, default=_UNKNOWN)
        case Dnssec.INSECURE:
            return _CLEAR
        case Dnssec.BOGUS | Dnssec.INDETERMINATE:
            return _UNKNOWN
        case _:
            assert_never(to.mx_dnssec)


def suffer_mta_sts(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """A policy that the sender already has keeps the attacker out: RFC 8461 §10.2.

    At first contact he can suppress it, as he can everything else that is opportunistic.
    """
    match _sts_status(to):
        case StsStatus.ENFORCE:
            return _DEFERRED
        case None | StsStatus.TEMPFAIL | StsStatus.FETCH_FAILED:
            return _UNKNOWN
        case _:
            return _CLEAR


WAR: Final[Mapping[SenderKind, Callable[[DomainReport, Destination], DeliveryOutcome]]] = (
    MappingProxyType(
        {
            # He strips STARTTLS from the EHLO reply: RFC 3207 §6.
            SenderKind.OPPORTUNISTIC: lambda report, to: _CLEAR,
            # He answers in place of the server, with a certificate that nobody looks at.
            SenderKind.MANDATORY: lambda report, to: _INTERCEPTED,
            # He has a certificate of a public CA, for a name of his own.
            SenderKind.TRUSTED_CA: lambda report, to: _INTERCEPTED,
            SenderKind.VERIFIED: suffer_verified,
            # The name comes from the recipient's address, not from DNS: TLS_README, "secure".
            SenderKind.DOMAIN_VERIFIED: lambda report, to: _DEFERRED,
            SenderKind.DANE: suffer_dane,
            SenderKind.MTA_STS: suffer_mta_sts,
        }
    )
)


def _senders_differ(endpoint: Endpoint) -> bool:
    """Whether TLS depends on who asks, on luck, or is not all that it takes.

    A first session saw no TLS: because of its large hello, of suites without a certificate that
    few senders offer, or of the server's mood. Or the session broke once TLS was up.
    """
    earlier = any(outcome(attempt) is Outcome.NEGATIVE for attempt in endpoint.attempts)
    return earlier or endpoint.failure is not None


def _meet_pkix(endpoint: Endpoint, to: Destination, named: Answer) -> DeliveryOutcome:
    """A certificate by RFC 5280 §6, where *named* says whether its names will do."""
    mandatory = meet_mandatory(endpoint, to)
    if mandatory is not _ENCRYPTED:
        return mandatory
    match _judge_pkix(endpoint, named):
        case Answer.YES:
            return _AUTHENTICATED
        case Answer.NO:
            return _DEFERRED
        case Answer.NOT_TESTED:
            return _UNKNOWN
        case never:
            assert_never(never)


def _judge_pkix(endpoint: Endpoint, named: Answer) -> Answer:
    """Weak keys and signatures: OpenSSL takes RSA 1024 at security level 1, which is Postfix's, and
    not at level 2, which is Debian's default. Senders differ, so that is not tested."""
    certificate = endpoint.certificate
    if certificate is None:
        return judge_authenticity(endpoint, None)
    judged: Certificate = replace(certificate, name_matches=named)
    if Answer.NO in (judged.trusted, judged.in_date, named):
        return Answer.NO
    answer = judge_authenticity(endpoint, judged)
    return Answer.NOT_TESTED if answer is Answer.NO else answer


def _some_sender_takes(endpoint: Endpoint, host: str) -> bool:
    """Whether a certificate that RFC 9525 does not take for *host* has a name that some do take."""
    san = read_certificate(endpoint.chain[0]).san if endpoint.chain else None
    refused = san.refused if san is not None else ()
    disputed = any(dispute(name, host) is not None for name in refused)
    return disputed or _names_by_subject_only(endpoint, host)


def _names_by_subject_only(endpoint: Endpoint, name: str) -> bool:
    """Whether only a common name says *name*: RFC 9525 §2 forbids that, some senders take it."""
    if not endpoint.chain:
        return False
    leaf = read_certificate(endpoint.chain[0])
    if leaf.subject is None or leaf.san is None or leaf.san.names or leaf.san.refused:
        return False
    return any(_covers(each, name) is not Answer.NO for each in leaf.subject.common_names)


def _spelt_out(word: str, endpoint: Endpoint, to: Destination) -> str:
    words = {NEXTHOP: to.domain, DOT_NEXTHOP: f".{to.domain}", HOSTNAME: endpoint.mx_host}
    return words.get(word, word)


def _covers(presented: str, wanted: str) -> Answer:
    """Whether the certificate's name *presented* is one that *wanted* asks for.

    Postfix takes for ``.example.com`` whatever ends so, even what is no host name.
    """
    if not wanted.startswith("."):
        return acceptance(presented, wanted)
    if not presented.lower().endswith(wanted):
        return Answer.NO
    return Answer.YES if name_fault(presented) is None else Answer.NOT_TESTED


def _sts_status(to: Destination) -> StsStatus | None:
    return to.mta_sts.status if to.mta_sts is not None else None


def _suffer_tlsa(host: MxHost) -> DeliveryOutcome:
    """RFC 7672 §2.1.1, §2.2: only a secure answer to a secure host binds the sender."""
    match has_secure_tlsa(host):
        case Answer.NOT_TESTED:
            return _UNKNOWN
        case Answer.NO:
            return _CLEAR
        case Answer.YES:
            return _DEFERRED if authenticates(host) is Answer.YES else _INTERCEPTED
        case never:
            assert_never(never)


def _can_be_reached(host: MxHost) -> bool:
    """Whether a sender can be made to go to *host*: not where it surely has no address."""
    if host.failure is not None:
        return host.failure.reason is not Reason.INVALID_NAME
    return bool(host.addresses) or host.dnssec is not Dnssec.SECURE
