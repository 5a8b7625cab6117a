"""Who is sent first: the audience of a destination, as a query. Whoever was sent once is followed whatever it says."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from sync.models import Action, Destination, Subscription, Supporter
from sync.terms import Stage, Status

WHO = ("subscribed", "consented", "everyone")
DEFAULT: dict[str, Any] = {"who": "subscribed", "campaigns": [], "action_types": [], "countries": []}
#: Those who said yes and may still have to click; nobody who left.
_CONSENTED = (Status.SUBSCRIBED, Status.PENDING)
_STOPPED = (Status.UNSUBSCRIBED, Status.BOUNCED, Status.BLOCKED, Status.COMPLAINED)


class BadAudience(ValueError):
    """An audience that is none; says what is wrong with it."""


def checked(audience: Any) -> dict[str, Any]:
    """Return an audience with its defaults filled in; raises `BadAudience`."""
    if not isinstance(audience, dict):
        raise BadAudience("must be an object")
    if unknown := sorted(set(audience) - set(DEFAULT)):
        raise BadAudience(f"unknown: {', '.join(map(str, unknown))}")
    whole = {**DEFAULT, **audience}
    if whole["who"] not in WHO:
        raise BadAudience(f"who: one of {', '.join(WHO)}")
    for name in ("campaigns", "action_types", "countries"):
        if not isinstance(whole[name], list) or not all(isinstance(one, str) for one in whole[name]):
            raise BadAudience(f"{name}: a list of texts")
    return whole


def members(destination: Destination, **ids: Any) -> QuerySet[Supporter]:
    """Return everybody whom a destination is to be told about first; `ids` narrows it (`in=`, or `gt=` and `lte=`)."""
    audience = {**DEFAULT, **destination.audience}
    people = _within_reach(destination, audience, ids)
    if audience["who"] == "everyone":
        return people
    statuses = (Status.SUBSCRIBED,) if audience["who"] == "subscribed" else _CONSENTED
    subscriptions = Subscription.objects.filter(org_id=destination.org_id, status__in=statuses)
    return people.filter(Exists(subscriptions.filter(_is_theirs(ids))))


def _within_reach(destination: Destination, audience: dict[str, Any], ids: dict[str, Any]) -> QuerySet[Supporter]:
    """Everybody whom the filters let through, whatever they said of mail."""
    people = Supporter.objects.filter(**{f"pk__{how}": value for how, value in ids.items()})
    if not destination.testing:
        people = people.filter(action_count__gt=0)
    if audience["countries"]:
        people = people.filter(country__in=audience["countries"])
    if audience["campaigns"] or audience["action_types"]:
        people = people.filter(Exists(actions(destination).filter(_is_theirs(ids))))
    return people


def _is_theirs(ids: dict[str, Any]) -> Q:
    """The rows of the person; of few people said once more, or new tables are read whole for each of them.

    PostgreSQL takes a table that it has no statistics of yet for an empty one.
    """
    narrowed = {f"supporter_id__{how}": value for how, value in ids.items()}
    return Q(supporter_id=OuterRef("pk"), **narrowed)


def actions(destination: Destination) -> QuerySet[Action]:
    """Return the actions that a destination is to be told of: delivered, of its campaigns and types."""
    audience = {**DEFAULT, **destination.audience}
    found = Action.objects.filter(supporter_id__isnull=False)
    if not destination.testing:
        found = found.filter(stage=Stage.DELIVER, testing=False)
    if audience["campaigns"]:
        found = found.filter(campaign__name__in=audience["campaigns"])
    if audience["action_types"]:
        found = found.filter(action_type__in=audience["action_types"])
    return found


def among(destination: Destination, supporters: Collection[int]) -> set[int]:
    """Return those of these supporters who are in the audience."""
    return set(members(destination, **{"in": list(supporters)}).values_list("pk", flat=True))


def within_reach(destination: Destination, supporters: Collection[int]) -> set[int]:
    """Return those of these supporters whom the filters let through, whatever they said of mail."""
    people = _within_reach(destination, {**DEFAULT, **destination.audience}, {"in": list(supporters)})
    return set(people.values_list("pk", flat=True))


def stopped(destination: Destination, supporters: Collection[int]) -> set[int]:
    """Return those of these supporters who have left the destination's organisation, or cannot be mailed."""
    rows = Subscription.objects.filter(
        Q(org_id=destination.org_id, status__in=_STOPPED, supporter_id__in=list(supporters))
    )
    return set(rows.values_list("supporter_id", flat=True))
