"""Pages by key: `id > cursor`, so that page 10,000 costs what page 1 costs, and nothing moves under a reader."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework.request import Request

from sync.api.problems import invalid

PARAMETERS = frozenset({"cursor", "page_size"})
DEFAULT_SIZE = 100
LARGEST_SIZE = 1000
_LARGEST_ID = 2**63 - 1
_TIMES = ("_since", "_before")
_CURSOR = re.compile(r"([<>])([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: behind an id, or before one."""

    backwards: bool
    id: int

    @property
    def text(self) -> str:
        """The form in which clients keep it, without looking into it."""
        sign = "<" if self.backwards else ">"
        return base64.urlsafe_b64encode(f"{sign}{self.id}".encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of their ids, and the addresses of their neighbours."""

    rows: list[tuple[Any, ...]]
    next: str | None
    previous: str | None


def page(request: Request, rows: QuerySet[Any], fields: list[Any]) -> Page:
    """Return one page of these rows as tuples of fields, of which the first is the id."""
    size, cursor = _size(request), _cursor(request)
    backwards = cursor is not None and cursor.backwards
    if cursor is not None:
        rows = rows.filter(pk__lt=cursor.id) if backwards else rows.filter(pk__gt=cursor.id)
    found = list(rows.order_by("-pk" if backwards else "pk").values_list(*fields)[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    ahead = backwards or has_more
    behind = has_more if backwards else cursor is not None
    return Page(
        found,
        _address(request, Cursor(False, found[-1][0])) if ahead and found else None,
        _address(request, Cursor(True, found[0][0])) if behind and found else None,
    )


def _size(request: Request) -> int:
    text = request.query_params.get("page_size")
    if text is None:
        return DEFAULT_SIZE
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= LARGEST_SIZE:
        raise invalid({"page_size": [f"a whole number from 1 to {LARGEST_SIZE}"]})
    return int(text)


def _cursor(request: Request) -> Cursor | None:
    text = request.query_params.get("cursor")
    if text is None:
        return None
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        plain = ""
    match = _CURSOR.fullmatch(plain)
    if match is None or int(match[2]) > _LARGEST_ID:
        raise invalid({"cursor": ["take it from `next` or `previous`"]})
    return Cursor(match[1] == "<", int(match[2]))


def _address(request: Request, cursor: Cursor) -> str:
    query = QueryDict(mutable=True)
    for name, value in request.query_params.items():
        # The plus of an offset that came unescaped is a space here; it goes out escaped.
        query[name] = str(value).replace(" ", "+") if name.endswith(_TIMES) else str(value)
    query["cursor"] = cursor.text
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
