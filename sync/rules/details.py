"""Which details of a person show: newest wins, rank by rank (rule 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sync.rules.contacts import Detail, Said, Slot
from sync.terms import ADDRESS, DETAILS, Instant

_ORDER: Final[tuple[tuple[int, ...], ...]] = (
    (Slot.DATED, Slot.EDIT),
    (Slot.EVENT,),
    (Slot.UNDATED,),
    (Slot.NOT_DELIVERED,),
    (Slot.TESTING, Slot.TESTING_EVENT),
)
#: Slots in which an email was given by an edit or a delivered action that is not testing (rule 4).
_MAILABLE: Final = (Slot.DATED, Slot.EDIT, Slot.UNDATED)
_EXTRA: Final = "extra."


@dataclass(slots=True)
class Shown:
    """The details shown of a person."""

    email: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    given_at: Instant | None = None
    #: Whether an edit or a delivered action gave the email shown, so that it may be mailed.
    email_was_given: bool = False


def shown(said: Iterable[Said]) -> Shown:
    """Return what shows of a person, from all that was said of its contacts."""
    said = list(said)
    winners = _winners(said)
    outcome = Shown()
    if (email := winners.pop("email", None)) is not None:
        outcome.email = email.value
    postcode = winners.get("postcode")
    shown_postcode = postcode.value if postcode is not None else None
    for name, detail in winners.items():
        if detail.value is None:
            continue
        if name.startswith(_EXTRA):
            outcome.extra[name.removeprefix(_EXTRA)] = detail.value
        elif name not in ADDRESS or detail.postcode in ("", shown_postcode):
            outcome.fields[name] = detail.value
            if detail.dated and name in DETAILS and (outcome.given_at is None or detail.at > outcome.given_at):
                outcome.given_at = detail.at
    outcome.extra = dict(sorted(outcome.extra.items()))
    outcome.email_was_given = any(
        (kept := one.slots.get((slot, "email"))) is not None and kept.value == outcome.email
        for one in said
        for slot in _MAILABLE
    )
    return outcome


def _winners(said: list[Said]) -> dict[str, Detail]:
    best: dict[tuple[int, str], Detail] = {}
    if len(said) == 1:
        best = said[0].slots
    else:
        for one in said:
            for place, detail in one.slots.items():
                old = best.get(place)
                if old is None or detail > old:
                    best[place] = detail
    winners: dict[str, Detail] = {}
    for slots in _ORDER:
        of_rank: dict[str, Detail] = {}
        for (slot, name), detail in best.items():
            if slot in slots and name not in winners:
                old = of_rank.get(name)
                if old is None or detail > old:
                    of_rank[name] = detail
        winners.update(of_rank)
        if len(best) == len(winners):
            break
    return winners
