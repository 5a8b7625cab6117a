"""What a connector is: a value that declares itself and functions that take plain items and return outcomes.

    engine ── Context, [Item, …] ──▶ connector.push ── one Outcome for each Item, in order ──▶ engine

A connector inherits from nothing. `push` is a generator (or returns a list): what it has yielded before it fails is
kept, the rest is tried again in halves, so any subset of items may come again, and everything it does must bear to be
done twice. It never raises because of one item. See docs/connectors.md for a worked example, `conformance.py` for the
trials that every connector passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.connectors.items import STOPPED, ActionItem, Address, CampaignItem, Field, Item, Mapped, Mode
from sync.connectors.outcomes import (
    Checked,
    Choice,
    Delivered,
    Misconfigured,
    Outcome,
    Partial,
    RateLimited,
    Rejected,
    RemoteState,
    Retry,
    Seen,
    TooLarge,
)
from sync.connectors.wire import Http, NoAnswer, Request, Response, form_request, json_request
from sync.terms import STOPS, ConsentKind

if TYPE_CHECKING:
    from sync.connectors.answers import Answer

__all__ = [
    "STOPPED",
    "ActionItem",
    "Address",
    "CampaignItem",
    "Checked",
    "Choice",
    "Connector",
    "Context",
    "Delivered",
    "Feature",
    "Field",
    "FindsBy",
    "Http",
    "Inbound",
    "Inbox",
    "Item",
    "Mapped",
    "Misconfigured",
    "Mode",
    "NoAnswer",
    "Outcome",
    "Partial",
    "Polled",
    "RateLimited",
    "Rejected",
    "RemoteState",
    "Report",
    "Request",
    "Response",
    "Retry",
    "Seen",
    "Setting",
    "SettingType",
    "TooLarge",
    "form_request",
    "json_request",
]

# --- What is declared --------------------------------------------------------------------------------


class Feature(StrEnum):
    """What a CRM can take or tell. The desk and the API show them; the engine asks for them."""

    CONTACTS = "contacts"
    SUBSCRIPTIONS = "subscriptions"
    TAGS = "tags"
    ACTIONS = "actions"
    DONATIONS = "donations"
    CAMPAIGNS = "campaigns"
    ERASE = "erase"
    INBOUND_WEBHOOK = "inbound_webhook"
    INBOUND_POLL = "inbound_poll"


class FindsBy(StrEnum):
    """How a CRM finds a person again that it has told no id of."""

    #: It keeps our supporter id (an external identifier, or it is a mere receiver).
    OUR_ID = "our_id"
    #: It knows people by their email; a person whom we never told it may be there all the same.
    EMAIL = "email"


class SettingType(StrEnum):
    """What a setting holds; the desk makes a form of it."""

    TEXT = "text"
    URL = "url"
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"
    #: One of the things that `check` finds under the name in `among`.
    FOUND = "found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a kind of destination.

    `place` marks what says where data goes (host, account, path): a change of it needs the secrets again.
    """

    key: str
    title: str
    type: SettingType = SettingType.TEXT
    secret: bool = False
    required: bool = True
    default: Any = None
    help: str = ""
    choices: tuple[str, ...] = ()
    among: str = ""
    place: bool = False


# --- What stands beside the items ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a connector is given beside items.

    `settings` holds secrets in clear; `cache` lives as long as the process and may be empty at any time; `note` logs a
    code and ids, never a value; `folder` is where files may be written, null where there is no such place; `cell` makes
    a text of a value that no spreadsheet takes for a formula. `mapped`, for a check: the names of the CRM's fields that
    the mapping writes to.
    """

    destination: int
    settings: Mapping[str, Any]
    http: Http
    now: Callable[[], datetime]
    cache: MutableMapping[str, Any] = field(default_factory=dict)
    note: Callable[..., None] = lambda *_, **__: None
    dry_run: bool = False
    folder: Path | None = None
    cell: Callable[[Any], str] = str
    mapped: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Context(destination={self.destination})"


# --- What comes back ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A request of the CRM to us. Names of headers are in small letters."""

    method: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def __repr__(self) -> str:
        return f"Inbound({self.method})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """That somebody stopped or subscribed in the CRM. One of `supporter` (our id), `remote_id`, `email`, `contact_ref`.

    `kind` is a stop or `opt_in`; `at` null where the CRM does not say; `key` tells the event from others.
    """

    kind: ConsentKind
    key: str
    at: datetime | None = None
    supporter: int | None = None
    remote_id: str | None = None
    email: str | None = None
    contact_ref: str | None = None

    def __post_init__(self) -> None:
        # Delivered, opened, clicked and soft bounces are no words of the ledger.
        if self.kind not in STOPS and self.kind is not ConsentKind.OPT_IN:
            raise ValueError(f"no report: {self.kind}")

    def __repr__(self) -> str:
        return f"Report({self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """A webhook of the CRM's: who may call, and what a call says. A hook without a signature can only stop people."""

    is_authentic: Callable[[Context, Inbound], bool]
    read: Callable[[Context, Inbound], Sequence[Report]]
    is_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What changed in the CRM since a cursor. `more`: ask again at once. The cursor may tell some of it again."""

    reports: tuple[Report, ...]
    cursor: str
    more: bool = False


# --- The connector -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A kind of destination.

    - `push(context, items)` yields one outcome for each item, in order.
    - `check(context)` proves that it works as somebody; an outcome (Misconfigured, Retry, …) where it does not. Where
      the CRM tells its fields, they are found as `fields`, and a mapped one that is not among them is a problem.
    - `preview(context, item)` returns the requests that `push` would make, without asking anybody.
    - `look(context, items)` yields for each, in order, whether they are there, and stopped, and changes nothing; an
      outcome instead, as its last, where it cannot tell. Null for a kind that cannot read.
    - `inbox`, and `poll(context, cursor)` (cursor null: begin now, or where the CRM keeps it), where it can.
    - `faults(settings)` says of each setting what is wrong with it that its type does not tell, without a value.
    - `answers` is what the vendor's answers mean, beside the usual reading (`answers.USUAL`).
    """

    kind: str
    title: str
    settings: tuple[Setting, ...]
    features: frozenset[Feature]
    push: Callable[[Context, Sequence[Item]], Iterable[Outcome]]
    check: Callable[[Context], Checked | Outcome]
    preview: Callable[[Context, Item], Sequence[Request]]
    look: Callable[[Context, Sequence[Item]], Iterable[Seen | Outcome]] | None = None
    inbox: Inbox | None = None
    poll: Callable[[Context, str | None], Polled | Outcome] | None = None
    faults: Callable[[Mapping[str, Any]], Mapping[str, str]] | None = None
    answers: tuple[Answer, ...] = ()
    finds_by: FindsBy = FindsBy.EMAIL
    batch_size: int = 1
    #: How many workers, on all machines together, may talk to it at once, each by one request at a time.
    concurrency: int = 4
    #: Requests a second that the CRM documents; null where it names none.
    rate: float | None = None
    poll_every: timedelta = timedelta(minutes=5)
    mapping: tuple[Mapped, ...] = ()
    modes: frozenset[Mode] = frozenset({Mode.OVERWRITE})
    summary: str = ""

    @property
    def secrets(self) -> frozenset[str]:
        """Keys of the settings that are secret."""
        return frozenset(one.key for one in self.settings if one.secret)
