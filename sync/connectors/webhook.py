"""Signed webhooks (Standard Webhooks): a receiver of your own, told of people, of what they did, and whom to forget.

Each message is a request of its own: a person first, then what they did. The id of a message is the same on every
retry. A receiver may post back in the same way: `{"type": "consent.reported", "data": {"supporter" | "email" |
"contact_ref", "kind", "occurred_at"}}`, signed with the same secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sync.connectors.answers import Answer, Means, no_answer, one_by_one, outcome
from sync.connectors.contract import (
    Checked,
    Connector,
    Context,
    Delivered,
    Feature,
    FindsBy,
    Inbound,
    Inbox,
    Item,
    Misconfigured,
    NoAnswer,
    Outcome,
    Partial,
    RateLimited,
    Rejected,
    Report,
    Request,
    Response,
    Retry,
    Setting,
    SettingType,
)
from sync.terms import STOPS, ConsentKind

PREFIX = "whsec_"
#: How far the clock of whoever posts to us may be off.
_TOLERANCE = timedelta(minutes=5)
#: More than is kept, so that what is cut off ends no value of the person's half hidden.
_LONGEST_REFUSAL = 4_000
_SOURCE = "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"

ANSWERS = (
    Answer(status=(200, 299), means=Means.DELIVERED, source=_SOURCE),
    Answer(status=410, means=Means.MISCONFIGURED, source=_SOURCE, says="the receiver asked for no more messages"),
    Answer(status=502, means=Means.RATE_LIMITED, source=_SOURCE),
    Answer(status=504, means=Means.RATE_LIMITED, source=_SOURCE),
    Answer(status=404, means=Means.MISCONFIGURED, source=_SOURCE, says="there is nothing at this address"),
)


class _Message(NamedTuple):
    """One message: what it is about (an action's key, empty for the person), its id, its type and content."""

    about: str
    id: str
    type: str
    at: datetime
    content: Mapping[str, Any]


def _messages(context: Context, item: Item) -> Iterator[_Message]:
    now = context.now()
    if item.erase:
        forgotten = {"supporter": item.supporter, "merged_ids": list(item.merged_ids)}
        yield _Message("", item.push_id, "supporter.erased", now, forgotten)
        return
    if item.is_due:
        person = {
            "supporter": item.record,
            "subscription": item.subscription,
            "merged_ids": list(item.merged_ids),
        }
        yield _Message("", item.push_id, "supporter.changed", now, person)
    status = item.subscription["status"] if item.subscription else None
    for action in item.actions:
        done = {"action": action.record, "supporter": item.supporter, "subscription_status": status}
        yield _Message(
            action.key, f"{context.destination}-action-{action.key}", "action.recorded", action.created_at, done
        )


def _request(context: Context, message: _Message) -> Request:
    body = {"type": message.type, "timestamp": _text(message.at), "data": message.content}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    sent_at = str(int(context.now().timestamp()))
    return Request(
        method="POST",
        url=context.settings["url"],
        headers={
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": sent_at,
            "webhook-signature": signature(context.settings["secret"], message.id, sent_at, content),
        },
        content=content,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def signature(secret: str, message_id: str, timestamp: str, content: bytes) -> str:
    """Return the signature of a message: base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + content
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX) + "=" * (-len(secret.removeprefix(PREFIX)) % 4))


def _faults(settings: Mapping[str, Any]) -> dict[str, str]:
    secret = settings.get("secret") or ""
    try:
        size = len(_key(secret)) if secret.startswith(PREFIX) else 0
    except (binascii.Error, ValueError):
        size = 0
    return {} if 24 <= size <= 64 else {"secret": "whsec_ and 24 to 64 bytes in base64"}


# --- Sending -----------------------------------------------------------------------------------------


def _push_one(context: Context, item: Item) -> Outcome:
    person_done, done = not item.is_due, []
    for message in _messages(context, item):
        answer = _send(context, message)
        if isinstance(answer, Delivered):
            person_done = person_done or not message.about
            done += [message.about] if message.about else []
        elif isinstance(answer, Rejected) and message.about:
            # One action that is refused does not hold up the next.
            return Partial(
                rest=Retry(reason="an action was refused"),
                person_done=person_done,
                actions_done=tuple(done),
                rejected_actions={message.about: f"{answer.code}: {answer.message}" if answer.message else answer.code},
            )
        elif person_done and isinstance(answer, Retry | RateLimited | Rejected | Misconfigured):
            return Partial(rest=answer, person_done=True, actions_done=tuple(done))
        else:
            return answer
    return Delivered(actions_done=tuple(done))


def _send(context: Context, message: _Message) -> Outcome:
    try:
        response = context.http.send(_request(context, message))
    except NoAnswer as trouble:
        return no_answer(trouble)
    return read(response, context.now())


def read(response: Response, now: datetime) -> Outcome:
    """Return what an answer of a receiver means."""
    return outcome(ANSWERS, response, now, text="" if response.is_success else _refusal(response))


def _refusal(response: Response) -> str:
    """The words of a refusal: people see them beside the delivery. A page for browsers says nothing to them."""
    body = response.json()
    text = response.text.strip() if body is None else _plain(body, 5)
    return "" if text.startswith("<") else text[:_LONGEST_REFUSAL]


def _plain(body: Any, deep: int) -> str:
    """What an answer says, without escapes that would keep a person's values from being found in it."""
    if not deep:
        return "…"
    if isinstance(body, dict):
        return ", ".join(f"{name}: {_plain(value, deep - 1)}" for name, value in body.items())
    if isinstance(body, list):
        return ", ".join(_plain(value, deep - 1) for value in body)
    return str(body)


def _preview(context: Context, item: Item) -> Sequence[Request]:
    return [_request(context, message) for message in _messages(context, item)]


def _check(context: Context) -> Checked | Outcome:
    now = context.now()
    ping = _Message("", f"check-{context.destination}-{int(now.timestamp())}", "check", now, {})
    answer = _send(context, ping)
    return Checked(identity="the receiver answered a signed message") if isinstance(answer, Delivered) else answer


# --- Coming back -------------------------------------------------------------------------------------


def _is_authentic(context: Context, inbound: Inbound) -> bool:
    message_id, sent_at = inbound.headers.get("webhook-id", ""), inbound.headers.get("webhook-timestamp", "")
    if not message_id or not sent_at.isascii() or not sent_at.isdigit() or len(sent_at) > 12:
        return False
    if abs(context.now().timestamp() - int(sent_at)) > _TOLERANCE.total_seconds():
        return False
    right = signature(context.settings["secret"], message_id, sent_at, inbound.content)
    given = inbound.headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right.encode(), one.encode()) for one in given)


