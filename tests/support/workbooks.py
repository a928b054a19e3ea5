"""Reads workbooks back with openpyxl, and compares their cells with those of CSV."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from prober.escape import utc

FORMULA_MARK: Final = "'"  # before what CSV neutralises


def read_sheets(path: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of each sheet but the summary, by column, each cell as CSV without marks has it."""
    book = openpyxl.load_workbook(path)
    try:
        return {sheet.title: _rows(sheet) for sheet in book.worksheets if sheet.title != "summary"}
    finally:
        book.close()


def cells_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All cells of each sheet, the names of the columns first."""
    book = openpyxl.load_workbook(path)
    try:
        return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
    finally:
        book.close()


def read_summary(path: Path) -> dict[str, object]:
    """The values of the summary by label; of a label that comes several times, the last one."""
    book = openpyxl.load_workbook(path)
    try:
        return {str(label.value): value.value for label, value in book["summary"].iter_rows()}
    finally:
        book.close()


def csv_rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV report, without the marks before what looks like a formula."""
    rows = csv.DictReader(text.splitlines())
    return [{name: cell.removeprefix(FORMULA_MARK) for name, cell in row.items()} for row in rows]


def _rows(sheet: Worksheet) -> list[dict[str, str]]:
    names, *rows = sheet.iter_rows(values_only=True)
    return [{str(name): _text(cell) for name, cell in zip(names, row, strict=True)} for row in rows]


def _text(cell: object) -> str:
    if isinstance(cell, datetime):
        return utc(cell.replace(tzinfo=UTC))
    return "" if cell is None else str(cell)
