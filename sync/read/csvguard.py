"""Cells of a CSV file that a spreadsheet takes for text, and nothing more.

A cell that begins like a formula is run by spreadsheets, so it is led by an apostrophe. Numbers, dates and phone
numbers begin alike and are harmless: they stay as they are, or sums and look-ups would break.
"""

from __future__ import annotations

import re
from typing import Any

from sync.rules.newest import canonical

_RUNS = ("=", "+", "-", "@", "\t", "\r")
#: Whole numbers and fractions, dates and times, phone numbers as E.164 writes them.
_HARMLESS = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?|[+-]?[0-9]{4,}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+Z?)?")


def cell(value: Any) -> str:
    """Return a value as the text of a cell: nothing for null, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return guarded(value)
    return canonical(value) if isinstance(value, list | dict) else str(value)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet runs."""
    if text.startswith(_RUNS) and not _HARMLESS.fullmatch(text):
        return "'" + text
    return text
