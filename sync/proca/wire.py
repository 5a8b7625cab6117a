"""JSON off the wire: decoded exactly, not too deep, free of U+0000."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.proca.shapes import Code
from sync.terms import Instant

_BOM = b"\xef\xbb\xbf"
_NUL = "\0"
#: The only way U+0000 gets through the decoder: raw control characters are no JSON.
_NUL_ESCAPE = b"\\u0000"
#: Deeper values are data for nobody, and some encoder on the way to a database or browser gives up on them.
MAX_DEPTH = 100


class Refused(Exception):
    """Reading ends here. Carries the code and the place of an `Unreadable`, never a value of the message."""

    def __init__(self, code: Code, where: str = "", *, not_before: Instant | None = None, public_key: str = "") -> None:
        super().__init__(code, where)
        self.code = code
        self.where = where
        self.not_before = not_before
        self.public_key = public_key


def decode(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`; big integers come out exactly. Raises `Refused`."""
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    try:
        value = msgspec.json.decode(body)
    except UnicodeDecodeError:
        raise Refused(Code.NOT_TEXT) from None
    except msgspec.ValidationError:
        raise Refused(Code.BAD_NUMBER) from None
    except msgspec.MsgspecError:
        raise Refused(Code.NOT_JSON) from None
    except RecursionError:
        raise Refused(Code.TOO_DEEP) from None
    if type(value) is not dict:
        raise Refused(Code.NOT_AN_OBJECT)
    # Counting brackets bounds the depth and spares nearly every message the walk.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise Refused(Code.TOO_DEEP)
    return value


def may_hold_nul(body: bytes) -> bool:
    """Whether a text in this JSON can hold U+0000."""
    return _NUL_ESCAPE in body


def without_nul_in_keys(value: Any) -> Any:
    """Return the value with U+0000 dropped from all keys; of two that become one, that sent clean is kept."""
    if type(value) is list:
        return [without_nul_in_keys(one) for one in value]
    if type(value) is not dict:
        return value
    dirty = {key.replace(_NUL, ""): without_nul_in_keys(one) for key, one in value.items() if _NUL in key}
    return dirty | {key: without_nul_in_keys(one) for key, one in value.items() if _NUL not in key}


def without_nul(value: Any) -> Any:
    """Return the value with U+0000 dropped from all texts; keys are clean already."""
    if type(value) is str:
        return value.replace(_NUL, "")
    if type(value) is list:
        return [without_nul(one) for one in value]
    if type(value) is dict:
        return {key: without_nul(one) for key, one in value.items()}
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested more than `levels` deep."""
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return False
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in value)
