"""What campaigns say at Proca of where their people go (`config.component.sync`); it wins over a destination's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from sync.connectors.contract import CampaignItem
from sync.models import Action, Campaign

_LISTS = ("listid", "listId")


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists that the campaigns of a person name; `also_usual` where others of theirs name none."""

    named: tuple[str, ...] = ()
    also_usual: bool = False


def item(proca_id: int | None, name: str | None, title: str | None, config: Any) -> CampaignItem | None:
    """Return a campaign as connectors see it; None where there is none."""
    return None if proca_id is None else CampaignItem(proca_id=proca_id, name=name, title=title, sync=_sync(config))


def _sync(config: Any) -> Mapping[str, Any]:
    component = config.get("component") if isinstance(config, dict) else None
    sync = component.get("sync") if isinstance(component, dict) else None
    return sync if isinstance(sync, dict) else {}


def lists(actions: QuerySet[Action], people: Collection[int]) -> dict[int, Lists]:
    """Return the lists of these people, by all that they did: a change of a detail is told to the same lists."""
    pairs = list(actions.filter(supporter_id__in=people).values_list("supporter_id", "campaign_id").distinct())
    configs = Campaign.objects.filter(pk__in={one for _, one in pairs if one is not None}).order_by("pk")
    named = {pk: _named(_sync(config)) for pk, config in configs.values_list("pk", "config")}
    found: dict[int, set[int | None]] = defaultdict(set)
    for who, campaign in pairs:
        if who is not None:
            found[who].add(campaign)
    return {who: _lists(named, theirs) for who, theirs in found.items()}


def _lists(named: Mapping[int, tuple[str, ...]], theirs: Collection[int | None]) -> Lists:
    whole = [one for campaign in sorted(theirs, key=lambda pk: pk or 0) for one in named.get(campaign or 0, ())]
    silent = any(not named.get(campaign or 0) for campaign in theirs)
    return Lists(tuple(dict.fromkeys(whole)), also_usual=silent and bool(whole))


def _named(sync: Mapping[str, Any]) -> tuple[str, ...]:
    found = (sync.get(name) for name in _LISTS)
    return tuple(dict.fromkeys(str(one).strip() for one in found if one not in (None, "")))
