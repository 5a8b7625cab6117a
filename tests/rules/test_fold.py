"""The core alone: any order, repetition and split gives the state that the rules, written plainly, give.

`CONVERGENCE_EXAMPLES` sets how many sets each trial draws.
"""

import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import strategies
from tests.oracle.difference import difference
from tests.oracle.oracle import state
from tests.rules import close
from tests.rules.fold import fold
from tests.rules.orders import as_they_may_come

EXAMPLES = int(os.environ.get("CONVERGENCE_EXAMPLES", "0"))


@settings(max_examples=EXAMPLES or 150)
@given(
    items=strategies.items(max_messages=8),
    policies=strategies.policies(),
    split=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_any_order_repetition_and_split_gives_the_state_of_the_rules(items, policies, split, seed):
    arriving = as_they_may_come(items, random.Random(seed))

    assert difference(fold(arriving, policies, split=split), state(items, policies=policies)) == []


@settings(max_examples=EXAMPLES or 60)
@given(
    items=strategies.items(max_messages=6, shared=True),
    policies=strategies.policies(),
    split=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_so_it_does_where_emails_are_shared(items, policies, split, seed):
    arriving = as_they_may_come(items, random.Random(seed))

    assert difference(fold(arriving, policies, split=split), state(items, policies=policies)) == []


@settings(max_examples=EXAMPLES or 300)
@given(
    items=st.randoms(use_true_random=False).map(close.items),
    policies=strategies.policies(),
    split=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_so_it_does_at_close_quarters(items, policies, split, seed):
    arriving = as_they_may_come(items, random.Random(seed))

    assert difference(fold(arriving, policies, split=split), state(items, policies=policies)) == []
