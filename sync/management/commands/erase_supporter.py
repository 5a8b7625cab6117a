"""Forgets a person, and remembers to."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from sync.access import audit
from sync.management.one_line import OneLineCommand, failure, usage
from sync.models import Action, Consent, Delivery, Subscription
from sync.rules.identity import email_key
from sync.store import asked
from sync.store.asked import Erased
from sync.store.whom import NotPossible

_DUTIES = (
    "Not reached, and yours to delete: files written by consume_proca --dump, by export and by file destinations, "
    "and backups of the database."
)


class Command(OneLineCommand):
    """`erase_supporter EMAIL_OR_REF`."""

    help = (
        "Erases whoever has an email or a contactRef: details, keys, consent, what they wrote, and messages in "
        "quarantine; destinations that know the person are told to forget. A mark (a keyed hash) stays, so that old "
        "messages bring nobody back. Somebody unknown gets the mark too. " + _DUTIES
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whom, and that nobody need be asked."""
        parser.add_argument("key", metavar="EMAIL_OR_REF", help="behind -- where a contactRef begins with -")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say what it reaches, ask, erase, and say what is left to do."""
        key = _named(options["key"])
        try:
            self._announce(asked.would_erase(**key))
            if not options["yes"]:
                self._ask()
            erased = asked.erase(**key)
        except NotPossible:
            raise usage("nobody can be told by this: it is neither an email nor a contactRef") from None
        for supporter in erased.supporters:
            audit.record("command", "erase", "supporter", supporter)
        self.stdout.write(_outcome(erased))
        self.tell(_DUTIES)

    def _announce(self, reached: Erased) -> None:
        people = reached.supporters
        if not people:
            self.tell("Nobody here has this. The mark is for messages that come later.")
            return
        told = Delivery.objects.filter(supporter_id__in=people, kind="person").exclude(told=0)
        numbers = (
            (len(people), "supporters"),
            (reached.keys, "emails and contactRefs"),
            (Action.objects.filter(supporter__in=people).count(), "actions (kept, without the person)"),
            (Consent.objects.filter(supporter__in=people).count(), "consent entries"),
            (Subscription.objects.filter(supporter__in=people).count(), "subscriptions"),
            (told.count(), "destinations that are told to forget"),
        )
        self.tell("This reaches " + ", ".join(f"{number} {what}" for number, what in numbers) + ".")

    def _ask(self) -> None:
        if not sys.stdin.isatty():
            raise usage("there is nobody to ask: add --yes")
        self.tell("It cannot be undone. Type yes to erase:")
        if sys.stdin.readline().strip().lower() != "yes":
            raise failure("nobody was erased")


def _named(text: str) -> dict[str, Any]:
    return {"email": text} if email_key(text) else {"contact_ref": text}


def _outcome(erased: Erased) -> str:
    if erased.shared:
        # Whoever else has the mailbox asked for nothing.
        return (
            f"{len(erased.supporters)} erased: this email is shared, and reaches only those without a contactRef. "
            "To erase one of the others, name the contactRef."
        )
    if not erased.supporters:
        return "Nobody was known by this; the mark is set."
    return "Erased: " + ", ".join(f"supporter {one}" for one in erased.supporters)
