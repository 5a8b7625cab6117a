"""Values as Mailchimp's merge fields take them; what one does not take is left out, and stops nobody.

The types and what each takes: https://mailchimp.com/developer/marketing/docs/merge-fields/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

_LONGEST = 255
#: Never a default in its place: a birthday that nobody said is worse than none.
_LEFT_OUT: Any = object()


def written(values: Mapping[str, Any], types: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return merge fields as they are written, given the audience's fields by tag; and how many were left out."""
    found = {tag: _written(value, types.get(tag) or _guessed(tag)) for tag, value in values.items()}
    kept = {tag: value for tag, value in found.items() if value is not _LEFT_OUT}
    return kept, len(found) - len(kept)


def _guessed(tag: str) -> dict[str, Any]:
    return {"type": "birthday" if tag == "BIRTHDAY" else "text"}


def _written(value: Any, field: Mapping[str, Any]) -> Any:
    if value is None:
        return ""
    options = field.get("options") or {}
    text = _text(value)
    match field.get("type"):
        case "birthday":
            day = _day(text)
            return _LEFT_OUT if day is None else f"{day:%m/%d}"
        case "date":
            day = _day(text)
            return _LEFT_OUT if day is None else day.isoformat()
        case "number":
            return _number(text)
        case "zip":
            return _if_matches(r"\d{5}", text)
        case "phone" if options.get("phone_format") == "US":
            return _if_matches(r"\(?\d{3}\)?[ -]?\d{3}-?\d{4}", text)
        case "dropdown" | "radio":
            return text if text in options.get("choices", ()) else _LEFT_OUT
        case "address":
            return _LEFT_OUT
        case "url" | "imageurl":
            return _if_matches(r"https?://\S+", text)
    return text[:_LONGEST]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _number(text: str) -> Any:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) and len(text) < _LONGEST else _LEFT_OUT


def _if_matches(pattern: str, text: str) -> Any:
    return text if re.fullmatch(pattern, text) else _LEFT_OUT
