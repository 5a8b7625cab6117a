"""Rule 1, through the store: any order, repetition and split into batches ends in the state of the rules.

`CONVERGENCE_EXAMPLES` sets how many sets each trial draws (60). A failing set is not made smaller here: the trial of
the core alone (`tests/rules/test_fold.py`) does that a hundred times faster.
"""

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sync.store.arrivals import Arrival
from sync.store.write import write
from tests.oracle import strategies
from tests.oracle.difference import difference
from tests.oracle.oracle import state
from tests.rules.fold import facts_of
from tests.store import stored

through_the_store = settings(
    max_examples=int(os.environ.get("CONVERGENCE_EXAMPLES", "60")),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def store(items, split):
    """Write these items in batches of `split`."""
    arrivals = [Arrival(facts=facts) for item in items if (facts := facts_of(item)) is not None]
    for start in range(0, len(arrivals), split):
        write(arrivals[start : start + split])


def by_people_first(items):
    """What people said of identity before anything else: an erasure cannot be taken back by a later word on it."""
    return sorted(items, key=lambda item: item["kind"] not in ("shared", "merge", "undo"))


@pytest.mark.parametrize("policy", ["opt_in", "double_opt_in"])
@through_the_store
@given(items=strategies.items(max_messages=8, undo=False), split=st.integers(1, 6), seed=st.integers(0, 999))
def test_any_order_repetition_and_split_is_stored_alike(store_database, settings, policy, items, split, seed):
    store_database.empty()
    settings.SUBSCRIPTION_POLICY = policy
    shuffled = [*items, *items[::2]]
    random.Random(seed).shuffle(shuffled)

    store(shuffled, split)

    assert difference(stored.state(default_policy=policy), state(items, default_policy=policy)) == []


@through_the_store
@given(items=strategies.items(max_messages=5, shared=True), split=st.integers(1, 6))
def test_shared_emails_and_undos_are_stored_as_the_rules_say(store_database, items, split):
    store_database.empty()
    store(by_people_first(items), split)

    assert difference(stored.state(), state(items)) == []
