"""``--expires-soon DAYS``: what the summary lists. The lab's certificates are valid for 60 days."""

import pytest

from tests.cli.commands import Probe, invoke

TITLE = "Certificates that end soon:"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("args", "env", "listed"),
    [
        pytest.param((), {}, False, id="30-days-if-not-given"),
        pytest.param(("--expires-soon", "61"), {}, True, id="more-days"),
        pytest.param((), {"PROBE_EXPIRES_SOON": "61"}, True, id="by-the-environment"),
        pytest.param(
            ("--expires-soon", "61", "--workers", "1", "--work-folder", "work"),
            {},
            True,
            id="with-workers",
        ),
    ],
)
async def test_a_scan_lists_certificates_that_end_within_the_days(
    probe: Probe,
    tmp_path_factory: pytest.TempPathFactory,
    args: tuple[str, ...],
    env: dict[str, str],
    listed: bool,
) -> None:
    folder = tmp_path_factory.mktemp("scan")
    args = tuple(str(folder / arg) if arg == "work" else arg for arg in args)
    async with probe.running("scan", *probe.look, "-", *args, env=env, stdin=-1) as running:
        ended = await running.ended(b"good.test\n")

    assert (ended.status, TITLE in ended.out) == (0, listed)
    assert ("mx1.good.test (1 domain)" in ended.out) is listed


@pytest.mark.parametrize("days", ["-1", "36501", "soon"])
def test_what_is_no_number_of_days_is_usage(days: str) -> None:
    ended = invoke("scan", "-", "--expires-soon", days)
    assert ended.status == 2
    assert "--expires-soon" in ended.err
