"""Several processes write at once: one after the other, without a deadlock, and in an order that readers can follow."""

import os
import random
import signal
import time
from itertools import pairwise

import pytest

from sync import signals
from sync.changes import feed
from sync.models import Action, Change, Contact, QuarantinedMessage, Supporter
from sync.store import write as door
from sync.store.errors import Away
from tests.oracle import given
from tests.oracle.difference import difference
from tests.oracle.oracle import state
from tests.store import stored
from tests.store.storing import action_of, event_of, joining, take_in
from tests.store.workers import working

pytestmark = pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)

PEOPLE = range(1, 13)


def crowded():
    """Few people, much said of each, and some who turn out to be one."""
    said = [action_of(who, 100 * who + number) for who in PEOPLE for number in range(4)]
    said += [event_of(who, 100 * who, status) for who in PEOPLE for status in ("double_opt_in", "bounce")]
    said += [joining(who, who + 1, 5000 + who) for who in PEOPLE[::3]]
    return said


def store_all(bodies, seed, _):
    """All of them in an order of its own, in small batches."""
    random.Random(seed).shuffle(bodies)
    for start in range(0, len(bodies), 5):
        take_in(*bodies[start : start + 5])


def test_four_processes_on_the_same_people_end_in_the_state_of_the_rules(store_database):
    bodies = crowded()

    with working(*((store_all, list(bodies), seed) for seed in range(4))) as workers:
        for one in workers:
            one.end()

    assert difference(stored.state(), state([given.message(body, 7) for body in bodies])) == []
    assert not QuarantinedMessage.objects.exists()
    assert Contact.objects.values("email", "ref").distinct().count() == Contact.objects.count()
    assert Supporter.objects.count() == len(PEOPLE) - len(PEOPLE[::3])


@pytest.fixture
def between_ids_and_commit():
    """`call(receiver)`: it is called in each batch with a new action, once the change log has its ids."""
    connected = []

    def connect(receiver):
        signals.action_recorded.connect(receiver, weak=False)
        connected.append(receiver)

    yield connect
    for receiver in connected:
        signals.action_recorded.disconnect(receiver)


def store_one_by_one(first, number, _):
    for action_id in range(first, first + number):
        take_in(action_of(action_id, action_id))


def test_a_reader_of_the_change_log_never_misses_one(store_database, between_ids_and_commit):
    def dawdle(**_):
        time.sleep(random.random() / 50)

    between_ids_and_commit(dawdle)
    read, cursor = [], feed.BEGINNING

    with working(*((store_one_by_one, 1000 * writer, 15) for writer in (1, 2, 3))) as writers:
        at_work = True
        while at_work:
            at_work = any(one.is_at_work for one in writers)
            lines = feed.after(cursor, limit=7)
            read += [line.id for line in lines.lines]
            cursor = lines.next_after
            at_work = at_work or not lines.is_last
        for one in writers:
            one.end()

    assert read == list(Change.objects.order_by("id").values_list("id", flat=True))
    moments = Change.objects.order_by("id").values_list("occurred_at", flat=True)
    assert all(one <= other for one, other in pairwise(moments))
    assert Action.objects.count() == 45


def store_and_tell(action_id, say):
    try:
        take_in(action_of(action_id, action_id))
    except Away as away:
        say(away.reason)
    else:
        say("stored")


def test_the_others_go_on_when_one_is_frozen_in_the_middle(store_database, monkeypatch, between_ids_and_commit):
    monkeypatch.setattr(door, "_IDLE", "500ms")
    here = os.getpid()

    def freeze(**_):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGSTOP)

    between_ids_and_commit(freeze)

    with working((store_and_tell, 1)) as (frozen,):
        _, status = os.waitpid(frozen.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

        take_in(action_of(2, 2))
        os.kill(frozen.pid, signal.SIGCONT)
        # Its connection is gone, and with it all that it had written: the same message comes again.
        assert frozen.hear() != "stored"

    assert list(Action.objects.values_list("action_id", flat=True)) == [2]
