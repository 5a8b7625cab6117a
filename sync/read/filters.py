"""What may be asked of each kind of record, the same for the API and for exports.

An unknown question is refused and never ignored: `?emial=` must not answer with everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model, Q, QuerySet

from sync.models import Action, ActionPage, Campaign, Contact, Subscription
from sync.proca import times
from sync.read.people import matching, survivor_of
from sync.read.records import Kind
from sync.rules.identity import email_key, ref_key
from sync.terms import ConsentKind, Status, to_datetime

_LARGEST_ID = 2**63 - 1
#: What no database takes in a text: U+0000, and halves of a character.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
#: An offset's plus that came as a space: `+02:00` in an address that nobody escaped.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d{2}:?\d{2}$)")


class BadFilter(ValueError):
    """A question that cannot be answered: `name` of the filter, and why. Repeats no value."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class Ask:
    """One set of questions, and the condition that each one puts."""

    def __init__(self, questions: Mapping[str, str]) -> None:
        self.questions = questions

    # Supporters.

    def email(self, text: str) -> Q:
        return _has_contact(email=email_key(text))

    def contact_ref(self, text: str) -> Q:
        return _has_contact(ref=ref_key(text))

    def country(self, text: str) -> Q:
        return Q(country=text)

    def campaign_of_supporter(self, text: str) -> Q:
        there = Action.objects.filter(campaign__in=_ids(Campaign, Q(name=text)), supporter__isnull=False)
        return Q(pk__in=there.values("supporter"))

    def subscription(self, _text: str) -> Q:
        """`status` and `org` ask for one and the same subscription."""
        wanted: dict[str, Any] = {}
        if "status" in self.questions:
            wanted["status"] = _word("status", self.questions["status"], Status)
        if "org" in self.questions:
            wanted["org"] = _number("org", self.questions["org"])
        return Q(pk__in=Subscription.objects.filter(**wanted).values("supporter"))

    def search(self, text: str) -> Q:
        return matching(text)

    # Everything else.

    def campaign(self, text: str) -> Q:
        return Q(campaign__in=_ids(Campaign, _id_or_name(text)))

    def action_page(self, text: str) -> Q:
        return Q(action_page__in=_ids(ActionPage, _id_or_name(text)))

    def action_type(self, text: str) -> Q:
        return Q(action_type=text)

    def testing(self, text: str) -> Q:
        if text.lower() not in ("true", "false"):
            raise BadFilter("testing", "true or false")
        return Q(testing=text.lower() == "true")

    def supporter(self, text: str) -> Q:
        """Somebody merged is who has the contacts now. Nobody has the id of somebody erased."""
        number = _number("supporter", text)
        return Q(supporter=survivor_of(number) or number)

    def org(self, text: str) -> Q:
        return Q(org=_number("org", text))

    def status(self, text: str) -> Q:
        return Q(status=_word("status", text, Status))

    def kind(self, text: str) -> Q:
        return Q(kind=_word("kind", text, ConsentKind))


Question = Callable[[Ask, str], Q]


def _since(name: str, field: str) -> Question:
    return lambda _ask, text: Q(**{f"{field}__gte": moment(name, text)})


def _before(name: str, field: str) -> Question:
    return lambda _ask, text: Q(**{f"{field}__lt": moment(name, text)})


#: The filters of each kind, in the order in which they are documented.
FILTERS: dict[str, dict[str, Question]] = {
    "supporters": {
        "email": Ask.email,
        "contact_ref": Ask.contact_ref,
        "country": Ask.country,
        "campaign": Ask.campaign_of_supporter,
        "status": Ask.subscription,
        "org": Ask.subscription,
        "updated_since": _since("updated_since", "updated_at"),
        "search": Ask.search,
    },
    "actions": {
        "campaign": Ask.campaign,
        "action_page": Ask.action_page,
        "action_type": Ask.action_type,
        "supporter": Ask.supporter,
        "testing": Ask.testing,
        "created_since": _since("created_since", "created_at"),
        "created_before": _before("created_before", "created_at"),
    },
    "subscriptions": {
        "supporter": Ask.supporter,
        "org": Ask.org,
        "status": Ask.status,
        "updated_since": _since("updated_since", "updated_at"),
    },
    "consents": {
        "supporter": Ask.supporter,
        "org": Ask.org,
        "kind": Ask.kind,
        "occurred_since": _since("occurred_since", "occurred_at"),
    },
    "campaigns": {},
}


def filtered(kind: Kind, questions: Mapping[str, str]) -> QuerySet[Any]:
    """Return the rows of a kind that fit all questions; raises `BadFilter` for one that is unknown or malformed."""
    known = FILTERS[kind.name]
    ask = Ask(questions)
    model: type[Model] = kind.model
    rows: QuerySet[Any] = model._default_manager.all()
    for name, text in questions.items():
        if name not in known:
            raise BadFilter(name, f"{kind.name} have no such filter")
        if _NO_TEXT.search(text):
            raise BadFilter(name, "not text")
        rows = rows.filter(known[name](ask, text))
    return rows


def moment(name: str, text: str) -> datetime:
    """Return the time that a filter names; a plus that an address lost is put back."""
    try:
        return to_datetime(times.parse(_LOST_PLUS.sub("+", text)))
    except (times.BadTime, OverflowError):
        raise BadFilter(name, "not an ISO 8601 time") from None


def _has_contact(**key: str) -> Q:
    """Whoever has this key; a text that is no key is nobody's."""
    if not all(key.values()):
        return Q(pk__in=[])
    return Q(pk__in=Contact.objects.filter(supporter__isnull=False, **key).values("supporter"))


def _id_or_name(text: str) -> Q:
    return Q(name=text) | Q(pk=int(text)) if _is_id(text) else Q(name=text)


def _ids(places: type[Campaign | ActionPage], condition: Q) -> list[int]:
    """Looked up first: few places fit, and then the database need not join every action to find out."""
    return list(places._default_manager.filter(condition).values_list("pk", flat=True))


def _number(name: str, text: str) -> int:
    if not _is_id(text):
        raise BadFilter(name, "not a whole number")
    return int(text)


def _is_id(text: str) -> bool:
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_ID))
    return digits and 0 < int(text) <= _LARGEST_ID


def _word(name: str, text: str, words: Any) -> str:
    if text not in list(words):
        raise BadFilter(name, "one of " + ", ".join(words))
    return text
