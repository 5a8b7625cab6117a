"""`state(items)`: the rules, computed anew from a whole set of items.

Items are dicts by `kind`: `message`, `edit`, `entry`, `mark`, `merge`, `undo`, `shared`; the
builders in `wire.py` make them. Neither order nor repetition may matter.
"""

from .actions import actions_of, places_of, shown_action
from .consent import mark_counting, subscription
from .details import action_figures, email_given_for_mail, shown_details
from .erasure import Erasure
from .identity import Identity, Supporter
from .items import Edit, Items, sorted_out
from .ledger import Ledger
from .reading import Message
from .words import KIND_ORDER, STOPS, canonical, iso


def state(items, *, policies: dict[int, str] | None = None, default_policy="opt_in") -> dict:
    """Everything stored, without generated ids, in an order that depends on nothing but itself."""
    return World(sorted_out(items), policies or {}, default_policy).shown()


class World:
    """The parts of the rules, each computed from the ones before it."""

    def __init__(self, items: Items, policies: dict, default_policy: str):
        self.items, self.policies, self.default_policy = items, policies, default_policy
        self.erasure = Erasure(items)
        self.messages = [m for m in items.messages if self.erasure.leaves_contact(m)]
        self.edits = self.erasure.edits()
        self.identity = Identity(
            {message.contact for message in self.messages},
            self.edits,
            self.erasure.links(),
            items.shared_emails(),
        )
        self.actions = actions_of(items, self.erasure, self.identity)
        self.places = places_of(items, policies, default_policy)
        self.ledger = Ledger(items, self.erasure, self.identity)

    def shown(self) -> dict:
        supporters = [self.supporter(one) for one in self.identity.supporters]
        return {
            "supporters": sorted(supporters, key=canonical),
            "actions": {i: shown_action(self.actions[i]) for i in sorted(self.actions)},
            **{name: dict(sorted(rows.items())) for name, rows in self.places.items()},
        }

    def supporter(self, one: Supporter) -> dict:
        messages = [m for m in self.messages if self.identity.owner(m.contact) is one]
        edits = [edit for edit in self.edits if one in self.identity.having(edit.key)]
        actions = {i: row for i, row in self.actions.items() if row["supporter"] is one}
        details = shown_details(messages, edits)
        entries = self.ledger.entries(one)
        mark_counting(entries, self.actions, actions)
        return {
            **details,
            **email_status(details["email"], entries),
            **action_figures(actions, self.places["action_pages"]),
            "contact_refs": sorted(one.refs),
            "other_emails": sorted(one.emails - {details["email"]}),
            "subscriptions": self.subscriptions(one, messages, edits, details["email"]),
            "consents": sorted((entry.row() for entry in entries), key=canonical),
            "actions": sorted(actions),
        }

    def subscriptions(
        self, one: Supporter, messages: list[Message], edits: list[Edit], email: str | None
    ) -> list[dict]:
        """One for each reader that a message of an action, not testing, or an entry speaks of."""
        entries = self.ledger.entries(one)
        speaking = [m.reader for m in messages if m.kind == "action" and not m.testing]
        orgs = {org for org in (*speaking, *(entry.org for entry in entries)) if org is not None}
        fallback = email if email_given_for_mail(email, messages, edits) else None
        heard = entries + self.ledger.memories(one)
        return [subscription(org, heard, self.policies.get(org, self.default_policy), fallback) for org in sorted(orgs)]


def email_status(email: str | None, entries: list) -> dict:
    """Kind and time of the newest confirmation or stop that names the email shown."""
    of_email = [
        (entry.at, KIND_ORDER.index(entry.kind))
        for entry in entries
        if email is not None and entry.shown_email == email and (entry.kind in STOPS or entry.kind == "double_opt_in")
    ]
    at, kind = max(of_email, default=(None, None))
    return {
        "email_status": None if kind is None else KIND_ORDER[kind],
        "email_status_changed_at": iso(at),
    }
