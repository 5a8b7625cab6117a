"""Action Network (OSDI, API v2): people are activists of a group, what they did are submissions of a form.

A submission is posted with a link to its person, which sends no autoresponse, and is one for each person and form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sync.connectors.action_network.api import (
    ANSWERS,
    PAGE,
    STOPS,
    address_in,
    all_of,
    base,
    moment,
    own_id,
    page_of,
    person_by_email,
    request,
    resource,
    said,
    send,
)
from sync.connectors.action_network.person import SUBSCRIBED, UNSUBSCRIBED, address_of, forget, helper, tell
from sync.connectors.answers import Failed, look_one_by_one, one_by_one, with_actions
from sync.connectors.contract import (
    ActionItem,
    Checked,
    Choice,
    Connector,
    Context,
    Delivered,
    Feature,
    Item,
    Mapped,
    Mode,
    Outcome,
    Polled,
    Report,
    Request,
    Seen,
    Setting,
    SettingType,
)

#: What changed while pages were read is read again.
_OVERLAP = timedelta(minutes=5)
_ACTIONS = {"forms": "submissions", "petitions": "signatures"}


def _push_one(context: Context, item: Item) -> Outcome:
    try:
        if item.erase:
            return forget(context, item)
        is_known = item.remote_id is not None and not item.is_due
        person = Delivered(remote_id=item.remote_id) if is_known else tell(context, item)
    except Failed as failed:
        return failed.outcome
    return with_actions(person, _told_actions(context, item, person.remote_id))


# --- What people did ---------------------------------------------------------------------------------


def _told_actions(context: Context, item: Item, remote_id: str | None) -> Iterator[str]:
    """Yield the key of each action that is told; where there is no form for it, its campaign's tag says enough."""
    for action in item.actions if remote_id is not None else ():
        path = _path(context, action)
        if path is not None:
            response = send(context, "POST", path, _submission(context, action, path, remote_id or ""))
            if not _is_there_already(response):
                resource(context, response)
        yield action.key


def _path(context: Context, action: ActionItem) -> str | None:
    sync = action.campaign.sync if action.campaign is not None else {}
    own = sync.get("test_form") if action.testing else None
    for one in (own, sync.get("form"), context.settings.get("form")):
        # Only the form of a path is taken: what a campaign says at Proca is not ours.
        if found := re.fullmatch(r"(?:(forms|petitions)/)?([A-Za-z0-9-]+)", str(one or "")):
            kind = found[1] or "forms"
            return f"/{kind}/{found[2]}/{_ACTIONS[kind]}"
    return None


def _submission(context: Context, action: ActionItem, path: str, remote_id: str) -> dict[str, Any]:
    tracking = action.record.get("tracking") or {}
    source = tracking.get("source") or action.record.get("campaign_name")
    return {
        # Unique in all of Action Network, where a partner may tell the same action to a form of its own.
        "identifiers": [f"proca:{path.split('/')[2]}-{action.key}"],
        "created_date": action.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "triggers": {"autoresponse": {"enabled": False}},
        **({"action_network:referrer_data": {"source": source}} if source else {}),
        "_links": {"osdi:person": {"href": f"{base(context)}/people/{remote_id}"}},
    }


def _is_there_already(response: Any) -> bool:
    words = str(said(response).get("error") or "").lower()
    return response.status in (400, 409) and "identifier" in words and ("taken" in words or "already" in words)


# --- Without changing anything -----------------------------------------------------------------------


def _check(context: Context) -> Checked | Outcome:
    try:
        page_of(context, "/people", {"per_page": "1"}, "osdi:people")
        forms = [("forms", one) for one in all_of(context, "/forms", "osdi:forms")]
        forms += [("petitions", one) for one in all_of(context, "/petitions", "osdi:petitions")]
    except Failed as failed:
        return failed.outcome
    choices = tuple(Choice(id=f"{kind}/{own_id(one)}", title=_title(kind, one)) for kind, one in forms)
    sponsors = [one.get("action_network:sponsor") or {} for _, one in forms]
    group = next((str(one["title"]) for one in sponsors if one.get("title")), "")
    return Checked(identity=f"group {group}" if group else "a group without forms yet", found={"forms": choices})


