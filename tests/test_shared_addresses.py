"""Sharing of results at one address: which names get a session, which wait, which share."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from prober.net.smtp import Target
from prober.records import EndpointFacts, Reason, Step, VerifyError
from prober.rules.certificate_fields import CertificateReader
from prober.shared_addresses import SharedAddresses
from tests.rules.certificates import issue
from tests.support.builders import completed, confirmed, not_offered, untested

UNTRUSTED = VerifyError(depth=0, code=20, text="unable to get local issuer certificate")
HOSTER = issue(san=("*.mx.example",)).der


def target(name: str, address: str = "192.0.2.1", *, tlsa: bool = False) -> Target:
    return Target(mx_host=name, address=address, port=25, proves_by_tlsa=tlsa)


class Servers:
    """A probe with a chosen result and time. Counts the probes, and how many run at once."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.now = self.max_at_once = 0
        self.leaves: dict[str, bytes] = {}
        self.clear: set[str] = set()  # addresses without STARTTLS
        self.untrusted = self.refusing = self.silent = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ask(self, target: Target) -> EndpointFacts:
        self.asked[target.mx_host] += 1
        self.now += 1
        self.max_at_once = max(self.max_at_once, self.now)
        try:
            await asyncio.sleep(0)
            await self.may_answer.wait()
        finally:
            self.now -= 1
        if self.refusing:
            facts = confirmed(untested(reason=Reason.REFUSED))
        elif self.silent:
            facts = confirmed(untested(Step.GREETING, Reason.TIMED_OUT))
        elif target.address in self.clear:
            facts = confirmed(not_offered())
        else:
            errors = (UNTRUSTED,) if self.untrusted else ()
            leaf = self.leaves.get(target.mx_host, HOSTER)
            facts = completed(chain=(leaf,), verify_errors=errors)
        return replace(facts, mx_host=target.mx_host, address=target.address)


NAMES = tuple(f"c{number}.mx.example" for number in range(20))


async def test_after_three_names_agree_further_names_need_no_session() -> None:
    servers = Servers()
    shared = SharedAddresses(servers.ask, CertificateReader())
    facts = await asyncio.gather(*(shared.observe(target(name)) for name in NAMES))

    assert sum(servers.asked.values()) == 3
    assert servers.max_at_once == 2
    assert [each.mx_host for each in facts] == list(NAMES)
    assert sum(each.observed_as is None for each in facts) == 3
    assert {each.observed_as for each in facts} - {None} <= set(servers.asked)


async def test_the_fourth_customer_has_a_certificate_of_its_own() -> None:
    servers = Servers()
    own = "mail.customer.example"
    servers.leaves[own] = issue(san=(own,)).der
    shared = SharedAddresses(servers.ask, CertificateReader())
    for name in NAMES[:3]:
        await shared.observe(target(name))
    facts = await shared.observe(target(own))

    assert facts.observed_as is None
    assert facts.chain == (servers.leaves[own],)
    assert (await shared.observe(target(NAMES[4]))).observed_as == NAMES[0]


async def test_a_name_with_tlsa_gets_its_own_session() -> None:
    servers = Servers()
    shared = SharedAddresses(servers.ask, CertificateReader())
    for name in NAMES[:3]:
        await shared.observe(target(name))
    facts = await shared.observe(target(NAMES[4], tlsa=True))
    assert facts.observed_as is None
    assert servers.asked[NAMES[4]] == 1


async def test_a_result_before_sni_is_probed_once_also_while_in_flight() -> None:
    servers = Servers()
    servers.clear.add("192.0.2.1")
    shared = SharedAddresses(servers.ask, CertificateReader())
    facts = await asyncio.gather(*(shared.observe(target(name)) for name in NAMES))

    assert sum(servers.asked.values()) == 1
    assert [each.mx_host for each in facts] == list(NAMES)
    assert [each.observed_as for each in facts] == [None, *[NAMES[0]] * 19]


async def test_one_failed_session_is_not_shared_at_an_address_that_completed_tls() -> None:
    """An MTA restarts: two refusals, after names there completed TLS."""
    servers = Servers()
    shared = SharedAddresses(servers.ask, CertificateReader())
    for name in NAMES[:3]:
        await shared.observe(target(name))
    servers.refusing = True
    refused = await shared.observe(target("mail.customer.example"))
    assert refused.failure is not None
    servers.refusing = False
    assert (await shared.observe(target(NAMES[5]))).observed_as == NAMES[0]
    other = await shared.observe(target("mail.other.example"))
    assert (other.observed_as, other.tls_version) == (None, "TLSv1.3")


