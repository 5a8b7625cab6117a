"""The core alone: any order, repetition and split gives the state that the rules, written plainly, give."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import strategies
from tests.oracle.difference import difference
from tests.oracle.oracle import state
from tests.rules.fold import fold


@settings(max_examples=500)
@given(items=strategies.items(max_messages=8, undo=False), policies=strategies.policies(), split=st.integers(1, 4))
def test_any_order_repetition_and_split_gives_the_state_of_the_rules(items, policies, split):
    shuffled = [*items, *items[::2]]
    random.Random(len(items)).shuffle(shuffled)

    folded = fold(shuffled, policies, split=split)

    assert difference(folded, state(items, policies=policies)) == []


@settings(max_examples=300)
@given(items=strategies.items(max_messages=6, shared=True), policies=strategies.policies())
def test_shared_emails_and_undos_give_the_state_of_the_rules(items, policies):
    by_people_first = sorted(items, key=lambda item: item["kind"] not in ("shared", "merge", "undo"))

    assert difference(fold(by_people_first, policies), state(items, policies=policies)) == []
