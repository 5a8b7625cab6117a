"""Which details of a person show: newest wins, rank by rank (rule 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from sync.rules.contacts import Detail, Said, Slot
from sync.terms import ADDRESS, DETAILS, Instant

#: The smaller wins.
_RANKS: Final[dict[int, int]] = {
    Slot.DATED: 1,
    Slot.EDIT: 1,
    Slot.EVENT: 2,
    Slot.UNDATED: 3,
    Slot.NOT_DELIVERED: 4,
    Slot.TESTING: 5,
    Slot.TESTING_EVENT: 5,
}
#: Slots in which an email was given by an edit or a delivered action that is not testing (rule 4).
_MAILABLE: Final = (Slot.DATED, Slot.EDIT, Slot.UNDATED)
_EXTRA: Final = "extra."


class Shown(Struct):
    """The details shown of a person."""

    email: str | None = None
    fields: dict[str, Any] = {}
    extra: dict[str, Any] = {}
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
    winners: dict[str, Detail] = {}
    ranks: dict[str, int] = {}
    for one in said:
        for (slot, name), detail in one.slots.items():
            rank, held = _RANKS[slot], ranks.get(name)
            if held is None or rank < held or (rank == held and detail > winners[name]):
                winners[name], ranks[name] = detail, rank
    return winners
