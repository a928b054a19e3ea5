"""Judges MTA-STS: the policy that a sender finds, and the MX hosts that fail it. RFC 8461.

The judgement is for a sender without a cached policy. A sender that fetched a policy earlier uses
it until ``max_age`` is over (§5.1), which we cannot see. DANE is judged elsewhere; MTA-STS never
overrides it (§2).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, assert_never

from prober.escape import listed, quoted
from prober.records import (
    Answer,
    Code,
    Endpoint,
    Finding,
    MtaSts,
    MxHost,
    PolicyFetch,
    Reason,
    StsFacts,
    StsStatus,
    finding,
)
from prober.rules.endpoint import Outcome, describe_failure, findings_at, proven
from prober.rules.hellos import with_sni
from prober.rules.mx import cannot_be_host
from prober.rules.sts_policy import (
    StsPolicy,
    StsRecord,
    fetched_body,
    is_covered,
    parse_policy,
    parse_sts_txt,
)
from prober.rules.sts_readers import disagreement, media_type
from prober.rules.thresholds import ACCEPTABLE_TLS_VERSIONS, SHORT_MAX_AGE_S
from prober.rules.txt_record import Invalid

# Local reasons for a failed fetch, which say nothing about the domain.
_LOCAL_REASONS: Final = frozenset(
    {
        Reason.LOCAL,
        Reason.NO_IPV4_HERE,
        Reason.NO_IPV6_HERE,
        Reason.NO_NAMESERVER,
        Reason.PRIVATE_ADDRESS,
    }
)


def judge_sts(facts: StsFacts | None, mx_hosts: Sequence[MxHost]) -> MtaSts | None:
    """What an MTA-STS sender without a cached policy finds; None if it was not looked up.

    If the TXT record is absent or invalid, there is no policy (§3.1). If it could not be looked up,
    the sender has no policy either, but this says nothing about the domain. The status follows the
    RFC. ``senders_differ`` says where implementations are known to differ from it.
    """
    if facts is None:
        return None
    if facts.txt.failure is not None:
        return MtaSts(status=StsStatus.TEMPFAIL, detail=describe_failure(facts.txt.failure))
    records = facts.txt.records
    match parse_sts_txt(records):
        case None:
            judged = MtaSts(status=StsStatus.ABSENT)
        case Invalid(reason):
            judged = MtaSts(status=StsStatus.TXT_INVALID, detail=reason)
        case StsRecord(identifier):
            judged = _judge_policy(identifier, facts.fetch, mx_hosts)
        case never:
            assert_never(never)
    differ = disagreement(records, facts.fetch, valid_txt=judged.id is not None)
    return replace(judged, senders_differ=differ or None)


def _judge_policy(identifier: str, fetch: PolicyFetch | None, mx_hosts: Sequence[MxHost]) -> MtaSts:
    policy = _policy_in(fetch)
    if policy is None:
        why = describe_failure(fetch.failure) if fetch is not None else "it was not requested"
        return MtaSts(status=StsStatus.FETCH_FAILED, id=identifier, detail=why)
    if isinstance(policy, Invalid):
        return MtaSts(status=StsStatus.POLICY_INVALID, id=identifier, detail=policy.reason)
    applies = policy.mode is not StsStatus.NONE
    return MtaSts(
        status=policy.mode,
        id=identifier,
        max_age=policy.max_age,
        mx=policy.mx,
        uncovered=_uncovered(policy.mx, mx_hosts) if applies else (),
        detail="; ".join(policy.remarks) or None,
    )


def _policy_in(fetch: PolicyFetch | None) -> StsPolicy | Invalid | None:
    """Parse a fetched policy; None if there is none to parse. §3.2.

    The media type "MUST be text/plain", and senders SHOULD check it.
    """
    body = fetched_body(fetch)
    if fetch is None or body is None:
        return None
    served_as = media_type(fetch.content_type)
    if served_as != "text/plain":
        served = quoted(served_as) if served_as else "no media type"
        return Invalid(f"it is served as {served}; RFC 8461 §3.2 asks for text/plain")
    return parse_policy(body)


def _uncovered(patterns: tuple[str, ...], mx_hosts: Iterable[MxHost]) -> tuple[str, ...]:
    """The MX hosts that *patterns* do not list. Names that cannot be a host do not count."""
    return tuple(
        host.name
        for host in mx_hosts
        if not cannot_be_host(host) and not is_covered(host.name, patterns)
    )


def covers_every_mx(mta_sts: MtaSts, mx_hosts: Sequence[MxHost]) -> bool:
    """Whether the policy lists every MX host. False if there is no MX host."""
    return bool(mx_hosts) and not _uncovered(mta_sts.mx, mx_hosts)


def sts_enforces(mta_sts: MtaSts | None, mx_hosts: Sequence[MxHost]) -> Answer:
    """Whether the domain tells MTA-STS senders to require TLS, for every MX host.

    The endpoints are not checked here.
    """
    is_enforced = sts_in_force(mta_sts)
    if mta_sts is None or is_enforced is not Answer.YES:
        return is_enforced
    return Answer.YES if covers_every_mx(mta_sts, mx_hosts) else Answer.NO


def sts_in_force(mta_sts: MtaSts | None) -> Answer:
    """Whether senders enforce an MTA-STS policy of the domain.

    Not tested if the record or the policy could not be fetched, because senders may have a policy
    from earlier (§3.3, §5.1). Also not tested if some senders enforce the policy and others do not.
    """
    if mta_sts is None or mta_sts.senders_differ is not None:
        return Answer.NOT_TESTED
    match mta_sts.status:
        case StsStatus.TEMPFAIL | StsStatus.FETCH_FAILED:
            return Answer.NOT_TESTED
        case StsStatus.ENFORCE:
            return Answer.YES
        case (
            StsStatus.ABSENT
            | StsStatus.TXT_INVALID
            | StsStatus.POLICY_INVALID
            | StsStatus.TESTING
            | StsStatus.NONE
        ):
            return Answer.NO
        case _:
            assert_never(mta_sts.status)


def sts_refusals(endpoint: Endpoint) -> tuple[str, ...]:
    """The proven reasons why an MTA-STS sender does not deliver to *endpoint*. §4, §4.2, §7.2.

    Empty if the endpoint passes or was not tested. Not checked: whether the policy lists the MX
    host, and weak keys or signatures, on which RFC 8461 says nothing.
    """
    match proven(endpoint):
        case Outcome.NOT_TESTED:
            return ()
        case Outcome.NEGATIVE:
            return ("no TLS",)
        case Outcome.COMPLETED:
            return tuple(_refused_over_tls(endpoint))
        case never:
            assert_never(never)


def _refused_over_tls(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS:  # §7.2
        yield f"{endpoint.tls_version}, where TLS 1.2 is the least"
    certificate = endpoint.certificate
    if certificate is None:
        yield "no certificate"
        return
    if certificate.trusted is Answer.NO:
        yield "a certificate that is not trusted"
    if certificate.in_date is Answer.NO:
        yield "a certificate out of date"
    if certificate.name_matches is Answer.NO:
        yield "a certificate for another name"


def sts_findings(
    facts: StsFacts | None, mta_sts: MtaSts | None, endpoints: Iterable[Endpoint]
) -> tuple[Finding, ...]:
    """The findings on *mta_sts*, which was judged from *facts*."""
    if facts is None or mta_sts is None:
        return ()
    findings = _findings_by_status(facts, mta_sts, endpoints)
    if mta_sts.senders_differ is None:
        return findings
    # some implementations do look for the policy, so it is not without a record
    kept = tuple(item for item in findings if item.code is not Code.STS_WITHOUT_TXT)
    return (*kept, finding(Code.STS_SENDERS_DIFFER, detail=mta_sts.senders_differ))


def _findings_by_status(
    facts: StsFacts, mta_sts: MtaSts, endpoints: Iterable[Endpoint]
) -> tuple[Finding, ...]:
    match mta_sts.status:
        case StsStatus.ABSENT:
            return tuple(_missing_txt_findings(facts))
        case StsStatus.TXT_INVALID:
            invalid = finding(Code.STS_TXT_INVALID, detail=mta_sts.detail)
            return (invalid, *_missing_txt_findings(facts))
        case StsStatus.TEMPFAIL:
            return (finding(Code.STS_NOT_TESTED, detail=mta_sts.detail),)
        case StsStatus.FETCH_FAILED:
            return (finding(_code_of_fetch(facts.fetch), detail=mta_sts.detail),)
        case StsStatus.POLICY_INVALID:
            return (finding(Code.STS_POLICY_INVALID, detail=mta_sts.detail),)
        case StsStatus.NONE:
            return (_not_enforced(mta_sts),)
        case StsStatus.TESTING:
            return (*_policy_findings(mta_sts, endpoints), _not_enforced(mta_sts))
        case StsStatus.ENFORCE:
            return tuple(_policy_findings(mta_sts, endpoints))
        case _:
            assert_never(mta_sts.status)


def _missing_txt_findings(facts: StsFacts) -> Iterator[Finding]:
    """Report a policy that no sender will look for (§3.1), if the answer was a valid policy."""
    policy = _policy_in(facts.fetch)
    if facts.fetch is not None and isinstance(policy, StsPolicy):
        yield finding(Code.STS_WITHOUT_TXT, detail=f"mode {policy.mode}, at {facts.fetch.url}")


def _code_of_fetch(fetch: PolicyFetch | None) -> Code:
    """The code for a failed fetch. RFC 8460 §4.3.2.2. A local problem is not the domain's fault."""
    if fetch is None or fetch.failure is None or fetch.failure.reason in _LOCAL_REASONS:
        return Code.STS_NOT_TESTED
    if fetch.certificate_trusted is False:
        return Code.STS_WEBPKI_INVALID
    return Code.STS_POLICY_FETCH_ERROR


def _not_enforced(mta_sts: MtaSts) -> Finding:
    return finding(Code.STS_NOT_ENFORCED, detail=f"mode {mta_sts.status}")


def _policy_findings(mta_sts: MtaSts, endpoints: Iterable[Endpoint]) -> Iterator[Finding]:
    for mx_host in mta_sts.uncovered:
        detail = f"the policy lists {listed(mta_sts.mx)}"
        yield finding(Code.STS_MX_NOT_LISTED, mx_host=mx_host, detail=detail)
    for endpoint in endpoints:
        refusals = sts_refusals(with_sni(endpoint))  # §4.1
        if refusals and is_covered(endpoint.mx_host, mta_sts.mx):
            yield from findings_at(endpoint, [(Code.STS_MX_FAILS, ", ".join(refusals))])
    if mta_sts.max_age is not None and mta_sts.max_age < SHORT_MAX_AGE_S:
        yield finding(Code.STS_MAX_AGE_SHORT, detail=f"{mta_sts.max_age} s, less than a day")
