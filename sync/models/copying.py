"""Rows as the text that PostgreSQL's COPY takes, column by column: a third of what the driver needs value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.db import models

from sync.terms import Instant, to_datetime

_NULL = "\\N"
#: What would end a value or a row, or lead an escape.
_SPECIAL = "\\\t\n\r"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Cells = list[str]


def text_of(fields: Sequence[models.Field[Any, Any]], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return rows as COPY reads them; `fields` are their columns. Times are Instants, JSON is text."""
    columns = [_writer(field)(column) for field, column in zip(fields, zip(*rows, strict=True), strict=True)]
    return "".join(["\t".join(cells) + "\n" for cells in zip(*columns, strict=True)]).encode()


def _writer(field: models.Field[Any, Any]) -> Callable[[Sequence[Any]], Cells]:
    if isinstance(field, models.DateTimeField):
        return _moments
    if isinstance(field, models.BooleanField):
        return _truths
    if isinstance(field, models.BinaryField):
        return _bytes
    if isinstance(field, models.IntegerField | models.ForeignKey):
        return _numbers
    return _texts


def _numbers(column: Iterable[int | None]) -> Cells:
    return [_NULL if value is None else str(value) for value in column]


def _truths(column: Iterable[bool | None]) -> Cells:
    return [_NULL if value is None else "t" if value else "f" for value in column]


def _bytes(column: Iterable[bytes | None]) -> Cells:
    return [_NULL if value is None else f"\\\\x{value.hex()}" for value in column]


def _moments(column: Iterable[Instant | None]) -> Cells:
    return [_NULL if value is None else _moment(value) for value in column]


@lru_cache(maxsize=8_192)
def _moment(at: Instant) -> str:
    """Return a time as PostgreSQL reads it. The rows of a message, in all tables, share most of theirs."""
    return to_datetime(at).isoformat()


def _texts(column: Iterable[str | None]) -> Cells:
    every = "".join([value for value in column if value is not None])
    if any(sign in every for sign in _SPECIAL):
        return [_NULL if value is None else value.translate(_ESCAPES) for value in column]
    return [_NULL if value is None else value for value in column]
