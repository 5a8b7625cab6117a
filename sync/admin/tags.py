"""What templates of the desk need to say: times, numbers, links, colours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template

from sync.admin import values
from sync.read.figures import Number

register = template.Library()


@register.filter
def when(moment: datetime | None) -> Any:
    """Return a time to the second."""
    return values.when(moment)


@register.filter
def day_and_time(moment: datetime | None) -> Any:
    """Return a time to the minute."""
    return values.day_and_time(moment)


@register.filter
def shown(value: Any) -> Any:
    """Return a value, or a dash."""
    return values.shown(value)


@register.filter
def desk_link(one: Any) -> Any:
    """Return a link to a row's page."""
    return values.link(one)


@register.filter
def status_colour(status: str) -> str:
    """Return the colour of a subscription's status."""
    return {str(one): colour for one, colour in values.STATUS_COLOURS.items()}.get(status, "")


@register.filter
def grouped(number: int) -> str:
    """Return a number with groups of thousands."""
    return values.amount(number)


@register.filter
def counted(number: Number) -> str:
    """Return a count, saying so where it stopped or was estimated."""
    if number.more:
        return f"more than {values.amount(number.value)}"
    return f"about {values.amount(number.value)}" if number.about else values.amount(number.value)


@register.filter
def nth(items: Sequence[Any], index: int) -> Any:
    """Return one of a list by its place."""
    return items[index]


@register.filter
def unlocalized(number: float) -> str:
    """Return a number as CSS wants it, whatever the language."""
    return f"{number:g}"
