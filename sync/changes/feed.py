"""The change log as others read it: in the order of the commits, nothing skipped.

A cursor is `ID-CHECK`: the change read last, and what tells it from another one of the same id. After a restore the
ids are given again to other changes, and a reader that went on from its cursor would miss them without a word; so a
cursor whose change is not there as it was is refused. `0` is the beginning.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import Any

from sync.models import Change

#: The cursor before everything.
BEGINNING = "0"
_CURSOR = re.compile(r"([0-9]{1,19})(?:-([0-9a-f]{10}))?")
_LARGEST_ID = 2**63 - 1

#: All that there are today; others may come.
KINDS = (
    "supporter.changed",
    "supporter.merged",
    "supporter.erased",
    "action.recorded",
    "action.changed",
    "subscription.changed",
    "consent.recorded",
    "campaign.changed",
    "page.changed",
    "org.changed",
)


class BadCursor(ValueError):
    """A text that was never a cursor."""


class UnknownCursor(Exception):
    """A cursor of another database, or of this one before it was restored; `newest` is the newest that there is."""

    def __init__(self, newest: str) -> None:
        super().__init__("cursor unknown")
        self.newest = newest


class ExpiredCursor(Exception):
    """A cursor older than what is kept; `oldest` is the oldest that there is."""

    def __init__(self, oldest: str) -> None:
        super().__init__("cursor expired")
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class Line:
    """One change."""

    id: int
    kind: str
    object: str
    object_id: int
    occurred_at: datetime
    data: dict[str, Any]
    origin: str

    @property
    def cursor(self) -> str:
        """Return the cursor of whoever has read up to here."""
        return _cursor(self)


@dataclass(frozen=True, slots=True)
class Lines:
    """Changes after a cursor, and the cursor for the next ones; `is_last` when there were no more."""

    lines: tuple[Line, ...]
    next_after: str
    is_last: bool


def after(cursor: str, *, limit: int, kinds: Iterable[str] = ()) -> Lines:
    """Return the changes after a cursor; raises `BadCursor`, `UnknownCursor` or `ExpiredCursor`."""
    start = _start(cursor)
    # Read first: what is committed in between has larger ids, and waits for the next call.
    newest = _newest()
    if newest is None:
        return Lines((), BEGINNING, True)
    rows = _rows().filter(id__gt=start, id__lte=newest.id)
    if wanted := list(kinds):
        rows = rows.filter(kind__in=wanted)
    found = tuple(starmap(Line, rows.order_by("id")[:limit]))
    if len(found) < limit:
        return Lines(found, newest.cursor, True)
    return Lines(found, found[-1].cursor, found[-1].id == newest.id)


def newest_id() -> int:
    """Return the id of the newest change; 0 where there is none."""
    found = Change.objects.order_by("-id").values_list("id", flat=True).first()
    return found or 0


def _start(cursor: str) -> int:
    """Return the id that a cursor stands at, having seen that it is one of ours."""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadCursor("not a cursor")
    start, check = int(match[1]), match[2]
    if start == 0:
        return 0
    row = _rows().filter(id=start).first() if start <= _LARGEST_ID else None
    if row is not None and check in (None, _check(Line(*row))):
        return start
    oldest = _first(_rows().order_by("id"))
    if row is None and oldest is not None and start < oldest.id:
        raise ExpiredCursor(oldest.cursor)
    newest = _newest()
    raise UnknownCursor(newest.cursor if newest else BEGINNING)


def _newest() -> Line | None:
    return _first(_rows().order_by("-id"))


def _first(rows: Any) -> Line | None:
    row = rows.first()
    return Line(*row) if row else None


def _rows() -> Any:
    """The columns of a line: a model for each takes as long as all the rest of a page."""
    return Change.objects.values_list("id", "kind", "object", "object_id", "occurred_at", "data", "origin")


def _cursor(line: Line) -> str:
    return f"{line.id}-{_check(line)}"


def _check(line: Line) -> str:
    text = f"{line.id} {line.kind} {line.object_id} {line.occurred_at.isoformat()}"
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
