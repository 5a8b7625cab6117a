"""Whoever listens to the store may fail: the batch is stored all the same, and the log says who it was."""

import pytest
from structlog.testing import capture_logs

from sync import signals
from sync.models import Change, Supporter
from sync.store import installation
from sync.terms import Verdict
from tests.builders import an_action
from tests.store.storing import take_in


class Listener:
    """Somebody else's receiver: notes what it is told, writes a row, and fails."""

    def __init__(self):
        self.told = []

    def __call__(self, **what):
        self.told.append(what)
        Change.objects.create(kind="own", object="own", object_id=0, occurred_at="2026-01-01T00:00:00Z")
        raise ValueError("anne.martin@example.org")


def failing(**_):
    Change.objects.create(kind="own", object="own", object_id=0, occurred_at="2026-01-01T00:00:00Z")
    raise ValueError("anne.martin@example.org")


@pytest.fixture(params=[failing, Listener()], ids=["function", "object"])
def stranger(request):
    signals.supporter_changed.connect(request.param, weak=False)
    yield request.param
    signals.supporter_changed.disconnect(request.param)


def test_a_strangers_receiver_that_fails_is_named_and_changes_nothing(store_database, stranger):
    with capture_logs() as logs:
        assert take_in(an_action()) == [Verdict.STORED]

    (line,) = [one for one in logs if one["event"] == "receiver_failed"]
    assert line["receiver"].startswith(__name__)
    assert line["error"] == "ValueError"
    assert "anne" not in str(logs)
    assert installation.failures() == {line["receiver"]: 1}
    take_in(an_action(actionId=2, contact={"email": "other@example.org", "contactRef": "other"}))
    assert installation.failures() == {line["receiver"]: 2}
    assert Supporter.objects.count() == 2
    assert set(Change.objects.values_list("kind", flat=True)) >= {"supporter.changed", "action.recorded"}
    assert not Change.objects.filter(kind="own").exists()


def test_our_own_receiver_that_fails_fails_the_batch(store_database, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr("sync.changes.log._record", broken)

    assert take_in(an_action()) == [Verdict.QUARANTINED]
    assert not Supporter.objects.exists()


def test_a_batch_is_told_once_with_all_that_it_did(store_database):
    told = []

    def listen(ids, **_):
        told.append(len(ids))

    signals.action_recorded.connect(listen, weak=False)
    take_in(*(an_action(actionId=number) for number in range(1, 6)))
    signals.action_recorded.disconnect(listen)

    assert told == [5]
