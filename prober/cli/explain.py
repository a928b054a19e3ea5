"""``probe explain CODE…``: what a finding means for mail, and what to do about it."""

import difflib
import enum
import textwrap
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec
import typer

from prober.cli.log_setup import configure_logging
from prober.cli.options import option
from prober.cli.running import exit_statuses
from prober.errors import InputError
from prober.escape import quoted
from prober.records import Code, Severity
from prober.report.output import STDOUT, open_report, plain
from prober.report.page import WIDTH
from prober.rules.clauses import CLAUSES
from prober.rules.operator_advice import explain as explanation

_CODES: Final = {code.value: code for code in Code}
_SEVERITIES: Final = list(Severity)
_NEAREST: Final = 3  # codes in an error message
_LEAST_LIKE: Final = 0.5  # of 1; difflib's 0.6 finds nothing for "expired"
_INDENT: Final = "  "


class ExplainFormat(enum.StrEnum):
    """How to show the findings."""

    TEXT = "text"
    JSON = "json"


def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODE",
            help="The codes of findings, as reports show them. All findings, one line each, if "
            "not given.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        ExplainFormat,
        option("--format", "-f", help="text or json.", env="EXPLAIN_FORMAT", panel="Report"),
    ] = ExplainFormat.TEXT,
) -> None:
    """Explain a finding: what it means for mail, what to do about it, and the norm behind it.

    Contacts nobody. Exit status: 0 explained; 2 usage, or no finding has the code.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        chosen = [parse_code(text) for text in codes or ()]
        everything = sorted(Code, key=lambda code: _SEVERITIES.index(code.severity))
        if format_ is ExplainFormat.JSON:
            rows = list(map(explanation, chosen or everything))
            text = msgspec.json.format(msgspec.json.encode(rows)).decode()
        elif chosen:
            text = "\n\n".join(map(render, chosen))
        else:
            text = "\n".join(_lines(everything))
        with open_report(STDOUT, plain(str), None) as writer:
            writer.write(text)


def parse_code(text: str) -> Code:
    """The finding with the code *text*. Raises InputError that names similar codes."""
    wanted = text.strip().lower().replace("_", "-")
    if wanted in _CODES:
        return _CODES[wanted]
    parts = [code for code in _CODES if wanted and wanted in code]
    like = difflib.get_close_matches(wanted, _CODES, _NEAREST, _LEAST_LIKE)
    nearest = ", ".join(list(dict.fromkeys([*like, *parts]))[:_NEAREST])
    hint = f"the nearest are: {nearest}" if nearest else "`probe explain` lists all"
    raise InputError(f"no finding has the code {quoted(text)}; {hint}")


def render(code: Code) -> str:
    """The whole row of *code*, in lines that fit the paper."""
    paragraphs = [
        code.meaning,
        f"What to do: {code.advice}",
        *_at_operators(code),
        _in_ascii(f"Norm: {code.norm}"),
        *_clauses(code),
    ]
    return "\n".join([f"{code} ({code.severity})", *map(_fill, paragraphs)])


def _clauses(code: Code) -> Iterator[str]:
    clauses = "; ".join(f"{norm} {where}" for norm, where in CLAUSES[code].items())
    if clauses:
        yield _in_ascii(f"Clauses it is evidence on: {clauses}")


def _in_ascii(text: str) -> str:
    return text.replace("§", "section ")


def _fill(paragraph: str) -> str:
    return textwrap.fill(
        paragraph,
        width=WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=2 * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _at_operators(code: Code) -> Iterator[str]:
    """Advice for certain operators, which replaces the general one. Each text once."""
    domains: dict[str, list[str]] = {}
    for domain, advice in explanation(code).advice_by_operator.items():
        domains.setdefault(advice, []).append(domain)
    for advice, under in domains.items():
        yield f"If the MX host is under {' or '.join(under)}: {advice}"


def _lines(codes: Sequence[Code]) -> Iterator[str]:
    """One line per finding, however long, so that it can be searched."""
    severity_width, code_width = max(map(len, Severity)), max(map(len, codes))
    for code in codes:
        yield f"{code.severity:<{severity_width}}  {code:<{code_width}}  {code.meaning}"
