"""The prober against real mail servers: it must agree with openssl and with posttls-finger."""

import asyncio
import hashlib
from typing import Final

import pytest

from prober.net.smtp import Target
from prober.records import Answer, Code, Confirmed, Endpoint, EndpointFacts, Reason, StartTls, Step
from prober.rules.certificate import certificate_findings
from prober.rules.certificate_fields import read_certificate
from prober.rules.endpoint import Outcome, outcome, proven
from prober.rules.verdict import judge_endpoint
from prober.settings import Pace, Settings
from prober.vantage import Vantage
from tests.mta.referees import openssl_s_client, posttls_finger
from tests.mta.servers import CASES, RunningMta

# The referees speak of groups by OpenSSL's older names, the prober by IANA's.
_IANA_GROUPS: Final = {"X25519": "x25519", "prime256v1": "secp256r1", "P-256": "secp256r1"}
_FAULTS: Final = {
    "expired": Code.CERTIFICATE_EXPIRED,
    "self-signed": Code.CERTIFICATE_SELF_SIGNED,
    "wrong-name": Code.CERTIFICATE_HOST_MISMATCH,
}

tls_servers = pytest.mark.parametrize(
    "mta", [case for case in CASES if case[1] != "none"], ids="-".join, indirect=True
)
clear_servers = pytest.mark.parametrize(
    "mta", [case for case in CASES if case[1] == "none"], ids="-".join, indirect=True
)


async def observe(mta: RunningMta) -> tuple[EndpointFacts, Endpoint]:
    settings = Settings(
        ca_file=mta.ca_file,
        allow_private=True,
        ehlo_name="probe.test",
        resolvers=("127.0.0.1",),
        confirm_delay_s=0.1,
        pace=Pace(address_interval_s=0.0),
    )
    async with Vantage(settings) as vantage:
        target = Target(mx_host=mta.host_name, address=mta.address, port=mta.port)
        facts = await vantage.endpoint(target)
        return facts, judge_endpoint(facts, vantage.tls.trust_store, vantage.reader)


@tls_servers
async def test_it_agrees_with_both_referees(mta: RunningMta) -> None:
    facts, endpoint = await observe(mta)
    referees = [
        await asyncio.to_thread(referee, mta, mta.ca_file, mta.host_name)
        for referee in (openssl_s_client, posttls_finger)
    ]

    assert endpoint.certificate is not None
    for referee in referees:
        assert referee.starttls_offered == (facts.starttls is StartTls.OFFERED)
        assert referee.tls_version == facts.tls_version
        assert referee.cipher == facts.cipher
        if referee.key_exchange is not None:
            assert _IANA_GROUPS[referee.key_exchange] == facts.key_exchange
        if referee.chain_der:
            assert referee.chain_der == facts.chain
        if referee.leaf_sha256 is not None:
            assert referee.leaf_sha256 == endpoint.certificate.sha256
        if referee.verified is not None:
            assert referee.verified == _verified(endpoint)
        if referee.client_certificate_requested is not None:
            assert referee.client_certificate_requested == facts.client_certificate_requested


def _verified(endpoint: Endpoint) -> bool:
    certificate = endpoint.certificate
    assert certificate is not None
    answers = (certificate.trusted, certificate.in_date, certificate.name_matches)
    return all(answer is Answer.YES for answer in answers)


@tls_servers
async def test_it_sees_what_the_server_was_given(mta: RunningMta) -> None:
    facts, endpoint = await observe(mta)

    assert facts.chain == mta.chain_der
    assert facts.client_certificate_requested == mta.asks_for_client_certificate
    assert "STARTTLS" in facts.ehlo_keywords
    chain = tuple(map(read_certificate, facts.chain))
    found = certificate_findings(endpoint, chain, now=facts.observed_at)
    codes = {finding.code for finding in found}
    if mta.fault is None:
        assert codes == set()
    else:
        assert _FAULTS[mta.fault] in codes
    if mta.expected_alert is None:
        assert outcome(facts) is Outcome.COMPLETED
        assert facts.ehlo_keywords_tls is not None
        assert "STARTTLS" not in facts.ehlo_keywords_tls
        assert facts.failure is None


@tls_servers
async def test_a_server_that_cannot_finish_is_tls_failed_with_its_alert(mta: RunningMta) -> None:
    """Debian 12's OpenSMTPD 6.8 sends its certificate and then internal_error."""
    facts, _ = await observe(mta)
    if mta.expected_alert is None:
        assert facts.alert is None
        return
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.HANDSHAKE, Reason.ALERT)
    assert (facts.alert, facts.starttls) == (mta.expected_alert, StartTls.OFFERED)
    assert facts.confirmed is Confirmed.YES
    assert hashlib.sha256(facts.chain[0]).hexdigest() == mta.leaf_sha256


@clear_servers
async def test_a_server_without_tls_does_not_offer_it(mta: RunningMta) -> None:
    facts, _ = await observe(mta)
    referee = await asyncio.to_thread(openssl_s_client, mta, mta.ca_file, mta.host_name)

    assert not referee.starttls_offered
    assert facts.starttls is StartTls.NOT_OFFERED
    assert facts.confirmed is Confirmed.YES
    assert proven(facts) is Outcome.NEGATIVE
    assert facts.failure is None


@pytest.mark.parametrize("mta", CASES, ids="-".join, indirect=True)
async def test_every_session_ends_with_quit(mta: RunningMta) -> None:
    facts, _ = await observe(mta)
    if facts.failure is not None:
        return  # the connection was of no use for it any more
    assert [line.line for line in facts.transcript if line.peer == "client"][-1] == "QUIT"
    last = facts.transcript[-1]
    assert (last.peer, last.line[:3]) == ("server", "221")
