"""What the servers of the lab send, the hostile ones too, comes out of the record unchanged."""

import contextlib
from pathlib import Path

from prober.domains import parse_entry
from prober.lab.demo import DEMO
from prober.lab.internet import Lab
from prober.records import DomainReport
from prober.rules.verdict import facts_of
from prober.scan import scan
from prober.store.asking import reports_of
from prober.store.database import open_store
from prober.store.facts import without_judgement
from tests.store.builders import record
from tests.support.waiting import PATIENT

_SLOW = ("silent.test", "dns-broken.test")  # they send nothing


async def test_what_the_lab_sends_comes_out_unchanged(tmp_path: Path) -> None:
    names = [domain.name for domain in DEMO if domain.name not in _SLOW]
    seen: list[DomainReport] = []
    async with Lab(DEMO) as lab:
        entries = [parse_entry(name) for name in names]
        await scan(entries, lab.settings(**PATIENT), seen.append)
    with contextlib.closing(open_store(str(tmp_path / "probe.db"))) as store:
        writer = record(store, seen)
        with store.reading() as connection:
            found = list(reports_of(connection, writer.run_id))

    assert len(found) == len(names)
    after = {each.domain: each for each in found}
    for before in seen:
        assert after[before.domain] == before
        assert without_judgement(facts_of(after[before.domain])) == without_judgement(
            facts_of(before)
        )
