"""The private servers, the databases and the fixtures that every other test stands on."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pika
import psycopg
import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

from tests.databases import ROOT
from tests.servers import alive, wait_until

TABLES_OF_USERS = "SELECT username FROM auth_user ORDER BY username"


# --- Servers -----------------------------------------------------------------------------------------


def test_postgres_listens_on_loopback_only_and_not_as_root(postgres):
    with psycopg.connect(postgres.url("postgres")) as plain:
        listens = plain.execute("SHOW listen_addresses").fetchone()

    owner = Path(f"/proc/{postgres.state['pid']}").stat().st_uid
    assert listens == ("127.0.0.1",)
    assert owner == Path(postgres.home).stat().st_uid != 0


def test_a_private_postgres_comes_back_after_a_power_cut(own_postgres):
    with psycopg.connect(own_postgres.url("postgres"), autocommit=True) as plain:
        plain.execute("CREATE TABLE kept AS SELECT 7 AS n")

    own_postgres.kill()
    own_postgres.up()

    with psycopg.connect(own_postgres.url("postgres")) as plain:
        assert plain.execute("SELECT n FROM kept").fetchone() == (7,)


@pytest.mark.slow
def test_servers_and_folder_are_gone_when_the_run_is_killed():
    """The controller gets no chance to clean up, and the keeper does."""
    code = """
import sys, time
from tests.servers import Postgres, RabbitMQ, folder_of_this_run, shared
with folder_of_this_run() as folder:
    print(folder, shared(Postgres).state["pid"], shared(RabbitMQ).state["pid"], flush=True)
    time.sleep(600)
