"""The signed tree, its name servers, and the addresses of its mail servers: once a session."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from prober.lab.certificates import LabCa
from prober.settings import Pace, Settings
from tests.dnssec.cases import CASES, lay_out
from tests.dnssec.nameservers import require_nameservers, serving
from tests.dnssec.tree import Trust


@dataclass(frozen=True)
class Tree:
    """A running tree: who serves and resolves it, and where each mail server belongs."""

    nameserver: str
    resolver: str
    forwarder: str  # a resolver that does not validate
    anchor_file: Path
    ca: LabCa
    port: int  # of every mail server
    addresses: dict[str, str]  # by the id of the case
    settings: Settings
    ca_file: Path


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """All zones of all cases, served and validated."""
    require_nameservers()
    folder = tmp_path_factory.mktemp("dnssec")
    network = f"127.{100 + secrets.randbelow(100)}.{secrets.randbelow(256)}"
    port = 10_000 + secrets.randbelow(20_000)  # below those that the system gives to clients
    ca = LabCa()
    addresses = {case.id: f"{network}.{number}" for number, case in enumerate(CASES, start=10)}
    zones = {"": Trust.SIGNED, "test": Trust.SIGNED, "insecure.test": Trust.UNSIGNED}
    zones |= {name: trust for case in CASES for name, trust in case.zones()}
    records = [record for case in CASES for record in case.records(addresses[case.id], port, ca)]
    nameserver, resolver, forwarder = (f"{network}.{number}" for number in (2, 3, 4))
    ca_file = folder / "ca.pem"
    ca.write_pem(ca_file)
    settings = Settings(
        resolvers=(resolver,),
        dnssec_probe="mx.bogus.test",
        port=port,
        ca_file=ca_file,
        allow_private=True,
        ehlo_name="probe.test",
        confirm_delay_s=0.0,
        pace=Pace(address_interval_s=0.0),
    )
    with serving(
        folder,
        lay_out(records, zones),
        nameserver=nameserver,
        resolver=resolver,
        forwarder=forwarder,
    ):
        anchor_file = folder / "unbound/root.ds"
        yield Tree(
            nameserver=nameserver,
            resolver=resolver,
            forwarder=forwarder,
            anchor_file=anchor_file,
            ca=ca,
            port=port,
            addresses=addresses,
            settings=settings,
            ca_file=ca_file,
        )
