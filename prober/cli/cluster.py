"""``probe scan`` with several processes, or on a cluster."""

import contextlib
import ipaddress
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from prober.cli.distinct_files import Written
from prober.cli.options import ManyReportOptions, option
from prober.cli.reporting import Reporting
from prober.cli.resuming import Resumable
from prober.cli.running import run, tell
from prober.domains import Entry
from prober.errors import BlindError, InputError, ReportError, ResumeError, SettingsError
from prober.records import AcceptedException
from prober.report.interface import Paper
from prober.report.output import STDOUT, Layout, ReportFormat, ReportStyle, layout_of
from prober.settings import Settings
from prober.sharded.folder import WorkFolder
from prober.sharded.stages import Judging, ShardedScan

_PANEL: Final = "Workers"
_SCHEMES: Final = ("tcp", "tls")


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Which processes do the work."""

    workers: Annotated[
        int | None,
        option(
            "--workers",
            min=1,
            max=1024,
            metavar="N",
            help="Probe with N processes on this machine.",
            panel=_PANEL,
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        option(
            "--scheduler",
            metavar="URL",
            help="Probe with the workers of a dask.distributed cluster: tls://HOST:PORT, or tcp.",
            panel=_PANEL,
        ),
    ] = None
    work_folder: Annotated[
        Path | None,
        option(
            "--work-folder",
            metavar="DIR",
            help="Folder for files that workers exchange. Default: FILE.work by the report.",
            panel=_PANEL,
        ),
    ] = None
    shard_size: Annotated[
        int,
        option(
            "--shard-size",
            min=1,
            max=100_000,
            metavar="N",
            help="Domains in one task of a worker.",
            panel=_PANEL,
            show_default=True,
        ),
    ] = 1_000

    @property
    def written(self) -> Iterator[Written]:
        """The folders that these options have written to."""
        if self.work_folder is not None:
            yield Written(str(self.work_folder), "the work folder", folder=True)

    @property
    def is_wanted(self) -> bool:
        """Whether other processes do the work."""
        return self.workers is not None or self.scheduler is not None

    def job(
        self,
        settings: Settings,
        report: ManyReportOptions,
        style: ReportStyle,
        resumable: Resumable,
        exceptions: Mapping[str, AcceptedException],
        *,
        reports: bool = False,
    ) -> ShardedScan:
        """The scan as a job for workers. With *reports* they also return the reports themselves.

        *exceptions*, by domain, are accepted.

        Raises SettingsError where the options contradict, or dask is not installed.
        """
        if self.workers is not None and self.scheduler is not None:
            raise SettingsError("--workers and --scheduler exclude each other")
        if self.scheduler is not None:
            check_scheduler(self.scheduler)
        _require_dask(verbose=report.verbose)
        outputs = report.output or [STDOUT]
        layouts = tuple(_on_paper(layout_of(name, report.format_, style)) for name in outputs)
        if reports:
            layouts += (Layout(format_=ReportFormat.JSONL, style=style, paper=Paper()),)
        return ShardedScan(
            folder=self.work_folder or _beside(outputs),
            settings=settings,
            judging=Judging(
                layouts=layouts,
                require=report.required,
                exceptions=exceptions,
                expires_soon_days=report.expires_soon,
            ),
            identity=resumable.identity,
            resume=resumable.resume,
            shard_size=self.shard_size,
        )

    def scan(
        self, entries: Iterable[Entry], job: ShardedScan, reporting: Reporting, command: str
    ) -> None:
        """Run *job* and report it. *command* is the command that resumes it."""
        from prober.sharded.dask import local_workers, running_scheduler, scan_in_shards

        if job.resume and not job.continues_run:
            tell(f"there is no run to continue in {job.folder}: starting a new one")

        if self.scheduler is not None:
            cluster = running_scheduler(self.scheduler)
        else:
            cluster = local_workers(self.workers or 1)
        try:
            scanning = partial(
                scan_in_shards,
                entries,
                job,
                cluster,
                reporting.add_rows,
                progress=reporting.progress,
                show=reporting.show,
            )
            totals = run(reporting.watched(scanning))
        except (BlindError, InputError, ResumeError):  # what was done is of no use, or nothing was
            raise
        except BaseException:
            if WorkFolder(job.folder.absolute()).is_begun:
                tell(f"not finished; what was done is in {job.folder}")
                tell(f"continue with: {command}")
            raise
        reporting.add_totals(totals)

    @contextlib.contextmanager
    def clearing(self, job: ShardedScan) -> Iterator[None]:
        """Remove *job* once it is done, or where this machine cannot see and must start again."""
        try:
            yield
        except BlindError:
            self.clear(job)
            raise
        self.clear(job)

    def clear(self, job: ShardedScan) -> None:
        """Remove the work folder of *job*; say where it is if that fails."""
        if not job.folder.exists():
            return
        try:
            WorkFolder(job.folder.absolute()).remove()
        except ReportError as error:
            tell(str(error))


def _require_dask(*, verbose: bool) -> None:
    """Raise SettingsError where dask is not installed. The import takes 0.3 s."""
    try:
        import prober.sharded.dask  # noqa: F401 # only this command needs it
    except ImportError as error:
        raise SettingsError(
            "--workers and --scheduler need dask.distributed: "
            "pip install 'smtp-tls-prober[cluster]'"
        ) from error
    for name in ("distributed", "distributed.client"):  # what matters in them becomes a fault
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.CRITICAL)


def check_scheduler(url: str) -> None:
    """Raise SettingsError for a wrong address; warn where the connection is open to all."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"--scheduler {url}: {error}") from error
    if parts.scheme not in _SCHEMES or not host or port is None:
        raise SettingsError(f"--scheduler {url}: write tls://HOST:PORT or tcp://HOST:PORT")
    if parts.scheme == "tcp" and not _is_loopback(host):
        tell(
            f"{url}: a Dask scheduler and its workers run whatever anybody sends them who can "
            "connect: use tls:// with certificates (docs/scale.md)"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _beside(outputs: Sequence[str]) -> Path:
    """``FILE.work`` beside the first report that is a file."""
    files = [Path(name) for name in outputs if name != STDOUT]
    if not files:
        raise SettingsError("without a report in a file, say where to work: --work-folder DIR")
    return files[0].with_name(f"{files[0].name}.work")


def _on_paper(layout: Layout) -> Layout:
    """*layout* with the width of the terminal, which workers do not know."""
    if not layout.paper.terminal:
        return layout
    width = shutil.get_terminal_size().columns
    return replace(layout, paper=replace(layout.paper, width=width))
