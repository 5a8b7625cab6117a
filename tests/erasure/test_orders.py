"""Four messages and an erasure, in every order: the same end, and a newer action makes somebody with a new id."""

import random
from itertools import permutations

import pytest

from sync.models import Action, Change, FormerSupporter, Supporter
from sync.store.arrivals import Arrival
from sync.store.write import write
from tests.oracle import given, wire
from tests.oracle.difference import difference
from tests.oracle.oracle import state
from tests.oracle.wire import MAY_1, MAY_2, MAY_3, MAY_5, MAY_6
from tests.rules.fold import facts_of, fold
from tests.store import stored

#: A sign-up, a step with another email that repeats its details, a stop, and an action after the erasure.
SIGN_UP = given.message(wire.an_action(createdAt=MAY_1, firstName="Old", customFields={"comment": "old"}))
STEP = given.message(wire.a_share(createdAt=MAY_6, email="other@example.org", firstName="Old", postcode="1000"))
STOP = given.message(wire.an_event(timestamp=MAY_2, emailStatus="spam"), 2)
LATER = given.message(wire.an_action(actionId=3, createdAt=MAY_5, firstName="New", email="new@example.org"))
MESSAGES = (SIGN_UP, STEP, STOP, LATER)
MARK = given.mark("ann@example.org", at=MAY_3)
ORDERS = [
    [*order[:place], MARK, *order[place:]] for order in permutations(MESSAGES) for place in range(len(MESSAGES) + 1)
]


def store(item):
    write([Arrival(facts=facts_of(item))])


def test_every_order_ends_alike():
    expected = state([*MESSAGES, MARK])

    assert len(ORDERS) == 120
    assert [order for order in ORDERS if difference(fold(order, split=1), expected)] == []
    (again,) = expected["supporters"]
    assert (again["email"], again["first_name"], again["actions"]) == ("new@example.org", "New", [3])
    assert expected["actions"][1]["custom_fields"] == {}
    assert {one["org"]: one["status"] for one in again["subscriptions"]} == {1: "subscribed"}


@pytest.mark.parametrize("place", range(len(MESSAGES) + 1))
def test_every_order_is_stored_alike(store_database, place):
    expected = state([*MESSAGES, MARK])

    for order in random.Random(place).sample(list(permutations(MESSAGES)), 5):
        store_database.empty()
        for item in [*order[:place], MARK, *order[place:]]:
            store(item)

        assert difference(stored.state(), expected) == [], order


@pytest.mark.usefixtures("store_database")
def test_whoever_was_erased_and_acts_again_has_a_new_id_and_the_old_one_is_gone():
    for item in (SIGN_UP, STEP, STOP):
        store(item)
    erased = Supporter.objects.get().pk
    store(MARK)
    assert FormerSupporter.objects.get(pk=erased).into_id is None
    assert Change.objects.get(kind="supporter.erased").object_id == erased

    store(LATER)
    for item in MESSAGES:
        store(item)

    again = Supporter.objects.get()
    assert again.pk != erased
    assert FormerSupporter.objects.get(pk=erased).into_id is None
    assert Action.objects.get(supporter=again).action_id == 3


@pytest.mark.usefixtures("store_database")
def test_a_second_erasure_reaches_all_that_the_first_one_knew():
    """Nothing but hashes tells that the two addresses were one person's."""
    for item in (SIGN_UP, STEP):
        store(item)
    store(MARK)
    store(given.message(wire.an_action(actionId=4, createdAt=MAY_5, email="other@example.org", contactRef=None)))
    assert Supporter.objects.get().email == "other@example.org"

    store(given.mark("ann@example.org", at=MAY_6))

    assert not Supporter.objects.exists()
