"""`consume_proca` as a person runs it."""

import gzip
import os
import pty
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from proca_crm.broker import org_of_queue, parse_broker
from tests.commands import here
from tests.intake.messages import an_action
from tests.intake.reading import one_line, summary_of
from tests.servers import wait_until

COUNTS = ("received", "stored", "updated", "duplicates", "events", "quarantined", "rejected", "seconds")


def actions(count, start=1) -> Any:
    return [an_action(actionId=number) for number in range(start, start + count)]


def stored(project) -> Any:
    return project.value("SELECT count(*) FROM sync_action")


# --- The queue ---------------------------------------------------------------------------------------


#: What speaks of the queue alone is tried on one database.
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def test_draining_a_queue_with_all_sorts(project, broker):
    broker.declare()
    broker.publish(*actions(5), *actions(2), b"{not json", b"")

    done = project.manage("consume_proca", "--drain", env=broker.env())

    assert done.returncode == 0, done.stderr
    summary = summary_of(done.stdout)
    assert tuple(summary) == COUNTS
    assert summary.pop("seconds") < 30
    assert summary == {
        "received": 9,
        "stored": 5,
        "updated": 0,
        "duplicates": 2,
        "events": 0,
        "quarantined": 2,
        "rejected": 0,
    }
    assert broker.depth() == 0
    assert stored(project) == 5


def test_a_second_run_has_nothing_to_do(project, broker):
    broker.declare()
    broker.publish(*actions(3))
    project.manage("consume_proca", "--drain", env=broker.env())

    done = project.manage("consume_proca", "--drain", env=broker.env())

    assert summary_of(done.stdout)["received"] == 0


@on_postgresql
def test_over_tls(project, broker):
    broker.declare()
    broker.publish(*actions(1))

    done = project.manage("consume_proca", "--drain", env=broker.env(tls=True))

    assert summary_of(done.stdout)["stored"] == 1


@on_postgresql
def test_a_limit_takes_no_more(project, broker):
    broker.declare()
    broker.publish(*actions(20))

    done = project.manage("consume_proca", "--limit", "7", "--batch-size", "5", env=broker.env())

    assert summary_of(done.stdout)["stored"] == 7
    wait_until(lambda: broker.depth() == 13, "the rest", 5)


def test_a_dry_run_changes_nothing_anywhere(project, broker):
    broker.declare()
    broker.publish(*actions(20), b"{not json")

    done = project.manage("consume_proca", "--dry-run", "--drain", env=broker.env())

    summary = summary_of(done.stdout)
    assert (summary["stored"], summary["quarantined"]) == (20, 1)
    assert broker.depth() == 21
    assert stored(project) == 0
    assert project.value("SELECT count(*) FROM sync_quarantinedmessage") == 0


@on_postgresql
def test_a_dry_run_stops_by_itself(project, broker):
    broker.declare()
    broker.publish(*actions(1_200))

    done = project.manage("consume_proca", "--dry-run", "--batch-size", "300", env=broker.env())

    assert summary_of(done.stdout)["received"] == 1_000
    wait_until(lambda: broker.depth() == 1_200, "all of them back", 5)


@on_postgresql
def test_what_is_dumped_can_be_read_again(project, broker, tmp_path):
    broker.declare()
    broker.publish(*actions(5), b"{not json")
    project.manage("consume_proca", "--drain", "--dump", str(tmp_path / "dump"), env=broker.env())

    done = project.manage("consume_proca", "--file", str(tmp_path / "dump"))

    assert done.returncode == 0, done.stderr
    summary = summary_of(done.stdout)
    assert (summary["duplicates"], summary["quarantined"]) == (5, 1)
    assert len(list((tmp_path / "dump" / "cus.7.deliver").iterdir())) == 6
    # The reader came with the folder's name: the poison is the same row.
    assert project.query("SELECT reader FROM sync_quarantinedmessage") == [(7,)]


@on_postgresql
def test_several_queues_each_with_its_reader(project, broker):
    broker.declare("cus.7.deliver")
    broker.declare("cus.8.deliver")
    broker.publish(b"{a", queue="cus.7.deliver")
    broker.publish(b"{b", queue="cus.8.deliver")

    done = project.manage(
        "consume_proca", "--queue", "cus.7.deliver", "--queue", "cus.8.deliver", "--drain", env=broker.env()
    )

    assert summary_of(done.stdout)["quarantined"] == 2
    assert project.query("SELECT reader FROM sync_quarantinedmessage ORDER BY reader") == [(7,), (8,)]


