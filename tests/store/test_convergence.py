"""Rule 1, through the store: any order, repetition and split into batches ends in the state of the rules.

`CONVERGENCE_EXAMPLES` sets how many sets each trial draws. A failing set is not made smaller here: the trials of the
core alone (`tests/rules/test_fold.py`) do that a hundred times faster.
"""

import json
import os
import random
import threading
from itertools import permutations

import pytest
from django.db import connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sync.intake.retry import retry
from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import Consent, QuarantinedMessage, Subscription, Supporter, WaitingEntries
from sync.proca.encryption import KeyStore
from sync.store.arrivals import Arrival
from sync.store.refold import refold
from sync.store.write import write
from sync.terms import Status, Verdict
from tests.builders import KEYS, encrypted
from tests.oracle import strategies
from tests.oracle.difference import difference
from tests.oracle.given import edit, entry, mark, merge, message, shared
from tests.oracle.oracle import state
from tests.oracle.wire import MAY_1, MAY_2, MAY_3, MAY_4, MAY_5, an_action, an_event
from tests.rules import close
from tests.rules.fold import NOW, facts_of
from tests.rules.orders import as_they_may_come
from tests.store import stored

EXAMPLES = int(os.environ.get("CONVERGENCE_EXAMPLES", "0"))
POLICIES = st.sampled_from(["opt_in", "double_opt_in"])
SEEDS = st.integers(0, 2**32)


def through_the_store(number):
    return settings(
        max_examples=EXAMPLES or number,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def store(items, split):
    """Write these items in batches of `split`."""
    arrivals = [Arrival(facts=facts) for item in items if (facts := facts_of(item)) is not None]
    for start in range(0, len(arrivals), split):
        write(arrivals[start : start + split])


@through_the_store(20)
@given(items=strategies.items(max_messages=8), policy=POLICIES, split=st.integers(1, 6), seed=SEEDS)
def test_any_order_repetition_and_split_is_stored_alike(store_database, settings, items, policy, split, seed):
    store_database.empty()
    settings.SUBSCRIPTION_POLICY = policy

    store(as_they_may_come(items, random.Random(seed)), split)

    assert difference(stored.state(default_policy=policy), state(items, default_policy=policy)) == []


@through_the_store(15)
@given(items=strategies.items(max_messages=5, shared=True), split=st.integers(1, 6), seed=SEEDS)
def test_so_it_is_where_emails_are_shared(store_database, items, split, seed):
    store_database.empty()

    store(as_they_may_come(items, random.Random(seed)), split)

    assert difference(stored.state(), state(items)) == []


@through_the_store(30)
@given(policy=POLICIES, split=st.integers(1, 4), seed=SEEDS)
def test_so_it_is_at_close_quarters_and_folding_again_changes_nothing(store_database, settings, policy, split, seed):
    store_database.empty()
    settings.SUBSCRIPTION_POLICY = policy
    items = close.items(random.Random(seed))

    store(as_they_may_come(items, random.Random(seed)), split)

    assert difference(stored.state(default_policy=policy), state(items, default_policy=policy)) == []
    assert +refold(check=True).differences == {}


@pytest.mark.parametrize("given_at", [MAY_1, MAY_3])
def test_what_leads_on_from_a_key_that_is_known_by_its_hash_alone_is_found(store_database, given_at):
    """An event that was erased, or nearly, is all that says whose the email is that a later mark is on."""
    store_database.empty()
    items = [
        message(an_action(email=None, contactRef="ref-b", createdAt=MAY_3)),
        mark("ref-ann", at=MAY_2),
        message(an_event(email="ann@example.org", contactRef="ref-ann", givenAt=given_at)),
        merge(("", "ref-ann"), ("", "ref-b"), at=MAY_3),
        mark("ann@example.org", at=MAY_4),
    ]

    store(items, 1)

    assert difference(stored.state(), state(items)) == []
    assert not Supporter.objects.exists()


def test_an_email_is_sealed_where_it_stands_when_a_mark_comes_by_its_hash_alone(store_database):
    store_database.empty()
    items = [
        mark("ref-ann", at=MAY_2),
        message(an_event(email="ann@example.org", contactRef="ref-ann", givenAt=MAY_3)),
        entry("bounce", "ref-c", email="ann@example.org", at=MAY_5),
        mark("ref-ann", at=MAY_4),
    ]

    store(items, 1)

    assert difference(stored.state(), state(items)) == []
    assert "ann@" not in json.dumps(list(WaitingEntries.objects.values_list("entries", flat=True)))


def test_a_contact_whose_hash_an_erased_action_names_is_found_by_the_next_mark(store_database):
    store_database.empty()
    of_ann = message(an_action(actionId=1, email="ann@example.org", stage="supporter_confirm", createdAt=MAY_3))
    of_bob = message(an_action(actionId=1, email=None, contactRef="ref-bob", createdAt=MAY_1))
    items = [
        of_ann,
        message(an_action(actionId=2, email=None, contactRef="ref-bob", createdAt=MAY_3)),
        merge(("ann@example.org", ""), ("", "ref-bob"), at=MAY_1),
        mark("ann@example.org", at=MAY_2),
        of_bob,
        of_bob,
        mark("ref-bob", at=MAY_4),
    ]

    store(items[:-2], 1)
    store(items[-2:], 2)

    assert difference(stored.state(), state(items)) == []
    assert not Supporter.objects.exists()


def test_a_mark_passes_over_a_merge_that_names_a_pair_which_no_message_gave(store_database):
    items = [
        message(an_action(email="bob@example.org", contactRef="ref-b", createdAt=MAY_2)),
        merge(("ann@example.org", "ref-ann"), ("bob@example.org", "ref-b"), at=MAY_1),
        mark("ann@example.org", at=MAY_2),
    ]
    for order in permutations(items):
        store_database.empty()

        store(order, 1)

        assert difference(stored.state(), state(items)) == []
        assert not Supporter.objects.exists()


def test_a_stop_that_waits_under_another_key_is_everybodys_once_its_email_is_shared(store_database):
    store_database.empty()
    items = [
        entry("inactive", "ref-ann", email="office@example.org", at=MAY_1),
        shared("office@example.org", at=MAY_2),
        message(an_event(emailStatus="blocked", email="office@example.org", contactRef=None, timestamp=MAY_2)),
    ]

    store(items[:1], 1)
    store(items[1:], 2)

    assert difference(stored.state(), state(items)) == []
    assert Consent.objects.filter(kind="inactive").exists()


def test_a_complaint_and_the_memory_of_one_at_the_same_time_show_who_complained(store_database):
    store_database.empty()
    items = [
        message(
            an_action(
                email="bob@example.org",
                contactRef="ref-b",
                createdAt=MAY_2,
                givenAt=MAY_3,
                withConsent=False,
                emailStatus="spam",
                emailStatusChanged=MAY_2,
            )
        ),
        mark("ref-b", at=MAY_2),
        entry("spam", "bob@example.org", at=MAY_2),
    ]

    store(items, 3)

    assert difference(stored.state(), state(items)) == []


def test_a_remembered_complaint_follows_an_email_that_somebody_has_by_an_edit_alone(store_database):
    items = [
        message(an_action(email="bob@example.org", contactRef="ref-b", createdAt=MAY_1)),
        entry("spam", "ann@example.org", at=MAY_1),
        mark("ann@example.org", at=MAY_2),
        edit("bob@example.org", email="ann@example.org", at=MAY_3),
    ]
    for order in permutations(items):
        store_database.empty()

        store(order, 1)

        assert difference(stored.state(), state(items)) == []
        assert [one.status for one in Subscription.objects.all()] == [Status.COMPLAINED]


@pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)
@through_the_store(20)
@given(split=st.integers(1, 3), seed=SEEDS)
def test_two_workers_at_once_end_in_the_state_of_the_rules(store_database, split, seed):
    """Words on identity where there is an erasure come from one of the two: their order is that of their times."""
    store_database.empty()
    items = close.items(random.Random(seed), themes=("consent", "details", "identity", "erasure"))
    arriving = as_they_may_come(items, random.Random(seed))
    of_messages = [item for item in arriving if item["kind"] == "message"]
    half = len(of_messages) // 2
    others = [item for item in arriving if item["kind"] != "message"]

    at_once((store, of_messages[:half] + others, split), (store, of_messages[half:], split))

    assert difference(stored.state(), state(items)) == []


