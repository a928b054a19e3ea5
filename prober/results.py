"""Files of saved results: JSON as `probe scan -o results.jsonl` writes it, to be read again."""

from collections.abc import Iterator

from prober.domain_list import TextFile
from prober.errors import InputError
from prober.records import DomainReport
from prober.report.json_ import read_columns, read_reports


class ResultsFile(TextFile):
    """A file of results, or stdin, open for reading."""

    contents = "results are JSON lines, as `probe scan -o results.jsonl` writes them"

    def reports(self) -> Iterator[DomainReport]:
        """The records, one at a time. Raises InputError where it holds none, or something else."""
        count = 0
        with self.reading():
            try:
                for report in read_reports(self.stream):
                    count += 1
                    yield report
            except InputError as error:
                hint = "" if count else f"; {self.contents}"
                raise InputError(f"{self.name}: {error}{hint}") from error
        if not count:
            raise InputError(f"{self.name}: it holds no report")

    def columns(self) -> Iterator[str]:
        """The names of the columns of each record, read through to the end and rewound.

        Nothing where it holds something else: ``reports`` tells what.
        """
        start = self.stream.tell()
        with self.reading():
            yield from read_columns(self.stream)
            self.stream.seek(start)
