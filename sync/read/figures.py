"""How much there is: row counts that stay cheap with a million rows, and the numbers that tell how the intake goes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Count, Max, Min, Sum

from sync.models import IntakeCount, QuarantinedMessage, Subscription
from sync.models.bulk import is_postgresql, select
from sync.terms import Status, Verdict

#: Counting stops here. Nobody reads further, and a filter that hits half a million rows should not cost a second.
CAP = 10_000

_ESTIMATE = "SELECT CAST(reltuples AS bigint) FROM pg_class WHERE oid = to_regclass(%s)"


@dataclass(frozen=True, slots=True)
class Number:
    """A count, and how far it can be trusted: `more` where counting stopped, `about` where it was estimated."""

    value: int
    more: bool = False
    about: bool = False


def rows(queryset: models.QuerySet[Any]) -> Number:
    """Return how many rows there are: estimated for a whole large table, counted up to CAP otherwise."""
    if not queryset.query.where and is_postgresql():
        estimate = _estimate(queryset.model)
        if estimate > CAP:
            return Number(estimate, about=True)
    counted = queryset.order_by().values("pk")[: CAP + 1].count()
    return Number(min(counted, CAP), more=counted > CAP)


def _estimate(model: type[models.Model]) -> int:
    """What the planner believes since the last ANALYZE; -1 where there was none."""
    found = select(_ESTIMATE, [model._meta.db_table])
    return int(found[0][0]) if found and found[0][0] is not None else -1


def last_message() -> datetime | None:
    """Return when the last message was taken in, whatever became of it."""
    newest: datetime | None = IntakeCount.objects.aggregate(at=Max("last_at"))["at"]
    return newest


def messages_by_day(today: date, days: int) -> dict[date, dict[str, int]]:
    """Return the number of messages by verdict for each of the last days, oldest first, empty ones too."""
    first = today - timedelta(days=days - 1)
    found: dict[date, dict[str, int]] = defaultdict(dict)
    counted = IntakeCount.objects.filter(day__gte=first).values("day", "verdict").annotate(number=Sum("number"))
    for row in counted:
        found[row["day"]][row["verdict"]] = row["number"]
    every = (first + timedelta(days=number) for number in range(days))
    return {day: {str(verdict): found[day].get(verdict, 0) for verdict in Verdict} for day in every}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why messages are in quarantine, how many, and since when."""

    code: str
    number: int
    oldest: datetime


def quarantine_by_reason() -> list[Reason]:
    """Return the reasons, the most frequent first."""
    grouped = QuarantinedMessage.objects.order_by().values("code").annotate(n=Count("pk"), oldest=Min("received_at"))
    return sorted((Reason(row["code"], row["n"], row["oldest"]) for row in grouped), key=lambda one: -one.number)


def subscriptions_by_org() -> dict[int, dict[str, int]]:
    """Return how many subscriptions have which status, by organisation; reads the index (org, status, id)."""
    found: dict[int, dict[str, int]] = {}
    for row in Subscription.objects.order_by().values("org_id", "status").annotate(n=Count("pk")):
        statuses = found.setdefault(row["org_id"], {str(status): 0 for status in Status})
        statuses[row["status"]] = row["n"]
    return found