def _read_reports(_: Context, inbound: Inbound) -> Sequence[Report]:
    try:
        body = json.loads(inbound.content)
    except (ValueError, RecursionError):
        return ()
    said = body.get("data") if isinstance(body, dict) and body.get("type") == "consent.reported" else None
    report = _report(said, inbound.headers.get("webhook-id", "")) if isinstance(said, dict) else None
    return (report,) if report is not None else ()


def _report(said: dict[str, Any], key: str) -> Report | None:
    kind, supporter = said.get("kind"), said.get("supporter")
    if kind not in {*STOPS, ConsentKind.OPT_IN}:
        return None
    return Report(
        kind=ConsentKind(kind),
        key=key,
        at=_when(said.get("occurred_at")),
        supporter=supporter if isinstance(supporter, int) and not isinstance(supporter, bool) else None,
        email=_words(said.get("email")),
        contact_ref=_words(said.get("contact_ref")),
    )


def _words(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _when(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


connector = Connector(
    kind="webhook",
    title="Signed webhook",
    summary="A receiver of your own, by the Standard Webhooks specification.",
    settings=(
        Setting(key="url", title="Address", type=SettingType.URL, place=True, help="Where messages are posted."),
        Setting(key="secret", title="Secret", secret=True, help="whsec_ and 24 to 64 bytes in base64."),
    ),
    features=frozenset(
        {
            Feature.CONTACTS,
            Feature.SUBSCRIPTIONS,
            Feature.ACTIONS,
            Feature.DONATIONS,
            Feature.CAMPAIGNS,
            Feature.ERASE,
            Feature.INBOUND_WEBHOOK,
        }
    ),
    push=one_by_one(_push_one),
    check=_check,
    preview=_preview,
    inbox=Inbox(is_authentic=_is_authentic, read=_read_reports, is_signed=True),
    faults=_faults,
    answers=ANSWERS,
    finds_by=FindsBy.OUR_ID,
)