@on_postgresql
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_it_ends_at_once_with_its_summary(project, broker, number):
    broker.declare()
    broker.publish(*actions(3))
    running = project.start("consume_proca", env=broker.env())
    wait_until(lambda: stored(project) == 3, "the messages", 30)
    begun = time.monotonic()

    running.send_signal(number)
    out, _ = running.communicate(timeout=10)

    assert time.monotonic() - begun < 5
    assert running.returncode == 0
    assert summary_of(out)["stored"] == 3
    assert broker.depth() == 0


@on_postgresql
def test_waiting_for_the_broker_it_ends_at_once(project, broker):
    running = project.start("consume_proca", env=broker.env(port=1))
    time.sleep(3)
    assert running.poll() is None
    begun = time.monotonic()

    running.terminate()
    out, err = running.communicate(timeout=10)

    assert time.monotonic() - begun < 5
    assert running.returncode == 0
    assert summary_of(out)["received"] == 0
    assert "queue_lost" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("database", "workers"), [("sqlite", "1"), ("postgresql", "2")], indirect=["database"])
def test_on_a_terminal_one_line_tells_where_it_stands(project, broker, workers):
    broker.declare()
    ours, theirs = pty.openpty()
    running = project.start("consume_proca", "--workers", workers, env={**broker.env(), "TERM": "xterm"}, stderr=theirs)
    os.close(theirs)
    broker.publish(*actions(3), b"{not json")
    seen = ""
    while "4 received" not in seen:
        seen += os.read(ours, 65_536).decode()
    running.terminate()
    out, _ = running.communicate(timeout=20)

    assert "0 waiting" in seen
    assert "1 quarantined" in seen
    # The summary is all that stdout has: it can be read by a program while a person looks on.
    assert summary_of(out)["received"] == 4
    assert len(out.splitlines()) == 1


@on_postgresql
def test_waiting_for_the_database_it_ends_at_once(project, broker):
    broker.declare()
    broker.publish(*actions(3))
    running = project.start("consume_proca", env={**broker.env(), "DATABASE_URL": "postgres://a:b@127.0.0.1:1/x"})
    wait_until(lambda: broker.depth() == 0, "the messages taken", 30)
    time.sleep(1)
    begun = time.monotonic()

    running.terminate()
    out, err = running.communicate(timeout=10)

    assert time.monotonic() - begun < 5
    assert running.returncode == 0
    assert summary_of(out)["received"] == 0
    assert "Traceback" not in err
    wait_until(lambda: broker.depth() == 3, "the messages back", 5)


@on_postgresql
def test_two_workers_share_the_queue(project, broker):
    broker.declare()
    broker.publish(*actions(2_000))

    done = project.manage(
        "consume_proca", "--workers", "2", "--drain", "--batch-size", "100", env=broker.env(), timeout=100
    )

    assert done.returncode == 0, done.stderr
    assert summary_of(done.stdout)["stored"] == 2_000
    assert len(done.stdout.splitlines()) == 1
    assert stored(project) == 2_000
    assert "another_consumer" not in done.stderr


@on_postgresql
@pytest.mark.fault
def test_a_killed_worker_costs_no_message(project, broker):
    broker.declare()
    running = project.start("consume_proca", "--workers", "2", env=broker.env())
    wait_until(lambda: broker.consumers() == 2, "two consumers", 30)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()

    broker.publish(*actions(3_000))
    os.kill(int(children[0]), signal.SIGKILL)
    wait_until(lambda: stored(project) == 3_000, "all messages", 60)
    wait_until(lambda: broker.consumers() == 2, "two consumers again", 30)
    running.terminate()
    _, err = running.communicate(timeout=20)

    assert running.returncode == 0
    assert "worker_died" in err
    assert broker.depth() == 0


# --- What cannot work --------------------------------------------------------------------------------


@on_postgresql
def test_a_wrong_password_is_one_line(project, broker):
    broker.declare()

    done = project.manage("consume_proca", env=broker.env(password="secretsecret"))

    assert "password" in one_line(done, code=1)
    assert "secretsecret" not in done.stderr + done.stdout


@on_postgresql
def test_an_untrusted_certificate_is_one_line(project, broker):
    broker.declare()
    env = broker.env(tls=True) | {"PROCA_CA_FILE": ""}

    assert "certificate" in one_line(project.manage("consume_proca", env=env), code=1)


@on_postgresql
def test_a_missing_queue_is_one_line(project, broker):
    assert "cus.9.deliver" in one_line(project.manage("consume_proca", env=broker.env("cus.9.deliver")), code=1)


@on_postgresql
def test_a_missing_queue_is_one_line_with_workers_too(project, broker):
    done = project.manage("consume_proca", "--workers", "2", env=broker.env("cus.9.deliver"))

    assert "cus.9.deliver" in one_line(done, code=1)


