"""What a batch costs: statements, and ids."""

from sync.models import FormerSupporter, Supporter
from sync.store import asked
from sync.terms import Verdict
from tests.store.storing import action_of, event_of, joining, sequences, statements, take_in


def mixed(first, groups):
    """Groups of five: somebody new, a replay, a confirmation, a stop ahead of its action, two who become one."""
    for who in range(first, first + groups):
        yield action_of(10_000 + who, 10_000 + who)
        yield action_of(who, who)
        yield event_of(who, who)
        yield event_of(20_000 + who, 20_000 + who, "unsub")
        yield joining(who, 5_000 + who, 30_000 + who)


def test_a_batch_of_a_thousand_takes_no_more_statements_than_one_of_ten(store_database, monkeypatch):
    take_in(*(action_of(who, who) for start in (0, 5_000) for who in range(start + 1, start + 205)))
    # So that what people added is asked for as well.
    asked.erase(email="nobody@example.org")
    asked.share("info@example.org", shared=True)
    asked.add_consent(org=7, kind="unsub", said=asked.Said(source="api"), email="later@example.org")

    take_in(*mixed(1, 2))

    with statements(monkeypatch) as of_ten:
        few = take_in(*mixed(3, 2))
    with statements(monkeypatch) as of_a_thousand:
        many = take_in(*mixed(5, 200))

    assert (len(few), len(many)) == (10, 1000)
    assert set(many) == {Verdict.STORED, Verdict.DUPLICATE, Verdict.EVENT}
    assert FormerSupporter.objects.count() == 204
    assert of_a_thousand == of_ten
    assert of_ten.total() > 10


def test_a_replay_of_known_messages_takes_no_id(store_database):
    batch = [*mixed(1, 3), action_of(1, 1, stage="supporter_confirm")]
    # The second time begins the day's count of duplicates.
    take_in(*batch, *batch)
    take_in(*batch)
    before, people = sequences(store_database), Supporter.objects.count()

    again = take_in(*reversed(batch))

    assert set(again) == {Verdict.DUPLICATE}
    assert sequences(store_database) == before
    assert Supporter.objects.count() == people
