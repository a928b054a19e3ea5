"""Facts go in and come out as they were; what changes by itself is not compared."""

from dataclasses import fields, replace
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.records import (
    Answer,
    Attempt,
    DeepQuestion,
    DnssecProof,
    DomainFacts,
    DomainReport,
    Enumeration,
    Failure,
    Line,
    ProofReply,
    Reason,
    Step,
    TxtFacts,
)
from prober.rules.verdict import facts_of
from prober.store.facts import (
    Fact,
    domain_fact,
    evidence_fact,
    proof_fact,
    unpack_domain,
    unpack_evidence,
    unpack_proof,
    unpack_vantage,
    vantage_fact,
    without_judgement,
)
from tests.report.samples import all_samples
from tests.report.strategies import reports
from tests.store.builders import good
from tests.support.builders import NOW, deep, domain, untested


def bodies(*facts: Fact) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for each in facts:
        found |= {each.digest: each.body, **bodies(*each.parts)}
    return found


@pytest.mark.parametrize("report", all_samples(), ids=lambda report: report.input[:20])
def test_evidence_is_everything(report: DomainReport) -> None:
    facts = replace(without_judgement(facts_of(report)), proof=None)
    packed = evidence_fact(facts, transcripts=True)
    run = unpack_vantage(vantage_fact(report.run).body)

    assert unpack_evidence(packed.body, run, bodies(*packed.parts)) == facts


@given(reports())
def test_any_facts_go_in_and_out(report: DomainReport) -> None:
    facts = replace(without_judgement(facts_of(report)), proof=None)
    packed = evidence_fact(facts, transcripts=True)
    compared = domain_fact(facts)

    assert unpack_evidence(packed.body, facts.run, bodies(*packed.parts)) == facts
    again = unpack_domain(
        compared.body, facts.run, bodies(*compared.parts), at=facts.checked_at, ms=1
    )
    assert domain_fact(again).digest == compared.digest


def test_a_new_field_of_the_facts_is_stored() -> None:
    """What ``domain_fact`` builds by hand has to name every field, but for the last three.

    They say nothing about the domain that its facts do not say: two are in the evidence only, and
    the proof is stored by itself.
    """
    names = {field.name for field in fields(DomainFacts)}
    assert names == {
        *("input", "domain", "checked_at", "elapsed_ms", "run", "error"),
        *("route", "mx_hosts", "endpoints", "sts", "tls_rpt_txt"),
        *("columns", "server", "proof"),
    }
    assert {field.name for field in fields(Attempt)} == {
        *("observed_at", "hello", "starttls", "tls_version", "cipher", "failure"),
    }
    assert {field.name for field in fields(TxtFacts)} == {"records", "failure"}


def test_without_transcripts_the_rest_is_there() -> None:
    facts = domain(good(transcript=(Line(ms=1, peer="server", line="220 mx"),)))
    packed = evidence_fact(facts, transcripts=False)
    unpacked = unpack_evidence(packed.body, facts.run, bodies(*packed.parts))

    assert unpacked == replace(facts, endpoints=(replace(facts.endpoints[0], transcript=()),))


def test_what_changes_by_itself_is_not_compared() -> None:
    one = domain(good(), untested(address="192.0.2.2"))
    later = NOW + timedelta(days=7)
    failure = Failure(step=Step.CONNECT, reason=Reason.TIMED_OUT, detail="session 42")
    other = replace(
        one,
        checked_at=later,
        elapsed_ms=1,
        endpoints=(
            replace(one.endpoints[1], observed_at=later, failure=failure),
            replace(
                one.endpoints[0],
                observed_at=later,
                greeting="220 another",
                observed_as="mx.example.net",
                transcript=(Line(ms=1, peer="server", line="220 another"),),
            ),
        ),
    )

    assert domain_fact(one).digest == domain_fact(other).digest


