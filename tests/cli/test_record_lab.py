"""Ten scans in a row of servers that change by script: what is mailed, and what is not."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from prober.lab.certificates import CertificateKind
from prober.lab.demo import mail_domain
from prober.lab.internet import Lab
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Busy
from prober.lab.personalities.scripted import Personality
from prober.lab.personalities.sound import Tls12Only, WellConfigured
from prober.store.asking import domain_changes
from prober.store.database import open_store
from tests.cli.commands import Probe
from tests.cli.forks import ForkServer

GOOD, PLAIN, BUSY, OLD = WellConfigured(), NoStarttls(), Busy(), Tls12Only()
SCANS = 10
SCRIPT: Mapping[str, Mapping[int, Personality]] = {
    # what the server is from that scan on
    "steady.test": {1: GOOD},
    "renewed.test": {1: GOOD},  # its certificate is renewed before the second scan
    "busy.test": {1: GOOD, 3: BUSY, 4: GOOD, 6: BUSY, 7: GOOD},
    "pool.test": {1: OLD, 2: GOOD, 3: OLD, 5: GOOD, 6: OLD, 7: GOOD, 8: OLD, 9: GOOD},
    "lost.test": {1: GOOD, 4: PLAIN, 8: GOOD},
    "gone.test": {1: GOOD, 5: BUSY},
    "downgraded.test": {1: GOOD, 9: OLD},
}
COUNTS = "7 domains: "
WORSE = (
    "lost.test: WORSE. STARTTLS at mx1.lost.test {lost} was working, is not "
    "offered; level was authenticated, is none; result was PASS, is FAIL. To do: ask "
    "the operator to offer TLS again; until then use another way."
)
LOST = (
    "gone.test: NOT SEEN. STARTTLS at mx1.gone.test {gone} could not be seen in 3 runs, last "
    "seen {at}: working; result could not be seen in 3 runs, last seen {at}: PASS. "
    "To do: nothing is proven; look again, and check this machine with `probe doctor`."
)
DOWN = (
    "downgraded.test: WORSE. TLS version at mx1.downgraded.test {down} was TLSv1.3, is "
    "TLSv1.2; key exchange at mx1.downgraded.test {down} was X25519MLKEM768, is x25519."
)
BETTER = (
    "lost.test: BETTER. STARTTLS at mx1.lost.test {lost} was not offered, is "
    "working; level was none, is authenticated; result was FAIL, is PASS."
)
ONE_SHORT = "As before: 1 FAIL."
ONE_UNDECIDED = "As before: 1 UNKNOWN."
# the mail of each scan, but for the first line, which has the counts
MAILS: Mapping[int, list[str]] = {
    4: [WORSE],
    5: [ONE_SHORT],
    6: [ONE_SHORT],
    7: [LOST, ONE_SHORT],
    8: [BETTER, ONE_UNDECIDED],
    9: [DOWN, ONE_UNDECIDED],
    10: [ONE_UNDECIDED],
}
STATUS = {3: 3, 4: 1, 5: 1, 6: 1, 7: 1, 8: 3, 9: 3, 10: 3}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"{name}\n" for name in SCRIPT))
    return path


async def test_ten_scans_tell_what_changed_and_nothing_else(
    forks: ForkServer, path: Path, tmp_path: Path
) -> None:
    db = str(tmp_path / "probe.db")
    async with Lab([mail_domain(name, GOOD) for name in SCRIPT]) as lab:
        probe = Probe(lab, forks)
        renewed = _with_certificate(lab, "mx1.renewed.test", (-80, 10))
        for scan in range(1, SCANS + 1):
            for name, script in SCRIPT.items():
                if scan in script:
                    lab.servers[f"mx1.{name}"].personality = script[scan]
            if scan == 2:
                renewed((0, 90))
            ended = await probe.scan(str(path), "--db", db, "-q", "--busy-tries", "1")

            assert (ended.status, ended.err) == (STATUS.get(scan, 0), ""), scan
            first, *mail = ended.out.splitlines() or [""]
            assert first.startswith(COUNTS if scan in MAILS else ""), scan
            assert mail == [_filled(line, lab, db) for line in MAILS.get(scan, [])], scan
    assert _codes(db, "renewed.test") == ["other certificate"]
    assert _codes(db, "steady.test") == []
    assert _codes(db, "pool.test") == ["better tls-version", "better key-exchange"]


async def test_a_scan_that_is_not_quiet_says_that_something_changed(
    forks: ForkServer, tmp_path: Path
) -> None:
    path, db = tmp_path / "list.txt", str(tmp_path / "probe.db")
    path.write_text("steady.test\nlost.test\n")
    ends = []
    async with Lab([mail_domain(name, GOOD) for name in ("steady.test", "lost.test")]) as lab:
        for personality in (GOOD, GOOD, PLAIN):
            lab.servers["mx1.lost.test"].personality = personality
            ended = await Probe(lab, forks).scan(str(path), "--db", db)
            ends.append(ended.err.splitlines()[-1])
    *earlier, last = ends
    assert not any("Since run" in line for line in earlier)
    assert last.startswith("probe: Since run 2 of ")
    assert last.endswith(", 1 domain changed: 1 worse. `probe diff --db` shows each change.")


def _with_certificate(
    lab: Lab, host: str, days: tuple[int, int]
) -> Callable[[tuple[int, int]], None]:
    """Give *host* a certificate that lives from and until those *days*; gives what renews it."""
    keyring = lab.servers[host]._keyring

    def renew(days: tuple[int, int]) -> None:
        keyring._certificates[CertificateKind.GOOD] = lab.ca._ordinary(host, days=days)
        keyring._contexts.clear()

    renew(days)
    return renew


def _filled(line: str, lab: Lab, db: str) -> str:
    address = {name: lab.servers[f"mx1.{name}.test"].address for name in ("lost", "gone")}
    return line.format(
        lost=address["lost"],
        gone=address["gone"],
        down=lab.servers["mx1.downgraded.test"].address,
        at=_last_seen(db),
    )


def _last_seen(db: str) -> str:
    """When gone.test was seen for the last time."""
    store = open_store(db)
    with store.reading() as connection:
        changes = [change for _, change in domain_changes(connection, "gone.test")]
    store.close()
    return changes[0].last_seen.strftime("%Y-%m-%dT%H:%M:%SZ") if changes else ""


def _codes(db: str, name: str) -> list[str]:
    store = open_store(db)
    with store.reading() as connection:
        found = [
            f"{change.direction} {change.code}" for _, change in domain_changes(connection, name)
        ]
    store.close()
    return found