def _title(kind: str, one: dict[str, Any]) -> str:
    return f"{one.get('title') or one.get('name') or own_id(one)} ({kind.removesuffix('s')})"


def _look(context: Context, item: Item) -> Seen:
    address = address_of(item)
    there = person_by_email(context, address) if address else None
    return Seen() if there is None else Seen(remote_id=own_id(there), is_stopped=address_in(there)[1] in STOPS)


def _preview(context: Context, item: Item) -> Sequence[Request]:
    if item.erase:
        return [request(context, "PUT", f"/people/{item.remote_id}", {})]
    status = SUBSCRIBED if item.may_be_mailed else UNSUBSCRIBED
    shown = [request(context, "POST", "/people", helper(context, item, None, status))]
    paths = [(action, path) for action in item.actions if (path := _path(context, action)) is not None]
    shown += [request(context, "POST", path, _submission(context, one, path, "NEW")) for one, path in paths]
    return shown


# --- Coming back -------------------------------------------------------------------------------------


def _poll(context: Context, cursor: str | None) -> Polled | Outcome:
    """Who left or bounced since the cursor: since when, when the reading began, the page to read next."""
    now = _text(context.now())
    if cursor is None:
        return Polled(reports=(), cursor=f"{now} {now} 1")
    since, began, page = cursor.split(" ")
    began = now if page == "1" else began
    query = {"filter": f"modified_date gt '{since}'", "page": page, "per_page": str(PAGE)}
    try:
        found = page_of(context, "/people", query, "osdi:people")
    except Failed as failed:
        return failed.outcome
    reports = tuple(one for one in map(_report, found) if one is not None)
    if len(found) >= PAGE:
        return Polled(reports=reports, cursor=f"{since} {began} {int(page) + 1}", more=True)
    next_since = _text((moment(began) or context.now()) - _OVERLAP)
    return Polled(reports=reports, cursor=f"{next_since} {began} 1")


def _report(person: dict[str, Any]) -> Report | None:
    email, status = address_in(person)
    kind, remote_id = STOPS.get(status), own_id(person)
    if kind is None or not remote_id:
        return None
    at = moment(person.get("modified_date"))
    return Report(kind=kind, key=f"{remote_id} {at}", at=at, remote_id=remote_id, email=email or None)


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


connector = Connector(
    kind="action_network",
    title="Action Network",
    summary="Activists of a group of Action Network with tags; what they did as submissions of a form.",
    settings=(
        Setting(key="key", title="API key", secret=True, help="Start Organizing, API & Sync, of the group."),
        Setting(
            key="form",
            title="Form or petition",
            type=SettingType.FOUND,
            among="forms",
            required=False,
            help="What people do is told as a submission of this form; without one, as a tag alone.",
        ),
        Setting(
            key="campaign_tags",
            title="A tag for each campaign",
            type=SettingType.FLAG,
            required=False,
            default=True,
        ),
        Setting(
            key="url",
            title="Address of the API",
            type=SettingType.URL,
            required=False,
            place=True,
            help="Leave empty for Action Network's own.",
        ),
    ),
    features=frozenset(
        {
            Feature.CONTACTS,
            Feature.SUBSCRIPTIONS,
            Feature.TAGS,
            Feature.ACTIONS,
            Feature.CAMPAIGNS,
            Feature.INBOUND_POLL,
        }
    ),
    push=one_by_one(_push_one),
    check=_check,
    preview=_preview,
    look=look_one_by_one(_look),
    poll=_poll,
    answers=ANSWERS,
    rate=4,
    poll_every=timedelta(minutes=15),
    mapping=(
        Mapped(source="first_name", target="given_name"),
        Mapped(source="last_name", target="family_name"),
        Mapped(source="street", target="address_line"),
        Mapped(source="postcode", target="postal_code"),
        Mapped(source="locality", target="locality"),
        Mapped(source="region", target="region"),
        Mapped(source="country", target="country"),
        Mapped(source="phone", target="phone"),
        Mapped(source="language", target="language"),
    ),
    modes=frozenset(Mode),
)
