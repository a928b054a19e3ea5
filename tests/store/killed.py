"""A run that is killed while it writes: ``python -m tests.store.killed DB``, a line a flush."""

import sys
from contextlib import closing

from prober.progress import Positions
from prober.resume import Checkpoint
from prober.store.database import open_store
from prober.store.writer import RunWriter
from tests.store.builders import good, plan, report

DOMAINS = 300
AT_ONCE = 3


def main(db: str) -> None:
    """Write what is not written yet."""
    with closing(open_store(db)) as store:
        writer = RunWriter(store, plan(), resume=True)
        reported = Positions(writer.start.reported if writer.start is not None else ())
        for position in range(DOMAINS):
            if position in reported:
                continue
            if position % AT_ONCE == 0:
                writer.flush(Checkpoint(identity={}, reported=tuple(reported.ranges())))
                print(position, flush=True)
            each = report(good(greeting=f"220 {position}"), name=f"d{position}.example")
            writer.add(each)
            reported.add(position)
        writer.finish()


if __name__ == "__main__":
    main(sys.argv[1])