@pytest.mark.parametrize(
    "changes",
    [
        {"tls_version": "TLSv1.2"},
        {"cipher": "other"},
        {"key_exchange": "x25519"},
        {"chain": (b"other",)},
        {"ehlo_keywords": ("STARTTLS", "SIZE 1")},
        {"address": "192.0.2.9"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_all_else_is_compared(changes: dict[str, object]) -> None:
    other = domain(replace(good(), **changes))  # type: ignore[arg-type] # the row names the fields

    assert domain_fact(domain(good())).digest != domain_fact(other).digest


DEEP = deep(DeepQuestion.RSA_CERTIFICATE, DeepQuestion.LEGACY_VERSION, chain=(b"other", b"issuer"))


def test_what_else_a_server_accepts_is_stored_with_its_certificates() -> None:
    facts = domain(good(chain=(b"leaf", b"issuer"), deep=DEEP))
    packed, compared = evidence_fact(facts, transcripts=True), domain_fact(facts)
    unpacked = unpack_domain(
        compared.body, facts.run, bodies(*compared.parts), at=NOW, ms=facts.elapsed_ms
    )

    assert unpack_evidence(packed.body, facts.run, bodies(*packed.parts)) == facts
    assert unpacked.endpoints[0].deep == replace(DEEP, connections=0)
    assert [part.body for part in compared.parts[0].parts] == [b"leaf", b"issuer", b"other"]


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"observed_at": NOW + timedelta(days=7)}, True),
        ({"connections": 3}, True),
        ({"transcript": (Line(ms=1, peer="server", line="220 mx"),)}, True),
        ({"enumeration": Enumeration(suites=("TLS_AES_128_GCM_SHA256",))}, False),
        ({"answers": deep(DeepQuestion.RSA_CERTIFICATE, accepted=Answer.NO).answers}, False),
    ],
    ids=lambda changes: str(changes)[:20],
)
def test_what_else_a_server_accepts_is_compared(changes: dict[str, object], is_same: bool) -> None:
    other = replace(DEEP, **changes)  # type: ignore[arg-type] # the row names the fields
    digests = {domain_fact(domain(good(deep=each))).digest for each in (DEEP, other)}

    assert (len(digests) == 1) is is_same


def test_without_transcripts_there_is_none_of_further_sessions() -> None:
    lines = (Line(ms=1, peer="server", line="220 mx"),)
    facts = domain(good(deep=replace(DEEP, transcript=lines)))
    packed = evidence_fact(facts, transcripts=False)

    assert unpack_evidence(packed.body, facts.run, bodies(*packed.parts)).endpoints[0].deep == DEEP


def test_the_leaf_certificate_is_the_first_part_of_an_endpoint() -> None:
    [endpoint] = domain_fact(domain(good(chain=(b"leaf", b"issuer")))).parts

    assert [part.body for part in endpoint.parts] == [b"leaf", b"issuer", b"leaf", b"issuer"][:2]


@given(st.lists(st.binary(max_size=50), max_size=5, unique=True), st.data())
def test_any_proof_goes_in_and_out(rrsets: list[bytes], data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(rrsets)), max_size=3).map(tuple)
    replies = st.builds(
        ProofReply,
        name=st.text(max_size=9),
        type=st.text(max_size=9),
        rcode=st.text(max_size=9),
        observed_at=st.datetimes(timezones=st.just(UTC)),
        answer=places,
        authority=places,
    )
    proof = DnssecProof(
        rrsets=tuple(rrsets), replies=tuple(data.draw(st.lists(replies, max_size=3)))
    )
    packed = proof_fact(proof)
    assert unpack_proof(packed.body, [each.body for each in packed.parts]) == proof


def test_proofs_with_other_rrsets_are_other_facts() -> None:
    one, other = (DnssecProof(rrsets=(each,), replies=()) for each in (b"one", b"other"))
    assert proof_fact(one).digest != proof_fact(other).digest
