"""The line to one destination: its client, its limits, and a batch from the claim to the record."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.utils import timezone

from sync.connectors.contract import (
    Delivered,
    FindsBy,
    Item,
    Outcome,
    Partial,
    Rejected,
    RemoteState,
    Request,
    Response,
)
from sync.models import Destination
from sync.processes import Stop
from sync.push import back, deliveries, destinations, pace
from sync.push.addresses import is_newest, opened, seal
from sync.push.decide import Circuit, Decision, after, decide
from sync.push.deliveries import FORGET_AGAIN_AFTER, RENEW_AFTER, Claimed, Finished, Lines
from sync.push.http import Client
from sync.push.registry import connector
from sync.push.scrub import scrubbed
from sync.push.sending import Sender, Sent, Withdrawn
from sync.push.snapshot import Snapshot, Snapshots
from sync.push.standing import circuit_of, write_circuit

log = structlog.get_logger(__name__)

#: Rows are claimed in such numbers also where the CRM takes one at a time: a claim costs as much as a request.
_CLAIM_AT_LEAST = 25
#: A kill repeats so many people at most, or a batch.
_RECORD_AT_ONCE = 10
_NOTE_SUCCESS_EVERY = timedelta(seconds=10)


class Line:
    """Talks to one destination for one worker."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self._connector = connector(destination.kind)
        self._since = destination.updated_at
        self._client = Client(self._before_each)
        self._requests = 0
        self._lease = ""
        self._claimed: list[int] = []
        self._unreleased: tuple[str, list[int], set[int]] | None = None
        self._renew_at = timezone.now()
        #: What is still to be sent under the lease, by its place in the batch.
        self._live: dict[int, Claimed] = {}
        self.context = destinations.context(destination, self._connector, self, {}, note=self._note)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def is_outdated(self, destination: Destination) -> bool:
        """Tell whether people changed the destination since."""
        return destination.updated_at != self._since

    def send(self, request: Request) -> Response:
        """Send a request of the connector's."""
        self._requests += 1
        return self._client.send(request)

    def _note(self, code: str, **ids: int) -> None:
        log.info(code, destination=self.destination.pk, **ids)

    # Before each request.

    def _before_each(self) -> None:
        """Keep to the rate, and see that what is sent may still be sent."""
        self._wait_for_slot()
        if self._lease:
            self._hold()

    def _hold(self) -> None:
        now = timezone.now()
        if now >= self._renew_at:
            deliveries.renew(self._lease, self._claimed, now)
            self._renew_at = now + RENEW_AFTER
        kinds = deliveries.held(self._lease, [row.id for row in self._live.values()], now)
        gone = frozenset(index for index, row in self._live.items() if kinds.get(row.id) != row.kind)
        if gone:
            self._live = {index: row for index, row in self._live.items() if index not in gone}
            raise Withdrawn(gone)

    def _wait_for_slot(self) -> None:
        pace.wait(self.destination, self._connector)

    # A batch.

    def deliver(self, counts: Counter[str], stop: Stop) -> bool:
        """Deliver the next batch; tell whether there was one."""
        self._release()
        size = min(self.destination.batch_size or self._connector.batch_size, self._connector.batch_size)
        now, lease = timezone.now(), deliveries.new_lease()
        lines = Lines(at_once=self._connector.concurrency, batch=max(size, _CLAIM_AT_LEAST))
        most = 1 if self._circuit().probes else lines.batch
        rows = deliveries.claim(self.destination.pk, lease, most, now, lines)
        if not rows:
            return False
        self._claimed, self._renew_at = [row.id for row in rows], now + RENEW_AFTER
        untried: set[int] = set()
        try:
            untried = self._deliver(lease, rows, size, counts, stop)
        finally:
            self._lease, self._unreleased = "", (lease, self._claimed, untried)
            self._release()
        return True

    def _release(self) -> None:
        """Let go what is not finished; where the database was away then, as soon as it is back."""
        if self._unreleased is not None:
            deliveries.release(*self._unreleased)
            self._unreleased = None

    def _deliver(self, lease: str, rows: list[Claimed], size: int, counts: Counter[str], stop: Stop) -> set[int]:
        """Deliver claimed rows; return the ids of those that were not tried."""
        snapshots = Snapshots(self.destination, self._connector).of(rows)
        nothing = [one for one in snapshots if one.item is None]
        if nothing:
            deliveries.finish(lease, [_left_out(one) for one in nothing], timezone.now())
            counts["skipped"] += len(nothing)
        chosen = [(one, one.item) for one in snapshots if one.item is not None]
        self._live = {index: one.row for index, (one, _) in enumerate(chosen)}
        self._remember_addresses(lease, chosen)
        self._lease = lease
        results = Results(self.destination, self._connector.finds_by, self._circuit())
        sender = Sender(self._connector, self.context, lambda: self._requests)
        for sent in sender.send([item for _, item in chosen], size):
            self._live.pop(sent.place, None)
            snapshot, item = chosen[sent.place]
            results.add(snapshot, item, sent)
            is_over = results.circuit_opened or stop.asked
            if is_over or results.is_full(size):
                results.record(lease, counts)
            if is_over:
                break
        results.record(lease, counts)
        return {row.id for place, row in self._live.items() if place not in sender.tried}

    def _remember_addresses(self, lease: str, chosen: Sequence[tuple[Snapshot, Item]]) -> None:
        """Before anything is sent: whatever happens then, an order to forget finds its way."""
        by = self._connector.finds_by
        sealed = [(one.row, addresses_of(one.row, item, one.row.remote_id, by)) for one, item in chosen]
        deliveries.remember_addresses(lease, [(row.id, text) for row, text in sealed if text != row.told_email])

    def _circuit(self) -> Circuit:
        return circuit_of(self.destination.standing)


