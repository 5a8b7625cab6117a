"""What others may listen to, and how they are told: once a batch, inside its transaction.

A receiver writes rows and nothing else; for calls use `transaction.on_commit`, or read the change feed. Ours may fail
the batch. Anybody else's runs in a savepoint: what it raises is logged with its name and changes nothing of the batch.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.db import transaction
from django.dispatch import Signal

log = structlog.get_logger(__name__)

#: `ids` of supporters that are new or show something else than before.
supporter_changed = Signal()
#: `merged`: from the id of each supporter that is no more to the id of who has its contacts now.
supporter_merged = Signal()
#: `ids` of supporters that were erased.
supporter_erased = Signal()
#: `ids` of actions that are new.
action_recorded = Signal()
#: `ids` of known actions that changed.
action_changed = Signal()
#: `subscriptions`: (id, status, org) of each that is new or changed.
subscription_changed = Signal()
#: `ids` of consent entries that are new.
consent_recorded = Signal()
#: `ids` of campaigns, of action pages, of organisations that are new or changed.
campaign_changed = Signal()
page_changed = Signal()
org_changed = Signal()


def tell(signal: Signal, *, origin: str, **what: Any) -> list[str]:
    """Tell every receiver of a signal what a batch did; `origin` names the destination that said it, or nothing.

    Returns the names of others' receivers that failed, for whoever counts them.
    """
    failed = []
    receivers, _ = signal._live_receivers(None)
    for receiver in receivers:
        if _name(receiver).startswith("sync."):
            receiver(signal=signal, sender=None, origin=origin, **what)
        elif not _has_heard(receiver, signal, origin, what):
            failed.append(_name(receiver))
    return failed


def _has_heard(receiver: Any, signal: Signal, origin: str, what: dict[str, Any]) -> bool:
    """Tell another's receiver in a savepoint; false where that failed, which the log says."""
    try:
        with transaction.atomic():
            receiver(signal=signal, sender=None, origin=origin, **what)
    except Exception as error:  # noqa: BLE001 - whatever another's receiver raises is not the batch's fault
        log.error(  # noqa: TRY400 - a traceback could quote what a row holds
            "receiver_failed",
            receiver=_name(receiver),
            error=type(error).__name__,
        )
        return False
    return True


def _name(receiver: Any) -> str:
    """Return where a receiver is defined; one that is an object has the name of its class."""
    named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    return f"{named.__module__}.{named.__qualname__}"
