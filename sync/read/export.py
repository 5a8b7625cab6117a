"""Records as the lines of a file, CSV or NDJSON, in constant memory."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from sync.models.bulk import is_postgresql
from sync.read.csvguard import cell
from sync.read.money import in_units
from sync.read.records import Kind, Record, records

FORMATS = ("csv", "ndjson")
#: Beside the donation as it is kept, its amount as people write it.
_MONEY = ("donation_amount", "donation_currency")
_encode = msgspec.json.Encoder().encode


def lines(kind: Kind, rows: QuerySet[Any], form: str) -> Generator[str, None, None]:
    """Return the lines of an export, each with its end. Whoever stops early closes them."""
    # One cursor on the server reads one state; SQLite's transactions would keep the writers out.
    with transaction.atomic() if is_postgresql() else nullcontext():
        found = records(kind, rows)
        yield from _csv(kind, found) if form == "csv" else map(ndjson_line, found)


def ndjson_line(record: Record) -> str:
    """Return a record as one line of JSON, exactly as it is kept."""
    return _encode(record).decode() + "\n"


def _csv(kind: Kind, found: Iterable[Record]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    has_money = "donation" in kind.names
    yield writer.writerow([*kind.names, *(_MONEY if has_money else ())])
    for record in found:
        cells = [cell(value) for value in record.values()]
        if has_money:
            cells += _money(record["donation"])
        yield writer.writerow(cells)


def _money(donation: dict[str, Any] | None) -> list[str]:
    if not donation:
        return ["", ""]
    return [in_units(donation["amount"], donation["currency"]), cell(donation["currency"])]


class _Echo:
    """Gives back what the writer of CSV writes."""

    def write(self, text: str) -> str:
        return text
