"""What each kind of sender makes of one endpoint, and what becomes of it under attack.

A sender is a row of two tables. ``DELIVERY`` says what happens at one endpoint without an attacker.
``UNDER_ATTACK`` says what happens to mail for the domain while an active attacker strips STARTTLS
(RFC 3207 §6), offers his own certificate, and forges DNS answers that DNSSEC does not protect. The
attacker has no certificate for a name that is not his, and the sender's resolver validates DNSSEC.

The names in brackets are Postfix's: postconf(5) smtp_tls_security_level, TLS_README.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, assert_never

from prober.records import (
    Answer,
    Attempt,
    Certificate,
    Dane,
    Dnssec,
    DomainReport,
    Endpoint,
    Failure,
    MtaSts,
    MxHost,
    Reason,
    StartTls,
    StsStatus,
)
from prober.records.delivery import DeliveryOutcome, SenderKind
from prober.rules.certificate import judge_authenticity
from prober.rules.certificate_fields import read_certificate
from prober.rules.dane import authenticates, has_secure_tlsa
from prober.rules.endpoint import Outcome, outcome, proven
from prober.rules.hellos import READ_DIFFERENTLY, with_sni, without_sni
from prober.rules.identity import acceptance, dispute, name_fault
from prober.rules.thresholds import ACCEPTABLE_TLS_VERSIONS, MIN_CIPHER_BITS

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


def opportunistic_delivery(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[may] RFC 7435 §3: TLS where it is there. What comes without it depends on the step."""
    return _agreed(endpoint, _opportunistic)


