"""More than one of everything: consumers on several vhosts; a pooler that hands out sessions by the transaction; tables
in parts."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.broker import Broker, vhost_of_its_own
from tests.databases import ROOT, Database
from tests.environment import environment_for_tests
from tests.faults.messages import all_sorts
from tests.faults.pooler import SESSIONS, pooled
from tests.faults.running import (
    SEED,
    assert_nothing_lost_nothing_twice,
    consuming,
    drained,
    until_empty,
)
from tests.project import Project, run_manage
from tests.servers import RabbitMQ

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgresql"], indirect=True),
]
#: What a pooler in transaction mode asks of Django: a cursor on the server would stay behind on another session.
POOLED = "?DISABLE_SERVER_SIDE_CURSORS=True"


@pytest.fixture
def other_broker(rabbitmq: RabbitMQ) -> Iterator[Broker]:
    """Another vhost."""
    with vhost_of_its_own(rabbitmq) as vhost:
        yield vhost


def test_consumers_on_two_vhosts_fill_one_database(broker, other_broker, database, tmp_path):
    messages = all_sorts(2_000, SEED)
    brokers = (broker, other_broker)
    for number, one in enumerate(brokers):
        one.declare()
        one.publish(*messages[number::2])

    with (
        consuming(database, broker, tmp_path / "one", "--batch-size", "50") as first,
        consuming(database, other_broker, tmp_path / "two", "--batch-size", "50") as second,
    ):
        for one in brokers:
            until_empty(one)
        summaries = [consumer.finish() for consumer in (first, second)]

    assert sum(summary["received"] for summary in summaries) == len(messages)
    assert_nothing_lost_nothing_twice(database, messages)


def test_workers_share_the_sessions_of_a_pooler(broker, database, tmp_path):
    messages = all_sorts(2_000, SEED)
    broker.declare()
    broker.publish(*messages)

    with pooled(database) as behind:
        summary = drained(behind, broker, tmp_path / "log", "--workers", "3", "--batch-size", "50")

    assert summary["received"] == len(messages)
    assert_nothing_lost_nothing_twice(database, messages)


def test_a_consumer_killed_behind_a_pooler_leaves_no_lock_behind(broker, database, tmp_path):
    messages = all_sorts(2_000, SEED)
    broker.declare()
    broker.publish(*messages)

    with pooled(database) as behind:
        with consuming(behind, broker, tmp_path / "log", "--batch-size", "50") as consumer:
            consumer.says("queue_open")
            consumer.signal(signal.SIGKILL)
        drained(behind, broker, tmp_path / "log", "--batch-size", "50")

    assert_nothing_lost_nothing_twice(database, messages)


def test_commands_that_read_much_work_behind_a_pooler(broker, database, tmp_path):
    broker.declare()
    broker.publish(*all_sorts(500, SEED))
    drained(database, broker, tmp_path / "log")
    direct = _export(database.url)

    with pooled(database) as behind, _others_at_work(behind):
        url = behind.url + POOLED
        assert _export(url) == direct
        project = Project(database, environment_for_tests() | {"DATABASE_URL": url})
        assert project.manage("refold", "--check").returncode == 0
        assert (
            project.manage("quarantine", "list").stdout
            == run_manage("quarantine", "list", env={"DATABASE_URL": database.url}).stdout
        )


def test_what_only_reads_works_where_nothing_can_be_written(broker, database, tmp_path):
    broker.declare()
    broker.publish(*all_sorts(500, SEED))
    drained(database, broker, tmp_path / "log")
    replica = database.url + "?options=-c%20default_transaction_read_only=on"

    assert _export(replica) == _export(database.url)
    assert run_manage("refold", "--check", env={"DATABASE_URL": replica}).returncode == 0
    assert run_manage("check_proca", env={"DATABASE_URL": replica}).returncode == 0


def test_tables_can_be_cut_into_parts_in_the_middle_of_a_queue(broker, database, tmp_path):
    messages = all_sorts(2_000, SEED)
    broker.declare()
    broker.publish(*messages[:1_000])
    drained(database, broker, tmp_path / "log", "--batch-size", "50")
    [described] = re.findall(
        r"^```sql\n(.*?)^```$", (ROOT / "docs" / "scaling.md").read_text(), re.DOTALL | re.MULTILINE
    )
    before = _export(database.url)

    with database.connect() as connection:
        connection.execute(described)

    assert _export(database.url) == before
    broker.publish(*messages[1_000:])
    drained(database, broker, tmp_path / "log", "--workers", "2", "--batch-size", "50")
    assert_nothing_lost_nothing_twice(database, messages)
    assert run_manage("refold", "--check", env={"DATABASE_URL": database.url}).returncode == 0
    cut = database.query("SELECT relname FROM pg_class WHERE relkind = 'p' ORDER BY relname")
    assert [name for (name,) in cut] == ["sync_action", "sync_change", "sync_consent", "sync_subscription"]
    ids = [one for (one,) in database.query("SELECT id FROM sync_change ORDER BY id")]
    assert len(ids) == len(set(ids))
    assert database.value("SELECT count(*) FROM sync_change_first") < len(ids)
    assert database.value("SELECT count(*) FROM sync_change_rest") == 0


@contextmanager
def _others_at_work(database: Database) -> Iterator[None]:
    """Other clients take whatever session is free, and give it back."""
    over = threading.Event()

    def work() -> None:
        with database.connect() as connection:
            while not over.is_set():
                connection.execute("SELECT 1", prepare=False)

    threads = [threading.Thread(target=work) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _export(url: str) -> str:
    done = run_manage("export", "actions", "--format", "ndjson", env={"DATABASE_URL": url})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") > 100
    return done.stdout
