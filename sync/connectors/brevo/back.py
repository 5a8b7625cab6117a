"""What Brevo tells us: calls of a marketing webhook, and contacts that have changed.

The calls: https://developers.brevo.com/docs/marketing-webhooks
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sync.connectors.brevo.api import moment
from sync.connectors.contract import Context, Inbound, Polled, Report
from sync.terms import ConsentKind

PAGE = 1000
_OVERLAP = timedelta(minutes=2)
#: Both spellings: of the payload, and of the list where one subscribes to it. A soft bounce is no word of the ledger.
_KINDS = {
    "unsubscribe": ConsentKind.UNSUB,
    "unsubscribed": ConsentKind.UNSUB,
    "hard_bounce": ConsentKind.BOUNCE,
    "hardbounce": ConsentKind.BOUNCE,
    "spam": ConsentKind.SPAM,
}


def is_authentic(context: Context, inbound: Inbound) -> bool:
    """Tell whether a call brings the secret: as a bearer token, or in its address."""
    secret = context.settings.get("hook_secret") or ""
    given = (inbound.headers.get("authorization", "").removeprefix("Bearer "), inbound.query.get("secret", ""))
    return bool(secret) and any(hmac.compare_digest(secret.encode(), one.encode()) for one in given)


def read_reports(_: Context, inbound: Inbound) -> Sequence[Report]:
    """Return the stops that a call tells of: one event, or several in a list."""
    try:
        body = json.loads(inbound.content)
    except (ValueError, RecursionError):
        return ()
    events = body if isinstance(body, list) else [body]
    return tuple(one for one in map(_event, events) if one is not None)


def _event(event: Any) -> Report | None:
    if not isinstance(event, dict) or not isinstance(event.get("email"), str):
        return None
    kind = _KINDS.get(str(event.get("event", "")).lower())
    if kind is None:
        return None
    # Of all times only these are in UTC.
    at = moment(event.get("ts_event") or event.get("ts"))
    return Report(kind=kind, key=f"{kind} {event.get('id')} {event.get('ts_event')}", at=at, email=event["email"])


def poll_with(page: Callable[[Mapping[str, str]], list[dict[str, Any]]], cursor: str | None, now: datetime) -> Polled:
    """Return who left since the cursor: since when, when the reading began, how many were read.

    Contacts come in the order of their making, so one that changes meanwhile moves nobody out of a later page.
    """
    if cursor is None:
        return Polled(reports=(), cursor=_cursor(now, now, 0))
    since, began, read = cursor.split(" ")
    found = page({"limit": str(PAGE), "offset": read, "modifiedSince": since, "sort": "asc"})
    began = began if read != "0" else _text(now)
    reports = tuple(one for one in map(_report, found) if one is not None)
    if len(found) < PAGE:
        first = moment(began) or now
        return Polled(reports=reports, cursor=_cursor(first - _OVERLAP, now, 0))
    return Polled(reports=reports, cursor=f"{since} {began} {int(read) + PAGE}", more=True)


def _report(contact: Mapping[str, Any]) -> Report | None:
    """Somebody who is in a list, or was, and is not mailed. Who was never in one never left."""
    was_in = bool(contact.get("listIds") or contact.get("listUnsubscribed"))
    if not contact.get("emailBlacklisted") or not was_in or not contact.get("id"):
        return None
    at = moment(contact.get("modifiedAt"))
    return Report(
        kind=ConsentKind.UNSUB,
        key=f"{contact['id']} {contact.get('modifiedAt')}",
        at=at,
        remote_id=str(contact["id"]),
        email=contact.get("email"),
    )


def _cursor(since: datetime, began: datetime, read: int) -> str:
    return f"{_text(since)} {_text(began)} {read}"


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