class Results:
    """What became of a batch until it is recorded."""

    def __init__(self, destination: Destination, finds_by: FindsBy, circuit: Circuit) -> None:
        self._destination, self._finds_by, self._circuit = destination, finds_by, circuit
        self._before = circuit
        self._finished: list[Finished] = []
        self._outcomes: list[Outcome] = []
        self._remote: list[tuple[Snapshot, RemoteState]] = []
        self._counts: Counter[str] = Counter()

    @property
    def circuit_opened(self) -> bool:
        """Whether nothing more may be sent for now."""
        circuit, before = self._circuit, self._before
        return circuit.state == "paused" or circuit.blocked_until not in (None, before.blocked_until)

    def is_full(self, size: int) -> bool:
        """Whether it is time to record: a kill would repeat what is not."""
        return len(self._finished) >= max(size, _RECORD_AT_ONCE)

    def add(self, snapshot: Snapshot, item: Item, sent: Sent) -> None:
        """Take an outcome in."""
        now = timezone.now()
        decision = decide(sent.outcome, snapshot.row.attempts, now, random.random())  # noqa: S311 - no secret
        decision = replace(decision, error=scrubbed(decision.error, item))
        if sent.counts:
            self._circuit = after(self._circuit, [sent.outcome], now)
            self._outcomes.append(sent.outcome)
        if isinstance(sent.outcome, Delivered):
            self._counts["delivered"] += 1
        elif decision.costs_attempt:
            self._counts["failed"] += 1
        self._finished.append(finished(snapshot, item, sent.outcome, decision, self._finds_by))
        if (remote := _remote(sent.outcome)) is not None:
            self._remote.append((snapshot, remote))

    def record(self, lease: str, counts: Counter[str]) -> None:
        """Write everything down: rows, the circuit, and what the CRM said of people."""
        if not self._finished:
            return
        now = timezone.now()
        deliveries.finish(lease, self._finished, now)
        self._record_circuit(now)
        counts += self._counts
        back.stopped_there(self._destination, self._remote, self._finished)
        self._finished, self._outcomes, self._remote, self._counts = [], [], [], Counter()

    def _record_circuit(self, now: datetime) -> None:
        standing = self._destination.standing
        has_news = self._circuit != self._before
        succeeded = any(isinstance(one, Delivered | Partial) for one in self._outcomes)
        stale = standing.delivered_at is None or now - standing.delivered_at > _NOTE_SUCCESS_EVERY
        if not has_news and not (succeeded and stale):
            return
        outcomes = list(self._outcomes)
        self._destination.standing = write_circuit(
            standing.pk, lambda circuit: after(circuit, outcomes, now), now, delivered=succeeded
        )
        self._before = self._circuit


