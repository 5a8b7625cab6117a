"""The start page: whether it works, with what to do where it does not, and what came in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone

from sync import health
from sync.admin.values import amount
from sync.health import Doubtful, Finding, Sick
from sync.models import Action, Org, Supporter
from sync.read import figures
from sync.terms import Status, Verdict

_DAYS = 14
#: A broker that is away costs seconds: asked once in this time, not by every look at the page.
_SECONDS_BETWEEN_LOOKS = 20
#: With a million subscriptions, counting them takes half a second.
_SECONDS_BETWEEN_COUNTS = 60

#: What became of messages, in words, in the order in which bars are stacked.
_VERDICTS = (
    (Verdict.STORED, "new actions"),
    (Verdict.UPDATED, "news of known actions"),
    (Verdict.EVENT, "events"),
    (Verdict.DUPLICATE, "repeated"),
    (Verdict.QUARANTINED, "quarantined"),
)
#: Where a finding leads to.
_PAGES = {
    "Quarantine": "admin:sync_quarantinedmessage_changelist",
    "Keys": "admin:sync_quarantinedmessage_changelist",
    "Destinations": "admin:sync_destination_changelist",
    "Erasure": "admin:sync_delivery_changelist",
    "Policy": "admin:sync_org_changelist",
}

admin.site.index_template = "desk/start.html"
admin.site.index_title = "Overview"


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding as the page shows it."""

    what: str
    says: str
    todo: str
    word: str
    colour: str
    icon: str
    page: str | None


@dataclass(frozen=True, slots=True)
class Day:
    """The messages of a day: numbers by verdict, and the parts of its bar in percent of the largest day."""

    day: date
    numbers: tuple[str, ...]
    total: str
    parts: tuple[tuple[str, float], ...]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the start page what its template shows."""
    now = timezone.now()
    shown = [_shown(finding) for finding in _findings(now)]
    troubles = sum(one.word != "works" for one in shown)
    return context | {
        "findings": shown,
        "troubles": troubles,
        "cards": _cards(),
        "days": _days(figures.messages_by_day(now.date(), _DAYS)),
        "verdicts": [words for _, words in _VERDICTS],
        "verdict_names": [str(verdict) for verdict, _ in _VERDICTS],
        "orgs": _orgs(),
        "statuses": [str(status) for status in Status],
    }


def _findings(now: datetime) -> list[Finding]:
    return health.findings(now, tuple(_seldom if probe is health.queue else probe for probe in health.PROBES))


def _seldom(now: datetime) -> Finding | None:
    """Look at the queue, but not at every look at the page."""
    seen: tuple[Finding | None] | None = cache.get("desk.queue")
    if seen is None:
        seen = (health.queue(now),)
        cache.set("desk.queue", seen, _SECONDS_BETWEEN_LOOKS)
    return seen[0]


def _shown(finding: Finding) -> Shown:
    page = _PAGES.get(finding.what)
    if isinstance(finding, Sick):
        return Shown(finding.what, finding.says, finding.todo, "broken", "danger", "error", page)
    if isinstance(finding, Doubtful):
        return Shown(finding.what, finding.says, finding.todo, "look at it", "warning", "warning", page)
    return Shown(finding.what, finding.says, "", "works", "success", "check_circle", page)


def _cards() -> list[tuple[str, str, str]]:
    return [
        ("Supporters", _number(figures.rows(Supporter.objects.all())), "admin:sync_supporter_changelist"),
        ("Actions", _number(figures.rows(Action.objects.all())), "admin:sync_action_changelist"),
    ]


def _number(number: figures.Number) -> str:
    if number.more:
        return f"more than {amount(number.value)}"
    return f"about {amount(number.value)}" if number.about else amount(number.value)


def _days(counted: dict[date, dict[str, int]]) -> list[Day]:
    largest = max((_total(day.values()) for day in counted.values()), default=0) or 1
    return [
        Day(
            day,
            tuple(amount(numbers[verdict]) for verdict, _ in _VERDICTS),
            amount(_total(numbers.values())),
            tuple((str(verdict), round(100 * numbers[verdict] / largest, 2)) for verdict, _ in _VERDICTS),
        )
        for day, numbers in counted.items()
    ]


def _total(numbers: Iterable[int]) -> int:
    return sum(numbers)


def _orgs() -> list[tuple[str, list[str]]]:
    """Subscriptions of each organisation by status; counted from an index, and not at every look."""
    counted = cache.get_or_set("desk.subscriptions", figures.subscriptions_by_org, _SECONDS_BETWEEN_COUNTS) or {}
    titles = {org.pk: str(org) for org in Org.objects.filter(pk__in=counted).defer("given")}
    return [
        (titles.get(org, f"organisation {org}"), [amount(numbers[status]) for status in Status])
        for org, numbers in sorted(counted.items())
    ]
