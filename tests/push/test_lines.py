"""How many workers may talk to a destination at once: what its kind declares, PostgreSQL counts, whoever they are."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sync.models import Delivery, Supporter
from sync.push import audience, deliveries, due, filling
from sync.push.deliveries import Lines
from sync.push.registry import connector
from tests.push.world import a_destination, push, receive, sign_up

PEOPLE = 12
TWO = Lines(at_once=2, batch=2)

pytestmark = pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)


@pytest.fixture
def destination(receiver):
    """One to which everybody is due."""
    receive(*(sign_up(f"person{number}") for number in range(PEOPLE)))
    one = a_destination(receiver)
    due.read_changes(one, connector("webhook"))
    filling.fill(one, connector("webhook"))
    return one


def claimed(destination, lines=TWO, after=timedelta(0)):
    lease = deliveries.new_lease()
    return lease, [row.id for row in deliveries.claim(destination.pk, lease, 2, timezone.now() + after, lines)]


def test_no_more_workers_talk_to_it_than_it_bears_and_the_next_comes_when_one_is_done(destination):
    (first, ids), (_, second), (_, third) = (claimed(destination) for _ in range(3))
    assert (len(ids), len(second), third) == (2, 2, [])

    deliveries.release(first, ids, ids)

    assert len(claimed(destination)[1]) == 2


def test_who_was_killed_takes_nobodys_place_for_ever(destination):
    for _ in range(2):
        claimed(destination)

    assert claimed(destination)[1] == []
    assert len(claimed(destination, after=deliveries.LEASE + timedelta(seconds=1))[1]) == 2


def test_those_who_ask_at_the_same_moment_are_counted_too(destination):
    together, found = threading.Barrier(6), []

    def work():
        together.wait()
        found.append(claimed(destination)[1])
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()

    assert sorted(map(len, found)) == [0, 0, 0, 0, 2, 2]


def test_a_worker_keeps_to_what_the_kind_declares(receiver, destination):
    others = [claimed(destination, Lines(at_once=99, batch=2)) for _ in range(connector("webhook").concurrency)]

    push(destination)
    assert receiver.calls == []

    lease, ids = others[0]
    deliveries.release(lease, ids, ids)
    push(destination)
    assert len(receiver.people) == PEOPLE - 2 * (len(others) - 1)
    assert Delivery.objects.filter(lease="", due_at__isnull=False).count() == 0


def test_whatever_is_asked_while_delivering_finds_its_rows_by_an_index(receiver, destination):
    """Each of these is asked for every batch or every request, among millions of deliveries."""
    with CaptureQueriesContext(connection) as asked:
        push(destination)

    statements = {one["sql"] for one in asked.captured_queries if "sync_delivery" in one["sql"]}
    plain = {one for one in statements if one.startswith(("SELECT", "UPDATE", "DELETE"))}
    assert len(plain) > PEOPLE
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan TO off")
        plans = {one: cursor.execute(f"EXPLAIN {one}").fetchall() for one in plain}
        cursor.execute("RESET enable_seqscan")
    assert [one for one, plan in plans.items() if "Seq Scan on sync_delivery" in str(plan)] == []


def test_few_people_are_looked_up_without_reading_everybody_in_tables_that_are_new(receiver):
    """A first filling comes before PostgreSQL has statistics: it then believes that nobody is there."""
    receive(*(sign_up(f"many{number}") for number in range(200)))
    destination = a_destination(receiver, audience={"who": "subscribed", "campaigns": ["forest"]})
    few = list(Supporter.objects.order_by("pk").values_list("pk", flat=True)[:10])
    with CaptureQueriesContext(connection) as asked:
        assert audience.among(destination, few) == set(few)

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked.captured_queries[0]['sql']}")
        ((plan,),) = cursor.fetchall()
    assert _rows_read(plan[0]["Plan"]) < 2_000


def _rows_read(node):
    here = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    return here * node["Actual Loops"] + sum(_rows_read(one) for one in node.get("Plans", ()))
