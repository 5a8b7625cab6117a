"""The queue as it really behaves: every way in which a broker takes back what it gave."""

import contextlib
import time
from functools import partial
from itertools import pairwise
from typing import Any

import pika
import pytest

from sync.intake.connecting import Reading
from sync.intake.sources import SourceFailed, origin_of
from tests.intake.reading import (
    FAILED,
    STORED,
    batch_of,
    batches_of,
    bodies_of,
    numbered,
    reading,
    settle,
)
from tests.servers import wait_until

QUEUE = "cus.7.deliver"


def test_a_batch_is_cut_by_size_and_by_time(broker):
    broker.declare()
    broker.publish(*numbered(15))

    with reading(broker, batch_size=10, batch_wait=0.3) as source:
        taken = batches_of(source, 15)

    assert [len(batch.raws) for batch in taken] == [10, 5]
    assert bodies_of(taken) == numbered(15)


def test_what_a_message_says_of_its_way(broker):
    broker.declare()
    broker.publish(b"{}")

    with reading(broker) as source:
        (raw,) = batch_of(source).raws

    assert (raw.body, raw.queue, raw.reader, raw.has_retry) == (b"{}", QUEUE, 7, True)
    assert (raw.headers, raw.rejected) == ({}, 0)


def test_what_is_settled_is_gone_and_the_rest_is_not(broker):
    broker.declare()
    broker.publish(*numbered(30))

    with reading(broker, batch_size=10) as source:
        settle(source, batch_of(source))
        settle(source, batch_of(source))
        batch_of(source)

    assert broker.depth() == 10
    assert [body for body, _ in broker.take_all()] == numbered(10, 20)


def test_one_given_up_does_not_take_its_neighbours_along(broker):
    broker.declare(ttl_ms=600_000)
    broker.publish(*numbered(10))
    bad = {numbered(10)[3], numbered(10)[9]}

    with reading(broker, batch_size=10, drain=True) as source:
        settle(source, batch_of(source), lambda body: FAILED if body in bad else STORED)
        wait_until(lambda: source.finished, "an empty queue", 10)

    assert broker.depth() == 0
    waiting = broker.take_all("org.7.fail")
    assert {body for body, _ in waiting} == bad


def test_every_message_of_a_batch_given_up(broker):
    broker.declare(ttl_ms=600_000)
    broker.publish(*numbered(5))

    with reading(broker, batch_size=5, drain=True) as source:
        settle(source, batch_of(source), lambda body: FAILED)
        wait_until(lambda: source.finished, "an empty queue", 10)

    assert len(broker.take_all("org.7.fail")) == 5


def test_how_often_a_message_was_given_up_is_counted(broker):
    broker.declare(ttl_ms=50)
    broker.publish(b"{}")
    seen = []

    with reading(broker, batch_wait=0) as source:
        for _ in range(4):
            batch = batch_of(source)
            seen += [raw.rejected for raw in batch.raws]
            settle(source, batch, lambda body: FAILED)
        last = batch_of(source).raws[0]

    assert seen == [0, 1, 2, 3]
    death = next(one for one in last.headers["x-death"] if one["reason"] == "rejected")
    assert type(death["count"]) is int
    assert death["count"] == 4
    assert isinstance(death["time"], str)


def test_the_circuit_of_a_quorum_queue_loses_nothing(broker):
    # What left such a queue by its delivery limit would be dropped as a cycle; a rejection never is.
    broker.declare(ttl_ms=50, arguments={"x-queue-type": "quorum", "x-delivery-limit": 3})
    broker.publish(b"{}")
    seen = []

    with reading(broker, batch_wait=0) as source:
        for _ in range(6):
            batch = batch_of(source)
            seen += [raw.rejected for raw in batch.raws]
            settle(source, batch, lambda body: FAILED)
        settle(source, batch_of(source))

    assert seen == [0, 1, 2, 3, 4, 5]
    assert broker.depth() == broker.depth("org.7.fail") == 0


def test_unacknowledged_stays_within_two_batches(broker):
    broker.declare()
    broker.publish(*numbered(300))

    with reading(broker, batch_size=50) as source:
        batch_of(source)
        wait_until(lambda: broker.depth() <= 200, "the prefetch", 5)
        time.sleep(0.3)

        assert broker.depth() == 200


def test_several_queues_share_the_two_batches(broker):
    broker.declare("cus.7.deliver")
    broker.declare("cus.8.deliver")
    broker.publish(*numbered(100), queue="cus.7.deliver")
    broker.publish(*numbered(100), queue="cus.8.deliver")

    with reading(broker, "cus.7.deliver", "cus.8.deliver", batch_size=20) as source:
        taken = [batch_of(source) for _ in range(1)]
        time.sleep(0.3)
        assert broker.depth("cus.7.deliver") + broker.depth("cus.8.deliver") == 160
        settle(source, taken[0])
        taken += batches_of(source, 20)

    readers = {raw.reader for batch in taken for raw in batch.raws}
    assert readers == {7, 8}


