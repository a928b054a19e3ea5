"""What the doctor says of a machine that sees, and of one that does not."""

import dataclasses
import errno
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from prober.cli.doctor import render, status_of
from prober.doctor import Check, examine
from prober.lab.demo import mail_domain
from prober.lab.faults import Fault
from prober.lab.internet import Lab
from prober.lab.personalities.greeting import Busy, Refuses
from prober.lab.personalities.sound import WellConfigured
from prober.records import Answer
from prober.settings import Validation
from prober.vantage import Vantage
from tests.support.waiting import PATIENT

YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
ME = "probe.lab.test"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    domains = [
        mail_domain("good.test", WellConfigured()),
        mail_domain("busy.test", Busy()),
        mail_domain("closed.test", Refuses()),
    ]
    async with Lab(domains) as lab:
        lab.dns.add(ME, "A", "127.77.9.9")
        lab.dns.add("9.9.77.127.in-addr.arpa", "PTR", f"{ME}.")
        yield lab


@pytest.fixture
async def signed_lab() -> AsyncIterator[Lab]:
    domain = dataclasses.replace(mail_domain("good.test", WellConfigured()), signed=True)
    async with Lab([domain], validating=False) as lab:
        yield lab


async def examined(lab: Lab, *controls: str, **changes: Any) -> dict[str, Check]:
    defaults: dict[str, Any] = {**PATIENT, "confirm_delay_s": 0.0}
    settings = lab.settings(**(defaults | changes))
    async with Vantage(settings) as vantage:
        checks = [check async for check in examine(vantage, controls or ("good.test",))]
    return {"port" if check.topic.startswith("port") else check.topic: check for check in checks}


async def test_a_machine_that_sees(lab: Lab) -> None:
    checks = await examined(lab)
    answers = {topic: check.answer for topic, check in checks.items() if topic != "ipv6"}
    assert answers == dict.fromkeys(["resolver", "dnssec", "port", "trust store", "ehlo name"], YES)
    assert "mx1.good.test" in checks["port"].what
    assert status_of(list(checks.values())) == 0


async def test_no_nameserver(lab: Lab) -> None:
    checks = await examined(lab, resolvers=("127.0.0.1:9",))
    assert checks["resolver"].answer is NO
    assert checks["port"].answer is NOT_TESTED
    assert checks["ehlo name"].answer is NOT_TESTED
    assert status_of(list(checks.values())) == 4


async def test_a_resolver_that_does_not_validate(lab: Lab) -> None:
    lab.dns.fail("dnssec-failed.org", None)
    assert (await examined(lab, dnssec=Validation.RESOLVER))["dnssec"].answer is NO


async def test_a_resolver_that_neither_validates_nor_passes_signatures_on(lab: Lab) -> None:
    lab.dns.fail("dnssec-failed.org", None)
    check = (await examined(lab))["dnssec"]
    assert check.answer is NO
    assert "does not validate" in check.what
    assert "leaves signatures out" in check.what
    assert check.advice is not None
    assert check.advice.startswith("name a resolver that passes signatures on")


async def test_a_resolver_without_the_keys_of_the_root(lab: Lab) -> None:
    lab.dns.fail(".", Fault.SERVFAIL, "DNSKEY")
    check = (await examined(lab, dnssec=Validation.LOCAL))["dnssec"]
    assert check.answer is NO
    assert "no answer from the resolver: SERVFAIL" in check.what
    assert check.advice is not None
    assert "--resolver" in check.advice


async def test_the_keys_of_the_root_are_trusted(signed_lab: Lab) -> None:
    check = (await examined(signed_lab, dnssec=Validation.LOCAL))["dnssec"]
    assert check.answer is YES
    assert "answers are validated here, from the root" in check.what


async def test_the_root_has_no_key_that_is_trusted(signed_lab: Lab) -> None:
    """By the keys of the real root, that of the lab is any other."""
    check = (await examined(signed_lab, dnssec=Validation.LOCAL, trust_anchor=None))["dnssec"]
    assert check.answer is NO
    assert "zone .: . DNSKEY: no key matches the DS records or trust anchors" in check.what
    assert check.advice is not None
    assert "--trust-anchor FILE" in check.advice


