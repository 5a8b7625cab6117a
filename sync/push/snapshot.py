"""A batch of claimed rows as plain items: everything read at once, as it is now, and no more than may be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from sync.connectors.contract import STOPPED, ActionItem, Address, Connector, Feature, FindsBy, Item
from sync.models import Action, Contact, Delivery, Destination, FormerSupporter, SharedEmail, Subscription, Supporter
from sync.push import audience, campaigns, consents, deliveries, mapping
from sync.push.addresses import opened
from sync.push.campaigns import Lists
from sync.push.deliveries import Claimed
from sync.read.money import in_units
from sync.read.records import KINDS, Record, records, shown
from sync.rules.contacts import Slot
from sync.terms import ADDRESS, Status

#: So many actions go along with a person at once; more follow.
ACTIONS_AT_ONCE = 50
_TO_FIND = frozenset({"id", "email", "contact_refs", "other_emails"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is to be sent of a row: an item, or nothing (`why` says why not).

    `actions` are the deliveries that it carries, `skipped` those that it leaves out.
    """

    row: Claimed
    item: Item | None = None
    why: str = ""
    actions: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    has_more: bool = False


@dataclass(slots=True)
class _Batch:
    """What was read for all people of a batch."""

    records: dict[int, Record] = field(default_factory=dict)
    members: set[int] = field(default_factory=set)
    within_reach: set[int] = field(default_factory=set)
    subscriptions: dict[int, Record] = field(default_factory=dict)
    formers: dict[int, list[int]] = field(default_factory=dict)
    cleared: dict[int, frozenset[str]] = field(default_factory=dict)
    consents: dict[int, consents.Consented] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    waiting: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    actions: dict[int, ActionItem] = field(default_factory=dict)
    first: dict[int, Record] = field(default_factory=dict)
    last: dict[int, Record] = field(default_factory=dict)
    lists: dict[int, Lists] = field(default_factory=dict)


