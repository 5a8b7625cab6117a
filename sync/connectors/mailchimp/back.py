"""What Mailchimp tells us: calls of an audience's webhook, and members whose state has changed.

The calls are forms (`type`, `fired_at`, `data[email]`, …) without a signature:
https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from sync.connectors.contract import Context, Inbound, Polled, Report
from sync.terms import ConsentKind

PAGE = 500
#: What changed while a page was read is read again.
_OVERLAP = timedelta(minutes=2)
#: By the type of a call, and the reason in it.
_KINDS = {
    ("unsubscribe", "abuse"): ConsentKind.SPAM,
    ("unsubscribe", "manual"): ConsentKind.UNSUB,
    ("cleaned", "hard"): ConsentKind.BOUNCE,
    ("cleaned", "abuse"): ConsentKind.SPAM,
}
#: By the status of a member.
_KINDS_OF = {
    "unsubscribed": ConsentKind.UNSUB,
    "cleaned": ConsentKind.BOUNCE,
    "subscribed": ConsentKind.OPT_IN,
}
_READ = ("id", "email_address", "status", "last_changed", "source", "timestamp_opt")
#: How the source of a member begins whom we made; all others came there by themselves.
_OURS = "API"
_USUAL = {"unsubscribe": ConsentKind.UNSUB, "cleaned": ConsentKind.BOUNCE}


def moment(said: Any) -> datetime | None:
    """Read a time of Mailchimp's; all are in UTC."""
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_authentic(context: Context, inbound: Inbound) -> bool:
    """Tell whether a call has the secret in its address; without one in the settings nobody may call."""
    secret = context.settings.get("hook_secret") or ""
    given = inbound.query.get("secret", "")
    return bool(secret) and hmac.compare_digest(secret.encode(), given.encode())


def read_reports(_: Context, inbound: Inbound) -> Sequence[Report]:
    """Return the stop that a call tells of; everything else is no word of the ledger."""
    said = dict(parse_qsl(inbound.content.decode("utf-8", "replace"), keep_blank_values=True))
    what, email = said.get("type", ""), said.get("data[email]", "")
    if not email or what not in _USUAL or said.get("data[action]") == "archive":
        return ()
    kind = _KINDS.get((what, said.get("data[reason]", "")), _USUAL[what])
    key = hashlib.sha256(f"{what} {said.get('fired_at')} {email}".encode()).hexdigest()
    return (Report(kind=kind, key=key, at=moment(said.get("fired_at")), email=email),)


def poll_with(page: Callable[[Mapping[str, str]], list[dict[str, Any]]], cursor: str | None, now: datetime) -> Polled:
    """Return who left, bounced or came since the cursor: a time, and how many of that very time were read already."""
    if cursor is None:
        return Polled(reports=(), cursor=f"{_text(now)} 0")
    since, _, skipped = cursor.partition(" ")
    found = page(
        {
            "since_last_changed": since,
            "sort_field": "last_changed",
            "sort_dir": "ASC",
            "count": str(PAGE),
            "offset": skipped or "0",
            "fields": ",".join(f"members.{name}" for name in _READ),
        }
    )
    reports = tuple(one for one in map(_report, found) if one is not None)
    if len(found) < PAGE:
        return Polled(reports=reports, cursor=f"{_text(now - _OVERLAP)} 0")
    return Polled(reports=reports, cursor=_next(since, int(skipped or 0), found[-1]), more=True)


def _next(since: str, skipped: int, last: Mapping[str, Any]) -> str:
    """Go on at the last time read; many who changed within one second are skipped by number."""
    reached, began = moment(last.get("last_changed")), moment(since)
    if reached is None or began is None or reached - timedelta(seconds=1) <= began:
        return f"{since} {skipped + PAGE}"
    return f"{_text(reached - timedelta(seconds=1))} 0"


def _report(member: Mapping[str, Any]) -> Report | None:
    kind, at = _KINDS_OF.get(str(member.get("status"))), moment(member.get("last_changed"))
    if kind is None or not member.get("email_address"):
        return None
    if kind is ConsentKind.OPT_IN:
        if str(member.get("source") or _OURS).startswith(_OURS):
            return None
        at = moment(member.get("timestamp_opt"))
    return Report(kind=kind, key=f"{member.get('id')} {at}", at=at, email=member["email_address"])


def _text(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds")
