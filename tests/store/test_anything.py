"""Whatever comes ends as rows or in quarantine with a reason that we know: nothing crashes, and nobody pays for it."""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sync.models import Action, QuarantinedMessage
from sync.proca.shapes import Code
from sync.terms import Verdict
from tests.builders import an_action, wire
from tests.oracle import near
from tests.store.storing import take_in

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
SCHEMAS = st.sampled_from(["proca:action:1", "proca:action:2", "proca:event:2"])
#: Anything at all, any object under a schema of Proca's, and messages with one thing broken.
ANYTHING = st.one_of(
    st.binary(max_size=40),
    VALUES.map(wire),
    st.builds(lambda schema, rest: wire(rest | {"schema": schema}), SCHEMAS, st.dictionaries(st.text(), VALUES)),
    near.near_messages().map(wire),
    near.near_messages().map(wire),
)


@settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(bodies=st.lists(ANYTHING, min_size=1, max_size=6))
def test_anything_is_stored_or_kept_with_a_reason_and_its_neighbours_are_stored(store_database, bodies):
    store_database.empty()
    neighbour = an_action(actionId=987_654_321)

    results = take_in(neighbour, *bodies)

    assert results[0] is Verdict.STORED
    assert set(results) <= {Verdict.STORED, Verdict.UPDATED, Verdict.DUPLICATE, Verdict.EVENT, Verdict.QUARANTINED}
    assert set(QuarantinedMessage.objects.values_list("code", flat=True)) <= set(map(str, Code))
    assert Action.objects.filter(action_id=987_654_321).exists()
    assert results.count(Verdict.QUARANTINED) >= QuarantinedMessage.objects.count()