def mandatory_delivery(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[encrypt], with ``smtp_tls_mandatory_protocols = >=TLSv1.2``. RFC 9325 §3.1.1."""
    return _agreed(endpoint, _mandatory)


def trusted_ca_delivery(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """A valid chain for whatever name: "issued by a trusted CA". Nobody's identity is proved."""
    met = _agreed(endpoint, lambda view: _pkix(view, Answer.YES))
    return _ENCRYPTED if met is _AUTHENTICATED else met


def verified_delivery(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[verify] A valid chain, and the name of the MX host in the certificate. RFC 9525 §6."""
    return _agreed(endpoint, _verified)


def domain_verified_delivery(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[secure] A valid chain, and the name of the domain or of something below it."""
    return secure_delivery(endpoint, to, SECURE_MATCH)


def secure_delivery(endpoint: Endpoint, to: Destination, match: Sequence[str]) -> DeliveryOutcome:
    """[secure] with the attribute ``match=``: *match* has names, ``.names`` and Postfix's words.

    ``.example.com`` is any name below example.com, however deep, and a wildcard there.
    """
    return _agreed(endpoint, lambda view: _secure(view, to, match))


def dane_delivery(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """[dane] RFC 7672 §2.2: records decide; without any, it is an opportunistic sender.

    Where they do it sends SNI (§8.1). TLSA records behind an unsigned MX RRset (§2.2.1): Postfix
    obeys them by its default smtp_tls_dane_insecure_mx_policy, Exim does not look. So only what
    both do is known there.
    """
    mandatory = _mandatory(with_sni(endpoint))
    binds = to.mx_dnssec is Dnssec.SECURE
    match endpoint.dane:
        case Dane.NOT_TESTED:
            return _UNKNOWN
        case Dane.NONE:
            return opportunistic_delivery(endpoint, to)
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


def mta_sts_delivery(endpoint: Endpoint, to: Destination) -> DeliveryOutcome:
    """RFC 8461 §4, §5: under ``enforce`` a listed MX host, and a certificate that names it.

    The sender then sends SNI (§4.1). Without a policy in force it is an opportunistic sender. Not
    looked up (``mta_sts`` is None), not to be looked up, or not fetched is unknown: the sender may
    hold a policy from before. So is a policy that some senders enforce and others do not.
    """
    if to.mta_sts is None or to.mta_sts.senders_differ is not None:
        return _UNKNOWN
    match to.mta_sts.status:
        case StsStatus.ENFORCE:
            return _policy_delivery(endpoint, to, to.mta_sts)
        case StsStatus.TEMPFAIL | StsStatus.FETCH_FAILED:
            return _UNKNOWN
        case _:
            return opportunistic_delivery(endpoint, to)


DELIVERY: Final[Mapping[SenderKind, Callable[[Endpoint, Destination], DeliveryOutcome]]] = (
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
    match to.mx_dnssec:
        case Dnssec.SECURE:
            return _DEFERRED
        case Dnssec.INSECURE:
            return _INTERCEPTED
        case Dnssec.BOGUS | Dnssec.INDETERMINATE:
            return _UNKNOWN
        case _:
            assert_never(to.mx_dnssec)


def dane_under_attack(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """The worst MX host counts: the attacker blocks the others, or names an unsigned one."""
    match to.mx_dnssec:
        case Dnssec.SECURE:
            hosts = (_tlsa_under_attack(host) for host in report.mx_hosts if _can_be_reached(host))
            return min(hosts, key=_WORST_FIRST_ATTACKED.index, default=_UNKNOWN)
        case Dnssec.INSECURE:
            return _CLEAR
        case Dnssec.BOGUS | Dnssec.INDETERMINATE:
            return _UNKNOWN
        case _:
            assert_never(to.mx_dnssec)


def mta_sts_under_attack(report: DomainReport, to: Destination) -> DeliveryOutcome:
    """A policy that the sender already has keeps the attacker out: RFC 8461 §10.2.

    At first contact he can suppress it, as he can everything else that is opportunistic.
    """
    if to.mta_sts is None or to.mta_sts.senders_differ is not None:
        return _UNKNOWN
    match to.mta_sts.status:
        case StsStatus.ENFORCE:
            return _DEFERRED
        case StsStatus.TEMPFAIL | StsStatus.FETCH_FAILED:
            return _UNKNOWN
        case _:
            return _CLEAR


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


def _agreed(endpoint: Endpoint, meet: Callable[[Endpoint], DeliveryOutcome]) -> DeliveryOutcome:
    """What senders with and without SNI both meet; unknown where they fare differently.

    Each kind of sender stands for both: hellos.py names them.
    """
    plain = without_sni(endpoint)
    if plain is None:
        return _UNKNOWN
    met, met_plain = meet(with_sni(endpoint)), meet(plain)
    return met if met is met_plain else _UNKNOWN


def _opportunistic(view: Endpoint) -> DeliveryOutcome:
    match proven(view):
        case Outcome.NOT_TESTED:
            return _UNKNOWN
        case Outcome.NEGATIVE:
            return _without_tls(view)
        case Outcome.COMPLETED:
            return _UNKNOWN if _senders_differ(view) else _ENCRYPTED
        case never:
            assert_never(never)


def _without_tls(view: Endpoint) -> DeliveryOutcome:
    """What becomes of mail where no session completes TLS; unknown where the sessions differ."""
    sessions: list[Attempt | Endpoint] = [
        each for each in view.attempts if outcome(each) is Outcome.NEGATIVE
    ]
    steps = {_without_tls_at(each.starttls, each.failure) for each in sessions or [view]}
    if len(steps) > 1 or READ_DIFFERENTLY & {each.kind for each in view.anomalies}:
        return _UNKNOWN
    return steps.pop()


def _without_tls_at(starttls: StartTls, failure: Failure | None) -> DeliveryOutcome:
    """In clear or held back, by the step at which TLS ended; measured after all retries.

    Postfix 3.7 and Exim 4.96, three attempts or more: no offer, a readable refusal (any code but
    2yz) and a handshake that fails are followed by mail in clear, in Postfix once the message is
    older than minimal_backoff_time. A STARTTLS that is answered by silence, a close, a reset or a
    line without a code makes both defer, and so does a refusal after which nothing more comes.
    """
    if starttls is not StartTls.REFUSED or failure is None:
        return _CLEAR
    answered = failure.reason is Reason.BAD_REPLY and failure.reply_code is not None
    return _CLEAR if answered else _DEFERRED


def _mandatory(view: Endpoint) -> DeliveryOutcome:
    """The server chose the highest version that it has, so one below TLS 1.2 is proof.

    It also chose the suite: whether it has a stronger one for a sender that refuses a weak one was
    not seen.
    """
    if proven(view) is Outcome.NEGATIVE:
        return _DEFERRED
    if view.tls_version is not None and view.tls_version not in ACCEPTABLE_TLS_VERSIONS:
        return _DEFERRED
    weak = view.cipher_bits is not None and view.cipher_bits < MIN_CIPHER_BITS
    return _UNKNOWN if weak else _opportunistic(view)


def _verified(view: Endpoint) -> DeliveryOutcome:
    named = view.certificate.name_matches if view.certificate else Answer.NO
    if named is Answer.NO and _some_sender_takes(view, view.mx_host):
        named = Answer.NOT_TESTED
    return _pkix(view, named)


def _secure(view: Endpoint, to: Destination, match: Sequence[str]) -> DeliveryOutcome:
    if not view.chain:
        return _pkix(view, Answer.NO)
    wanted = [_spelt_out(each, view, to) for each in match]
    san = read_certificate(view.chain[0]).san
    if san is None:
        return _pkix(view, Answer.NOT_TESTED)
    answers = {_covers(name, each) for name in (*san.names, *san.refused) for each in wanted}
    if Answer.YES in answers:
        return _pkix(view, Answer.YES)
    differ = Answer.NOT_TESTED in answers or any(
        _names_by_subject_only(view, each) for each in wanted
    )
    return _pkix(view, Answer.NOT_TESTED if differ else Answer.NO)


def _senders_differ(view: Endpoint) -> bool:
    """Whether TLS depends on who asks, on luck, or is not all that it takes.

    An earlier session saw no TLS: because of its large hello, of suites without a certificate that
    few senders offer, or of the server's mood. Or the server's replies are not read alike by all.
    Or the session broke once TLS was up.
    """
    earlier = any(outcome(attempt) is Outcome.NEGATIVE for attempt in view.attempts)
    trouble = READ_DIFFERENTLY & {each.kind for each in view.anomalies}
    return earlier or bool(trouble) or view.failure is not None


def _pkix(view: Endpoint, named: Answer) -> DeliveryOutcome:
    """A certificate by RFC 5280 §6, where *named* says whether its names will do."""
    mandatory = _mandatory(view)
    if mandatory is not _ENCRYPTED:
        return mandatory
    match _judge_pkix(view, named):
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


def _policy_delivery(endpoint: Endpoint, to: Destination, sts: MtaSts) -> DeliveryOutcome:
    """RFC 8461 §4.1: a listed MX host, and a certificate that names this host.

    Postfix before 3.10.5 compares the certificate with the list, ``*.`` for any depth, and not the
    MX host: for it any listed name will do. Where that makes a difference, senders differ.
    """
    listed = endpoint.mx_host not in sts.uncovered
    view = with_sni(endpoint)
    strict = _verified(view) if listed else _DEFERRED
    by_list = _secure(view, to, [pattern.removeprefix("*") for pattern in sts.mx])
    return strict if strict is by_list else _UNKNOWN


def _tlsa_under_attack(host: MxHost) -> DeliveryOutcome:
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
