"""The broker restarts, cancels, forgets, takes the channel away: the consumer goes on by itself."""

from collections.abc import Iterator

import pytest

from tests.broker import Broker, vhost_of_its_own
from tests.faults.messages import all_sorts
from tests.faults.running import (
    SEED,
    assert_nothing_lost_nothing_twice,
    consuming,
    drained,
    held,
    until_empty,
    working_for,
)
from tests.servers import RabbitMQ, own, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    """A broker that is impatient, and may be stopped."""
    with own(RabbitMQ) as node:
        for name, milliseconds in (("consumer_timeout", 4_000), ("channel_tick_interval", 500)):
            node.control("eval", f"application:set_env(rabbit, {name}, {milliseconds}).")
        yield node


@pytest.fixture
def own_broker(server: RabbitMQ) -> Iterator[Broker]:
    """Proca's queue on it."""
    with vhost_of_its_own(server) as vhost:
        vhost.declare()
        yield vhost


def test_a_channel_taken_away_for_an_unanswered_batch_is_opened_again(database, own_broker, tmp_path):
    """`consumer_timeout`: 406 for the channel, and the connection lives on. No old tag may be answered later."""
    messages = all_sorts(200, SEED)
    with consuming(database, own_broker, tmp_path / "log", "--batch-size", "20") as consumer:
        with held(database, "sync_action"):
            own_broker.publish(*messages)
            consumer.says("ChannelClosedByBroker:406")
        until_empty(own_broker)
        consumer.finish()

    assert "PRECONDITION" not in consumer.log
    assert_nothing_lost_nothing_twice(database, messages)


def test_a_broker_that_restarts_under_load_is_waited_for(database, server, own_broker, tmp_path):
    messages = all_sorts(300, SEED)
    own_broker.publish(*messages)
    with consuming(database, own_broker, tmp_path / "log", "--batch-size", "20") as consumer:
        server.down()
        idle = working_for(consumer, 2)
        server.up()
        wait_until(own_broker.consumers, "the consumer", 90)
        until_empty(own_broker)
        consumer.finish()

    assert idle < 0.5
    assert "queue_lost" in consumer.log
    assert_nothing_lost_nothing_twice(database, messages)


def test_a_queue_deleted_and_made_again_is_read_on_the_same_connection(database, broker, tmp_path):
    """The broker cancels the consumer. What it has in hand of the old queue is stored all the same."""
    first, second = all_sorts(300, SEED), all_sorts(300, SEED + 1)
    broker.declare()
    with consuming(database, broker, tmp_path / "log", "--batch-size", "50") as consumer:
        with held(database, "sync_action"):
            broker.publish(*first)
            wait_until(lambda: broker.depth() <= 200, "a batch in hand", 30)
            broker.delete()
            consumer.says("consumer_cancelled")
            idle = working_for(consumer, 1)
        broker.declare()
        # Proca's server sends again what was lost with the queue.
        broker.publish(*first, *second)
        wait_until(broker.consumers, "the consumer", 60)
        until_empty(broker)
        consumer.finish()
    # The broker's count of what is in somebody's hand comes late for a queue that is new.
    drained(database, broker, tmp_path / "rest")

    assert idle < 0.5
    assert "queue_lost" not in consumer.log
    assert_nothing_lost_nothing_twice(database, first + second)
