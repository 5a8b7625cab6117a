"""Mailchimp (Marketing API 3.0): people are members of an audience, found by the MD5 of their address.

    new people ──▶ POST /lists/L  (500 at once, those that are there already are left alone)
    all others ──▶ GET member ──▶ PUT member, with a status only where one is meant ──▶ tags ──▶ events

What people did becomes events and, by their campaign's name, tags. The remote id is `AUDIENCE/HASH` of each audience
that a person was ever told to: a campaign may name an audience of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from sync.connectors.answers import Failed, look_one_by_one, no_answer, not_there
from sync.connectors.contract import (
    Checked,
    Choice,
    Connector,
    Context,
    Delivered,
    Feature,
    Inbox,
    Item,
    Mapped,
    Mode,
    NoAnswer,
    Outcome,
    Polled,
    Rejected,
    Request,
    Seen,
    Setting,
    SettingType,
    TooLarge,
)
from sync.connectors.mailchimp.api import (
    ANSWERS,
    Place,
    asked,
    hashed,
    known_places,
    member,
    refusal,
    request,
    send,
)
from sync.connectors.mailchimp.back import is_authentic, poll_with, read_reports
from sync.connectors.mailchimp.person import (
    LANGUAGE,
    STOPPED,
    address_of,
    audiences_of,
    body_of,
    forget,
    tell,
    types_of,
)
from sync.connectors.mailchimp.told import event, place_of, tags_body, tags_of, told

BATCH = 500

# --- One, and many at once ----------------------------------------------------------------------------


def _push_one(context: Context, item: Item) -> Outcome:
    try:
        if item.erase:
            return forget(context, item)
        is_known = item.remote_id is not None and not item.is_due
        return told(context, item, Delivered(remote_id=item.remote_id) if is_known else tell(context, item))
    except Failed as failed:
        return failed.outcome
    except NoAnswer as trouble:
        return no_answer(trouble)


def _push(context: Context, items: Sequence[Item]) -> Iterator[Outcome]:
    """Make new members in one call; who is there already, and everybody else, is told one by one."""
    made: dict[str, Delivered] = {}
    new = {item.push_id: item for item in items if _may_be_new(item)}
    if len(new) > 1:
        try:
            made = _make(context, list(new.values()))
        except Failed as failed:
            if not isinstance(failed.outcome, Rejected | TooLarge):
                yield from (failed.outcome for _ in items)
                return
    for item in items:
        yield told(context, item, made[item.push_id]) if item.push_id in made else _push_one(context, item)


def _may_be_new(item: Item) -> bool:
    """A status is written in such a call: only where it is meant, and nothing else is to be done first."""
    is_plain = item.is_due and not item.erase and item.with_details and item.may_create and item.may_be_mailed
    return is_plain and not (item.remote_id or item.previous_email or item.others or item.lists)


def _make(context: Context, items: Sequence[Item]) -> dict[str, Delivered]:
    audience = context.settings["list"]
    by_email = {(item.mailed or "").lower(): item for item in items}
    body = {"members": [_as_new(context, item) for item in by_email.values()], "update_existing": False}
    response = send(context, "POST", f"/lists/{audience}?skip_merge_validation=true", body)
    said = response.json() if response.status == 200 else None
    if not isinstance(said, dict) or not isinstance(said.get("new_members"), list):
        raise Failed(refusal(context, response))
    made = [str(one.get("email_address")).lower() for one in said["new_members"] if one.get("id")]
    return {
        by_email[email].push_id: Delivered(remote_id=str(Place(audience, hashed(email))))
        for email in made
        if email in by_email
    }


def _as_new(context: Context, item: Item) -> dict[str, Any]:
    body, _, _ = body_of(context, item, None, types_of(context, item, context.settings["list"]))
    body["status"] = body.pop("status_if_new")
    return body


# --- Without changing anything -----------------------------------------------------------------------


def _faults(settings: Mapping[str, Any]) -> dict[str, str]:
    """The host follows from the end of the key: one that has none would be looked up by its name."""
    is_good = settings.get("url") or re.fullmatch(r"[A-Za-z0-9]+-[a-z]{2,5}\d{1,4}", str(settings.get("key") or ""))
    return {} if is_good else {"key": "as Mailchimp shows it, with its end (-us1 or alike)"}


def _check(context: Context) -> Checked | Outcome:
    audience = context.settings.get("list")
    try:
        account = asked(context, "/", "account_id")
        lists = asked(context, "/lists?count=1000&fields=lists.id,lists.name", "lists")["lists"]
        found = {"lists": tuple(Choice(id=str(one["id"]), title=str(one["name"])) for one in lists)}
        if audience not in {one.id for one in found["lists"]}:
            return Checked(identity=_identity(account), found=found, problems=("choose an audience",))
        fields = asked(context, f"/lists/{audience}/merge-fields?count=1000", "merge_fields")["merge_fields"]
    except Failed as failed:
        return failed.outcome
    found["fields"] = tuple(Choice(id=str(one["tag"]), title=str(one.get("name", one["tag"]))) for one in fields)
    problems = not_there(context, [LANGUAGE, *(one.id for one in found["fields"])])
    return Checked(identity=_identity(account), found=found, problems=problems)


def _identity(account: Mapping[str, Any]) -> str:
    return f"account {account.get('account_name') or account['account_id']}"


def _look(context: Context, item: Item) -> Seen:
    address = address_of(item)
    there = member(context, Place(context.settings["list"], hashed(address))) if address else None
    return Seen(remote_id=there["id"], is_stopped=there["status"] in STOPPED) if there else Seen()


def _preview(context: Context, item: Item) -> Sequence[Request]:
    places = [Place(one, hashed(address_of(item) or "")) for one in audiences_of(context, item)]
    if item.erase:
        return [
            request(context, "POST", f"{one.path}/actions/delete-permanent") for one in known_places(item) or places
        ]
    tags, shown = tags_of(item), []
    for place in places:
        body, _, _ = body_of(context, item, None, {})
        shown.append(request(context, "PUT", place.path + "?skip_merge_validation=true", body))
        shown += [request(context, "POST", f"{place.path}/tags", tags_body(tags))] if tags else []
    shown += [request(context, "POST", f"{place_of(one, places).path}/events", event(one)) for one in item.actions]
    return shown


def _poll(context: Context, cursor: str | None) -> Polled | Outcome:
    def page(query: Mapping[str, str]) -> list[dict[str, Any]]:
        path = f"/lists/{context.settings['list']}/members?{urlencode(query)}"
        found: list[dict[str, Any]] = asked(context, path, "members")["members"]
        return found

    try:
        return poll_with(page, cursor, context.now())
    except Failed as failed:
        return failed.outcome


connector = Connector(
    kind="mailchimp",
    title="Mailchimp",
    summary="An audience of Mailchimp: people as members, campaigns as tags, what they did as events.",
    settings=(
        Setting(key="key", title="API key", secret=True, help="Profile, Extras, API keys. It ends with -us1 or alike."),
        Setting(key="list", title="Audience", type=SettingType.FOUND, among="lists", place=True),
        Setting(
            key="ask_again",
            title="Ask people back",
            type=SettingType.FLAG,
            required=False,
            default=False,
            help="Who left at Mailchimp and consented again since is asked by a mail of Mailchimp's.",
        ),
        Setting(
            key="hook_secret",
            title="Secret in the webhook's address",
            secret=True,
            required=False,
            help="Mailchimp signs nothing: end the address of the webhook with ?secret= and this.",
        ),
        Setting(
            key="url",
            title="Address of the API",
            type=SettingType.URL,
            required=False,
            place=True,
            help="Leave empty: it follows from the key.",
        ),
    ),
    features=frozenset(set(Feature)),
    push=_push,
    check=_check,
    preview=_preview,
    look=look_one_by_one(_look),
    inbox=Inbox(is_authentic=is_authentic, read=read_reports, is_signed=False),
    poll=_poll,
    faults=_faults,
    answers=ANSWERS,
    batch_size=BATCH,
    concurrency=10,
    poll_every=timedelta(minutes=15),
    mapping=(
        Mapped(source="first_name", target="FNAME"),
        Mapped(source="last_name", target="LNAME"),
        Mapped(source="phone", target="PHONE"),
        Mapped(source="language", target=LANGUAGE),
    ),
    modes=frozenset(Mode),
)
