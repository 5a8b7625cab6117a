"""What the one door takes: facts to store, or a message to put in quarantine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from sync.rules.facts import Facts
    from sync.terms import Instant


class Arrival(Struct, frozen=True, kw_only=True):
    """Facts of one message. `source` names the way it came and is counted under; `quarantine_id` the row it comes from,
    which is removed in the same transaction."""

    facts: Facts
    source: str = ""
    quarantine_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstorable:
    """A message that cannot be stored, with everything that a later attempt needs.

    `code` and `where` say why, without any value. From `not_before` on it is tried again by itself.
    """

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    source: str
    reader: int | None
    code: str
    where: str = ""
    not_before: Instant | None = None
    quarantine_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Facts that depend on what is stored: `ask` is called under the lock, with the time of it.

    What it raises ends the transaction and comes out of `write`.
    """

    ask: Callable[[Instant], Facts]