def at_once(*calls):
    """Make these calls at the same time, each with a connection of its own; what one raises comes out."""
    together, failed = threading.Barrier(len(calls)), []

    def work(call, *arguments):
        try:
            together.wait(timeout=30)
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - told to the test
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


@through_the_store(15)
@given(split=st.integers(1, 4), seed=SEEDS)
def test_messages_whose_key_comes_later_count_from_then_on(store_database, split, seed):
    store_database.empty()
    drawn = random.Random(seed)
    items = as_they_may_come(close.items(drawn), drawn)
    locked = {number for number, item in enumerate(items) if item["kind"] == "message" and drawn.random() < 0.5}

    for number, item in enumerate(items):
        if number in locked:
            assert take([sealed(item)], KeyStore.empty(), now=NOW) == [Verdict.QUARANTINED]
        else:
            store([item], split)
    # An erasure takes out of quarantine what names the person: that was never received.
    kept = {(bytes(row.body), row.reader) for row in QuarantinedMessage.objects.all()}
    received = [
        item for number, item in enumerate(items) if number not in locked or (sealed(item).body, item["reader"]) in kept
    ]
    before = [item for number, item in enumerate(items) if number not in locked]
    assert difference(stored.state(), state(before)) == []

    done = retry([row.pk for row in QuarantinedMessage.objects.all()], KEYS, now=NOW)

    assert (done.stored, done.kept, QuarantinedMessage.objects.count()) == (len(kept), 0, 0)
    assert difference(stored.state(), state(received)) == []


def sealed(item):
    body = encrypted(item["body"], KEYS)
    return Raw(body=json.dumps(body).encode(), queue="cus.1.deliver", reader=item["reader"])
