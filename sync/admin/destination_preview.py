"""What a destination would be sent, on a page: in numbers here and at the CRM, and of one person in full."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from sync.admin.values import amount
from sync.models import Destination
from sync.push import destinations, look, preview
from sync.push.registry import connector
from sync.sealing import Unsealable

_Rows = list[tuple[str, str]]


class OfWhom(forms.Form):
    """Whose preview."""

    supporter = forms.IntegerField(label="Number of a supporter", min_value=1, widget=UnfoldAdminIntegerFieldWidget)


def parts(one: Destination, supporter: int | None, *, asks: bool) -> dict[str, Any]:
    """Return what the page shows. The CRM is asked only where `asks`: it takes a while."""
    kind, numbers = connector(one.kind), preview.numbers(one)
    there = look.there(one, kind, numbers.audience) if asks else None
    return {
        "numbers": _numbers(numbers),
        "can_be_asked": kind.look is not None,
        "there": None if there is None else _there(there),
        "in_part": there is not None and not there.trouble and there.asked < there.audience,
        "trouble": "" if there is None else there.trouble,
        "asked": supporter,
        "form": OfWhom(initial={"supporter": supporter}),
        **({} if supporter is None else _person(one, supporter)),
    }


def _numbers(found: preview.Numbers) -> _Rows:
    return [
        ("In the audience", amount(found.audience)),
        ("Told before", amount(found.told)),
        ("Not told yet", amount(found.new)),
        ("Waiting now", amount(found.due)),
        ("Orders to forget", amount(found.to_forget)),
    ]


def _there(found: look.There) -> _Rows:
    return [
        ("Asked about", f"{amount(found.asked)} of {amount(found.audience)}"),
        ("Not there yet", amount(found.new)),
        ("There already", amount(found.known)),
        ("Of these stopped there", amount(found.stopped)),
    ]


def _person(one: Destination, supporter: int) -> dict[str, Any]:
    try:
        shown = preview.of_supporter(one, connector(one.kind), supporter)
    except Unsealable:
        return {"closed": destinations.SEALED}
    return {"shown": None if shown is None else json.dumps(shown, ensure_ascii=False, indent=2)}