class Snapshots:
    """Makes items for one destination."""

    def __init__(self, destination: Destination, connector: Connector) -> None:
        self._destination, self._connector = destination, connector
        self._mapping = mapping.of(destination.mapping, connector)

    def of(self, rows: Sequence[Claimed]) -> list[Snapshot]:
        """Return what is to be sent of each row, in order."""
        people = [row.supporter for row in rows if row.kind == "person"]
        batch = self._read(people) if people else _Batch()
        return [self._one(row, batch) for row in self._without_anothers(rows)]

    def _without_anothers(self, rows: Sequence[Claimed]) -> list[Claimed]:
        """After an undone merge a contact is another person's again: what ends one must not reach the other."""
        remote = {one for row in rows for one in row.remote_others}
        if not remote:
            return list(rows)
        told = Delivery.objects.filter(destination_id=self._destination.pk, kind="person", remote_id__in=remote)
        owners = set(told.values_list("remote_id", "supporter_id"))
        anothers = {row.id: {one for one, who in owners if who != row.supporter} for row in rows}
        return [
            replace(row, remote_others=tuple(one for one in row.remote_others if one not in anothers[row.id]))
            for row in rows
        ]

    def _one(self, row: Claimed, batch: _Batch) -> Snapshot:
        if row.kind == "erasure":
            return self._erasure(row)
        if row.supporter not in batch.records:
            # Merged or erased since; the feed will tell.
            return Snapshot(row=row, why="gone")
        return self._person(row, batch)

    def _erasure(self, row: Claimed) -> Snapshot:
        if not self._connector.features & {Feature.ERASE, Feature.SUBSCRIPTIONS}:
            return Snapshot(row=row, why="this kind cannot be told to forget: delete the contact there by hand")
        return Snapshot(row=row, item=_forget(row, ()))

    # A person.

    def _person(self, row: Claimed, batch: _Batch) -> Snapshot:
        who = row.supporter
        is_member = who in batch.members
        subscription = batch.subscriptions.get(who)
        status = Status(subscription["status"]) if subscription else Status.NONE
        if (
            not is_member
            and not row.was_sent
            and (status not in STOPPED or self._connector.finds_by is not FindsBy.EMAIL)
        ):
            return Snapshot(row=row, why="not in the audience", skipped=_ids(batch.waiting.get(who, ())))
        deletes = self._destination.on_bounce == "delete" and Feature.ERASE in self._connector.features
        if deletes and status in (Status.BOUNCED, Status.BLOCKED):
            return self._deletion(row, batch)
        waiting = batch.waiting.get(who, [])
        carried = [one for one in waiting[:ACTIONS_AT_ONCE] if is_member and one[1] in batch.actions]
        actions = tuple(batch.actions[action] for _, action in carried)
        return Snapshot(
            row=row,
            item=self._item(row, batch, is_member=is_member, status=status, actions=actions),
            actions=_ids(carried),
            skipped=_ids(one for one in waiting[:ACTIONS_AT_ONCE] if one not in carried),
            has_more=bool(carried) and len(waiting) > ACTIONS_AT_ONCE,
        )

    def _deletion(self, row: Claimed, batch: _Batch) -> Snapshot:
        """An address that does not work, where people want such contacts deleted. Who was never sent stays away."""
        if not row.was_sent:
            return Snapshot(row=row, why="the address does not work")
        return Snapshot(row=row, item=_forget(row, tuple(batch.formers.get(row.supporter, ()))))

    def _item(
        self, row: Claimed, batch: _Batch, *, is_member: bool, status: Status, actions: tuple[ActionItem, ...]
    ) -> Item:
        who = row.supporter
        record, subscription = batch.records[who], batch.subscriptions.get(who)
        consented = batch.consents.get(who, consents.Consented())
        told = opened(row.told_email)
        lists = batch.lists.get(who, Lists())
        mailed = subscription["email"] if subscription else None
        email = mailed if mailed and status is Status.SUBSCRIBED else record["email"] or mailed
        tags = tuple(self._destination.tags) if is_member else ()
        return Item(
            push_id=f"{self._destination.pk}-{who}-{row.wanted}",
            supporter=who,
            merged_ids=tuple(batch.formers.get(who, ())),
            remote_id=row.remote_id,
            is_due=row.wanted > row.told,
            with_details=is_member,
            may_create=is_member or row.told > 0,
            email=email,
            mailed=mailed,
            previous_email=next((one for one in told[:1] if one != email), None),
            others=self._others(row, _theirs(record, told, email, batch.shared), status),
            contact_refs=tuple(record["contact_refs"]),
            fields=self._fields(row, batch) if is_member else (),
            status=status,
            status_since=subscription["status_changed_at"] if subscription else None,
            consented_at=consented.at,
            consent_newer_than_remote=status is Status.SUBSCRIBED and consented.is_newer,
            lists=lists.named,
            also_usual_list=lists.also_usual,
            tags=tags,
            tags_to_remove=tuple(one for one in row.told_tags if one not in tags) if is_member else (),
            actions=actions,
            testing=record["action_count"] == 0,
            record=self._record(record, is_whole=is_member or (status in STOPPED and who in batch.within_reach)),
            subscription=_plain(subscription),
        )

    def _fields(self, row: Claimed, batch: _Batch) -> Any:
        who = row.supporter
        record = batch.records[who]
        values = {name: shown(name, value) for name, value in record.items()}
        values |= {"first_action": batch.first.get(who), "last_action": batch.last.get(who)}
        values["subscription"] = _plain(batch.subscriptions.get(who))
        cleared = batch.cleared.get(who, frozenset())
        if row.was_sent:
            # Hidden with the postcode they belong to: an old street beside a new town would be wrong there.
            cleared |= frozenset(name for name in ADDRESS if record[name] is None)
        return mapping.fields(self._mapping, values, cleared, self._destination.language)

    def _record(self, record: Record, *, is_whole: bool) -> Record:
        """The person as the API shows them; of who left the audience otherwise than by a stop only how to find them."""
        return {name: shown(name, value) for name, value in record.items() if is_whole or name in _TO_FIND}

    def _others(self, row: Claimed, emails: Iterable[str], status: Status) -> tuple[Address, ...]:
        """All other addresses and remote contacts of the person; they end stopped, the person's own stop first."""
        ends = status if status in STOPPED else Status.UNSUBSCRIBED
        remote = [Address(status=ends, remote_id=one) for one in row.remote_others if one != row.remote_id]
        if self._connector.finds_by is not FindsBy.EMAIL:
            return tuple(remote)
        return (*remote, *(Address(status=ends, email=one) for one in emails))

    # Reading, once for all.

    def _read(self, people: Sequence[int]) -> _Batch:
        batch = _Batch()
        batch.records = {one["id"]: one for one in _rows("supporters", Supporter.objects.filter(pk__in=people))}
        alive = list(batch.records)
        batch.members = audience.among(self._destination, alive)
        batch.within_reach = audience.within_reach(self._destination, alive)
        org = self._destination.org_id
        subscriptions = Subscription.objects.filter(supporter_id__in=alive, org_id=org)
        batch.subscriptions = {one["supporter"]: one for one in _rows("subscriptions", subscriptions)}
        batch.formers = _formers(alive)
        batch.cleared = _cleared(alive)
        batch.consents = consents.read(org, batch.subscriptions)
        if self._connector.finds_by is FindsBy.EMAIL:
            batch.shared = _shared(batch.records.values())
        self._read_actions(batch, alive)
        batch.lists = campaigns.lists(audience.actions(self._destination), alive)
        return batch

    def _read_actions(self, batch: _Batch, people: list[int]) -> None:
        waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)
        if self._destination.actions and Feature.ACTIONS in self._connector.features:
            for pk, who, action in deliveries.waiting_actions(self._destination.pk, people):
                waiting[who].append((pk, action))
        batch.waiting = waiting
        wanted = {action for rows in waiting.values() for _, action in rows[:ACTIONS_AT_ONCE]}
        allowed = audience.actions(self._destination)
        batch.actions = {one.id: one for one in _action_items(allowed.filter(pk__in=wanted))}
        if any("_action." in one.source for one in self._mapping):
            batch.first, batch.last = _first_and_last(people, testing=self._destination.testing)


