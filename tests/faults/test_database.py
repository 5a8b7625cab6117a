"""The database restarts, stays away, is locked, has no space left: nothing is acknowledged that is not stored."""

import random
import threading
import time
from typing import Any

import psycopg
import pytest

from sync.intake.worker import Order, Worker
from sync.proca.encryption import KeyStore
from sync.processes import Stop
from sync.rules import facts
from sync.terms import Verdict
from tests.builders import an_action, wire
from tests.databases import Database, django_uses
from tests.faults.messages import all_sorts
from tests.faults.running import (
    MINUTES,
    SEED,
    assert_nothing_lost_nothing_twice,
    consuming,
    drained,
    held,
    rounds,
    until_empty,
    working_for,
)
from tests.intake.reading import reading
from tests.project import run_manage
from tests.servers import Postgres, wait_until

pytestmark = pytest.mark.fault
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def own_database(own_postgres: Postgres) -> Database:
    """A migrated database on a server that may be stopped."""
    database = Database("postgresql", own_postgres.url("proca"))
    with psycopg.connect(own_postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE proca")
    assert run_manage("migrate", env={"DATABASE_URL": database.url}).returncode == 0
    return database


def test_a_database_that_dies_under_load_and_comes_back_loses_nothing(own_postgres, own_database, broker, tmp_path):
    chance = random.Random(SEED)
    messages = all_sorts(600, SEED)
    broker.declare()
    broker.publish(*messages)
    with consuming(own_database, broker, tmp_path / "log", "--batch-size", "20") as consumer:
        for _ in range(rounds(2)):
            time.sleep(chance.uniform(0, 0.5))
            own_postgres.kill()
            idle = working_for(consumer, 1.5)
            own_postgres.up()
            assert idle < 0.5
            broker.publish(*messages[:50])
        until_empty(broker)
        summary = consumer.finish()

    # The connection to the queue was never given up for it: nothing came again but what was sent again.
    assert summary["received"] == len(messages) + 50 * rounds(2)
    assert "database_away" in consumer.log
    assert_nothing_lost_nothing_twice(own_database, messages)


@pytest.mark.parametrize("seconds", [6, *([60 * MINUTES] if MINUTES else [])])
def test_a_database_away_for_long_is_waited_for_without_messages(
    own_postgres, own_database, broker, monkeypatch, seconds
):
    messages = all_sorts(300, SEED)
    broker.declare()
    stop = Stop()
    with django_uses(own_database), reading(broker, batch_size=50) as source:
        if seconds < source.patience:
            monkeypatch.setattr(source, "patience", 1.0)
        worker = Worker(source, KeyStore.empty(), Order(), stop=stop)
        thread = threading.Thread(target=worker.run)
        thread.start()
        own_postgres.down()
        broker.publish(*messages)
        wait_until(lambda: broker.depth() == len(messages), "all messages back in the queue", source.patience + 60)
        time.sleep(max(0, seconds - source.patience))
        assert broker.consumers() == 0
        own_postgres.up()
        until_empty(broker)
        stop.ask()
        thread.join()

    assert_nothing_lost_nothing_twice(own_database, messages)


@on_postgresql
@pytest.mark.parametrize(
    ("seconds", "heartbeat"), [(6, 2), pytest.param(30, 5, marks=pytest.mark.slow)], ids=["6 s", "30 s"]
)
def test_a_locked_table_costs_no_heartbeat(database, broker, seconds, heartbeat):
    messages = all_sorts(60, SEED)
    broker.declare()
    broker.publish(*messages)
    with django_uses(database):
        lock = threading.Thread(target=_hold, args=(database, seconds))
        lock.start()
        with reading(broker, batch_size=20, drain=True, heartbeat=heartbeat) as source:
            numbers = Worker(source, KeyStore.empty(), Order(), stop=Stop()).run()
        lock.join()

    # The same connection, and nothing delivered again: that would have been received again.
    assert numbers["received"] == len(messages)
    assert broker.depth() == 0
    assert_nothing_lost_nothing_twice(database, messages)


def _hold(database: Database, seconds: float) -> None:
    with held(database, "sync_action"):
        time.sleep(seconds)


@on_postgresql
def test_a_full_disk_is_waited_for(database, broker, tmp_path):
    """53100, as the server reports it: nobody's fault, and no message goes to quarantine for it."""
    messages = all_sorts(200, SEED)
    broker.declare()
    database.query(_FULL_DISK)
    database.query("CREATE TRIGGER full_disk BEFORE INSERT ON sync_contact FOR EACH ROW EXECUTE FUNCTION full_disk()")
    broker.publish(*messages)
    with consuming(database, broker, tmp_path / "log", "--batch-size", "50") as consumer:
        consumer.says("53100")
        idle = working_for(consumer, 2)
        assert database.value("SELECT count(*) FROM sync_action") == 0
        database.query("DROP TRIGGER full_disk ON sync_contact")
        until_empty(broker)
        summary = consumer.finish()

    assert idle < 0.5
    assert summary["rejected"] == 0
    assert consumer.log.count("database_away") < 10
    assert_nothing_lost_nothing_twice(database, messages)


_FULL_DISK = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$
"""


def test_a_message_that_always_fails_goes_round_and_ends_in_quarantine(store_database, broker, settings, monkeypatch):
    """A bug that nobody knows of yet: its neighbours are stored, and it comes back until it was tried often enough."""
    settings.PROCA_MAX_RETRIES = 2
    broker.declare(ttl_ms=100)
    messages = all_sorts(40, SEED)
    broker.publish(*messages, wire(an_action(actionId=999)))
    monkeypatch.setattr(facts, "of_message", _fails_for(999, facts.of_message))
    stop = Stop()
    with reading(broker) as source:
        worker = Worker(source, KeyStore.empty(), Order(), stop=stop)
        thread = threading.Thread(target=worker.run)
        thread.start()
        failed = "SELECT count(*) FROM sync_quarantinedmessage WHERE code = 'failed'"
        wait_until(lambda: store_database.query(failed) == [(1,)], "quarantine", 60)
        stop.ask()
        thread.join()

    assert worker.totals.verdicts[Verdict.REJECTED] == 2
    assert worker.totals.received == len(messages) + 3
    assert broker.depth() == broker.depth("org.7.fail") == 0


def _fails_for(action_id: int, original: Any) -> Any:
    def of_message(message: Any, reader: int | None) -> Any:
        if getattr(message, "action_id", None) == action_id:
            raise RuntimeError
        return original(message, reader)

    return of_message


def test_what_a_constraint_refuses_is_quarantined_at_once(database, broker, tmp_path):
    broker.declare()
    for statement in _REFUSALS[database.vendor]:
        database.query(statement)
    broker.publish(wire(an_action(actionId=1)), wire(an_action(actionId=2)), wire(an_action(actionId=3)))

    summary = drained(database, broker, tmp_path / "log")

    assert (summary["stored"], summary["quarantined"], summary["rejected"]) == (2, 1, 0)
    assert database.value("SELECT code FROM sync_quarantinedmessage") in ("P0001", "SQLITE_CONSTRAINT_TRIGGER")


_REFUSALS = {
    "postgresql": (
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.action_id = 2 THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$
        """,
        "CREATE TRIGGER refuse BEFORE INSERT ON sync_action FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
    "sqlite": (
        """
        CREATE TRIGGER refuse BEFORE INSERT ON sync_action WHEN NEW.action_id = 2
        BEGIN SELECT RAISE(ABORT, 'no'); END
        """,
    ),
}
