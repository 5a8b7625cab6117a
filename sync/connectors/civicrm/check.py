"""Whether a connection works: as whom, with which rights, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.connectors.answers import not_there
from sync.connectors.civicrm.api import Call, Row, ask, get, zone_of
from sync.connectors.civicrm.there import clock_trouble
from sync.connectors.contract import Checked, Choice, Context, Misconfigured, Outcome

_READS = {
    "me": get("Contact", ["display_name", "NOW() AS now"], ["id", "=", "user_contact_id"], limit=1),
    "groups": get(
        "Group",
        ["title", "saved_search_id"],
        ["is_active", "=", True],
        ["is_hidden", "=", False],
        order="title",
        limit=1000,
    ),
    "activity_types": get(
        "OptionValue",
        ["name", "label", "value"],
        ["option_group_id:name", "=", "activity_type"],
        ["is_active", "=", True],
        order="weight",
    ),
    "fields": Call(
        "Contact",
        "getFields",
        {
            "action": "create",
            "where": [["type", "IN", ["Field", "Custom"]], ["readonly", "!=", True]],
            "select": ["name", "title"],
        },
    ),
}
#: What the key must be allowed to do, and what it lacks if it may not.
_RIGHTS = (
    ("Contact", "create", "add contacts"),
    ("Contact", "update", "edit all contacts"),
    ("Contact", "delete", "delete contacts"),
    ("GroupContact", "create", "access CiviCRM"),
    ("Activity", "create", "view all activities"),
)
#: Beside the contact's own fields: its first phone number and address.
_JOINED = {
    "phone_primary.phone": "Phone",
    "address_primary.street_address": "Street address",
    "street_number": "Street number, joined to the street address",
    "address_primary.supplemental_address_1": "Second line of the address",
    "address_primary.postal_code": "Postal code",
    "address_primary.city": "City",
    "address_primary.country_id:abbr": "Country (two letters)",
    "address_primary.state_province_id:label": "State or province",
}


_JOINS = ("address_primary.", "phone_primary.", "email_primary.")


def check(context: Context) -> Checked | Outcome:
    """Prove that the key is somebody's, and tell what there is and what is missing."""
    zone = zone_of(context.settings)
    if zone is None:
        return Misconfigured(message="the time zone is unknown")
    found: dict[str, list[Row]] = {}
    for name, answer in zip(_READS, ask(context, list(_READS.values()), read_only=True), strict=True):
        if not isinstance(answer, list):
            return answer
        found[name] = answer
    if len(found["me"]) != 1:
        return Misconfigured(message="CiviCRM does not know the key: nobody is logged in")
    me = found["me"][0]
    *rights, history, campaigns = ask(context, _trying(int(me["id"])), read_only=True)
    problems = [
        *filter(None, [clock_trouble(me.get("now"), zone, context.now())]),
        *_of_rights(rights, history),
        *_of_settings(context.settings, found, campaigns),
        *_of_mapping(context, found["fields"]),
    ]
    return Checked(
        identity=f"{me.get('display_name') or 'contact'} (contact {me['id']})",
        found=_choices(found),
        problems=tuple(problems),
    )


def _trying(me: int) -> list[Call]:
    """Return calls that show what the key may do, tried on its own contact without changing it."""
    calls = []
    for entity, action, _ in _RIGHTS:
        values = {"id": me} if action in ("update", "delete") else {}
        calls.append(Call(entity, "checkAccess", {"action": action, "values": values}))
    return [*calls, get("SubscriptionHistory", ["date"], limit=1), get("Campaign", ["name"], limit=1)]


def _of_rights(answers: Sequence[list[Row] | Outcome], history: list[Row] | Outcome) -> Iterator[str]:
    for (*_, needed), answer in zip(_RIGHTS, answers, strict=True):
        if isinstance(answer, list) and answer and answer[0].get("access") is False:
            yield f"the key lacks a permission: {needed}"
    if not isinstance(history, list):
        yield "the key lacks a permission: administer CiviCRM, without which nobody may read who left a group and when"


def _of_settings(settings: Mapping[str, Any], found: Mapping[str, list[Row]], campaigns: Any) -> Iterator[str]:
    chosen, kind = settings.get("group"), settings.get("activity_type")
    group = next((one for one in found["groups"] if str(one["id"]) == str(chosen)), None)
    if not chosen:
        yield "choose the newsletter group"
    elif group is None:
        yield "the group is not there, or not active"
    elif group.get("saved_search_id"):
        yield "the group is a smart group: nobody can be put into it"
    if not kind:
        yield "choose the activity type"
    elif not any(str(one["value"]) == str(kind) for one in found["activity_types"]):
        yield "the activity type is not there, or not active"
    if settings["campaigns"] and not isinstance(campaigns, list):
        yield "campaigns cannot be read: switch the component CiviCampaign on there, or campaigns off here"


def _of_mapping(context: Context, fields: Sequence[Row]) -> tuple[str, ...]:
    """What is joined is not among the contact's own fields, and `:label` and alike tell how a value is meant."""
    own = {str(one["name"]) for one in fields}
    cannot_tell = {one for one in context.mapped if one.partition(":")[0] in own or one.startswith(_JOINS)}
    return not_there(context, own | set(_JOINED) | cannot_tell)


def _choices(found: Mapping[str, list[Row]]) -> dict[str, tuple[Choice, ...]]:
    fields = {one["name"]: one.get("title") or one["name"] for one in found["fields"]} | _JOINED
    return {
        "groups": tuple(
            Choice(id=str(one["id"]), title=one["title"]) for one in found["groups"] if not one.get("saved_search_id")
        ),
        "activity_types": tuple(Choice(id=str(one["value"]), title=one["label"]) for one in found["activity_types"]),
        "fields": tuple(Choice(id=name, title=title) for name, title in fields.items()),
    }
