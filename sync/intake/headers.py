"""What the headers of a delivery say, as plain JSON values.

pika gives `count` as a kind of int that is not stored as a number, and `time` as a datetime.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def plain(headers: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return headers that can be stored as JSON in both databases."""
    return {_text(str(name)): _plain(value) for name, value in (headers or {}).items()}


def times_rejected(headers: Mapping[str, Any], queue: str) -> int:
    """Return how often a message was given up here.

    Only deaths in this queue by rejection count: the first entry is normally the wait in the fail queue,
    and a message that somebody replays starts anew.
    """
    deaths = headers.get("x-death")
    if not isinstance(deaths, list):
        return 0
    return sum(
        death["count"]
        for death in deaths
        if isinstance(death, dict)
        and death.get("queue") == queue
        and death.get("reason") == "rejected"
        and isinstance(death.get("count"), int)
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return _text(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _text(str(value))


def _text(text: str) -> str:
    """PostgreSQL takes neither U+0000 nor half a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