def _remote(outcome: Outcome) -> RemoteState | None:
    return outcome.remote if isinstance(outcome, Delivered | Partial | Rejected) else None


def _left_out(snapshot: Snapshot) -> Finished:
    row = snapshot.row
    is_order = row.kind == "erasure"
    decision = Decision(state="rejected" if is_order else "skipped", error=snapshot.why, costs_attempt=False)
    return replace(
        _as_it_was(row, decision),
        actions_skipped=snapshot.skipped,
    )


def _as_it_was(row: Claimed, decision: Decision) -> Finished:
    return Finished(
        row=row,
        decision=decision,
        remote_id=row.remote_id,
        remote_others=row.remote_others,
        told_status=row.told_status,
        told_email=row.told_email,
        told_tags=row.told_tags,
    )


def finished(snapshot: Snapshot, item: Item, outcome: Outcome, decision: Decision, finds_by: FindsBy) -> Finished:
    """Return what is written of a row, given what became of its item."""
    row = snapshot.row
    decision = _with_rest(snapshot, item, decision)
    base = replace(
        _as_it_was(row, decision), actions_skipped=snapshot.skipped, **_actions(snapshot, item, outcome, decision)
    )
    if item.erase:
        return _forgotten(base, item)
    remote_id = getattr(outcome, "remote_id", None) or row.remote_id
    others = [*row.remote_others, *([row.remote_id] if row.remote_id not in (None, remote_id) else [])]
    base = replace(
        base,
        remote_id=remote_id,
        # Contacts of the person that are still there, ended: an order to forget must reach them too.
        remote_others=tuple(one for one in dict.fromkeys(others) if one != remote_id),
        told_email=addresses_of(row, item, remote_id, finds_by),
    )
    if not decision.person_done:
        return base
    # What the CRM did not take was not told.
    status = row.told_status if _remote(outcome) is not None else str(item.status)
    tags = item.tags if item.with_details else row.told_tags
    return replace(base, told_status=status, told_tags=tuple(tags))


def _with_rest(snapshot: Snapshot, item: Item, decision: Decision) -> Decision:
    """An order to forget is given twice; a person with more actions than go along at once comes again."""
    now = timezone.now()
    if snapshot.row.kind == "erasure" and decision.state == "delivered" and snapshot.row.told != snapshot.row.wanted:
        return replace(decision, state="waiting", due_at=now + FORGET_AGAIN_AFTER)
    if snapshot.has_more and decision.state == "delivered" and not item.erase:
        return replace(decision, state="waiting", due_at=now)
    return decision


def _actions(snapshot: Snapshot, item: Item, outcome: Outcome, decision: Decision) -> dict[str, Any]:
    """Which deliveries of actions are done; a person delivered as a whole says so of all."""
    by_key = {one.key: pk for one, pk in zip(item.actions, snapshot.actions, strict=True)}
    rejected: dict[str, str] = {}
    if isinstance(outcome, Partial):
        keys = outcome.actions_done
        rejected = dict(outcome.rejected_actions)
    elif isinstance(outcome, Delivered):
        keys = tuple(by_key)
    else:
        keys = ()
    return {
        "actions_done": tuple(by_key[key] for key in keys if key in by_key),
        "actions_rejected": tuple(
            (by_key[key], scrubbed(code, item)) for key, code in rejected.items() if key in by_key
        ),
    }


def addresses_of(row: Claimed, item: Item, remote_id: str | None, finds_by: FindsBy) -> str:
    """Return the addresses told, sealed, where nothing else leads back to the contact there."""
    if finds_by is not FindsBy.EMAIL or remote_id is not None or item.email is None:
        return row.told_email if remote_id is None else ""
    told = opened(row.told_email)
    return row.told_email if told[:1] == [item.email] and is_newest(row.told_email) else seal([item.email, *told])


def _forgotten(base: Finished, item: Item) -> Finished:
    """After the last order nothing is left of the person; after a deletion for a bounce they may come again."""
    if base.decision.is_over and base.decision.state == "delivered":
        return replace(base, remote_id=None, remote_others=(), told_email="", told_tags=())
    return base
