"""Rule 3: what is shown of a supporter."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .actions import id_order, time_order
from .items import Edit
from .reading import Message
from .words import ADDRESS_FIELDS, DETAIL_FIELDS, iso, larger_key


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Somebody said that a field has this value. `value` None: an edit cleared it."""

    rank: int
    dated_at: datetime | None
    order_at: datetime | None
    by_edit: bool
    action_id: int | None
    value: Any
    postcode: str | None

    @property
    def order(self) -> tuple:
        """The largest wins."""
        return (
            -self.rank,
            self.dated_at is not None,
            time_order(self.order_at),
            self.by_edit,
            self.value is not None,
            id_order(self.action_id),
            larger_key(self.value),
            self.postcode is not None,
            larger_key(self.postcode),
        )


def rank_of(message: Message) -> int:
    """A message's rank is its own, by its own stage and testing."""
    if message.testing:
        return 5
    if message.kind == "event":
        return 2
    if not message.delivered:
        return 4
    return 3 if message.details_at is None else 1


def by_message(message: Message, value) -> Statement:
    return Statement(
        rank=rank_of(message),
        dated_at=message.details_at,
        order_at=message.details_at or message.sent_at,
        by_edit=False,
        action_id=message.action_id,
        value=value,
        postcode=message.details.get("postcode"),
    )


def by_edit(edit: Edit, value) -> Statement:
    return Statement(
        rank=1,
        dated_at=edit.at,
        order_at=edit.at,
        by_edit=True,
        action_id=None,
        value=value,
        postcode=edit.postcode,
    )


def newest(statements: list[Statement]) -> Statement | None:
    return max(statements, key=lambda one: one.order, default=None)


def statements_of(messages: list[Message], edits: list[Edit]) -> dict[tuple, list[Statement]]:
    """Everything said of one supporter, by ("detail" or "extra", name)."""
    said: dict[tuple, list[Statement]] = {}
    for message in messages:
        for name, value in message.details.items():
            said.setdefault(("detail", name), []).append(by_message(message, value))
        for name, value in message.extra.items():
            said.setdefault(("extra", name), []).append(by_message(message, value))
        if message.email:
            said.setdefault(("detail", "email"), []).append(by_message(message, message.email))
    for edit in edits:
        for name, value in edit.values.items():
            said.setdefault(("detail", name), []).append(by_edit(edit, value))
        if edit.email:
            said.setdefault(("detail", "email"), []).append(by_edit(edit, edit.email))
    return said


def shown_details(messages: list[Message], edits: list[Edit]) -> dict:
    """Email, named details, extra, and the time of the newest detail shown."""
    said = statements_of(messages, edits)
    email = newest(said.get(("detail", "email"), []))
    chosen = {name: newest(said.get(("detail", name), [])) for name in DETAIL_FIELDS}
    postcode = None if chosen["postcode"] is None else chosen["postcode"].value
    shown = {
        name: one
        for name, one in chosen.items()
        if one and one.value is not None and not is_hidden(name, one, postcode)
    }
    times = [one.dated_at for one in shown.values() if one.dated_at]
    return {
        "email": email and email.value,
        **{name: shown[name].value if name in shown else None for name in DETAIL_FIELDS},
        "extra": {
            name: max(statements, key=lambda one: one.order).value
            for (sort, name), statements in said.items()
            if sort == "extra"
        },
        "details_given_at": iso(max(times, default=None)),
    }


def is_hidden(name: str, one: Statement, postcode: str | None) -> bool:
    """A street beside another postcode than its own would be a wrong address."""
    return name in ADDRESS_FIELDS and one.postcode is not None and one.postcode != postcode


def email_given_for_mail(email, messages: list[Message], edits: list[Edit]) -> bool:
    """An edit or a delivered message that is not testing gave it; an event does not."""
    return any(edit.email == email for edit in edits) or any(
        m.email == email and m.kind == "action" and m.delivered and not m.testing for m in messages
    )


def counted(actions: dict[int, dict]) -> dict[int, dict]:
    """Actions that are delivered and not testing."""
    return {action_id: row for action_id, row in actions.items() if row["stage"] == "deliver" and not row["testing"]}


def action_figures(actions: dict[int, dict], pages: dict) -> dict:
    """Counts, times and language, from the actions of one supporter."""
    rows = counted(actions)
    times = [row["created_at"] for row in rows.values()]
    locales = [
        (row["created_at"], action_id, pages[row["action_page"]]["locale"])
        for action_id, row in rows.items()
        if row["action_page"] in pages and pages[row["action_page"]]["locale"]
    ]
    return {
        "action_count": len(rows),
        "first_action_at": iso(min(times, default=None)),
        "last_action_at": iso(max(times, default=None)),
        "language": max(locales)[2] if locales else None,
    }
