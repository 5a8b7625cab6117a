"""Our fields into the CRM's: what is known is written, what an edit cleared is cleared, everything else left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync.connectors.contract import Connector, Field, Mapped, Mode
from sync.terms import DETAILS

#: Of a person's first and last action.
ACTION_FIELDS = (
    "action_type",
    "created_at",
    "campaign_name",
    "campaign_title",
    "custom_fields",
    "tracking",
    "donation",
    "page_name",
)
PERSON_FIELDS = (
    "id",
    "email",
    *DETAILS,
    "language",
    "contact_refs",
    "details_given_at",
    "first_action_at",
    "last_action_at",
    "action_count",
    "extra",
)
#: The first part of a source, and what may follow it.
_GROUPS = {"first_action": ACTION_FIELDS, "last_action": ACTION_FIELDS, "subscription": ("status", "status_changed_at")}
#: Fields below which any name may follow.
_OPEN = frozenset({"extra", "custom_fields", "tracking", "donation"})


class BadMapping(ValueError):
    """A mapping that is none; says what is wrong with it."""


def checked(lines: Any, modes: Iterable[Mode]) -> tuple[Mapped, ...]:
    """Return a mapping as it is kept in JSON (`[{"source", "target", "mode"}]`) as a value; raises `BadMapping`."""
    if not isinstance(lines, list):
        raise BadMapping("must be a list")
    return tuple(_line(number, line, frozenset(modes)) for number, line in enumerate(lines, start=1))


def of(lines: Any, connector: Connector) -> tuple[Mapped, ...]:
    """Return the mapping of a destination as a value, the kind's own where it has none."""
    return connector.mapping if lines is None else checked(lines, connector.modes)


def _line(number: int, line: Any, modes: frozenset[Mode]) -> Mapped:
    if not isinstance(line, dict) or not {"source", "target"} <= set(line) <= {"source", "target", "mode"}:
        raise BadMapping(f"line {number}: source, target and perhaps mode")
    source, target, mode = line["source"], line["target"], line.get("mode", Mode.OVERWRITE)
    if not isinstance(source, str) or not is_source(source):
        raise BadMapping(f"line {number}: unknown source")
    if not isinstance(target, str) or not target.strip():
        raise BadMapping(f"line {number}: no target")
    if mode not in modes:
        raise BadMapping(f"line {number}: mode must be one of {', '.join(sorted(modes))}")
    return Mapped(source=source, target=target, mode=Mode(mode))


def is_source(source: str) -> bool:
    """Tell whether a text names a field of ours."""
    first, _, rest = source.partition(".")
    if first in _GROUPS:
        field, _, deeper = rest.partition(".")
        return field in _GROUPS[first] and (not deeper or field in _OPEN)
    return first in PERSON_FIELDS and (not rest or first in _OPEN)


def fields(
    mapping: Iterable[Mapped], values: Mapping[str, Any], cleared: frozenset[str], language: str | None
) -> tuple[Field, ...]:
    """Return the fields to write; of `values` by group (`first_action`, …), a person's own at the top."""
    found = []
    for one in mapping:
        value = _value(one.source, values)
        if value is None and one.source == "language":
            value = language
        if value not in (None, "", [], {}):
            found.append(Field(name=one.target, value=value, mode=one.mode))
        elif one.source in cleared:
            found.append(Field(name=one.target, value=None, mode=one.mode))
    return tuple(found)


def _value(source: str, values: Any) -> Any:
    for part in source.split("."):
        if not isinstance(values, Mapping):
            return None
        values = values.get(part)
    return values
