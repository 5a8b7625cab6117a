"""What vendors publish of their APIs for programs, cut down to what is asked here, and whether a request fits it.

Where each comes from and how it is renewed: `NOTICE.md`. An object takes the names that are described and no others,
although vendors drop unknown ones without a word: a name that is written wrong is to be found here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator, FormatChecker

_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date-time", raises=ValueError)(
    lambda value: not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None
)


class Description:
    """One vendor's paths, as OpenAPI writes them."""

    def __init__(self, vendor: str) -> None:
        whole = json.loads((Path(__file__).parent / f"{vendor}.json").read_text(encoding="utf-8"))
        self._paths = [(_pattern(path), methods) for path, methods in whole["paths"].items()]

    def check(self, method: str, path: str, query: str, content: bytes) -> None:
        """Refuse a request that the vendor does not describe."""
        faults = list(self._faults(method, path, query, content))
        assert not faults, f"{method} {path}: {'; '.join(faults)}"

    def _faults(self, method: str, path: str, query: str, content: bytes) -> Iterator[str]:
        found = next(((at, one) for pattern, one in self._paths if (at := pattern.fullmatch(path))), None)
        operation = found[1].get(method.lower()) if found else None
        if found is None or operation is None:
            yield "no such path or method"
            return
        parts = {name: unquote(value) for name, value in found[0].groupdict().items()}
        yield from _parameter_faults(operation, "path", list(parts.items()))
        asked = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        yield from _parameter_faults(operation, "query", asked)
        yield from _body_faults(operation, content)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


def _parameter_faults(operation: Mapping[str, Any], place: str, given: list[tuple[str, str]]) -> Iterator[str]:
    described = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == place}
    yield from (f"no parameter {name}" for name, _ in given if name not in described)
    yield from (
        f"{name} is missing" for name, one in described.items() if one.get("required") and name not in dict(given)
    )
    for name, value in given:
        if name in described:
            schema = described[name]["schema"]
            yield from _schema_faults(schema, _read(schema, value), name)


def _read(schema: Mapping[str, Any], text: str) -> Any:
    """The value that stands in an address for one of this type."""
    match schema.get("type"):
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case "array":
            return [_read(schema["items"], one) for one in text.split(",")]
    return text


def _body_faults(operation: Mapping[str, Any], content: bytes) -> Iterator[str]:
    described = operation.get("requestBody")
    if described is None:
        yield from ["a body where none is described"] if content else []
    elif content:
        yield from _schema_faults(described["content"]["application/json"]["schema"], json.loads(content), "body")
    elif described.get("required"):
        yield "the body is missing"


def _schema_faults(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    for fault in Draft202012Validator(closed(schema), format_checker=_FORMATS).iter_errors(value):
        yield f"{where} {'.'.join(map(str, fault.absolute_path))}: {fault.message}"


def closed(schema: Any) -> Any:
    """The same without room for names that are not described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    inner = {name: closed(one) for name, one in schema.items()}
    return {"additionalProperties": False, **inner} if isinstance(schema.get("properties"), Mapping) else inner