def test_a_system_queue_has_no_reader_and_no_way_back(broker):
    broker.declare_system()
    broker.publish(b"{}", queue="system.deliver")

    with reading(broker, "system.deliver") as source:
        (raw,) = batch_of(source).raws

    assert (raw.reader, raw.has_retry) == (None, False)


def test_redelivered_messages_come_in_small_batches_and_apart_from_new_ones(broker):
    broker.declare()
    broker.publish(*numbered(25))
    with reading(broker, batch_size=100) as source:
        batch_of(source)
    broker.publish(*numbered(25, 25))

    with reading(broker, batch_size=100) as source:
        taken = batches_of(source, 50)

    assert [len(batch.raws) for batch in taken] == [10, 10, 5, 25]
    assert bodies_of(taken) == numbered(50)


# --- The consumer is cancelled -----------------------------------------------------------------------------


def test_a_queue_made_anew_is_subscribed_again_on_the_same_connection(broker):
    broker.declare()
    with reading(broker) as source:
        broker.publish(*numbered(3))
        settle(source, batch_of(source))
        (connection,) = wait_until(broker.connections_of_reader, "the connection", 10)

        broker.delete()
        wait_until(lambda: source._cancelled, "the cancel", 5)
        broker.declare()
        broker.publish(*numbered(3, 3))

        assert [raw.body for raw in batch_of(source).raws] == numbered(3, 3)
        assert broker.connections_of_reader() == [connection]


def test_a_cancelled_consumer_is_trouble_and_not_the_end(broker):
    broker.declare()
    with reading(broker, drain=True) as source:
        wait_until(lambda: source.finished, "the end", 10)
    with reading(broker) as source:
        broker.publish(*numbered(1))
        batch_of(source)
        broker.delete()
        wait_until(lambda: source._cancelled, "the cancel", 5)

        assert source.next(0.5, 10) is None
        assert not source.finished


def test_one_queue_deleted_leaves_the_other_flowing(broker):
    broker.declare("cus.7.deliver")
    broker.declare("cus.8.deliver")
    with reading(broker, "cus.7.deliver", "cus.8.deliver") as source:
        wait_until(lambda: source.depth is not None, "the consumers", 10)
        broker.delete("cus.7.deliver")
        wait_until(lambda: source._cancelled, "the cancel", 5)

        broker.publish(b"{}", queue="cus.8.deliver")
        settle(source, batch_of(source))

    assert broker.depth("cus.8.deliver") == 0


# --- Channel and connection are lost -----------------------------------------------------------------------


def test_an_old_tag_is_never_used_on_a_new_channel(broker):
    broker.declare()
    broker.publish(*numbered(10))
    with reading(broker, batch_size=5) as source:
        old = batch_of(source)
        broker.cut()
        wait_until(lambda: not source.holds(old), "the loss", 10)
        new = batch_of(source)

        settle(source, old)
        time.sleep(0.5)

        assert source.holds(new)
        assert new.ticket.tags[0] == old.ticket.tags[0] == 1
    wait_until(lambda: broker.depth() == 10, "all of them back", 5)


def test_a_channel_that_the_broker_takes_is_noticed(broker):
    broker.declare()
    broker.publish(*numbered(3))
    with reading(broker) as source:
        batch = batch_of(source)
        # The same as the broker does after 30 minutes without an answer: 406, the connection lives on.
        source._connection.add_callback_threadsafe(lambda: source._channel.basic_ack(4711))

        wait_until(lambda: not source.holds(batch), "the loss", 5)

        assert bodies_of(batches_of(source, 3)) == numbered(3)


def more_than(some, count):
    return len(some) > count


@pytest.mark.slow
def test_reconnecting_does_not_turn_into_a_storm(broker, monkeypatch):
    broker.declare()
    with reading(broker) as source:
        opened: list[float] = []
        original = source._open

        def again():
            opened.append(time.monotonic())
            original()

        monkeypatch.setattr(source, "_open", again)
        for _ in range(4):
            wait_until(lambda: source._channel is not None, "a channel", 20)
            with contextlib.suppress(pika.exceptions.AMQPError):
                source._connection.add_callback_threadsafe(lambda: source._channel.basic_ack(4711))
            wait_until(partial(more_than, opened, len(opened)), "another attempt", 20)

    pauses = [later - earlier for earlier, later in pairwise(opened)]
    assert pauses[-1] > 2 * 0.9
    assert sum(pauses) > 3


def test_a_broken_wire_is_mended_and_nothing_is_lost(broker, wire):
    broker.declare()
    broker.publish(*numbered(20))
    line = wire(broker.port)
    with reading(broker, port=line.port, batch_size=10, drain=True) as source:
        settle(source, batch_of(source))
        wait_until(lambda: broker.depth() == 0, "the prefetch", 5)
        line.cut()
        time.sleep(0.5)
        line.mend()

        while not source.finished:
            if batch := source.next(0.1, 100):
                settle(source, batch)

    assert broker.depth() == 0
    assert line.accepted == 2


