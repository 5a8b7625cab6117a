"""The database goes away while people are being pushed: it is waited for, nothing is lost, and nobody is told twice."""

import itertools
import threading
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from sync.models import Delivery, Supporter
from sync.processes import Stop
from sync.push.worker import Order, Worker
from tests.databases import Database, django_uses
from tests.fakes.receiver import receiver as running_receiver
from tests.project import run_manage
from tests.push.world import a_destination, allowed, receive, sign_up
from tests.servers import Postgres, wait_until

PEOPLE = 40

pytestmark = pytest.mark.fault


@contextmanager
def pushing():
    """A worker that runs until the end of this, as `push_crm` does."""
    stop, broken = Stop(), []

    def run():
        try:
            Worker(Order(), stop).run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to tell
            broken.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with allowed():
        thread.start()
        try:
            yield
        finally:
            stop.ask()
            thread.join(60)
    assert broken == []


def everybody_with_a_destination(receiver):
    receive(*(sign_up(f"person{number}", action_id=number) for number in range(1, PEOPLE + 1)))
    return a_destination(receiver)


def strikes(receiver, moments, strike):
    """Something that happens in the middle of these requests, before the receiver has answered."""
    numbers = itertools.count(1)

    def answer(call, take=receiver.answer):
        if next(numbers) in moments:
            strike()
        return take(call)

    receiver.answer = answer


def all_are_told():
    waiting = Delivery.objects.filter(due_at__isnull=False).exists()
    connection.close()
    return not waiting


def assert_the_crm_has_what_we_have(receiver):
    assert receiver.statuses() == dict.fromkeys(Supporter.objects.values_list("pk", flat=True), "subscribed")
    assert len(receiver.actions) == PEOPLE
    assert Delivery.objects.exclude(lease="").count() == 0
    assert not Delivery.objects.exclude(state="delivered").exists()


@pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)
def test_connections_that_break_while_pushing_cost_nothing(store_database):
    def cut():
        with psycopg.connect(store_database.url, autocommit=True) as one:
            one.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    with running_receiver() as receiver:
        everybody_with_a_destination(receiver)
        connection.close()
        strikes(receiver, {7, 30}, cut)

        with pushing():
            # No lease has to run out first: who waited for the database gives back what they held.
            wait_until(lambda: len(receiver.people) == PEOPLE and all_are_told(), "everybody told", 60)

        assert_the_crm_has_what_we_have(receiver)


@pytest.mark.slow
def test_a_database_that_is_killed_and_comes_back_while_pushing_loses_nothing(
    own_postgres: Postgres, django_db_blocker
):
    database = Database("postgresql", own_postgres.url("proca"))
    with psycopg.connect(own_postgres.url("postgres"), autocommit=True) as one:
        one.execute("CREATE DATABASE proca")
    assert run_manage("migrate", env={"DATABASE_URL": database.url}).returncode == 0

    def restart():
        own_postgres.kill()
        threading.Timer(2, own_postgres.up).start()

    with django_db_blocker.unblock(), django_uses(database), running_receiver() as receiver:
        everybody_with_a_destination(receiver)
        connection.close()
        strikes(receiver, {5, 45}, restart)

        with pushing():
            wait_until(lambda: len(receiver.people) == PEOPLE, "everybody at the receiver", 120)
            wait_until(all_are_told, "everything recorded", 60)

        assert_the_crm_has_what_we_have(receiver)
