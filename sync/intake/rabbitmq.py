"""Batches from RabbitMQ. Alone knows channels and delivery tags; never publishes, declares or requeues.

    connecting ──▶ serving ──▶ closed
        ▲  │          │  └── release() ──▶ away ──┐
        │  │ refused, │ connection or channel lost│
        │  ▼ at first ▼                           │
        │ failed    waiting, backoff              │
        └─────────────┴───── resume() ◀───────────┘

Serving is a thread of its own (heartbeats, deliveries into the buffer, answers out), so that a database that
takes long costs no heartbeat. A consumer that the broker cancels (queue made anew, leader moved) is
subscribed again with backoff, on the same channel; so is one whose queue is missing after a reconnect.

Delivery tags belong to one channel: with the channel go the buffer and all answers to what came over it. The
broker delivers those messages again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pika
import structlog
from msgspec import Struct

from sync.intake import headers
from sync.intake.connecting import (
    BACKOFF_SECONDS,
    TROUBLE,
    Backoff,
    Reading,
    lasting_reason,
    parameters,
    passing_reason,
)
from sync.intake.sources import Batch, GivenUp, Origin, Raw, Result, SourceFailed
from sync.processes import Task

log = structlog.get_logger(__name__)

#: The only sign of a message that kills the process is `redelivered`: such ones take few others with them.
SMALL_BATCH = 10
#: Unacknowledged for 30 minutes, the broker takes the channel away.
SECONDS_TO_HOLD = 240.0

_SECONDS_TO_LOOK = 5.0
_SECONDS_TO_CLOSE = 2.0
_SECONDS_BETWEEN_DRAIN_CHECKS = 0.05


class _Delivery(Struct, frozen=True):
    raw: Raw
    tag: int
    redelivered: bool
    at: float


@dataclass(frozen=True, slots=True)
class _Ticket:
    """The messages of a batch as their channel knows them."""

    channel: Any
    tags: tuple[int, ...]


@dataclass(slots=True)
class _Cancelled:
    """A queue whose consumer the broker has cancelled."""

    origin: Origin
    due: float
    backoff: Backoff = field(default_factory=Backoff)


class RabbitSource:
    """One connection, one channel, a consumer for each queue."""

    patience = SECONDS_TO_HOLD
    troubles: Sequence[str] = ()

    def __init__(self, reading: Reading) -> None:
        self.depth: int | None = None
        self._reading = reading
        self._size = min(reading.batch_size, reading.prefetch)
        # Shared by both threads, under the lock of `_changed`. Only appending needs no lock.
        self._changed = threading.Condition()
        self._buffer: deque[_Delivery] = deque()
        self._answers: deque[tuple[_Ticket, Sequence[Result]]] = deque()
        self._handed_out = 0
        self._wanted = self._size
        self._away = self._closing = self._drained = False
        # Of the thread that serves.
        self._connection: Any = None
        self._channel: Any = None
        self._consumers: dict[str, Origin] = {}
        self._cancelled: list[_Cancelled] = []
        self._backoff = Backoff()
        self._was_ready = self._warned_of_others = False
        self._look_at = self._drain_check_at = 0.0
        self._task: Task[None] = Task(self._run)
        threading.Thread(target=self._task.run, name="rabbitmq", daemon=True).start()

    # --- For the worker -------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the queue was seen empty with nothing in hand; only when asked to drain it."""
        return self._drained

    def next(self, wait: float, most: int) -> Batch | None:
        """Return a batch once it is full or its first message has waited long enough."""
        until = time.monotonic() + wait
        with self._changed:
            while True:
                if self._task.over.is_set():
                    self._task.result()
                now = time.monotonic()
                if ready := self._ready(most, now):
                    return self._cut(ready)
                wake = self._buffer[0].at + self._reading.batch_wait if self._buffer else until
                if now >= until or self._drained:
                    return None
                self._changed.wait(max(0.0, min(until, wake) - now))

    def holds(self, batch: Batch) -> bool:
        """Whether the channel that this batch came over still lives."""
        return not self._away and batch.ticket.channel is self._channel

    def settle(self, batch: Batch, results: Sequence[Result]) -> None:
        """Acknowledge, or give up, soon; nothing happens to a batch whose channel is gone."""
        self._answers.append((batch.ticket, results))
        self._wake()

    def release(self) -> None:
        """Close the connection once, so that the broker gives the messages to others."""
        with self._changed:
            self._away = True
            self._changed.notify_all()
        self._wake()

    def resume(self) -> None:
        """Connect again."""
        with self._changed:
            self._away = False
            self._changed.notify_all()

    def close(self) -> None:
        """Send the last answers and close. A network that hangs is left behind."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._wake()
        self._task.over.wait(_SECONDS_TO_CLOSE)

    def _wake(self) -> None:
        connection = self._connection
        try:
            if connection is not None:
                connection.add_callback_threadsafe(_nothing)
        except TROUBLE:
            # Lost at this very moment: the thread notices by itself.
            pass

    def _ready(self, most: int, now: float) -> int:
        """Return how many messages make a batch now, 0 for none. Holding the lock."""
        if not self._buffer:
            self._wanted = 1
            return 0
        first = self._buffer[0]
        full = min(self._size, most, SMALL_BATCH if first.redelivered else self._size)
        self._wanted = full
        if len(self._buffer) >= full:
            return full
        return len(self._buffer) if now >= first.at + self._reading.batch_wait else 0

    def _cut(self, most: int) -> Batch:
        """Take a batch off the buffer: redelivered messages and new ones never together. Holding the lock."""
        taken = [self._buffer.popleft()]
        while self._buffer and len(taken) < most and self._buffer[0].redelivered == taken[0].redelivered:
            taken.append(self._buffer.popleft())
        self._handed_out += 1
        ticket = _Ticket(self._channel, tuple(delivery.tag for delivery in taken))
        return Batch(tuple(delivery.raw for delivery in taken), ticket)

    # --- The thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            if self._away:
                self._pause(1)
                continue
            try:
                self._open()
                self._serve()
            except TROUBLE as error:
                self._lost(error)
            else:
                self._disconnect()

    def _open(self) -> None:
        reading = self._reading
        self._connection = pika.BlockingConnection(parameters(reading))
        channel = self._connection.channel()
        missing = [origin for origin in reading.origins if self._was_ready and not self._exists(origin.name)]
        for origin in reading.origins:
            if origin not in missing:
                channel.queue_declare(origin.name, passive=True)
        channel.add_on_cancel_callback(self._on_cancel)
        channel.basic_qos(prefetch_count=reading.prefetch)
        with self._changed:
            self._channel = channel
        for origin in reading.origins:
            if origin in missing:
                self._wait_for(origin, "queue_missing")
            else:
                self._subscribe(origin)
        self._was_ready = True
        self._look_at = 0.0
        log.info("queue_open", queues=[origin.name for origin in reading.origins], prefetch=reading.prefetch)

    def _subscribe(self, origin: Origin) -> None:
        tag = self._channel.basic_consume(origin.name, partial(self._on_message, origin))
        self._consumers[tag] = origin

    def _serve(self) -> None:
        opened = time.monotonic()
        while not (self._closing or self._away):
            self._send_answers()
            self._subscribe_again()
            self._look()
            if self._reading.drain:
                self._check_drained()
            self._connection.process_data_events(time_limit=0.5 if not self._reading.drain else 0.05)
            if not self._channel.is_open:
                # pika raises nothing by itself: the broker took the channel and left the connection.
                raise getattr(self._channel, "_closing_reason", None) or pika.exceptions.ChannelWrongStateError
            if time.monotonic() - opened > BACKOFF_SECONDS[1]:
                self._backoff.done()
        self._send_answers()

    def _lost(self, error: BaseException) -> None:
        """A connection or channel that broke: nothing in hand can be answered any more."""
        reason = lasting_reason(error)
        if reason is not None and not self._was_ready:
            self._disconnect()
            raise SourceFailed(f"{_queues(self._reading)}: {reason}") from None
        pause = self._backoff.next()
        tell = log.warning if self._backoff.attempts == 1 else log.info
        tell("queue_lost", reason=passing_reason(error), again_in=round(pause, 1))
        self._disconnect()
        self._pause(pause)

    def _disconnect(self) -> None:
        with self._changed:
            self._channel = None
            self._buffer.clear()
            self._answers.clear()
            self._handed_out = 0
            self._changed.notify_all()
        self._consumers.clear()
        self._cancelled.clear()
        connection, self._connection = self._connection, None
        try:
            if connection is not None and connection.is_open:
                connection.close()
        except TROUBLE:
            # It was going anyway.
            pass

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            while not self._closing and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
                if self._away:
                    return

    def _send_answers(self) -> None:
        while self._answers:
            ticket, results = self._answers.popleft()
            if ticket.channel is not self._channel:
                continue
            if not self._reading.dry_run:
                self._answer(ticket, results)
                self._backoff.done()
            with self._changed:
                self._handed_out -= 1

    def _answer(self, ticket: _Ticket, results: Sequence[Result]) -> None:
        """Send rejects one by one before the acknowledgement of the rest, which covers every older tag."""
        accepted = 0
        for tag, result in zip(ticket.tags, results, strict=True):
            if isinstance(result, GivenUp):
                self._channel.basic_nack(tag, multiple=False, requeue=False)
            else:
                accepted = tag
        if accepted:
            self._channel.basic_ack(accepted, multiple=True)

    def _on_message(self, origin: Origin, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        own = headers.plain(properties.headers) if properties.headers else {}
        raw = Raw(
            body=body,
            queue=origin.name,
            reader=origin.reader,
            headers=own,
            rejected=headers.times_rejected(own, origin.name) if own else 0,
            has_retry=origin.has_retry,
        )
        self._buffer.append(_Delivery(raw, method.delivery_tag, method.redelivered, time.monotonic()))
        if len(self._buffer) >= self._wanted or len(self._buffer) == 1:
            with self._changed:
                self._changed.notify_all()

    def _on_cancel(self, frame: Any) -> None:
        origin = self._consumers.pop(frame.method.consumer_tag, None)
        if origin is not None:
            self._wait_for(origin, "consumer_cancelled")

    def _wait_for(self, origin: Origin, why: str) -> None:
        cancelled = _Cancelled(origin, time.monotonic())
        cancelled.due += cancelled.backoff.next()
        self._cancelled.append(cancelled)
        log.warning(why, queue=origin.name)

    def _subscribe_again(self) -> None:
        """Try cancelled consumers again, on another channel first: a queue still missing would close ours."""
        for cancelled in [one for one in self._cancelled if one.due <= time.monotonic()]:
            if self._exists(cancelled.origin.name):
                self._cancelled.remove(cancelled)
                self._subscribe(cancelled.origin)
                log.info("consumer_back", queue=cancelled.origin.name)
            else:
                cancelled.due = time.monotonic() + cancelled.backoff.next()

    def _exists(self, queue: str) -> bool:
        probe = self._connection.channel()
        try:
            probe.queue_declare(queue, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
        probe.close()
        return True

    def _look(self) -> None:
        """See from time to time how much waits, and whether somebody else reads our messages."""
        if time.monotonic() < self._look_at or self._cancelled:
            return
        self._look_at = time.monotonic() + _SECONDS_TO_LOOK
        depth = 0
        for origin in self._reading.origins:
            found = self._channel.queue_declare(origin.name, passive=True).method
            depth += found.message_count
            if found.consumer_count > self._reading.consumers and not self._warned_of_others:
                self._warned_of_others = True
                log.warning("another_consumer", queue=origin.name, consumers=found.consumer_count)
        self.depth = depth

    def _check_drained(self) -> None:
        """Look twice: the first answer can overtake messages that are under way, the second cannot."""
        if self._buffer or self._handed_out or self._cancelled or time.monotonic() < self._drain_check_at:
            return
        self._drain_check_at = time.monotonic() + _SECONDS_BETWEEN_DRAIN_CHECKS
        waiting = sum(
            self._channel.queue_declare(origin.name, passive=True).method.message_count
            for origin in self._reading.origins * 2
        )
        # Deliveries that came with the answers are not in the buffer before they are dispatched.
        self._connection.process_data_events(time_limit=0)
        with self._changed:
            if not waiting and not self._buffer and not self._handed_out:
                self._drained = True
                self.depth = 0
                self._changed.notify_all()


def _queues(reading: Reading) -> str:
    return ", ".join(origin.name for origin in reading.origins)


def _nothing() -> None:
    """Wakes the thread that serves."""
