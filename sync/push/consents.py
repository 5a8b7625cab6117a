"""Whether somebody consented after the last stop known of them: only then may a stop in a CRM be lifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q

from sync.models import Consent, Org
from sync.terms import ADDRESS_STOPS, STOPS, ConsentKind, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented:
    """The newest explicit consent, and whether it is newer than every stop known here or from a CRM."""

    at: datetime | None = None
    is_newer: bool = False


def read(org: int, subscriptions: Mapping[int, Mapping[str, Any]]) -> dict[int, Consented]:
    """Return this of everybody who has a subscription (as a record, by supporter)."""
    policy = Org.objects.filter(pk=org).values_list("policy", flat=True).first() or settings.SUBSCRIPTION_POLICY
    entries: dict[int, list[tuple[Any, ...]]] = {who: [] for who in subscriptions}
    rows = Consent.objects.filter(Q(org_id=org) | Q(org_id__isnull=True), supporter_id__in=list(subscriptions))
    for who, *entry in rows.values_list("supporter_id", "kind", "occurred_at", "email", "counts"):
        entries[who].append(tuple(entry))
    return {who: consented(entries[who], subscriptions[who], policy) for who in subscriptions}


def consented(entries: list[tuple[Any, ...]], subscription: Mapping[str, Any], policy: str) -> Consented:
    """Judge by (kind, occurred_at, email, counts) of all entries, and the subscription that follows from them."""
    given = [at for kind, at, _, counts in entries if _gives(kind, counts, policy)]
    if policy == Policy.DOUBLE_OPT_IN and subscription["status_changed_at"] is not None:
        # A click that only confirms counts where it made somebody subscribed.
        given.append(subscription["status_changed_at"])
    stops = [at for kind, at, email, _ in entries if _stops(kind, email, subscription["email"])]
    newest = max(given, default=None)
    return Consented(at=newest, is_newer=newest is not None and (not stops or newest > max(stops)))


def _gives(kind: str, counts: bool | None, policy: str) -> bool:
    if kind == ConsentKind.DOUBLE_OPT_IN:
        return bool(counts)
    return kind == ConsentKind.OPT_IN and policy == Policy.OPT_IN


def _stops(kind: str, email: str | None, mailed: str | None) -> bool:
    """A bounce of another address than the one to mail says nothing of this one."""
    return kind in STOPS and (kind not in ADDRESS_STOPS or email is None or email == mailed)
