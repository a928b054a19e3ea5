"""Reads files of saved results: JSON as `probe scan -o results.jsonl` writes it."""

from collections.abc import Iterator

from prober.domain_list import TextFile
from prober.errors import InputError
from prober.records import DomainReport
from prober.report.json_ import read_columns, read_reports
from prober.rules.mx import ROUTE_ANOMALIES


class ResultsFile(TextFile):
    """A file of results, or stdin, open for reading."""

    contents = (
        "results are JSON lines, as `probe scan -o results.jsonl` writes them, "
        "and reports in other formats cannot be read again"
    )

    def reports(self) -> Iterator[DomainReport]:
        """The records, one at a time. Raises InputError if there is none, or something else."""
        count = 0
        with self.reading():
            try:
                for report in read_reports(self.stream):
                    require_possible(report, f"record {count + 1}")
                    count += 1
                    yield report
            except InputError as error:
                hint = "" if count else f"; {self.contents}"
                raise InputError(f"{self.name}: {error}{hint}") from error
        if not count:
            raise InputError(f"{self.name}: it holds no report")

    def columns(self) -> Iterator[str]:
        """The names of the columns of each record. The position in the file does not change.

        Nothing if the file holds something else: ``reports`` then says what is wrong.
        """
        start = self.stream.tell()
        with self.reading():
            yield from read_columns(self.stream)
            self.stream.seek(start)


def require_possible(report: DomainReport, name: str) -> None:
    """Raise InputError if *report*, called *name*, has values that no run can have written.

    The file may have been edited by hand. Only what the rules rely on is checked.
    """
    for number, seen in enumerate(report.endpoints):
        views: list[tuple[str, tuple[int, ...], tuple[bytes, ...]]]
        views = [("path", seen.path, seen.chain)]
        plain = seen.without_sni
        if plain is not None and plain.chain is not None:
            views.append(("without_sni.path", plain.path, plain.chain))
        for at, answer in enumerate(() if seen.deep is None else seen.deep.answers):
            views.append((f"deep.answers[{at}].path", answer.path, answer.chain))
        for field, path, chain in views:
            if not all(0 <= position < len(chain) for position in path):
                where = f"$.endpoints[{number}].{field}"
                raise InputError(
                    f"{name}: not a report: a position outside the chain - at `{where}`"
                )
    anomalies = report.route.anomalies if report.route is not None else ()
    for number, anomaly in enumerate(anomalies):
        if anomaly.kind not in ROUTE_ANOMALIES:
            where = f"$.route.anomalies[{number}].kind"
            raise InputError(f"{name}: not a report: {anomaly.kind} is not of DNS - at `{where}`")