def test_released_messages_go_back_and_only_resuming_fetches_them(broker):
    broker.declare()
    broker.publish(*numbered(5))
    with reading(broker) as source:
        batch = batch_of(source)

        source.release()
        wait_until(lambda: broker.depth() == 5, "the messages back", 5)
        assert not source.holds(batch)
        assert source.next(1.0, 10) is None
        assert broker.consumers() == 0

        source.resume()
        assert bodies_of(batches_of(source, 5)) == numbered(5)


# --- The beginning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "queue", "says"),
    [
        ({"password": "wrong"}, QUEUE, "refuses this user and password"),
        ({}, "cus.9.deliver", "does not exist"),
    ],
)
def test_what_cannot_work_fails_at_the_start(broker, more, queue, says):
    broker.declare()

    with reading(broker, queue, **more) as source, pytest.raises(SourceFailed, match=says):
        batch_of(source)


def test_an_unknown_vhost_fails_at_the_start(broker):
    broker.vhost = "nowhere"

    with reading(broker) as source, pytest.raises(SourceFailed, match="vhost"):
        batch_of(source)


def test_tls_with_the_authority_that_signed_it(broker):
    broker.declare()
    broker.publish(b"{}")

    with reading(broker, tls=True, ca_file=str(broker.server.ca_file)) as source:
        assert batch_of(source).raws


def test_an_untrusted_certificate_fails_at_the_start(broker):
    broker.declare()

    with reading(broker, tls=True) as source, pytest.raises(SourceFailed, match="certificate"):
        batch_of(source)


def test_a_broker_that_is_not_there_yet_is_waited_for(broker, wire):
    broker.declare()
    broker.publish(b"{}")
    line = wire(broker.port)
    line.cut()

    with reading(broker, port=line.port) as source:
        assert source.next(1, 10) is None
        line.mend()

        assert batch_of(source).raws


def test_a_queue_that_goes_missing_later_is_waited_for(broker):
    broker.declare()
    with reading(broker) as source:
        wait_until(lambda: source.depth is not None, "the consumer", 10)
        broker.delete()
        broker.cut()
        assert source.next(2, 10) is None
        broker.declare()
        broker.publish(b"{}")

        assert batch_of(source, 30).raws


def test_a_queue_that_is_missing_after_a_reconnect_leaves_the_other_flowing(broker, caplog):
    broker.declare("cus.7.deliver")
    broker.declare("cus.8.deliver")
    with reading(broker, "cus.7.deliver", "cus.8.deliver") as source:
        wait_until(lambda: source.depth is not None, "the consumers", 10)
        broker.delete("cus.7.deliver")
        broker.cut()
        broker.publish(b"{}", queue="cus.8.deliver")
        settle(source, batch_of(source))

        broker.declare("cus.7.deliver")
        broker.publish(b"{}", queue="cus.7.deliver")
        assert batch_of(source, 30).raws[0].reader == 7

    assert caplog.text.count("queue_missing") == 1


# --- The end -----------------------------------------------------------------------------------------------


def test_draining_ends_with_the_last_answer(broker):
    broker.declare()
    broker.publish(*numbered(25))
    with reading(broker, batch_size=10, drain=True) as source:
        while not source.finished:
            if batch := source.next(0.1, 100):
                time.sleep(0.2)
                assert not source.finished
                settle(source, batch)

    assert broker.depth() == 0


def test_a_dry_run_leaves_everything_where_it_was(broker):
    broker.declare()
    broker.publish(*numbered(30))

    with reading(broker, batch_size=10, drain=True, dry_run=True) as source:
        taken = []
        while not source.finished:
            if batch := source.next(0.1, 100):
                settle(source, batch, lambda body: FAILED)
                taken.append(batch)

    assert bodies_of(taken) == numbered(30)
    assert broker.depth() == 30


def test_closing_does_not_wait_for_a_frozen_network(broker, wire):
    broker.declare()
    line = wire(broker.port)
    with reading(broker, port=line.port, close=False) as source:
        wait_until(lambda: source.depth is not None, "the consumer", 10)
        line.freeze()
        begun = time.monotonic()

        source.close()

    assert time.monotonic() - begun < 3


def test_another_consumer_is_told_once(broker, caplog):
    broker.declare()
    with broker.channel() as other:
        other.basic_consume("cus.7.deliver", print)
        with reading(broker) as source:
            wait_until(lambda: source.depth is not None, "the first look", 10)

    assert caplog.text.count("another_consumer") == 1


@pytest.mark.parametrize(
    ("options", "prefetch"),
    [
        ({"batch_size": 1}, 2),
        ({"batch_size": 32_767}, 65_534),
        ({"batch_size": 1_000, "limit": 5}, 5),
        ({"batch_size": 10, "dry_run": True, "limit": 1_000}, 1_000),
        ({"batch_size": 10, "dry_run": True, "limit": 100_000}, 65_535),
        ({"batch_size": 1, "queues": 5}, 1),
        ({"batch_size": 100, "queues": 2}, 100),
    ],
)
def test_the_prefetch_is_never_nothing_and_never_everything(options, prefetch):
    origins = tuple(origin_of(f"cus.{n}.deliver", None) for n in range(options.pop("queues", 1)))

    nowhere: Any = None
    assert Reading(broker=nowhere, origins=origins, **options).prefetch == prefetch