@pytest.mark.parametrize(
    ("days", "of_the_lab", "fault"),
    [
        (30, True, "the signature expired at"),
        (-30, True, "the signature is not valid before"),
        (-20_000, False, "no trust anchor counts for an answer of"),
    ],
)
async def test_a_clock_that_is_wrong(
    signed_lab: Lab, monkeypatch: pytest.MonkeyPatch, days: int, of_the_lab: bool, fault: str
) -> None:
    monkeypatch.setattr("prober.net.resolver.time", lambda: time.time() + days * 86_400)
    anchors = {} if of_the_lab else {"trust_anchor": None}
    check = (await examined(signed_lab, dnssec=Validation.LOCAL, **anchors))["dnssec"]
    assert check.answer is NO
    assert fault in check.what
    assert check.advice is not None
    assert check.advice.startswith("set the clock of this machine")


async def test_dnssec_that_is_off(lab: Lab) -> None:
    check = (await examined(lab, dnssec=Validation.OFF))["dnssec"]
    assert check.answer is NOT_TESTED


async def test_a_resolver_elsewhere(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.net.resolver._DOCKER_FORWARDER", lab.dns.address)
    check = (await examined(lab, dnssec=Validation.RESOLVER))["dnssec"]
    assert check.answer is NOT_TESTED
    assert check.advice is not None
    assert "--trust-ad" in check.advice


async def test_a_busy_server_was_reached_all_the_same(lab: Lab) -> None:
    assert (await examined(lab, "busy.test"))["port"].answer is YES


async def test_nothing_can_be_reached(lab: Lab) -> None:
    checks = await examined(lab, "closed.test")
    assert checks["port"].answer is NO
    assert status_of(list(checks.values())) == 4


async def test_controls_that_receive_no_mail(lab: Lab) -> None:
    checks = await examined(lab, "gone.test")
    assert checks["port"].answer is NOT_TESTED
    assert status_of(list(checks.values())) == 3


async def test_no_trust_store(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.net.trust._SYSTEM_STORES", ())
    assert (await examined(lab, ca_file=None))["trust store"].answer is NO


@pytest.mark.parametrize("has_route", [True, False])
async def test_ipv6(lab: Lab, monkeypatch: pytest.MonkeyPatch, has_route: bool) -> None:
    def require_route(_address: str, _port: int) -> None:
        if not has_route:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("prober.doctor.require_route", require_route)
    assert (await examined(lab))["ipv6"].answer is (YES if has_route else NO)


async def test_no_name_to_greet_with(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.vantage.own_fqdn", lambda: None)
    assert (await examined(lab, ehlo_name=None))["ehlo name"].answer is NO
    by_literal = (await examined(lab, ehlo_name="[192.0.2.1]"))["ehlo name"]
    assert (by_literal.answer, by_literal.what) == (
        NO,
        "EHLO sends the address [192.0.2.1], not a name",
    )


async def test_a_name_without_an_address(lab: Lab) -> None:
    check = (await examined(lab, ehlo_name="nobody.test"))["ehlo name"]
    assert (check.answer, check.what) == (NO, "nobody.test has no address")


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED])
async def test_a_way_back_that_cannot_be_looked_up(lab: Lab, fault: Fault) -> None:
    lab.dns.fail("9.9.77.127.in-addr.arpa", fault)
    assert (await examined(lab))["ehlo name"].answer is NOT_TESTED


async def test_a_name_without_a_way_back(lab: Lab) -> None:
    lab.dns.add(ME, "A", "127.77.9.10")
    assert (await examined(lab))["ehlo name"].answer is NO


async def test_a_name_that_cannot_be_looked_up(lab: Lab) -> None:
    lab.dns.fail(ME, Fault.SERVFAIL)
    assert (await examined(lab))["ehlo name"].answer is NOT_TESTED


async def test_no_answer_for_the_name_that_is_bogus_by_intent(lab: Lab) -> None:
    lab.dns.fail("dnssec-failed.org", Fault.REFUSED)
    assert (await examined(lab, dnssec=Validation.RESOLVER))["dnssec"].answer is NOT_TESTED


async def test_controls_that_were_never_contacted(lab: Lab) -> None:
    assert (await examined(lab, allow_private=False))["port"].answer is NOT_TESTED


def test_a_check_is_a_line_and_its_advice_another() -> None:
    check = Check(topic="port 25", answer=NO, what="blocked\x1b[2J", advice="ask the provider")
    assert render(check).splitlines() == [
        "FAIL    port 25     blocked\\x1b[2J",
        "                    ask the provider",
    ]