BROKER = {"PROCA_URL": "amqp://a:b@127.0.0.1:1/x", "PROCA_QUEUE": "cus.7.deliver"}


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        ([], {}, "PROCA_URL"),
        ([], {"PROCA_URL": BROKER["PROCA_URL"]}, "PROCA_QUEUE"),
        (["--queue", "mine"], {"PROCA_URL": BROKER["PROCA_URL"]}, "PROCA_ORG"),
        (["--batch-size", "32768"], BROKER, "32767"),
        (["--batch-size", "0"], BROKER, "at least 1"),
        (["--limit", "0"], BROKER, "at least 1"),
        (["--batch-wait", "-1"], BROKER, "between"),
        (["--dry-run", "--limit", "65536"], BROKER, "65535"),
        (["--dry-run", "--limit", "40000", "--queue", "cus.7.a", "--queue", "cus.7.b"], BROKER, "32767"),
        (["--org", "7"], BROKER, "--org"),
        (["--file", "x.json", "--queue", "cus.7.deliver"], BROKER, "--queue"),
        (["--file", "x.json", "--dump", "d"], BROKER, "--dump"),
        (["--file", "gone.json"], BROKER, "gone.json"),
        (["--file", "-"], {}, "PROCA_ORG"),
        ([], {**BROKER, "PROCA_KEYS": "{broken secretsecret"}, "PROCA_KEYS"),
    ],
)
@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_wrong_usage_is_two_and_says_what(store_database, settings, arguments, env, says):
    if url := env.get("PROCA_URL"):
        settings.PROCA_BROKER = parse_broker(url, "", "")
    if queue := env.get("PROCA_QUEUE"):
        settings.PROCA_QUEUES, settings.PROCA_ORG = (queue,), org_of_queue((queue,))
    settings.PROCA_KEYS = env.get("PROCA_KEYS", "")

    done = here.run("consume_proca", *arguments)

    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "secretsecret" not in done.stderr


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_wrong_settings_are_two_and_one_line(project):
    keys = "{broken secretsecret"

    assert "PROCA_KEYS" in one_line(project.manage("consume_proca", env={**BROKER, "PROCA_KEYS": keys}), code=2)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_has_one_writer(project):
    assert "SQLite" in one_line(project.manage("consume_proca", "--workers", "2", env=BROKER), code=2)


def test_tables_that_are_not_there_are_said_before_a_message_is_taken(project, broker):
    broker.declare()
    broker.publish(*actions(1))
    for table in ("django_migrations",):
        project.query(f"DROP TABLE {table}")

    assert "migrate" in one_line(project.manage("consume_proca", "--drain", env=broker.env()), code=1)
    assert broker.depth() == 1


# --- Files -------------------------------------------------------------------------------------------


def test_files_of_every_form(project, tmp_path):
    one, two, three, four = actions(4)
    (tmp_path / "a.json").write_bytes(one)
    (tmp_path / "b.json").write_bytes(b"[" + two + b"," + one + b"]")
    (tmp_path / "c.ndjson.gz").write_bytes(gzip.compress(three + b"\nbad line\n" + four))

    done = project.manage("consume_proca", "--file", str(tmp_path), "--org", "7")

    assert done.returncode == 0, done.stderr
    summary = summary_of(done.stdout)
    assert (summary["stored"], summary["duplicates"], summary["quarantined"]) == (4, 1, 1)


def test_messages_from_a_pipe(project):
    done = project.manage("consume_proca", "--file", "-", input=b"\n".join(actions(3)).decode(), env={"PROCA_ORG": "7"})

    assert summary_of(done.stdout)["stored"] == 3


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_silent_pipe_deafens_nobody(project):
    read, write = os.pipe()
    with os.fdopen(write, "wb", buffering=0) as pipe:
        running = project.start("consume_proca", "--file", "-", env={"PROCA_ORG": "7"}, stdin=read)
        os.close(read)
        pipe.write(actions(1)[0] + b"\n")
        wait_until(lambda: stored(project) == 1, "the message", 30)
        running.terminate()
        out, err = running.communicate(timeout=10)

    assert running.returncode == 0, err
    assert summary_of(out)["stored"] == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_damaged_file_is_said_after_the_summary(project, tmp_path):
    whole = gzip.compress(b"\n".join(actions(2_000)), compresslevel=0)
    (tmp_path / "1.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "2.json").write_bytes(actions(1, 9_000)[0])

    done = project.manage("consume_proca", "--file", str(tmp_path), "--org", "7")

    assert done.returncode == 1
    assert 100 < summary_of(done.stdout)["stored"] < 2_000
    assert stored(project) == summary_of(done.stdout)["stored"]
    assert "1.ndjson.gz: cut short" in done.stderr
    assert project.value("SELECT count(*) FROM sync_quarantinedmessage") == 0
