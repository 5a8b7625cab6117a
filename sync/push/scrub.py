"""The CRM's words without the person's values: vendors echo addresses in their errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sync.connectors.contract import Item

LONGEST = 300
HIDDEN = "…"
_EMAIL = re.compile(r"[^\s@\"'<>()\[\]{},;:=&?/\\]+(?:@|%40)[^\s@\"'<>()\[\]{},;:&/\\]+", re.IGNORECASE)
_UNKEPT = re.compile(r"[\x00\ud800-\udfff]")
#: Shorter values would hide syllables of other words.
_SHORTEST = 3


def scrubbed(text: str, item: Item | None) -> str:
    """Return a vendor's text, cut, with every value of the person replaced."""
    if not text:
        return ""
    # No database takes these.
    text = _UNKEPT.sub(HIDDEN, text)
    text = _EMAIL.sub(HIDDEN, text)
    values = {value for value in _values(item) if len(value) >= _SHORTEST} if item is not None else set()
    for value in sorted(values, key=len, reverse=True):
        text = re.sub(re.escape(value), HIDDEN, text, flags=re.IGNORECASE)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + HIDDEN


def _values(item: Item) -> Iterator[str]:
    yield from filter(None, (item.email, item.mailed, item.previous_email, *item.contact_refs))
    yield from (one.email for one in item.others if one.email)
    yield from _texts([one.value for one in item.fields])
    yield from _texts({name: value for name, value in item.record.items() if name not in _NO_VALUES})
    for action in item.actions:
        yield from _texts([action.custom_fields, action.donation])


#: Words of ours that are nobody's.
_NO_VALUES = frozenset({"id", "email_status", "language", "country", "area", "action_count"})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
