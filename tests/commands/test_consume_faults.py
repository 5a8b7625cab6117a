"""What `consume_proca` loses when something breaks under it: nothing. And what it stores twice: nothing."""

import json
import random
import signal
import threading
import time
from typing import Any

import pytest

from sync.intake.worker import Order, Worker
from sync.proca.encryption import KeyStore
from sync.processes import Stop
from tests.broker import vhost_of_its_own
from tests.databases import Database
from tests.intake.messages import an_action
from tests.intake.reading import reading
from tests.project import run_manage, start_manage
from tests.servers import wait_until

QUEUE = "cus.7.deliver"


def actions(count, start=1) -> Any:
    return [an_action(actionId=number) for number in range(start, start + count)]


def summary_of(output) -> Any:
    return json.loads(output.splitlines()[-1])


def locked(database, table, seconds, go) -> Any:
    """Holds a table against everybody for a while; `go` is set once it does."""
    with database.connect() as connection:
        connection.execute("BEGIN")
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        go.set()
        time.sleep(seconds)
        connection.execute("COMMIT")


@pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("seconds", "heartbeat"),
    [
        pytest.param(6, 2, marks=pytest.mark.fault),
        pytest.param(30, 5, marks=[pytest.mark.slow, pytest.mark.fault]),
    ],
)
def test_a_locked_table_costs_nothing(store_database, broker, seconds, heartbeat):
    broker.declare()
    broker.publish(*actions(30))
    go = threading.Event()
    lock = threading.Thread(target=locked, args=(store_database.database, "sync_action", seconds, go))
    lock.start()
    go.wait(5)

    with reading(broker, batch_size=10, drain=True, heartbeat=heartbeat) as source:
        numbers = Worker(source, KeyStore.empty(), Order(), stop=Stop()).run()
    lock.join()

    # The same connection, and nothing delivered again: that would have been received again.
    assert (numbers["received"], numbers["stored"]) == (30, 30)
    assert broker.depth() == 0


@pytest.mark.fault
@pytest.mark.slow
def test_killed_again_and_again_it_stores_everything_once(project, broker):
    broker.declare()
    broker.publish(*actions(3_000), *actions(300))
    chance = random.Random(7)
    kills = 0
    while kills < 8 and broker.depth():
        running = project.start("consume_proca", "--batch-size", "50", env=broker.env())
        wait_until(broker.consumers, "a consumer", 30)
        time.sleep(chance.uniform(0.05, 0.5))
        running.send_signal(signal.SIGKILL)
        running.wait()
        kills += 1
        wait_until(lambda: not broker.consumers(), "the end of the connection", 10)

    done = project.manage("consume_proca", "--drain", env=broker.env())

    assert done.returncode == 0, done.stderr
    assert kills > 2
    assert broker.depth() == 0
    assert project.value("SELECT count(*) FROM sync_action") == 3_000
    assert project.value("SELECT count(*) FROM sync_supporter") == 3_000


@pytest.mark.fault
@pytest.mark.slow
def test_a_database_that_restarts_is_waited_for(own_postgres, broker):
    database = Database("postgresql", own_postgres.url("proca"))
    with database_made(own_postgres, "proca"):
        env = broker.env() | {"DATABASE_URL": database.url}
        assert run_manage("migrate", env=env).returncode == 0
        broker.declare()
        running = start_manage("consume_proca", "--batch-size", "50", env=env)
        try:
            wait_until(broker.consumers, "a consumer", 30)
            own_postgres.down()
            broker.publish(*actions(500))
            time.sleep(3)
            own_postgres.up()
            wait_until(lambda: database.value("SELECT count(*) FROM sync_action") == 500, "all messages", 60)
            running.terminate()
            out, err = running.communicate(timeout=20)
        finally:
            running.kill()
            running.communicate()

    assert running.returncode == 0
    summary = summary_of(out)
    assert (summary["received"], summary["stored"]) == (500, 500)
    assert "database_away" in err
    assert "Traceback" not in err
    assert broker.depth() == 0


def database_made(server, name) -> Any:
    """The database of a fresh server; it is there already where the fixture made it."""
    import contextlib

    import psycopg

    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if not there:
            connection.execute(f"CREATE DATABASE {name}")
    return contextlib.nullcontext()


@pytest.mark.fault
@pytest.mark.slow
def test_a_broker_that_restarts_is_waited_for(project, own_rabbitmq):
    with vhost_of_its_own(own_rabbitmq) as broker:
        broker.declare()
        running = project.start("consume_proca", env=broker.env())
        wait_until(broker.consumers, "a consumer", 30)
        broker.publish(*actions(50))
        wait_until(lambda: project.value("SELECT count(*) FROM sync_action") == 50, "the first messages", 30)

        own_rabbitmq.down()
        time.sleep(3)
        assert running.poll() is None
        own_rabbitmq.up()
        broker.publish(*actions(50, 51))
        wait_until(lambda: project.value("SELECT count(*) FROM sync_action") == 100, "the others", 60)

        running.terminate()
        out, err = running.communicate(timeout=20)

    assert running.returncode == 0
    assert summary_of(out)["stored"] == 100
    assert "queue_lost" in err


@pytest.mark.fault
def test_a_message_that_always_fails_is_quarantined_in_the_end(project, broker):
    """A constraint that nobody knows of stands for every bug to come."""
    broker.declare(ttl_ms=100)
    fail_for(project, 3)
    broker.publish(*actions(5))
    running = project.start("consume_proca", env=broker.env() | {"PROCA_MAX_RETRIES": "2"})

    wait_until(lambda: project.value("SELECT count(*) FROM sync_quarantinedmessage") == 1, "quarantine", 60)
    running.terminate()
    out, _ = running.communicate(timeout=20)

    summary = summary_of(out)
    assert (summary["stored"], summary["quarantined"]) == (4, 1)
    assert broker.depth() == broker.depth("org.7.fail") == 0
    assert project.query("SELECT body FROM sync_quarantinedmessage") != []


def fail_for(project, action_id) -> Any:
    """Makes the database refuse one action for a reason that says nothing to us."""
    if project.database.vendor == "postgresql":
        project.query(
            f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.action_id = {action_id} THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$
            """
        )
        project.query("CREATE TRIGGER refuse BEFORE INSERT ON sync_action FOR EACH ROW EXECUTE FUNCTION refuse()")
    else:
        project.query(
            "CREATE TRIGGER refuse BEFORE INSERT ON sync_action "
            f"WHEN NEW.action_id = {action_id} BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
