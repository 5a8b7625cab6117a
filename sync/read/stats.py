"""Numbers of a campaign, over its delivered actions that are not testing: one look at the index for each."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncDate

from sync.models import Action
from sync.terms import Stage


def stats_of(campaign: int) -> dict[str, Any]:
    """Return how many people did how much of what, when and where, and how many of those asked opted in."""
    actions = Action.objects.filter(campaign_id=campaign, testing=False, stage=Stage.DELIVER).order_by()
    whole = actions.aggregate(
        supporters=Count("supporter", distinct=True),
        actions=Count("pk"),
        asked=Count("pk", filter=Q(with_consent=True, opt_in__isnull=False)),
        opted_in=Count("pk", filter=Q(with_consent=True, opt_in=True)),
    )
    days = actions.annotate(day=TruncDate("created_at")).values_list("day").annotate(n=Count("pk")).order_by("day")
    countries = actions.filter(supporter__isnull=False).values_list("supporter__country")
    by_country = countries.annotate(n=Count("supporter", distinct=True))
    types = actions.values_list("action_type").annotate(n=Count("pk"))
    return {
        "campaign": campaign,
        "supporters": whole["supporters"],
        "actions": whole["actions"],
        "actions_by_type": dict(sorted(types)),
        "actions_by_day": {day.isoformat(): number for day, number in days},
        "supporters_by_country": dict(sorted((country or "", number) for country, number in by_country)),
        "opt_in_rate": whole["opted_in"] / whole["asked"] if whole["asked"] else None,
    }
