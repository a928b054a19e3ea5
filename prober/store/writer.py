"""Writes a run to a record while it runs: some observations at a time, each batch a transaction.

Committed observations are never lost. A run that was stopped is continued from its checkpoint,
which is committed together with the observations. If the record cannot be written any more, the
rest of the run goes to a results file beside it.
"""

import hashlib
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec
import sqlalchemy as sa

from prober.escape import as_text
from prober.records import DomainReport
from prober.records.changes import ChangeCounts
from prober.report.json_ import encode_report
from prober.report.sinks import Sink, open_sink
from prober.resume import Checkpoint
from prober.store import schema
from prober.store.batch import MAX_TEXT, Batch, RunPlan, stored_name
from prober.store.database import Store, StoreError
from prober.store.keeping import prunings
from prober.version import __version__

log = logging.getLogger(__name__)

_EVERY_S: Final = 1.0  # what was reported since is probed again after a kill
_AT_ONCE: Final = 500  # reports of one transaction


class RunWriter:
    """The record of one run, as a scan sees it: it takes reports, and saves checkpoints.

    ``start`` is the checkpoint of an earlier run that this one continues. ``spilt`` is the results
    file with what could not be written to the record.
    """

    def __init__(self, store: Store, plan: RunPlan, *, resume: bool = False) -> None:
        self._store = store
        self._plan = plan
        self._pending: list[DomainReport] = []
        self._known: dict[bytes, int] = {}
        self._pruned = 0
        self._due = monotonic() + _EVERY_S
        self._spill: Sink | None = None
        self._fault: StoreError | None = None
        self.spilt: Path | None = None
        self.counts = ChangeCounts()
        self.start: Checkpoint | None = None
        self._run_id = self._go_on() if resume else 0
        self._is_resumed = self._run_id != 0
        if not self._run_id:
            self._run_id = self._begin()

    @property
    def run_id(self) -> int:
        """The id of the run in the record."""
        return self._run_id

    @property
    def is_due(self) -> bool:
        """Whether there are enough reports, or enough time has passed, to write them."""
        return len(self._pending) >= _AT_ONCE or (bool(self._pending) and monotonic() > self._due)

    def add(self, report: DomainReport) -> None:
        """Take one report. Raises StoreError only if it cannot be kept anywhere."""
        if self._spill is not None:
            self._spill.write(encode_report(report) + b"\n")
        else:
            self._pending.append(report)

    def flush(self, checkpoint: Checkpoint | None = None) -> None:
        """Write the reports taken, and with them the checkpoint."""
        if self._spill is not None:
            return
        self._due = monotonic() + _EVERY_S
        pending = list({stored_name(each): each for each in self._pending}.values())
        try:
            with self._store.writing() as connection:
                self._forget_what_was_pruned(connection)
                self._batch(connection).write(pending)
                if checkpoint is not None:
                    self._save(connection, checkpoint=msgspec.json.encode(checkpoint))
        except StoreError as error:
            self._begin_to_spill(error)
        self._pending.clear()

    def finish(self, left_open: Checkpoint | None = None) -> None:
        """The run is complete. Raises StoreError if the record could not be written.

        With *left_open*, another run can continue it from there.
        """
        self.flush()
        if self._spill is None:
            saved = None if left_open is None else msgspec.json.encode(left_open)
            with self._store.writing() as connection:
                self._save(connection, finished_at=datetime.now(UTC), checkpoint=saved)
        if self._spill is not None:
            self._spill.finish()
            raise StoreError(
                f"{self._fault}; the results from there on are in {self.spilt}"
            ) from self._fault

    def abandon(self, checkpoint: Checkpoint | None, *, blind: bool = False) -> None:
        """The run was stopped. Never raises. Nothing is kept if this machine cannot probe."""
        try:
            if blind:
                self._forget()
            else:
                self.flush(checkpoint)
            if self._spill is not None:
                self._spill.finish()
        except Exception as error:
            log.warning("the record of the stopped run: %s", error)

    def _batch(self, connection: sa.Connection) -> Batch:
        return Batch(
            connection,
            self._run_id,
            self._plan,
            self._known,
            self.counts,
            may_repeat=self._is_resumed,
        )

    def _forget_what_was_pruned(self, connection: sa.Connection) -> None:
        pruned = prunings(connection)
        if pruned != self._pruned:
            self._known.clear()
        self._pruned = pruned

    def _begin(self) -> int:
        with self._store.writing() as connection:
            row = {
                "list": as_text(self._plan.list)[:MAX_TEXT],
                "identity": self._identity(),
                "requirement": self._plan.requirement,
                "version": __version__,
                "started_at": datetime.now(UTC),
            }
            statement = sa.insert(schema.run).values(row).returning(schema.run.c.id)
            return int(connection.execute(statement).scalar_one())

    def _go_on(self) -> int:
        """The id of the newest run of the same list and settings, if it is to be continued; else 0.

        Older runs are not continued: what they saw is of another time.
        """
        query = (
            sa.select(schema.run.c.id, schema.run.c.checkpoint, schema.run.c.finished_at)
            .where(schema.run.c.identity == self._identity())
            .order_by(schema.run.c.id.desc())
            .limit(1)
        )
        with self._store.reading() as connection:
            found = connection.execute(query).first()
        if found is None or (found.finished_at is not None and found.checkpoint is None):
            return 0
        if found.checkpoint is not None:
            self.start = msgspec.json.decode(found.checkpoint, type=Checkpoint)
        return int(found.id)

    def _identity(self) -> bytes:
        return hashlib.sha256(json.dumps(dict(self._plan.identity)).encode()).digest()

    def _save(self, connection: sa.Connection, **values: object) -> None:
        where = schema.run.c.id == self._run_id
        connection.execute(sa.update(schema.run).where(where).values(**values))

    def _forget(self) -> None:
        with self._store.writing() as connection:
            for table in (schema.change, schema.proof, schema.observation):
                connection.execute(sa.delete(table).where(table.c.run_id == self._run_id))
            connection.execute(sa.delete(schema.run).where(schema.run.c.id == self._run_id))

    def _begin_to_spill(self, error: StoreError) -> None:
        """From now on, write to a results file. Raises *error* if that cannot be written either."""
        path = self._store.path
        name = f"{path.name if path else 'record'}.run-{self._run_id}.jsonl"
        self.spilt = (path.parent if path else Path()) / name
        log.error("%s; what follows goes to %s", error, self.spilt)
        self._fault = error
        try:
            self._spill = open_sink(self.spilt, what="the results")
            for each in self._pending:
                self._spill.write(encode_report(each) + b"\n")
        except Exception:
            raise error from None
