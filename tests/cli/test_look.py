"""What the options on looking do to servers; and doctor, which takes some of them."""

from typing import Final

import pytest

from prober.lab.internet import EHLO_NAME
from prober.lab.peer import Session
from tests.cli.commands import OFFLINE, Probe

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANNOT_SEE: Final = 4


def sessions(probe: Probe, host: str) -> list[Session]:
    return probe.lab.servers[host].sessions


async def test_all_of_it_can_come_from_the_environment(probe: Probe) -> None:
    variables = {
        "PROBE_RESOLVER": probe.lab.resolver,
        "PROBE_PORT": str(probe.lab.port),
        "PROBE_CA_FILE": str(probe.lab.ca_file),
        "PROBE_ALLOW_PRIVATE": "1",
        "PROBE_EHLO_NAME": EHLO_NAME,
        "PROBE_CONFIRM_DELAY": "0.1",
        "PROBE_REQUIRE": "authenticated",
    }
    ended = await probe.run("good.test", "self-signed.test", env=variables)

    assert (ended.status, ended.err) == (1, "")
    assert (
        "good.test: PASS. Mail is encrypted, and every server's identity is verified." in ended.out
    )
    assert "self-signed.test: FAIL. Mail is encrypted, but at least one server's" in ended.out


async def test_servers_are_greeted_with_the_name_given(probe: Probe) -> None:
    await probe.check("--ehlo-name", "Bücher.test", "also-good.test")
    session, _ = sessions(probe, "mx1.also-good.test")  # the second one is without SNI
    assert session.commands[0] == "EHLO xn--bcher-kva.test"


@pytest.mark.parametrize("options", [["--ipv6-only"], ["--port", "1"], []])
async def test_who_is_not_to_be_contacted_is_not(probe: Probe, options: list[str]) -> None:
    before = len(sessions(probe, "mx1.good.test"))
    look = probe.look if options else [part for part in probe.look if part != "--allow-private"]
    ended = await probe.run("check", *look, *options, "good.test")

    assert ended.status == 3
    assert "good.test: UNKNOWN. Could not test: mx1.good.test: " in ended.out
    assert "Level: unknown, 0 of 2 endpoints tested." in ended.out
    assert len(sessions(probe, "mx1.good.test")) == before


async def test_a_session_takes_no_longer_than_it_may(probe: Probe) -> None:
    ended = await probe.check("--timeout", "2", "silent.test")
    assert "no more than 2 s a session" in " ".join(ended.out.split())


async def test_few_open_files_are_no_reason_to_see_nothing(probe: Probe) -> None:
    """The soft limit is raised: a socket that cannot be had would pass for a dead nameserver."""
    names = "".join(f"nowhere{number}.test\\n" for number in range(100))
    pipeline = f'ulimit -Sn 24; printf "{names}" | "$@"'
    ended = await probe.run("scan", *probe.look, "-", in_bash=pipeline)
    assert ended.err == "probe: 100 domains: 100 UNKNOWN\n"  # they do not exist
    assert ended.out.count("The domain does not exist") == 100 + 10  # each, and the worst


async def test_doctor_finds_all_well(probe: Probe) -> None:
    ended = await probe.run("doctor", *probe.sight, "--control", "good.test")

    assert (ended.status, ended.err) == (0, "")
    assert checks(ended.out) == {
        "resolver": "OK",
        "dnssec": "OK",
        f"port {probe.lab.port}": "OK",
        "ipv6": checks(ended.out)["ipv6"],  # as this machine has it
        "trust store": "OK",
        "ehlo name": "OK",
    }
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("control", "word", "status"), [("nowhere.test", "UNKNOWN", 3), ("refuses.test", "FAIL", 4)]
)
async def test_doctor_tries_the_port_with_what_it_is_given(
    probe: Probe, control: str, word: str, status: int
) -> None:
    ended = await probe.run("doctor", *probe.sight, "--control", control)

    assert checks(ended.out)[f"port {probe.lab.port}"] == word
    assert (ended.status, ended.err) == (status, "")


async def test_doctor_without_a_nameserver(probe: Probe) -> None:
    ended = await probe.run("doctor", *OFFLINE)

    assert (ended.status, ended.err) == (CANNOT_SEE, "")
    found = checks(ended.out)
    assert (found["resolver"], found["port 25"], found["ehlo name"]) == (
        "FAIL",
        "UNKNOWN",
        "UNKNOWN",
    )
    assert "--resolver ADDR" in ended.out


def checks(out: str) -> dict[str, str]:
    """The word that each topic got; what to do stands indented below."""
    heads = (line[:20] for line in out.splitlines() if not line.startswith(" "))
    return {head[8:].strip(): head[:8].strip() for head in heads}


async def test_a_server_that_is_given_is_tested_in_place_of_the_mx_hosts(probe: Probe) -> None:
    address = probe.lab.servers["mx1.good.test"].address
    before = len(sessions(probe, "mx1.clear.test"))
    ended = await probe.check("clear.test", "--server", f"mx1.good.test@{address}")

    assert ended.status == 0
    assert "MX 0 mx1.good.test\n" in ended.out
    assert f"  {address}  TLS" in ended.out
    assert len(sessions(probe, "mx1.clear.test")) == before
    told = f"Tested as if mx1.good.test at {address} were the only MX host of clear.test."
    assert told in " ".join(ended.out.split())


async def test_a_server_without_an_address_is_told_before_anything_is_reported(
    probe: Probe,
) -> None:
    ended = await probe.check("good.test", "--server", "nowhere.test")
    complaint = "probe: nowhere.test has no address in DNS; give one: nowhere.test@ADDRESS\n"
    assert (ended.status, ended.out, ended.err) == (2, "", complaint)
