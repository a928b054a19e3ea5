"""``python -m benchmarks``: every benchmark in a process of its own, and one table of it all."""

import enum
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks import (
    deep,
    domain,
    endpoint,
    headers,
    judging,
    latency,
    logs,
    memory,
    record,
    reports,
    served,
    start,
    throughput,
    validation,
    workers,
)
from benchmarks.figures import Figure, Scale, machine, to_markdown, to_table
from benchmarks.process import Measure, in_own_process


class Name(enum.StrEnum):
    """The benchmarks, in the order they run."""

    START = "start"
    ENDPOINT = "endpoint"
    DEEP = "deep"
    DOMAIN = "domain"
    JUDGING = "judging"
    LATENCY = "latency"
    THROUGHPUT = "throughput"
    MEMORY = "memory"
    WORKERS = "workers"
    HEADERS = "headers"
    LOGS = "logs"
    RECORD = "record"
    REPORTS = "reports"
    DNSSEC = "dnssec"
    INTERNET = "internet"


WIDTH: Final = 120  # characters; a narrower table would break its lines
MEASURES: Final[dict[Name, Measure]] = {
    Name.START: start.measure,
    Name.ENDPOINT: endpoint.measure,
    Name.DEEP: deep.measure,
    Name.DOMAIN: domain.measure,
    Name.JUDGING: judging.measure,
    Name.LATENCY: latency.measure,
    Name.THROUGHPUT: throughput.measure,
    Name.MEMORY: memory.measure,
    Name.WORKERS: workers.measure,
    Name.HEADERS: headers.measure,
    Name.LOGS: logs.measure,
    Name.RECORD: record.measure,
    Name.REPORTS: reports.measure,
    Name.DNSSEC: validation.measure,
    Name.INTERNET: served.measure,
}


def main(
    only: Annotated[
        list[Name] | None, typer.Option(help="Run this benchmark; repeatable. All if not given.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small numbers: shows that it works, no more.")
    ] = False,
    memory_domains: Annotated[
        int | None, typer.Option(min=1, help="Domains of the memory benchmark; 200,000.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as docs/performance.md has it.")
    ] = False,
) -> None:
    """Measure what the prober costs against a simulated Internet, and print a table.

    docs/performance.md says what the figures mean; each module of benchmarks/ how it measures.
    """
    scale = Scale(quick=quick, memory_domains=memory_domains)
    described = machine() + (". Quick: not to be quoted." if quick else "")
    progress = Console(stderr=True)
    rows: list[tuple[str, ...]] = []
    for name in only or list(Name):
        progress.print(f"{name} …", style="dim")
        rows += [figure.cells(name) for figure in _measured(name, scale)]
    if markdown:
        typer.echo(f"{described}\n\n{to_markdown(rows)}")
    else:
        terminal = Console()
        console = Console(width=max(terminal.width, WIDTH))
        console.print(described)
        console.print(to_table(rows))


def _measured(name: Name, scale: Scale) -> list[Figure]:
    return in_own_process(MEASURES[name], scale)


if __name__ == "__main__":
    typer.run(main)