async def test_completed_tls_at_an_address_ends_the_sharing_of_earlier_failures() -> None:
    servers = Servers()
    servers.clear.add("192.0.2.1")
    shared = SharedAddresses(servers.ask, CertificateReader())
    await shared.observe(target(NAMES[0]))
    servers.clear.clear()
    await shared.observe(target(NAMES[1], tlsa=True))
    facts = await shared.observe(target(NAMES[2]))
    assert (facts.observed_as, facts.tls_version) == (None, "TLSv1.3")


async def test_a_temporary_failure_is_shared_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prober.shared_addresses._UNCONFIRMED_KEPT_S", 0.0)
    servers = Servers()
    servers.silent = True
    shared = SharedAddresses(servers.ask, CertificateReader())
    await shared.observe(target(NAMES[0]))
    await asyncio.sleep(0.01)
    servers.silent = False
    assert (await shared.observe(target(NAMES[1]))).tls_version == "TLSv1.3"


async def test_nothing_is_shared_between_addresses_or_ports() -> None:
    servers = Servers()
    servers.clear.update({"192.0.2.1", "192.0.2.2"})
    shared = SharedAddresses(servers.ask, CertificateReader())
    await shared.observe(target(NAMES[0], "192.0.2.1"))
    await shared.observe(target(NAMES[0], "192.0.2.2"))
    await shared.observe(replace(target(NAMES[0], "192.0.2.1"), port=2525))
    assert servers.asked[NAMES[0]] == 3


async def test_names_that_differ_all_get_a_session_and_none_waits_for_ever() -> None:
    servers = Servers()
    servers.leaves.update({name: issue(san=(name,)).der for name in NAMES})
    shared = SharedAddresses(servers.ask, CertificateReader())
    facts = await asyncio.gather(*(shared.observe(target(name)) for name in NAMES))
    assert sum(servers.asked.values()) == len(NAMES)
    assert all(each.observed_as is None for each in facts)


async def test_names_do_not_wait_for_each_other_where_nothing_can_be_shared() -> None:
    """A result with an untrusted certificate is never shared."""
    servers = Servers()
    servers.untrusted = True
    shared = SharedAddresses(servers.ask, CertificateReader())
    facts = await asyncio.gather(*(shared.observe(target(name)) for name in NAMES))
    assert servers.max_at_once == 3
    assert all(each.observed_as is None for each in facts)


async def test_after_a_cancelled_session_the_next_name_makes_one() -> None:
    servers = Servers()
    servers.may_answer.clear()
    shared = SharedAddresses(servers.ask, CertificateReader())
    first, second = (asyncio.create_task(shared.observe(target(name))) for name in NAMES[:2])
    for _ in range(3):
        await asyncio.sleep(0)
    assert servers.now == 1
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    servers.may_answer.set()
    assert (await second).mx_host == NAMES[1]


async def test_the_number_of_stored_addresses_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.shared_addresses._MAX_ADDRESSES", 2)
    servers = Servers()
    servers.clear.update(f"192.0.2.{number}" for number in range(4))
    shared = SharedAddresses(servers.ask, CertificateReader())
    for number in (0, 1, 2, 3, 3, 0):
        await shared.observe(target(NAMES[number], f"192.0.2.{number}"))
    assert servers.asked == {NAMES[0]: 2, NAMES[1]: 1, NAMES[2]: 1, NAMES[3]: 1}


async def test_one_slow_address_does_not_stop_the_removal_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prober.shared_addresses._MAX_ADDRESSES", 5)
    servers = Servers()
    shared = SharedAddresses(servers.ask, CertificateReader())
    servers.may_answer.clear()
    slow = asyncio.create_task(shared.observe(target(NAMES[0], "192.0.2.255")))
    await asyncio.sleep(0)
    servers.may_answer.set()
    servers.may_answer = asyncio.Event()
    servers.may_answer.set()
    for number in range(100):
        await shared.observe(target(NAMES[1], f"192.0.2.{number}"))
    assert shared.kept <= 7
    await slow
