"""Last writer wins, field by field: the joins that make every order of arrival end alike (rules 3 and 8)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from sync.terms import Instant

_encoder = msgspec.json.Encoder(order="sorted")


class News(IntEnum):
    """What a join did to what was kept."""

    NOTHING = 0
    #: Something kept moved (a newer time for the same value): it is written, and is no news to anybody.
    BOOKKEEPING = 1
    CHANGED = 2


def canonical(value: Any) -> str:
    """Return a value as canonical JSON: keys sorted, no blanks, nothing escaped without need."""
    return _encoder.encode(value).decode()


def larger_key(value: Any) -> tuple[bool, str]:
    """Return the sort key of "larger": texts as texts, all else as canonical JSON, by code points.

    A text beside something else is compared as JSON too, where it begins with a quotation mark and so is the smaller.
    """
    if isinstance(value, str):
        return False, value
    return True, canonical(value)


def is_empty(value: Any) -> bool:
    """Tell whether a value is empty: null, blank text, `[]`, `{}`. False and 0 are values."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or value in ([], {})


def fuller(one: Any, other: Any) -> Any:
    """Return the better of two values of one field and one stage: non-empty beats empty, then the larger."""
    if one is other:
        return one
    return max((one, other), key=lambda value: (not is_empty(value), larger_key(value)))


#: One field of a campaign, page or org: when it was said, by which action, and what, ready to be compared. The value
#: itself comes last, where it decides nothing: equal texts are equal values.
Given = tuple[Instant, int, bool, str, Any]


def given(at: Instant, action_id: int, value: Any) -> Given:
    """Return a field's value with what decides whether it is the newest."""
    return (at, action_id, *larger_key(value), value)


def join_given(known: dict[str, Given], said: dict[str, Given]) -> News:
    """Join the newest values of fields into `known`, in place."""
    news = News.NOTHING
    for name, new in said.items():
        old = known.get(name)
        if old is None:
            known[name], news = new, News.CHANGED
        elif new > old:
            known[name] = new
            if new[3] != old[3] or new[2] != old[2]:
                news = News.CHANGED
            elif not news:
                news = News.BOOKKEEPING
    return news
