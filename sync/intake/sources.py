"""What every way in has in common: a raw message, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One message as it came.

    `queue` names the source (a queue, `http`, or `file`); `reader` is the organisation it is read for (rule 0), null
    for `system.…` queues; `rejected` how often it was given up before; `has_retry` whether giving it up brings it back.
    """

    body: bytes
    queue: str
    reader: int | None
    headers: dict[str, Any] = field(default_factory=dict)
    rejected: int = 0
    has_retry: bool = False
