"""The consumer itself is killed, frozen, cut off: nothing is lost, nothing is there twice."""

import random
import signal
import time

import pytest

from tests.faults.messages import all_sorts
from tests.faults.running import (
    SEED,
    assert_nothing_lost_nothing_twice,
    consuming,
    drained,
    rounds,
    until_empty,
)
from tests.servers import wait_until

pytestmark = pytest.mark.fault
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.mark.parametrize(
    ("database", "workers"), [("postgresql", 1), ("postgresql", 2), ("sqlite", 1)], indirect=["database"]
)
def test_killed_at_any_moment_it_stores_everything_once(database, broker, tmp_path, workers):
    chance = random.Random(SEED)
    messages = all_sorts(600, SEED)
    broker.declare()
    broker.publish(*messages)

    for _ in range(rounds(2)):
        size = str(chance.choice((1, 7, 50)))
        with consuming(database, broker, tmp_path / "log", "--batch-size", size, "--workers", str(workers)) as consumer:
            time.sleep(chance.uniform(0, 0.4))
            consumer.kill()
        # Workers notice that they are orphans; what they had in hand is back only then.
        wait_until(lambda: not broker.consumers(), "the end of the connections", 30)
        if not broker.depth():
            broker.publish(*messages)

    drained(database, broker, tmp_path / "log")
    assert_nothing_lost_nothing_twice(database, messages)


@on_postgresql
def test_a_connection_cut_in_the_middle_of_a_batch_costs_nothing(database, broker, wire, tmp_path):
    chance = random.Random(SEED)
    messages = all_sorts(600, SEED)
    broker.declare()
    broker.publish(*messages)
    line = wire(broker.port)

    with consuming(
        database, broker, tmp_path / "log", "--batch-size", "20", PROCA_URL=broker.url(port=line.port)
    ) as consumer:
        for _ in range(rounds(3)):
            time.sleep(chance.uniform(0, 0.3))
            line.cut()
            line.mend()
            wait_until(broker.consumers, "the next connection", 90)
        until_empty(broker)
        summary = consumer.finish()

    assert summary["received"] >= len(messages)
    assert consumer.log.count("queue_lost") <= rounds(3) + 1
    assert_nothing_lost_nothing_twice(database, messages)


@on_postgresql
def test_two_consumers_of_different_speed_share_the_queue(database, broker, tmp_path):
    """One takes its messages one by one and is frozen for a while, the other takes them by hundreds."""
    messages = all_sorts(300, SEED)
    broker.declare()
    with (
        consuming(database, broker, tmp_path / "slow", "--batch-size", "1") as slow,
        consuming(database, broker, tmp_path / "fast", "--batch-size", "200") as fast,
    ):
        wait_until(lambda: broker.consumers() == 2, "both", 60)
        broker.publish(*messages)
        slow.signal(signal.SIGSTOP)
        time.sleep(2)
        slow.signal(signal.SIGCONT)
        until_empty(broker)
        counted = [one.finish()["received"] for one in (slow, fast)]

    assert min(counted) > 0
    assert sum(counted) == len(messages)
    assert_nothing_lost_nothing_twice(database, messages)
