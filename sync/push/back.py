"""What CRMs say comes back: a stop there is a stop here, an entry of the ledger like any other, and told to the others.

    webhook, poll, or an answer to a push ──▶ Report ──▶ whose? ──▶ is it news? ──▶ the one door

A stop always counts. Without a time it is news only where the CRM says something else than it said, or was told, last.
`opt_in` is a consent only from a destination that people give consent at, and never where it repeats what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from sync.changes import feed
from sync.connectors.contract import Connector, Context, Inbound, NoAnswer, Polled, RemoteState, Report
from sync.models import Delivery, Destination, DestinationState, Reported, Subscription
from sync.push import destinations, whose
from sync.push.decide import after
from sync.push.deliveries import Finished
from sync.push.due import LEADS_TO, Queue, origin_of
from sync.push.http import Client
from sync.push.registry import connector, connectors
from sync.push.snapshot import Snapshot
from sync.push.standing import write_circuit
from sync.push.whose import Whose
from sync.sealing import Unsealable
from sync.store.asked import Said, add_consent
from sync.store.whom import NotPossible
from sync.terms import STOPS, ConsentKind, Source, Status, to_instant

log = structlog.get_logger(__name__)

#: A clock there may run ahead of ours by so much; beyond it, our time is taken.
_AHEAD = timedelta(minutes=5)
#: The time that a CRM gives to what we wrote ourselves is about when we wrote it.
_OWN_WRITE = timedelta(minutes=2)
_NEVER_ASKED = frozenset({Status.NONE, Status.PENDING})
#: CRMs have fewer words: what was told as the one is read back as the other.
_SAID_AS = {Status.BLOCKED: Status.BOUNCED, Status.COMPLAINED: Status.UNSUBSCRIBED}
#: Reports are stored so many at once.
_BATCH = 500


# Webhooks.


def takes_calls(destination: Destination) -> bool:
    """Tell whether this kind of CRM calls us."""
    kind = connectors().get(destination.kind)
    return kind is not None and kind.inbox is not None


def call(*, method: str, query: Mapping[str, str], headers: Mapping[str, str], content: bytes) -> Inbound:
    """Return a request of a CRM as a value."""
    return Inbound(method=method, query=query, headers=headers, content=content)


def receive_call(destination: Destination, inbound: Inbound) -> int | None:
    """Store what a call says, and return how many entries it made; None where it does not prove where it comes from.

    Vendors try an address with GET or HEAD before they accept it: that says nothing.
    """
    kind = connector(destination.kind)
    assert kind.inbox is not None
    try:
        context = destinations.context(destination, kind, Client(), {})
    except Unsealable:
        log.error("secrets_not_opened", destination=destination.pk)  # noqa: TRY400 - says all there is
        return None
    if not kind.inbox.is_authentic(context, inbound):
        return None
    if inbound.method in ("GET", "HEAD"):
        return 0
    return take(destination, kind.inbox.read(context, inbound), is_signed=kind.inbox.is_signed)


def take(destination: Destination, reports: Sequence[Report], *, is_signed: bool) -> int:
    """Store reports; return how many were news. An unsigned hook can only stop people."""
    news = 0
    for first in range(0, len(reports), _BATCH):
        batch = [one for one in reports[first : first + _BATCH] if is_signed or one.kind in STOPS]
        news += _take(destination, batch)
    return news


def stopped_there(
    destination: Destination, remote: Sequence[tuple[Snapshot, RemoteState]], finished: Sequence[Finished]
) -> None:
    """Store what a CRM said while it was told; who was taken as subscribed last said nothing else."""
    contradicted = {snapshot.row.supporter for snapshot, _ in remote}
    agreed = [
        one.row.supporter
        for one in finished
        if one.decision.person_done and one.told_status == Status.SUBSCRIBED and one.row.supporter not in contradicted
    ]
    if agreed:
        rows = Reported.objects.filter(destination_id=destination.pk, who__in=[str(one) for one in agreed])
        rows.exclude(said=Status.SUBSCRIBED).update(said=Status.SUBSCRIBED, at=timezone.now())
    reports = [
        Report(
            kind=state.kind,
            key=f"{snapshot.row.id}-{snapshot.row.wanted}",
            at=state.at,
            supporter=snapshot.row.supporter,
            email=state.email,
        )
        for snapshot, state in remote
    ]
    if reports:
        take(destination, reports, is_signed=True)


# Polling.


def poll_is_due(destination: Destination, kind: Connector, now: datetime) -> bool:
    """Tell whether it is time to ask the CRM what has changed there."""
    poll_at = destination.standing.poll_at
    return kind.poll is not None and (poll_at is None or poll_at <= now)


def poll(destination: Destination, kind: Connector, context: Context) -> bool:
    """Ask the CRM what has changed; tell whether it said something. One worker asks at a time."""
    standing, now = destination.standing, timezone.now()
    mine = DestinationState.objects.filter(pk=standing.pk, poll_at=standing.poll_at)
    if kind.poll is None or not mine.update(poll_at=now + kind.poll_every):
        return False
    try:
        polled = kind.poll(context, standing.poll_cursor)
    except NoAnswer as trouble:
        log.warning("poll_failed", destination=destination.pk, reason=trouble.reason)
        return False
    if not isinstance(polled, Polled):
        write_circuit(standing.pk, lambda circuit: after(circuit, [polled], now), now)
        return False
    news = take(destination, polled.reports, is_signed=True)
    changes: dict[str, Any] = {"poll_cursor": polled.cursor} | ({"poll_at": now} if polled.more else {})
    DestinationState.objects.filter(pk=standing.pk).update(**changes)
    return bool(news) or polled.more


# Whose it is, and whether it is news.


def _take(destination: Destination, reports: Sequence[Report]) -> int:
    found = whose.found(destination, reports)
    told = _told(destination, [of.supporter for _, of in found if of.supporter])
    last = dict(
        Reported.objects.filter(destination_id=destination.pk, who__in=[of.who for _, of in found]).values_list(
            "who", "said"
        )
    )
    said: dict[str, str] = {}
    news, contradicting = [], []
    for report, of in found:
        if _is_news(destination, report, last.get(of.who), told.get(of.supporter or 0)):
            news.append((report, of))
        elif report.kind is ConsentKind.OPT_IN and of.supporter:
            contradicting.append(of.supporter)
        last[of.who] = said[of.who] = str(LEADS_TO[report.kind])
    # What was said goes first, so that the change that follows is known for an echo.
    _remember(destination, said, timezone.now())
    addresses = whose.named(destination, news)
    stored = sum(_store(destination, *one, email) for one, email in zip(news, addresses, strict=True))
    if contradicting:
        _restate(destination, contradicting)
    return stored


def _told(destination: Destination, supporters: Sequence[int]) -> dict[int, Delivery]:
    rows = Delivery.objects.filter(destination_id=destination.pk, kind="person", supporter_id__in=list(supporters))
    return {row.supporter_id: row for row in rows}


def _is_news(destination: Destination, report: Report, last: str | None, told: Delivery | None) -> bool:
    says, sent = str(LEADS_TO[report.kind]), told.told_status if told is not None else None
    if report.kind is ConsentKind.OPT_IN:
        return destination.consent_source and sent != says and (last != says or report.at is not None)
    if report.at is None:
        return says not in {last, sent, _said_as(sent)}
    # Our own write coming back; where a CRM has no word for those who were never asked, it calls them unsubscribed.
    is_ours = says in {sent, _said_as(sent)} or (sent in _NEVER_ASKED and says == Status.UNSUBSCRIBED)
    return not (
        is_ours
        and told is not None
        and told.delivered_at is not None
        and abs(report.at - told.delivered_at) < _OWN_WRITE
    )


def _said_as(sent: str | None) -> str | None:
    return _SAID_AS.get(Status(sent)) if sent else None


def _store(destination: Destination, report: Report, of: Whose, email: str | None) -> bool:
    """Add an entry to the ledger; a report about somebody erased, or whom nobody knows, is told in the log alone."""
    now = timezone.now()
    at = now if report.at is None or report.at > now + _AHEAD else report.at
    said = Said(source=Source.CRM, destination=destination.name, origin=origin_of(destination.pk))
    try:
        added = add_consent(
            org=destination.org_id,
            kind=str(report.kind),
            said=said,
            at=to_instant(at),
            supporter=of.supporter,
            email=email,
            contact_ref=report.contact_ref if of.supporter is None else None,
        )
    except NotPossible as reason:
        log.warning("report_not_stored", destination=destination.pk, code=reason.code)
        return False
    return added.is_new


def _remember(destination: Destination, said: dict[str, str], now: datetime) -> None:
    rows = [Reported(destination_id=destination.pk, who=who, said=what, at=now) for who, what in said.items()]
    Reported.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["destination", "who"], update_fields=["said", "at"]
    )


def _restate(destination: Destination, supporters: Sequence[int]) -> None:
    """The CRM thinks that it may mail somebody who has left here: it is told again."""
    stopped = Subscription.objects.filter(supporter_id__in=list(supporters), org_id=destination.org_id).exclude(
        status__in=[Status.SUBSCRIBED, Status.PENDING, Status.NONE]
    )
    ids = list(stopped.values_list("supporter_id", flat=True))
    with transaction.atomic():
        Queue(destination, connector(destination.kind), timezone.now()).want(ids, feed.newest_id())
