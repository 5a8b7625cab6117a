"""What would be sent: in numbers, and for some people in full. Nothing is sent, nothing of it stays in the database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from sync.changes import feed
from sync.connectors.contract import Connector, Context, Item, NoAnswer, Request, Response
from sync.models import Delivery, Destination, DestinationState, Supporter
from sync.push import audience, deliveries, destinations, due, filling
from sync.push.deliveries import Claimed
from sync.push.snapshot import Snapshots

HIDDEN = "•••"
_SHORTEST_SECRET = 4
#: Headers that hold what follows from a secret.
_SECRET_HEADERS = frozenset({"authorization", "webhook-signature"})
_ROUNDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How many people, and how they stand: `audience` in all, `told` of us before, `new` not yet, `due` now."""

    audience: int
    told: int
    new: int
    due: int
    to_forget: int


class _Offline:
    """A client that sends nothing."""

    def send(self, request: Request) -> Response:
        """Refuse."""
        raise NoAnswer("nothing is sent in a preview")


def numbers(destination: Destination) -> Numbers:
    """Return what a run would begin with."""
    rows = Delivery.objects.filter(destination_id=destination.pk)
    people = rows.filter(kind="person")
    told = people.filter(told__gt=0)
    members = audience.members(destination)
    known = members.filter(pk__in=told.values("supporter_id")).count()
    whole = members.count()
    return Numbers(
        audience=whole,
        told=told.count(),
        new=whole - known,
        due=people.filter(due_at__isnull=False).count(),
        to_forget=rows.filter(kind="erasure", due_at__isnull=False).count(),
    )


def of_supporter(destination: Destination, kind: Connector, supporter: int) -> dict[str, Any] | None:
    """Return what would be sent of one person, with the mapped fields; None where nothing would."""
    found = items(destination, kind, [supporter])
    return _shown(destination, kind, found[0]) if found else None


def people(destination: Destination, kind: Connector, limit: int) -> Iterator[dict[str, Any]]:
    """Return in full what would be sent of the first people who are due, as a run would find them."""
    with transaction.atomic():
        _begin_if_new(destination)
        for _ in range(_ROUNDS):
            if due.read_changes(destination, kind) < due.BATCH:
                break
        for _ in range(_ROUNDS):
            if not filling.fill(destination, kind):
                break
        rows = deliveries.claim(destination.pk, deliveries.new_lease(), limit, timezone.now())
        found = [one.item for one in Snapshots(destination, kind).of(rows) if one.item is not None]
        transaction.set_rollback(True)
    for item in found:
        yield _shown(destination, kind, item)


def _begin_if_new(destination: Destination) -> None:
    standing = DestinationState.objects.filter(pk=destination.pk, position__isnull=True)
    if standing.update(position="0"):
        last = Supporter.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        standing = DestinationState.objects.filter(pk=destination.pk)
        standing.update(filling_after=0, filling_until=last, position=str(feed.newest_id()))


def items(destination: Destination, kind: Connector, supporters: Sequence[int]) -> list[Item]:
    """Return these people as the destination would be told of them for the first time."""
    rows = [_stranger(one) for one in supporters]
    return [one.item for one in Snapshots(destination, kind).of(rows) if one.item is not None]


def _stranger(supporter: int) -> Claimed:
    return Claimed(
        id=0,
        kind="person",
        supporter=supporter,
        wanted=1,
        told=0,
        attempts=0,
        remote_id=None,
        remote_others=(),
        told_status=None,
        told_email="",
        told_tags=(),
        created_at=timezone.now(),
    )


def _shown(destination: Destination, kind: Connector, item: Item) -> dict[str, Any]:
    context = destinations.context(destination, kind, _Offline(), {}, dry_run=True)
    secrets = [str(one) for one in destinations.secrets_of(destination).values() if one]
    return {
        "supporter": item.supporter,
        "status": str(item.status),
        "fields": {one.name: one.value for one in item.fields},
        "requests": [masked(one, secrets) for one in _requests(kind, context, item)],
    }


def _requests(kind: Connector, context: Context, item: Item) -> Iterator[Request]:
    try:
        yield from kind.preview(context, item)
    except NoAnswer:
        return


def masked(request: Request, secrets: list[str]) -> dict[str, Any]:
    """Return a request as people may see it."""
    return {
        "method": request.method,
        "url": _hidden(request.url, secrets),
        "headers": _headers(request.headers, secrets),
        "body": _readable(_hidden(request.content.decode("utf-8", "replace"), secrets)),
    }


def _readable(text: str) -> Any:
    """JSON as what it says, anything else as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _headers(headers: Mapping[str, str], secrets: list[str]) -> dict[str, str]:
    return {
        name: HIDDEN if name.lower() in _SECRET_HEADERS else _hidden(value, secrets) for name, value in headers.items()
    }


def _hidden(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return text
