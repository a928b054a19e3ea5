"""The exit status, seen from outside; of signals and pipes in tests of their own."""

import pytest

from tests.cli.commands import OFFLINE, Probe

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("args", "status"),
    [
        pytest.param(["good.test"], 0, id="meets"),
        pytest.param(["good.test", "null.test"], 0, id="no mail by intent is neutral"),
        pytest.param(["self-signed.test"], 0, id="encrypted is enough"),
        pytest.param(["--require", "authenticated", "self-signed.test"], 1, id="unless more is"),
        pytest.param(["good.test", "clear.test", "busy.test", "*"], 1, id="one falls short"),
        pytest.param(["good.test", "busy.test", "*.test"], 2, id="one is no domain"),
        pytest.param(["good.test", "busy.test"], 3, id="one is undecided"),
        pytest.param(["nowhere.test"], 3, id="a typo does not pass"),
        pytest.param(["--require", "perfect", "good.test"], 2, id="usage"),
        pytest.param(["-o", "/nowhere/report.csv", "good.test"], 5, id="not written"),
    ],
)
async def test_the_exit_status_tells_of_all_domains(
    probe: Probe, args: list[str], status: int
) -> None:
    ended = await probe.check(*args)

    assert ended.status == status
    assert bool(ended.out) != bool(ended.err)


async def test_without_a_nameserver_nothing_can_be_seen(probe: Probe) -> None:
    ended = await probe.run("check", *OFFLINE, "good.test")

    assert (ended.status, ended.err) == (4, "")
    assert "good.test: UNKNOWN whether mail would be encrypted" in ended.out
    assert "no nameserver answered" in ended.out
