"""A batch of people into CiviCRM: two requests that read, one for the contacts, one for all that hangs on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sync.connectors.civicrm.api import Call, Row, ask, get, is_page, requests, save, zone_of
from sync.connectors.civicrm.plan import NEW, Plan, may_make, plan, with_id
from sync.connectors.civicrm.there import (
    Contact,
    Known,
    Match,
    There,
    externals,
    group_of,
    known,
    match,
    read,
    stops,
    tag_names,
)
from sync.connectors.contract import (
    Context,
    Delivered,
    Item,
    Misconfigured,
    Outcome,
    Partial,
    RateLimited,
    Rejected,
    Request,
    Retry,
    Seen,
    TooLarge,
)


@dataclass(slots=True)
class _One:
    """A person on the way: what was found, what is to be done, what has become of it."""

    item: Item
    match: Match
    plan: Plan
    contact: int | None
    done: Outcome | None = None
    person: list[Outcome] = field(default_factory=list)
    actions: dict[str, Outcome | None] = field(default_factory=dict)
    wrote: bool = False


def push(context: Context, items: Sequence[Item]) -> Iterator[Outcome]:
    """Yield one outcome for each person, in order. Which of several has stopped the server, halves will tell."""
    for outcome in _push(context, items):
        yield TooLarge() if len(items) > 1 and is_page(outcome) else outcome


def _push(context: Context, items: Sequence[Item]) -> Iterator[Outcome]:
    held = _missing(context, items) or _known(context)
    if not isinstance(held, Known):
        yield from [held] * len(items)
        return
    there = read(context, items, with_campaigns=bool(context.settings["campaigns"]))
    if not isinstance(there, There):
        yield from [there] * len(items)
        return
    yield from _write(context, items, there, held)


def _missing(context: Context, items: Sequence[Item]) -> Misconfigured | None:
    if not group_of(context.settings):
        return Misconfigured(message="choose the newsletter group")
    if not context.settings.get("activity_type") and any(item.actions for item in items):
        return Misconfigured(message="choose the activity type")
    return None


def _known(context: Context) -> Known | Outcome:
    zone = zone_of(context.settings)
    return known(context, zone) if zone is not None else Misconfigured(message="the time zone is unknown")


def _write(context: Context, items: Sequence[Item], there: There, held: Known) -> Iterator[Outcome]:
    if isinstance(trouble := _make_names(context, items, there), Outcome):
        yield from [trouble] * len(items)
        return
    taken: set[int] = set()
    people = [_prepared(context, item, there, held, taken) for item in items]
    _forget(context, there, [one for one in people if one.item.erase])
    _write_contacts(context, [one for one in people if not one.item.erase])
    _write_rest(context, people, there)
    for one in people:
        yield one.done or _outcome(one)


def _prepared(context: Context, item: Item, there: There, held: Known, taken: set[int]) -> _One:
    found = match(context, item, there, taken)
    contact = found.contact
    if contact is not None:
        taken.add(contact.id)
    one = _One(item, found, Plan(), contact.id if contact is not None else None)
    if item.erase:
        return one
    if contact is None and found.trashed is not None and may_make(item):
        words = "the contact is in the trash of CiviCRM: restore it there, or delete it for good"
        one.done = Rejected(code="in_the_trash", message=words)
        return one
    one.plan = plan(context, item, found, there, held)
    return one


# --- Campaigns and tags ------------------------------------------------------------------------------


def _make_names(context: Context, items: Sequence[Item], there: There) -> Outcome | None:
    """Make the campaigns and tags that are missing. What is there is left as it is: people may have renamed it."""
    tags = sorted({tag for item in items for tag in tag_names(item)} - there.tags.keys())
    campaigns = {
        one.campaign.name: one.campaign.title or one.campaign.name
        for item in items
        for one in item.actions
        if one.campaign is not None and one.campaign.name and one.campaign.name not in there.campaigns
    }
    if not context.settings["campaigns"] or there.no_campaigns is not None:
        campaigns = {}
    made = [(there.tags, name, save("Tag", {"name": name, "label": name, **_FOR_CONTACTS}, "name")) for name in tags]
    for name, title in campaigns.items():
        record = {"name": name, "title": title[:255], "is_active": True}
        made.append((there.campaigns, name, save("Campaign", record, "name")))
    for (names, name, _), answer in zip(made, ask(context, [call for *_, call in made]), strict=True):
        if isinstance(answer, Rejected):
            # A name that it does not take: people and what they did go there without it.
            context.note("name_refused")
            continue
        if not isinstance(answer, list):
            return answer
        if not answer:
            return Retry(reason="unreadable_200")
        names[name] = int(answer[0]["id"])
    return None


_FOR_CONTACTS = {"used_for": ["civicrm_contact"]}


# --- Contacts, and what hangs on them ----------------------------------------------------------------


def _write_contacts(context: Context, people: Sequence[_One]) -> None:
    todo = [one for one in people if one.plan.contact is not None]
    calls = [one.plan.contact for one in todo if one.plan.contact is not None]
    for one, answer in zip(todo, ask(context, calls), strict=True):
        if not isinstance(answer, list):
            one.done = answer
        elif not answer or not answer[0].get("id"):
            one.done = Retry(reason="unreadable_200")
        else:
            one.contact, one.wrote = int(answer[0]["id"]), True


def _write_rest(context: Context, people: Sequence[_One], there: There) -> None:
    calls: list[Call] = []
    owners: list[tuple[_One, str | None]] = []
    for one in people:
        if one.done is not None:
            continue
        actions = {} if there.no_campaigns is not None else one.plan.actions
        if there.no_campaigns is not None:
            one.actions = dict.fromkeys(one.plan.actions, there.no_campaigns)
        for key, call in [*((None, call) for call in one.plan.person), *actions.items()]:
            calls.append(with_id(call, one.contact) if one.contact is not None else call)
            owners.append((one, key))
    for (one, key), answer in zip(owners, ask(context, calls), strict=True):
        failure = None if isinstance(answer, list) else answer
        one.wrote = one.wrote or failure is None
        if key is not None:
            one.actions[key] = failure
        elif failure is not None:
            one.person.append(failure)


def _outcome(one: _One) -> Outcome:
    remote_id = str(one.contact) if one.contact is not None else None
    if one.person:
        return _partial(one, one.person[0], remote_id, person_done=False)
    done = tuple(key for key, failure in one.actions.items() if failure is None)
    failures = [failure for failure in one.actions.values() if failure is not None]
    passing = [failure for failure in failures if not isinstance(failure, Rejected)]
    if failures or one.plan.too_wide:
        rest = passing[0] if passing else Retry(reason="an action was refused")
        return _partial(one, rest, remote_id, person_done=True)
    return Delivered(remote_id=remote_id, changed=one.wrote, actions_done=done, remote=one.plan.remote)


def _partial(one: _One, rest: Outcome, remote_id: str | None, *, person_done: bool) -> Outcome:
    if not isinstance(rest, Retry | RateLimited | Rejected | Misconfigured):
        return rest
    refused = {key: failure.code for key, failure in one.actions.items() if isinstance(failure, Rejected)}
    return Partial(
        rest=rest,
        person_done=person_done,
        remote_id=remote_id,
        actions_done=tuple(key for key, failure in one.actions.items() if failure is None),
        rejected_actions=refused | dict.fromkeys(one.plan.too_wide, "id_too_large"),
        remote=one.plan.remote,
    )


# --- Forgetting --------------------------------------------------------------------------------------


def _forget(context: Context, there: There, people: Sequence[_One]) -> None:
    """Delete contacts for good, and first what they did: an activity would outlive them, with its details."""
    whom = {id(one): _to_forget(context, there, one) for one in people}
    ids = sorted({contact for found in whom.values() for contact in found})
    if not ids:
        for one in people:
            one.done = Delivered(changed=False)
        return
    (acts,) = ask(
        context,
        [
            get(
                "ActivityContact",
                ["activity_id", "contact_id"],
                ["contact_id", "IN", ids],
                ["record_type_id:name", "=", "Activity Source"],
            )
        ],
        read_only=True,
    )
    for one in people:
        one.done = acts if not isinstance(acts, list) else _forgotten(context, whom[id(one)], acts)


def _to_forget(context: Context, there: There, one: _One) -> list[int]:
    """Return the contact, and all that an id or our identifier leads to, the trash included."""
    ids = {one.item.remote_id, *(other.remote_id for other in one.item.others)}
    names = externals(context, one.item)
    found = {contact.id for contact in there.contacts.values() if str(contact.id) in ids or contact.external in names}
    return sorted(found | ({one.contact} if one.contact is not None else set()))


def _forgotten(context: Context, ids: Sequence[int], acts: Sequence[Row]) -> Outcome:
    if not ids:
        return Delivered(changed=False)
    activities = sorted({int(row["activity_id"]) for row in acts if int(row["contact_id"]) in ids})
    calls = [Call("Activity", "delete", {"where": [["id", "IN", activities]]})] if activities else []
    calls += [Call("Contact", "delete", {"where": [["id", "=", one], _ANY], "useTrash": False}) for one in ids]
    failures = [answer for answer in ask(context, calls) if not isinstance(answer, list)]
    return failures[0] if failures else Delivered()


_ANY = ["is_deleted", "IN", [True, False]]


# --- Looking -----------------------------------------------------------------------------------------


def look(context: Context, items: Sequence[Item]) -> Iterator[Seen | Outcome]:
    """Yield of each person whether they are there, and whether something stops mail to them."""
    zone, group = zone_of(context.settings), group_of(context.settings)
    if zone is None or not group:
        yield Misconfigured(message="choose the newsletter group and the time zone first")
        return
    for first in range(0, len(items), 50):
        part = items[first : first + 50]
        there = read(context, part, with_campaigns=False)
        if not isinstance(there, There):
            yield there
            return
        for item in part:
            contact = match(context, item, there, set()).contact
            stopped = contact is not None and bool(stops(contact, item.mailed or item.email, [group], zone))
            yield Seen(remote_id=str(contact.id) if contact is not None else None, is_stopped=stopped)


def preview(context: Context, item: Item) -> Sequence[Request]:
    """Return the requests that write, as if the contact were there with nothing but its id, or not at all."""
    zone = zone_of(context.settings)
    if zone is None:
        return []
    contact = Contact({"id": int(item.remote_id)}) if item.remote_id and item.remote_id.isdigit() else None
    if item.erase:
        where = [["id", "=", contact.id if contact else NEW], _ANY]
        return requests(context, [Call("Contact", "delete", {"where": where, "useTrash": False})])
    groups = frozenset(int(one) for one in (str(group_of(context.settings)), *item.lists) if one.isdigit())
    there = There(contacts={}, campaigns={}, tags={}, groups=groups)
    made = plan(
        context,
        item,
        Match(contact, (), None),
        there,
        Known(languages=(), activity_types=(), zone=zone),
    )
    calls = [*([made.contact] if made.contact else []), *made.person, *made.actions.values()]
    return requests(context, calls) if calls else []
