"""Values of a decoded message, by what they must be.

Strict where a guess would decide on identity, consent or time; lenient elsewhere, so that an odd value never
costs the message around it.
"""

from __future__ import annotations

from typing import Any

from sync.proca import times
from sync.proca.shapes import Code
from sync.proca.wire import Refused
from sync.terms import Instant

_MAX_ID = 2**63 - 1
_MAX_ID_DIGITS = len(str(_MAX_ID))


def is_empty(value: Any) -> bool:
    """Whether a value is null, blank text, `[]` or `{}`; false and 0 are values."""
    if type(value) is str:
        return not value or value.isspace()
    return value is None or value in ([], {})


def boolean(holder: dict[str, Any], key: str, where: str) -> bool | None:
    """Return true or false as sent, None for null and nothing; no other value is read as one of them."""
    value = holder.get(key)
    if value is None or value is True or value is False:
        return value
    raise Refused(Code.WRONG_TYPE, where + key)


def moment(holder: dict[str, Any], key: str, where: str) -> Instant | None:
    """Return the time under `key`, None where there is none."""
    value = holder.get(key)
    if value is None:
        return None
    if type(value) is not str:
        raise Refused(Code.WRONG_TYPE, where + key)
    if is_empty(value):
        return None
    try:
        return times.parse(value)
    except times.BadTime:
        raise Refused(Code.BAD_TIME, where + key) from None


def required_moment(holder: dict[str, Any], key: str, where: str) -> Instant:
    """Return the time under `key`, which must be there."""
    value = moment(holder, key, where)
    if value is None:
        raise Refused(Code.MISSING, where + key)
    return value


def integer(value: Any) -> int | None:
    """Return a whole number from a number or digits that PostgreSQL's bigint can hold, else None."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= _MAX_ID_DIGITS:
        value = int(value)
    if type(value) is int and -_MAX_ID <= value <= _MAX_ID:
        return value
    return None


def identifier(value: Any, where: str) -> int | None:
    """Return an id of Proca's, None where there is none. A guessed one would be somebody else's."""
    if is_empty(value):
        return None
    number = integer(value)
    if number is None or number < 1:
        raise Refused(Code.WRONG_TYPE, where)
    return number


def text(value: Any) -> str | None:
    """Return a non-blank text as sent, a number as its digits (a postcode sent as 75001), else None."""
    if type(value) is str:
        return None if is_empty(value) else value
    if type(value) is int or type(value) is float:
        return str(value)
    return None


def object_at(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object under `key`, else an empty one: for what a message can do without."""
    value = holder.get(key)
    return value if type(value) is dict else {}


def required_object(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object under `key`, which must be there."""
    value = holder.get(key)
    if value is None:
        raise Refused(Code.MISSING, key)
    if type(value) is not dict:
        raise Refused(Code.WRONG_TYPE, key)
    return value