def _theirs(record: Record, told: Iterable[str], email: str | None, shared: Collection[str]) -> list[str]:
    """All addresses of a person but one; none that others have too, whom a stop of it would hit."""
    known = dict.fromkeys([record["email"], *record["other_emails"], *told])
    return [one for one in known if one and one != email and one not in shared]


def _forget(row: Claimed, merged: tuple[int, ...]) -> Item:
    told = opened(row.told_email)
    remote = [Address(status=Status.UNSUBSCRIBED, remote_id=one) for one in row.remote_others]
    return Item(
        push_id=f"{row.id}-{row.supporter}-{row.wanted}-erasure",
        supporter=row.supporter,
        merged_ids=merged,
        remote_id=row.remote_id,
        erase=True,
        with_details=False,
        may_create=False,
        email=told[0] if told else None,
        others=(*remote, *(Address(status=Status.UNSUBSCRIBED, email=one) for one in told[1:])),
    )


def _ids(rows: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(pk for pk, _ in rows)


def _plain(subscription: Record | None) -> Record | None:
    """A subscription as the API shows it."""
    if subscription is None:
        return None
    return {name: shown(name, subscription[name]) for name in KINDS["subscriptions"].fields}


def _rows(kind: str, rows: Any) -> list[Record]:
    names = KINDS[kind].fields
    return [dict(zip(names, values, strict=True)) for values in rows.values_list(*names.values())]


def _formers(people: Collection[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    layer = {one: one for one in people}
    while layer:
        rows = FormerSupporter.objects.filter(into_id__in=list(layer)).values_list("pk", "into_id")
        following: dict[int, int] = {}
        for former, into in rows:
            owner = layer[into] if into is not None else 0
            if former not in found[owner]:
                found[owner].append(former)
                following[former] = owner
        layer = following
    return {owner: sorted(formers) for owner, formers in found.items()}


def _cleared(people: Collection[int]) -> dict[int, frozenset[str]]:
    """Return the fields that an edit of each person has cleared."""
    found: dict[int, frozenset[str]] = {}
    for who, said in Contact.objects.filter(supporter_id__in=list(people)).values_list("supporter_id", "said"):
        names = {
            name
            for slot, *_, fields in said.get("d", ())
            if slot == Slot.EDIT
            for name, value in fields.items()
            if value is None
        }
        if who is not None and names:
            found[who] = found.get(who, frozenset()) | names
    return found


def _shared(people: Iterable[Record]) -> set[str]:
    """Return the addresses of these people that others have too: what is said of one must not stop the other."""
    emails = {one for record in people for one in (record["email"], *record["other_emails"]) if one}
    declared = SharedEmail.objects.filter(email__in=emails).values_list("email", "history")
    shared = {email for email, history in declared if history and history[-1][1]}
    owners: dict[str, set[int]] = defaultdict(set)
    for email, who in Contact.objects.filter(~Q(supporter=None), email__in=emails).values_list("email", "supporter_id"):
        owners[email].add(who or 0)
    return shared | {email for email, people_of in owners.items() if len(people_of) > 1}


_CAMPAIGN = ("campaign__proca_id", "campaign__name", "campaign__title", "campaign__config")


def _action_items(rows: Any) -> list[ActionItem]:
    names = [*KINDS["actions"].fields, "campaign_name"]
    campaigns_of = {pk: values for pk, *values in rows.values_list("pk", *_CAMPAIGN)}
    found = []
    for whole in records(KINDS["actions"], rows):
        record = {name: whole[name] for name in names}
        found.append(
            ActionItem(
                id=record["id"],
                key=str(record["action_id"]),
                action_type=record["action_type"],
                created_at=_moment(record["created_at"]),
                campaign=campaigns.item(*campaigns_of[record["id"]]),
                testing=record["testing"],
                custom_fields=record["custom_fields"],
                donation=record["donation"],
                record=record,
                amount=_amount(record["donation"]),
            )
        )
    return found


def _amount(donation: Any) -> str:
    return in_units(donation.get("amount"), donation.get("currency")) if isinstance(donation, dict) else ""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _first_and_last(people: Collection[int], *, testing: bool) -> tuple[dict[int, Record], dict[int, Record]]:
    rows = Action.objects.filter(supporter_id__in=list(people))
    if not testing:
        rows = rows.filter(stage="deliver", testing=False)
    first: dict[int, Record] = {}
    last: dict[int, Record] = {}
    columns = {
        "who": "supporter_id",
        "action_type": "action_type",
        "created_at": "created_at",
        "campaign_name": "campaign__name",
        "campaign_title": "campaign__title",
        "custom_fields": "custom_fields",
        "tracking": "tracking",
        "donation": "donation",
        "page_name": "action_page__name",
    }
    for values in rows.order_by("created_at", "action_id").values_list(*columns.values()):
        record = {name: shown(name, value) for name, value in zip(columns, values, strict=True)}
        who = record.pop("who")
        first.setdefault(who, record)
        last[who] = record
    return first, last
