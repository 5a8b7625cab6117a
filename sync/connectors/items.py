"""What a connector is given: people and actions as plain values, with no more than the destination may know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sync.terms import Status


class Mode(StrEnum):
    """When a mapped field is written."""

    OVERWRITE = "overwrite"
    ONLY_IF_NEW = "only_if_new"
    ONLY_IF_EMPTY = "only_if_empty"
    APPEND = "append"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """One line of a mapping: a field of ours (`first_name`, `last_action.campaign_name`, …) into one of the CRM's."""

    source: str
    target: str
    mode: Mode = Mode.OVERWRITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A mapped value. None clears; a field that is not there is left alone."""

    name: str
    value: Any
    mode: Mode = Mode.OVERWRITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address or remote contact of the person that is not the one to mail, and how it must end: never subscribed."""

    status: Status
    email: str | None = None
    remote_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignItem:
    """A campaign; `sync` is its own `config.component.sync` at Proca, which wins over the destination's settings."""

    proca_id: int
    name: str | None
    title: str | None
    sync: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own_tags(self) -> tuple[str, ...]:
        """Return the tags that it names itself (`tagids`, a list or a text with commas)."""
        said = self.sync.get("tagids")
        words = said.split(",") if isinstance(said, str) else said if isinstance(said, list) else [said]
        return tuple(text for one in words if one is not None and (text := str(one).strip()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItem:
    """An action to tell, once; `key` is Proca's action id as a text, the same on every retry.

    `record` holds the fields of the API with `campaign_name` beside them; `tags` what it gives its person; `amount` is
    a donation's in whole units of its currency, empty where there is none.
    """

    id: int
    key: str
    action_type: str
    created_at: datetime
    campaign: CampaignItem | None
    testing: bool
    custom_fields: Mapping[str, Any]
    donation: Mapping[str, Any] | None
    record: Mapping[str, Any]
    amount: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One person as the destination should know them now; no more than the destination may know.

    `push_id` is the same on every retry of the same state. `merged_ids` are all former ids of the person.

    - `erase`: forget the person; then nothing but ids, and an address where the CRM gave no id, is there. A CRM that
      deletes nobody is told to mail them no more, and the outcome is a rejection, so that people delete them by hand.
    - `is_due`: whether the person is news; if not, only the actions are.
    - `with_details`: false where the person has left the audience: status and addresses only, no field, no tag.
    - `may_create`: false where only a stop is told: who is not there is not made.
    - `email` is the address shown; `mailed` the one that may be mailed (null: none may); `previous_email` the address
      told before, where it is another one; `others` all further addresses and remote contacts.
    - `lists`: those that the campaigns of the person name at Proca, instead of the destination's own; that one is meant
      too where there are none, and where `also_usual_list` says that others of their campaigns name none.
    - `consent_newer_than_remote`: an explicit opt-in, of `consented_at`, newer than the last stop known here or from
      there. Without it no stop there is ever lifted; with it, only one whose time there is known and older.
    """

    push_id: str
    supporter: int
    merged_ids: tuple[int, ...] = ()
    remote_id: str | None = None
    erase: bool = False
    is_due: bool = True
    with_details: bool = True
    may_create: bool = True
    email: str | None = None
    mailed: str | None = None
    previous_email: str | None = None
    others: tuple[Address, ...] = ()
    contact_refs: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    status: Status = Status.NONE
    status_since: datetime | None = None
    consented_at: datetime | None = None
    consent_newer_than_remote: bool = False
    lists: tuple[str, ...] = ()
    also_usual_list: bool = False
    tags: tuple[str, ...] = ()
    tags_to_remove: tuple[str, ...] = ()
    actions: tuple[ActionItem, ...] = ()
    testing: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)
    subscription: Mapping[str, Any] | None = None

    @property
    def may_be_mailed(self) -> bool:
        """Whether the CRM may mail this person at all."""
        return self.status == Status.SUBSCRIBED and self.mailed is not None

    @property
    def is_stopped(self) -> bool:
        """Whether the person has left, or their address does not work."""
        return self.status in STOPPED

    def values(self, there: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the fields to write, given what the CRM holds already; None for a contact that is new."""
        return {one.name: value for one in self.fields if (value := _written(one, there)) is not LEFT_ALONE}


#: Statuses that forbid mail because somebody or an address said so.
STOPPED = frozenset({Status.UNSUBSCRIBED, Status.BOUNCED, Status.BLOCKED, Status.COMPLAINED})
LEFT_ALONE: Any = object()


def _written(one: Field, there: Mapping[str, Any] | None) -> Any:
    held = None if there is None else there.get(one.name)
    if there is None or one.mode is Mode.OVERWRITE:
        return one.value
    if one.mode is Mode.ONLY_IF_NEW or one.value is None:
        return LEFT_ALONE
    if held in (None, "", []):
        return one.value
    if one.mode is Mode.ONLY_IF_EMPTY:
        return LEFT_ALONE
    return _appended(held, one.value)


def _appended(held: Any, value: Any) -> Any:
    if isinstance(held, list):
        return held if value in held else [*held, value]
    lines = str(held).splitlines()
    return LEFT_ALONE if str(value) in lines else "\n".join([*lines, str(value)])
