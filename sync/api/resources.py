"""What there is to read: the kinds of records, what may be asked of each, and what an organisation's token sees."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q

from sync.access.tokens import Caller
from sync.api import shapes
from sync.api.endpoint import Parameter
from sync.api.lists import Resource, number, time, word
from sync.models import ActionPage, Org
from sync.read.records import KINDS, Kind, Record
from sync.terms import ConsentKind, Status

_BOOLEAN = {"type": "boolean"}


def _own(who: Caller) -> Q:
    return Q() if who.org is None else Q(org=who.org)


def _own_or_nobodys(who: Caller) -> Q:
    """An entry that names no organisation speaks of each one."""
    return Q() if who.org is None else Q(org=who.org) | Q(org=None)


def _with_policy(record: Record) -> Record:
    """An organisation without a policy of its own has the default one."""
    return record | {"policy": record["policy"] or settings.SUBSCRIPTION_POLICY}


def _same(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


_PAGES = Kind(
    "action-pages",
    ActionPage,
    _same("id", "proca_id", "name", "locale") | {"campaign": "campaign_id", "org": "org_id"},
    {"campaign_name": "campaign__name", "org_name": "org__name"},
)
_ORGS = Kind("orgs", Org, {"id": "id", "proca_id": "id", "name": "name", "title": "title", "policy": "policy"}, {})

SUPPORTERS = Resource(
    KINDS["supporters"],
    shapes.SupporterShape,
    {
        "email": Parameter("any email of the person, of today or before"),
        "contact_ref": Parameter("Proca's fingerprint of the person"),
        "country": Parameter("as it is shown, such as FR"),
        "campaign": Parameter("name of a campaign in which they did something"),
        "status": word("status of a subscription", Status),
        "org": number("whose subscription"),
        "updated_since": time("changed at this time or later"),
        "search": Parameter("an email, an id, a contactRef, or the beginning of a name"),
    },
)
ACTIONS = Resource(
    KINDS["actions"],
    shapes.ActionShape,
    {
        "campaign": Parameter("id or name"),
        "action_page": Parameter("id or name"),
        "action_type": Parameter("such as register"),
        "supporter": number("who did it; a former id works too"),
        "testing": Parameter("whether it was for trying things out", _BOOLEAN),
        "created_since": time("at this time or later"),
        "created_before": time("before this time"),
    },
)
CAMPAIGNS = Resource(KINDS["campaigns"], shapes.CampaignShape, {})
ACTION_PAGES = Resource(_PAGES, shapes.ActionPageShape, {})
ORGS = Resource(_ORGS, shapes.OrgShape, {}, finish=_with_policy)
SUBSCRIPTIONS = Resource(
    KINDS["subscriptions"],
    shapes.SubscriptionShape,
    {
        "supporter": number("whose; a former id works too"),
        "org": number("at which organisation"),
        "status": word("what holds", Status),
        "updated_since": time("changed at this time or later"),
    },
    visible=_own,
)
CONSENTS = Resource(
    KINDS["consents"],
    shapes.ConsentShape,
    {
        "supporter": number("of whom; a former id works too"),
        "org": number("for which organisation"),
        "kind": word("what was said", ConsentKind),
        "occurred_since": time("said at this time or later"),
    },
    visible=_own_or_nobodys,
)
