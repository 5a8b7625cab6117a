"""The loop: what it does with batches, with a database that goes away, and somebody who wants an end."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from sync.intake import worker as module
from sync.intake.retry import Retried
from sync.intake.sources import Batch, GivenUp, Raw, SourceFailed
from sync.intake.worker import Order, Worker
from sync.proca.encryption import KeyStore
from sync.processes import Stop
from sync.store.errors import Away
from sync.terms import Verdict
from tests.intake.reading import batch_of, numbered, reading
from tests.servers import wait_until

KEYS = KeyStore.empty()


@dataclass
class Given:
    """A source that holds what a test gives it, and remembers what it was told."""

    batches: deque[Batch]
    patience: float = math.inf
    depth: int | None = None
    troubles: tuple[str, ...] = ()
    ends: bool = True
    away: bool = False
    told: list[str] = field(default_factory=list)
    settled: list[list] = field(default_factory=list)

    @property
    def finished(self) -> Any:
        return self.ends and not self.batches

    def next(self, wait, most) -> Any:
        if self.batches:
            batch = self.batches.popleft()
            return Batch(batch.raws[:most], batch.ticket)
        time.sleep(min(wait, 0.02))
        return None

    def holds(self, batch) -> Any:
        return not self.away

    def settle(self, batch, results) -> Any:
        self.settled.append(list(results))

    def release(self) -> Any:
        self.away = True
        self.told.append("release")

    def resume(self) -> Any:
        self.away = False
        self.told.append("resume")

    def close(self) -> Any:
        self.told.append("close")


def given(*sizes, **more) -> Any:
    raw = Raw(body=b"{}", queue="cus.7.deliver", reader=7, has_retry=True)
    return Given(deque(Batch((raw,) * size) for size in sizes), **more)


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> Any:
    monkeypatch.setattr(module, "_SLICE", 0.01)
    monkeypatch.setattr(module, "_PAUSES", (0.01, 0.05))
    monkeypatch.setattr(module, "_GRACE", (1.0, 0.2))
    monkeypatch.setattr(module, "retry_due", lambda keys, *, now: Retried())


@pytest.fixture
def takes(monkeypatch) -> Any:
    """`takes(f)`: what the database makes of a batch."""

    def use(judge) -> Any:
        monkeypatch.setattr(module, "store", lambda raws, opened, *, dry_run=False: judge(raws, dry_run))

    use(lambda raws, dry_run: [Verdict.STORED] * len(raws))
    return use


def slowly(seconds) -> Any:
    """A database that takes so long for its first batches, and stores them all."""
    pauses = iter(seconds)

    def judge(raws, dry_run):
        time.sleep(next(pauses, 0))
        return [Verdict.STORED] * len(raws)

    return judge


def run(source, *, stop=None, **order) -> Any:
    return Worker(source, KEYS, Order(**order), stop=stop or Stop()).run()


def test_every_message_counts_once(takes):
    every = [*[*Verdict][:-1], GivenUp("failed:Test")]
    takes(lambda raws, dry_run: every[: len(raws)])
    source = given(6, 3)

    numbers = run(source)

    assert numbers == {
        "received": 9,
        "stored": 2,
        "updated": 2,
        "duplicates": 2,
        "events": 1,
        "quarantined": 1,
        "rejected": 1,
    }
    assert source.settled == [every, every[:3]]
    assert source.told == ["close"]


def test_a_limit_is_exact(takes):
    source = given(6, 6, 6)

    assert run(source, limit=8)["received"] == 8


def test_the_next_batch_is_opened_while_one_is_stored_and_settled_after_it(takes, monkeypatch):
    events = []
    opened = threading.Event()

    def open_all(raws, keys, *, now) -> Any:
        events.append(f"open {len(raws)}")
        if len(raws) == 2:
            opened.set()
        return [None] * len(raws)

    def judge(raws, dry_run) -> Any:
        if len(raws) == 1:
            assert opened.wait(10)
        events.append(f"stored {len(raws)}")
        return [Verdict.STORED] * len(raws)

    monkeypatch.setattr(module, "open_all", open_all)
    takes(judge)
    source = given(1, 2, 3)

    run(source)

    assert events[:3] == ["open 1", "open 2", "stored 1"]
    assert [len(results) for results in source.settled] == [1, 2, 3]


def test_a_limit_counts_what_is_in_hand(takes):
    takes(slowly([0.1, 0.1]))
    source = given(6, 6, 6)

    assert run(source, limit=8)["received"] == 8
    assert [len(results) for results in source.settled] == [6, 2]


def test_what_was_opened_ahead_is_forgotten_with_its_channel(takes):
    source = given(5, 2, 3)
    lost = source.batches[1]
    source.holds = lambda batch: batch is not lost
    source.next = lambda wait, most: source.batches.popleft() if source.batches else None

    assert run(source)["received"] == 8


def test_a_database_that_comes_back_soon_costs_nothing(takes):
    tries = []

    def judge(raws, dry_run) -> Any:
        tries.append(dry_run)
        if len(tries) < 4:
            raise Away("connection")
        return [Verdict.STORED] * len(raws)

    takes(judge)
    source = given(5)

    assert run(source)["stored"] == 5
    assert tries == [False] * 4
    assert source.told == ["close"]


def test_a_database_that_stays_away_is_waited_for_without_messages(takes):
    begun = time.monotonic()
    tries = []

    def judge(raws, dry_run) -> Any:
        tries.append(dry_run)
        if time.monotonic() < begun + 0.5:
            raise Away("connection")
        return [Verdict.STORED] * len(raws)

    takes(judge)
    source = given(5, 2, patience=0.1)

    numbers = run(source)

    # The first batch went back to the queue, which would deliver it again.
    assert numbers["received"] == 2
    assert source.told == ["release", "resume", "close"]
    assert source.settled == [[Verdict.STORED] * 2]
    # To see whether the database is back, the batch is tried without a commit.
    assert tries[-2:] == [True, False]


def test_a_database_that_hangs_is_not_waited_for_with_messages_in_hand(takes):
    takes(slowly([0.3]))
    source = given(5, patience=0.1)

    run(source)

    assert source.told == ["release", "resume", "close"]


def test_a_stop_finishes_the_batch_in_hand(takes):
    stop = Stop()

    def judge(raws, dry_run) -> Any:
        stop.ask()
        time.sleep(0.2)
        return [Verdict.STORED] * len(raws)

    takes(judge)
    source = given(5, 5)

    assert run(source, stop=stop)["stored"] == 5
    assert source.settled == [[Verdict.STORED] * 5]


@pytest.mark.parametrize("patience", [0.0, math.inf])
def test_a_stop_is_heard_while_waiting_for_the_database(takes, patience):
    def judge(raws, dry_run) -> Any:
        raise Away("connection")

    takes(judge)
    stop = Stop()
    threading.Timer(0.2, stop.ask).start()
    begun = time.monotonic()

    numbers = run(given(5, patience=patience), stop=stop)

    assert time.monotonic() - begun < 1
    assert numbers["received"] == 0


def test_a_stop_is_heard_while_the_database_hangs(takes):
    def judge(raws, dry_run) -> Any:
        stop.ask()
        time.sleep(10)

    takes(judge)
    stop = Stop()
    begun = time.monotonic()

    run(given(5), stop=stop)

    assert time.monotonic() - begun < 3


def test_a_dry_run_says_so_and_retries_nothing(takes, monkeypatch):
    monkeypatch.setattr(module, "retry_due", lambda keys, *, now: pytest.fail("not in a dry run"))
    seen = []

    def judge(raws, dry_run):
        seen.append(dry_run)
        return [Verdict.STORED] * len(raws)

    takes(judge)

    run(given(2, 2), dry_run=True)

    assert seen == [True, True]


def test_what_is_kept_for_its_time_is_tried_at_the_start_and_again(takes, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_RETRIES", 0.1)
    tries = []

    def retry_due(keys, *, now):
        tries.append(now)
        return Retried(1, 0)

    monkeypatch.setattr(module, "retry_due", retry_due)
    stop = Stop()
    threading.Timer(0.5, stop.ask).start()

    run(given(ends=False), stop=stop)

    assert len(tries) >= 3


def test_the_retry_interval_is_below_a_minute():
    assert module._SECONDS_BETWEEN_RETRIES < 60


def test_an_error_of_the_source_ends_it_and_closes_it(takes):
    source = given(1, ends=False)
    source.next = lambda wait, most: (_ for _ in ()).throw(SourceFailed("no"))

    with pytest.raises(SourceFailed):
        run(source)
    assert source.told == ["close"]


# --- With a real queue -------------------------------------------------------------------------------------


def working(source, stop, **order) -> Any:
    """A worker in a thread."""
    worker = Worker(source, KEYS, Order(**order), stop=stop)
    thread = threading.Thread(target=worker.run)
    thread.start()
    return worker, thread


def test_a_slow_database_costs_no_heartbeat(broker, takes):
    broker.declare()
    broker.publish(*numbered(30))
    # Two intervals of 2 s without a sign of life, and the broker would hang up.
    takes(slowly([7]))

    with reading(broker, batch_size=10, drain=True, heartbeat=2) as source:
        numbers = Worker(source, KEYS, Order(), stop=Stop()).run()

    # Anything delivered again would have been received again.
    assert numbers["received"] == 30
    assert broker.depth() == 0


def test_a_batch_whose_connection_died_is_not_acknowledged_on_the_next_one(broker, takes):
    broker.declare()
    broker.publish(*numbered(10))
    cut = iter([True])

    def judge(raws, dry_run) -> Any:
        if next(cut, False):
            broker.cut()
            time.sleep(2)
            # Whoever acknowledged these now would acknowledge messages of the new channel.
            broker.publish(*numbered(10, 10))
        return [Verdict.STORED] * len(raws)

    takes(judge)
    with reading(broker, batch_size=10, drain=True) as source:
        numbers = Worker(source, KEYS, Order(), stop=Stop()).run()

    assert numbers["received"] == 30
    assert broker.depth() == 0


def test_idle_it_stops_at_once(broker, takes):
    broker.declare()
    stop = Stop()
    with reading(broker) as source:
        _, thread = working(source, stop)
        wait_until(lambda: source.depth == 0, "an idle consumer", 10)
        begun = time.monotonic()

        stop.ask()
        thread.join()

    assert time.monotonic() - begun < 2


def test_while_waiting_to_reconnect_it_stops_at_once(broker, takes, wire):
    broker.declare()
    line = wire(broker.port)
    line.cut()
    stop = Stop()
    with reading(broker, port=line.port) as source:
        _, thread = working(source, stop)
        wait_until(lambda: source._backoff.attempts > 1, "some attempts", 10)
        begun = time.monotonic()

        stop.ask()
        thread.join()

    assert time.monotonic() - begun < 2


def test_a_limit_leaves_the_rest_in_the_queue(broker, takes):
    broker.declare()
    broker.publish(*numbered(50))

    with reading(broker, batch_size=10, limit=15) as source:
        numbers = Worker(source, KEYS, Order(limit=15), stop=Stop()).run()

    assert numbers["received"] == 15
    wait_until(lambda: broker.depth() == 35, "the rest", 5)


def test_a_database_that_stays_away_gives_the_queue_back_its_messages_once(broker, takes, monkeypatch):
    broker.declare()
    broker.publish(*numbered(10))
    away = threading.Event()
    away.set()

    def judge(raws, dry_run) -> Any:
        if away.is_set():
            raise Away("connection")
        return [Verdict.STORED] * len(raws)

    takes(judge)
    stop = Stop()
    with reading(broker, batch_size=10) as source:
        monkeypatch.setattr(source, "patience", 0.5)
        worker, thread = working(source, stop)
        wait_until(lambda: broker.depth() == 10, "the messages back", 10)
        time.sleep(1)
        assert broker.consumers() == 0

        away.clear()
        wait_until(lambda: worker.totals.received == 10, "the messages stored", 15)
        stop.ask()
        thread.join()

    assert broker.depth() == 0


def test_give_up_and_come_back_until_it_is_quarantined(broker, takes):
    broker.declare(ttl_ms=100)
    broker.publish(*numbered(5))
    bad = numbered(5)[2]

    def judge(raws, dry_run) -> Any:
        return [
            (GivenUp("x") if raw.rejected < 3 else Verdict.QUARANTINED) if raw.body == bad else Verdict.STORED
            for raw in raws
        ]

    takes(judge)
    stop = Stop()
    with reading(broker) as source:
        worker, thread = working(source, stop)
        wait_until(lambda: worker.totals.verdicts[Verdict.QUARANTINED], "the quarantine", 15)
        stop.ask()
        thread.join()

    assert worker.totals.numbers() == {
        "received": 8,
        "stored": 4,
        "updated": 0,
        "duplicates": 0,
        "events": 0,
        "quarantined": 1,
        "rejected": 3,
    }
    assert broker.depth() == broker.depth("org.7.fail") == 0


def test_nothing_is_waited_for_after_a_dry_run(broker, takes):
    broker.declare()
    broker.publish(*numbered(5))

    with reading(broker, dry_run=True, drain=True, limit=1_000) as source:
        assert Worker(source, KEYS, Order(dry_run=True, limit=1_000), stop=Stop()).run()["received"] == 5
    with reading(broker) as source:
        assert len(batch_of(source).raws) == 5
