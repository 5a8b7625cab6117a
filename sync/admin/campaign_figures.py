"""What came of a campaign, in the form in which its page shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from sync.admin.values import amount
from sync.read.stats import stats_of

#: A campaign with a million actions takes a second to count.
_SECONDS_BETWEEN_COUNTS = 60
_DAYS = 14
_COUNTRIES = 10

#: What is counted, how many, and that in percent of the largest number beside it.
Bar = tuple[str, str, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """Whole numbers, and bars by kind of action, country and day."""

    whole: tuple[tuple[str, str], ...]
    bars: tuple[tuple[str, tuple[Bar, ...]], ...]


def figures_of(campaign: int) -> Figures:
    """Return what came of a campaign, counted a moment ago."""
    name = f"desk.campaign.{campaign}"
    stats: dict[str, Any] | None = cache.get(name)
    if stats is None:
        stats = stats_of(campaign)
        cache.set(name, stats, _SECONDS_BETWEEN_COUNTS)
    rate = stats["opt_in_rate"]
    countries = sorted(stats["supporters_by_country"].items(), key=lambda one: (-one[1], one[0]))
    return Figures(
        whole=(
            ("Supporters", amount(stats["supporters"])),
            ("Actions", amount(stats["actions"])),
            ("Of those asked, wanted mail", "–" if rate is None else f"{rate:.0%}"),
        ),
        bars=(
            ("Actions by kind", _bars((kind.replace("_", " "), n) for kind, n in stats["actions_by_type"].items())),
            ("Supporters by country", _bars((country or "unknown", n) for country, n in countries[:_COUNTRIES])),
            ("Actions on the last days with any", _bars(list(stats["actions_by_day"].items())[: -_DAYS - 1 : -1])),
        ),
    )


def _bars(counted: Iterable[tuple[str, int]]) -> tuple[Bar, ...]:
    rows = list(counted)
    largest = max((number for _, number in rows), default=0) or 1
    return tuple((name, amount(number), 100 * number / largest) for name, number in rows)