"""
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert run.stdout
    folder, *pids = run.stdout.readline().split()
    assert all(alive(int(pid)) for pid in pids)

    run.send_signal(signal.SIGKILL)
    run.communicate()

    wait_until(lambda: not any(alive(int(pid)) for pid in pids), "the end of the servers", 30)
    wait_until(lambda: not Path(folder).exists(), "the end of the folder", 30)


# --- Queue -------------------------------------------------------------------------------------------


def test_a_rejected_message_comes_back_with_its_count(broker):
    broker.declare()
    broker.publish({"schema": "proca:action:2", "actionId": 1})

    with broker.channel() as channel:
        first = _take(channel)
        channel.basic_nack(first[0].delivery_tag, requeue=False)
        again = wait_until(lambda: _take(channel), "the message after its time in the fail queue", 10)
        channel.basic_ack(again[0].delivery_tag)

    (rejected,) = [death for death in again[1].headers["x-death"] if death["reason"] == "rejected"]
    assert (rejected["queue"], rejected["count"]) == ("cus.7.deliver", 1)
    assert again[1].headers["x-death"][0]["reason"] == "expired"
    assert again[0].routing_key == "cus.7.deliver"
    assert (first[1].headers, first[1].content_type, first[1].delivery_mode) == (None, None, 2)
    assert first[0].routing_key == "petition.short_name"


def test_a_rejected_system_message_is_gone(broker):
    broker.declare_system()
    broker.publish({"n": 1}, queue="system.deliver")

    with broker.channel() as channel:
        channel.basic_nack(_take(channel, "system.deliver")[0].delivery_tag, requeue=False)

    assert broker.depth("system.deliver") == 0


def test_the_reader_may_look_and_consume_but_not_declare(broker):
    broker.declare()
    broker.publish({"n": 1}, {"n": 2})
    reader = pika.BlockingConnection(pika.URLParameters(broker.url()))

    channel = reader.channel()
    assert channel.queue_declare("cus.7.deliver", passive=True).method.message_count == 2
    assert channel.basic_get("cus.7.deliver", auto_ack=True)[2] == b'{"n":1}'
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
        channel.queue_declare("cus.7.other", durable=True)
    reader.close()


def test_the_certificate_is_trusted_with_the_ca_file_and_only_with_it(broker):
    import ssl

    trusting = ssl.create_default_context(cafile=str(broker.server.ca_file))
    strangers = ssl.create_default_context()

    with (
        socket.create_connection(("127.0.0.1", broker.server.tls_port)) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        assert wrapped.version() in ("TLSv1.2", "TLSv1.3")
    with (
        socket.create_connection(("127.0.0.1", broker.server.tls_port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        strangers.wrap_socket(plain, server_hostname="localhost")


def test_two_tests_do_not_see_each_others_queues(broker):
    broker.declare()

    assert broker.depth() == 0
    assert [queue["name"] for queue in broker.api("GET", f"queues/{broker.vhost}")] == [
        "cus.7.deliver",
        "org.7.fail",
    ]


def test_the_server_can_cut_the_readers_connection(broker):
    broker.declare()
    reader = pika.BlockingConnection(pika.URLParameters(broker.url()))

    assert broker.cut() == 1

    with pytest.raises(pika.exceptions.AMQPConnectionError):
        reader.process_data_events(time_limit=20)


# --- Databases ---------------------------------------------------------------------------------------


def test_each_command_test_starts_on_an_empty_migrated_database(project):
    assert project.query(TABLES_OF_USERS) == []
    made = project.manage(
        "createsuperuser", "--noinput", "--username=a", "--email=", env={"DJANGO_SUPERUSER_PASSWORD": "x"}
    )

    assert (made.returncode, made.stderr) == (0, "")
    assert project.query(TABLES_OF_USERS) == [("a",)]
    assert project.manage("migrate", "--check").returncode == 0


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_commits_is_gone_in_the_next(store_database, turn):
    user = User.objects.create(username="somebody")

    assert store_database.query(TABLES_OF_USERS) == [("somebody",)]
    assert connection.vendor == store_database.vendor
    assert user.pk == 1 or store_database.vendor == "sqlite"


def test_emptying_in_the_middle_keeps_what_migrations_wrote(store_database):
    types = ContentType.objects.count()
    ContentType.objects.filter(app_label="auth").delete()
    User.objects.create(username="somebody")

    store_database.empty()

    assert ContentType.objects.count() == types > 0
    assert not User.objects.exists()
    assert ContentType.objects.create(app_label="new", model="new").pk > types


def test_commits_are_real_and_on_commit_runs(store_database):
    said = []

    with transaction.atomic():
        User.objects.create(username="inside")
        transaction.on_commit(lambda: said.append("committed"))
        assert store_database.query(TABLES_OF_USERS) == []

    assert said == ["committed"]
    assert store_database.query(TABLES_OF_USERS) == [("inside",)]


def test_a_thread_uses_the_same_database(store_database):
    User.objects.create(username="somebody")
    seen = []

    def look():
        seen.extend(User.objects.values_list("username", flat=True))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert seen == ["somebody"]


def test_emptying_waits_for_nobody(store_database):
    if store_database.vendor == "sqlite":
        return
    forgotten = psycopg.connect(store_database.url)
    forgotten.execute("INSERT INTO django_session VALUES ('of the last test', '', now())")
    User.objects.create(username="somebody")

    store_database.empty()

    assert not User.objects.exists()
    with pytest.raises(psycopg.OperationalError):
        forgotten.commit()


def test_what_was_emptied_takes_no_room(store_database):
    if store_database.vendor == "sqlite":
        return
    rows = "SELECT 'session ' || n, repeat('x', 100), now() FROM generate_series(1, 3000) AS n"
    store_database.query(f"INSERT INTO django_session {rows}")

    store_database.empty()

    assert store_database.query("SELECT pg_relation_size('django_session')") == [(0,)]


@pytest.mark.django_db(transaction=True)
def test_django_db_tests_run_on_the_private_postgresql(postgres):
    assert connection.vendor == "postgresql"
    assert connection.settings_dict["PORT"] == postgres.port
    assert connection.settings_dict["NAME"].startswith("test_")


def test_nothing_of_the_developers_settings_gets_in(settings):
    assert settings.SECRET_KEY.startswith("$test")
    assert settings.PROCA_BROKER is None
    assert os.environ["PROCA_URL"] == ""


# --- Wire --------------------------------------------------------------------------------------------


def test_a_wire_can_be_cut_frozen_and_mended(postgres, wire):
    line = wire(postgres.port)
    address = postgres.url("postgres").replace(str(postgres.port), str(line.port))
    before = psycopg.connect(address, autocommit=True)

    line.cut()

    with pytest.raises(psycopg.OperationalError):
        before.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)

    line.mend()
    with psycopg.connect(address, autocommit=True) as after:
        line.freeze()
        threading.Timer(0.3, line.mend).start()
        assert after.execute("SELECT 1").fetchone() == (1,)


def _take(channel, queue="cus.7.deliver"):
    got = channel.basic_get(queue)
    return got if got[0] else None
