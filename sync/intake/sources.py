"""What every way in has in common: a message as it came, batches of them, and what became of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from sync.terms import Verdict

_CUSTOMER_QUEUE = re.compile(r"cus\.([0-9]{1,18})\..+")
_SYSTEM_QUEUE = re.compile(r"system\..+")


class Raw(Struct, frozen=True, kw_only=True):
    """One message as it came.

    `queue` names the source (a queue, `http`, or `file`); `reader` is the organisation it is read for, null
    for `system.…` queues (rule 0); `rejected` how often it was given up before; `has_retry` whether giving it
    up brings it back; `quarantine_id` the row that it waits in.
    """

    body: bytes
    queue: str
    reader: int | None
    headers: dict[str, Any] = {}
    rejected: int = 0
    has_retry: bool = False
    quarantine_id: int | None = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A message that failed without a known reason and is worth another try; `code` says how, no value."""

    code: str


Result = Verdict | GivenUp


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are taken together. `ticket` is known to the source that made it, and to nobody else."""

    raws: tuple[Raw, ...]
    ticket: Any = None


class SourceFailed(Exception):
    """A source that cannot go on, in one line for the person who reads it."""


class NotKept(Exception):
    """A message that neither the tables nor the quarantine takes, and that nobody would bring back."""

    def __init__(self, code: str) -> None:
        super().__init__(f"a message can be neither stored nor quarantined ({code}); it stays where it is")


class Source(Protocol):
    """Where batches come from. None of its methods blocks for longer than it is told."""

    #: How many seconds a batch may be held while the database is away.
    patience: float
    #: Messages that wait behind those already received; null where nobody knows.
    depth: int | None

    @property
    def troubles(self) -> Sequence[str]:
        """Lines for the operator about what could not be read at all."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will come and everything received has been handed out."""

    def next(self, wait: float, most: int) -> Batch | None:
        """Return a batch of at most `most` messages, or None when none is ready within `wait` seconds."""

    def holds(self, batch: Batch) -> bool:
        """Whether settling this batch would still mean anything."""

    def settle(self, batch: Batch, results: Sequence[Result]) -> None:
        """Tell the origin what became of a batch."""

    def release(self) -> None:
        """Let go of everything in hand, as the database is away, and stay away until `resume`."""

    def resume(self) -> None:
        """Receive again."""

    def close(self) -> None:
        """Stop receiving; what was settled is passed on first."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A queue's name and what it says: who reads it, and whether what is given up comes back."""

    name: str
    reader: int | None
    has_retry: bool


def origin_of(queue: str, fallback: int | None) -> Origin:
    """Return what a queue's name says (rule 0); `fallback` reads those whose name says nothing.

    Only `cus.N.…` is known to have a retry circuit: what is rejected elsewhere is gone.
    """
    if match := _CUSTOMER_QUEUE.fullmatch(queue):
        return Origin(queue, int(match[1]), has_retry=True)
    if _SYSTEM_QUEUE.fullmatch(queue):
        return Origin(queue, None, has_retry=False)
    return Origin(queue, fallback, has_retry=False)


def names_its_reader(queue: str) -> bool:
    """Whether a queue's name (or that of the folder a dump of it wrote) says who reads it."""
    return bool(_CUSTOMER_QUEUE.fullmatch(queue) or _SYSTEM_QUEUE.fullmatch(queue))
