"""What a body may say: an object of known names. Errors name fields and never repeat what stands in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.request import Request

from sync.api.problems import invalid
from sync.proca import times
from sync.terms import Instant, to_instant

#: A clock may be a little ahead; further on it would win over everything that is said until then.
_AHEAD = timedelta(minutes=5)
_LARGEST_NUMBER = 2**63 - 1


def told(request: Request, known: Collection[str], *, missing: Collection[str] = ()) -> dict[str, Any]:
    """Return the object in the body; 400 for another thing, for an unknown name, and for one that is missing."""
    content = request.data
    if not isinstance(content, dict):
        raise invalid({"body": ["a JSON object"]})
    errors = {name[:100]: ["there is no such field, or it cannot be changed"] for name in content if name not in known}
    errors |= {name: ["is needed"] for name in missing if content.get(name) is None}
    if errors:
        raise invalid(errors)
    return dict(content)


def text_of(content: Mapping[str, Any], name: str) -> str:
    """Return a text that both databases take."""
    value = content[name]
    if not isinstance(value, str) or not value.strip():
        raise invalid({name: ["a text that is not empty"]})
    if not storable(value):
        raise invalid({name: ["holds a character that cannot be kept"]})
    return value


def storable(text: str) -> bool:
    """Tell whether a text holds neither U+0000 nor half a character."""
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


def number_of(content: Mapping[str, Any], name: str) -> int | None:
    """Return an id, or None where none is said."""
    value = content.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST_NUMBER:
        raise invalid({name: ["a whole number"]})
    return value


def time_of(content: Mapping[str, Any], name: str) -> Instant:
    """Return a time, now where none is said; 400 for one that is to come."""
    value = content.get(name)
    now = timezone.now()
    if value is None:
        return to_instant(now)
    try:
        at = times.parse(value) if isinstance(value, str) else None
    except (times.BadTime, OverflowError):
        at = None
    if at is None:
        raise invalid({name: ["a time in ISO 8601"]})
    if at > to_instant(now + _AHEAD):
        raise invalid({name: ["lies more than 5 minutes ahead"]})
    return at


def word_of(content: Mapping[str, Any], name: str, words: Collection[str]) -> str:
    """Return one of a few words."""
    value = content[name]
    if not isinstance(value, str) or value not in words:
        raise invalid({name: ["one of " + ", ".join(words)]})
    return value
