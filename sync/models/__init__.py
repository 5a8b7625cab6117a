"""The tables: what was said, what follows from it, and what waits. No behaviour: rows are written by `store` only."""

from sync.models.access import Attempts, AuditEntry, Token
from sync.models.actions import Action, Voice
from sync.models.changes import Change
from sync.models.consent import Consent, Subscription, WaitingEntries
from sync.models.identity import Erasure, Link, Mark, SharedEmail
from sync.models.intake import Installation, IntakeCount, Notice, QuarantinedMessage
from sync.models.people import Contact, FormerSupporter, Supporter
from sync.models.places import ActionPage, Campaign, Org
from sync.models.push import Delivery, Destination, DestinationState, Reported

__all__ = [
    "Action",
    "ActionPage",
    "Attempts",
    "AuditEntry",
    "Campaign",
    "Change",
    "Consent",
    "Contact",
    "Delivery",
    "Destination",
    "DestinationState",
    "Erasure",
    "FormerSupporter",
    "Installation",
    "IntakeCount",
    "Link",
    "Mark",
    "Notice",
    "Org",
    "QuarantinedMessage",
    "Reported",
    "SharedEmail",
    "Subscription",
    "Supporter",
    "Token",
    "Voice",
    "WaitingEntries",
]
