"""The exit status, seen from outside; of signals and pipes in tests of their own."""

import asyncio
from collections.abc import Mapping
from typing import Final

import pytest
import pytest_asyncio

from tests.cli.commands import CANNOT_SEE, OFFLINE, Ended, Probe, invoke

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUSES: Final = {
    "good.test": 0,
    "good.test null.test": 0,  # by intent no mail: neutral
    "self-signed.test": 0,  # encrypted is enough
    "--require authenticated self-signed.test": 1,
    "good.test clear.test busy.test *": 1,  # to fall short is worse than to be no domain
    "good.test busy.test *": 2,  # and that is worse than to be undecided
    "--require perfect good.test": 2,
    "good.test busy.test": 3,
    "nowhere.test": 3,  # a typo must not pass
    "-o /nowhere/report.csv good.test": 5,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ended(probe: Probe) -> Mapping[str, Ended]:
    """All of them, run side by side."""
    runs = (probe.check(*args.split()) for args in STATUSES)
    return dict(zip(STATUSES, await asyncio.gather(*runs), strict=True))


@pytest.mark.parametrize("args", STATUSES)
async def test_the_exit_status_tells_of_all_domains(ended: Mapping[str, Ended], args: str) -> None:
    assert ended[args].status == STATUSES[args]
    assert bool(ended[args].out) != bool(ended[args].err)


async def test_without_a_nameserver_nothing_can_be_seen(probe: Probe) -> None:
    ended = await probe.run("check", *OFFLINE, "good.test")

    assert (ended.status, ended.err) == (4, CANNOT_SEE)
    assert ended.out.startswith(
        "good.test: UNKNOWN. Could not test: no nameserver answered while looking up the name"
    )


async def test_without_a_nameserver_nothing_is_known_of_a_recipient(probe: Probe) -> None:
    ended = await probe.run("recipient", *OFFLINE, "me@good.test")

    assert (ended.status, ended.err) == (4, CANNOT_SEE.replace("domains", "recipient"))


async def test_a_fault_of_ours_is_told_from_a_domain_that_falls_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("prober.cli.check.parse_entry", fail)
    ended = invoke("example.test")

    assert ended.status == 70
    assert "ZeroDivisionError: ours" in ended.err
    assert "please report it" in ended.err
