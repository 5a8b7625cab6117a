"""A CSV file as rows by the names of its first line, whatever spreadsheet has written it."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

_DELIMITERS = (",", ";", "\t")


class BadTable(ValueError):
    """A file that is no such table, or a line of one; repeats nothing that stands there."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


def table(path: Path, columns: Sequence[str], needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Return each row with the line that it begins on. Cells beyond the named ones stand under an empty name.

    Raises `BadTable` where the first line does not name columns, all of them known, or something is not CSV; OSError.
    """
    csv.field_size_limit(sys.maxsize)
    # A byte that is no UTF-8 spoils its own cell alone.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        header = _header(file.readline(), columns, needed)
        yield from _rows(file, *header)


def _header(line: str, columns: Sequence[str], needed: Sequence[str]) -> tuple[list[str], str]:
    """The columns that the first line names, and what stands between them."""
    delimiter = max(_DELIMITERS, key=line.count)
    names = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
    for number, name in enumerate(names, 1):
        if name not in columns:
            raise BadTable(1, f"must name the columns ({', '.join(columns)}), and column {number} is none of them")
        if names.count(name) > 1:
            raise BadTable(1, f"names the column {columns[columns.index(name)]} twice")
    for name in needed:
        if name not in names:
            raise BadTable(1, f"names no column {name}")
    return names, delimiter


def _rows(file: TextIO, names: list[str], delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    line = 2
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, dict(zip(names, cells, strict=False)) | {"": "".join(cells[len(names) :])}
            line = reader.line_num + 2
    except csv.Error:
        raise BadTable(line, "not CSV (a quotation mark without its other?)") from None
