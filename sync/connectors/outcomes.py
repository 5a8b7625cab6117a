"""What a connector returns: what became of an item, of a check, of a look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sync.terms import ConsentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """What the CRM says of a person's mail by itself: a stop, or `opt_in`; and since when, null where it does not say.

    It goes into the consent ledger with the source `crm`, under `email` where that is not the address told.
    """

    kind: ConsentKind
    at: datetime | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The CRM knows it now, also when it did before (`changed` false). `actions_done` are keys of actions."""

    remote_id: str | None = None
    changed: bool = True
    actions_done: tuple[str, ...] = ()
    remote: RemoteState | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """A part is done and is not repeated: the person where `person_done`, and these actions. `rest` tells of the rest.

    `rejected_actions` maps keys of actions that the CRM will not take to its code.
    """

    rest: Retry | RateLimited | Rejected | Misconfigured
    person_done: bool = True
    remote_id: str | None = None
    actions_done: tuple[str, ...] = ()
    rejected_actions: Mapping[str, str] = field(default_factory=dict)
    remote: RemoteState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Passing trouble; `after` where the CRM says when. `of_destination`: others would fail too."""

    reason: str
    after: timedelta | None = None
    of_destination: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited:
    """Too fast: pauses the destination and costs the item no attempt."""

    after: timedelta | None = None
    reason: str = "rate_limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Refused for good, until the item changes or somebody tries again.

    `message` in the CRM's words is scrubbed and cut by the engine; `remote` is there where it tells of a stop.
    """

    code: str
    message: str = ""
    remote: RemoteState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconfigured:
    """Key, permission, list or field wrong: the destination is paused, everything stays pending."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """The batch is too large: the engine halves it. Alone it is a rejection."""


Outcome = Delivered | Partial | Retry | RateLimited | Rejected | Misconfigured | TooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A list, group or field that was found: people choose instead of typing ids."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A connection that works: `identity` says as whom; `found` what there is by name (`lists`, `fields`)."""

    identity: str
    found: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a person stands in the CRM before anything is sent; `remote_id` null: not there."""

    remote_id: str | None = None
    is_stopped: bool = False
