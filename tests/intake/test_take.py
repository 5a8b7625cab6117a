"""One bad message never fails its neighbours, and nothing is lost on the way."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from sync.intake import take as module
from sync.intake.sources import GivenUp, NotKept, Raw
from sync.intake.take import take
from sync.proca import messages
from sync.proca.encryption import KeyStore
from sync.store.arrivals import Arrival, Unstorable
from sync.store.errors import Away, Refused
from sync.terms import Verdict
from tests.intake.messages import an_action

KEYS = KeyStore.empty()
NOW = 1_800_000_000_000_000


@dataclass
class Store:
    """A store that fails where it is told to."""

    bad: dict[int, Exception] = field(default_factory=dict)
    quarantine_fails: Exception | None = None
    calls: list[int] = field(default_factory=list)
    kept: list[Arrival | Unstorable] = field(default_factory=list)

    def write(self, arrivals, *, dry_run=False) -> Any:
        self.calls.append(len(arrivals))
        for arrival in arrivals:
            if isinstance(arrival, Unstorable):
                if self.quarantine_fails:
                    raise self.quarantine_fails
            elif error := self.bad.get(arrival.facts.action_id):
                raise error
        self.kept += [] if dry_run else arrivals
        return [Verdict.QUARANTINED if isinstance(one, Unstorable) else Verdict.STORED for one in arrivals]

    @property
    def quarantined(self) -> Any:
        return [one for one in self.kept if isinstance(one, Unstorable)]


@pytest.fixture
def store(monkeypatch) -> Any:
    store = Store()
    monkeypatch.setattr(module, "write", store.write)
    return store


def raws(count, **more) -> Any:
    return [
        Raw(body=an_action(actionId=number), queue="cus.7.deliver", reader=7, has_retry=True, **more)
        for number in range(1, count + 1)
    ]


def test_a_good_batch_is_one_call(store):
    assert take(raws(8), KEYS, now=NOW) == [Verdict.STORED] * 8
    assert store.calls == [8]


def test_poison_is_quarantined_in_the_same_call_as_its_neighbours(store):
    poison = Raw(body=b"{not json", queue="cus.7.deliver", reader=7, headers={"a": 1})

    results = take([*raws(3), poison], KEYS, now=NOW)

    assert results == [Verdict.STORED] * 3 + [Verdict.QUARANTINED]
    assert store.calls == [4]
    (kept,) = store.quarantined
    assert (kept.body, kept.code, kept.reader, kept.headers) == (b"{not json", "not_json", 7, {"a": 1})


def test_the_one_that_fails_is_found_and_the_rest_is_stored(store):
    store.bad[5] = RuntimeError("says anna@example.org")

    results = take(raws(8), KEYS, now=NOW)

    assert results[4] == GivenUp("failed:RuntimeError")
    assert results[:4] + results[5:] == [Verdict.STORED] * 7
    assert len(store.calls) <= 7


def test_order_is_kept_through_splitting(store):
    store.bad = {3: RuntimeError(), 4: ValueError(), 8: KeyError()}

    take(raws(9), KEYS, now=NOW)

    assert [one.facts.action_id for one in store.kept] == [1, 2, 5, 6, 7, 9]


def test_after_so_many_tries_it_is_quarantined(store, settings):
    settings.PROCA_MAX_RETRIES = 3
    store.bad[1] = RuntimeError("says anna@example.org")

    before = take(raws(1, rejected=2), KEYS, now=NOW)
    last = take(raws(1, rejected=3), KEYS, now=NOW)

    assert before == [GivenUp("failed:RuntimeError")]
    assert last == [Verdict.QUARANTINED]
    assert (store.quarantined[0].code, store.quarantined[0].where) == ("failed", "RuntimeError")


def test_without_a_way_back_it_is_quarantined_at_once(store):
    store.bad[1] = RuntimeError()
    (raw,) = raws(1)

    assert take([Raw(body=raw.body, queue="system.deliver", reader=None)], KEYS, now=NOW) != [
        GivenUp("failed:RuntimeError")
    ]
    assert take([Raw(body=raw.body, queue="http", reader=7)], KEYS, now=NOW) == [Verdict.QUARANTINED]


def test_a_lasting_reason_never_goes_round(store):
    store.bad[2] = Refused("23514:some_check")

    assert take(raws(3), KEYS, now=NOW) == [Verdict.STORED, Verdict.QUARANTINED, Verdict.STORED]
    assert store.quarantined[0].code == "23514:some_check"


def test_a_database_that_is_away_is_no_ones_fault(store):
    store.bad[2] = Away("connection")

    with pytest.raises(Away):
        take(raws(3), KEYS, now=NOW)
    assert store.kept == []


def test_what_breaks_while_it_is_read_is_that_messages_failure(store, monkeypatch):
    def breaks(body, keys, *, now) -> Any:
        if body == b"2":
            raise RecursionError("says anna@example.org")
        return original(body, keys, now=now)

    original = messages.read
    monkeypatch.setattr(messages, "read", breaks)
    good, bad = raws(1)[0], Raw(body=b"2", queue="cus.7.deliver", reader=7, has_retry=True)

    assert take([bad, good], KEYS, now=NOW) == [GivenUp("failed:RecursionError"), Verdict.STORED]


def test_quarantine_that_fails_too_gives_the_message_up(store):
    store.quarantine_fails = RuntimeError()
    (raw,) = raws(1)

    poison = Raw(body=b"[]", queue="cus.7.deliver", reader=7, has_retry=True, rejected=99)
    assert take([poison, raw], KEYS, now=NOW) == [GivenUp("failed:RuntimeError"), Verdict.STORED]


def test_quarantine_that_fails_without_a_way_back_is_an_error_and_no_loss(store):
    store.quarantine_fails = Refused("54000")

    with pytest.raises(NotKept, match="54000"):
        take([Raw(body=b"[]", queue="file", reader=7)], KEYS, now=NOW)


def test_a_message_of_the_future_is_kept_for_its_time(store):
    take([Raw(body=an_action(createdAt="2999-01-01T00:00:00Z"), queue="http", reader=7)], KEYS, now=NOW)

    assert store.quarantined[0].code == "clock"
    assert store.quarantined[0].not_before > NOW


def test_nothing_of_a_message_gets_into_the_log(store, caplog, capsys):
    store.bad[1] = RuntimeError("Key (email)=(anna@example.org)")

    take(raws(1), KEYS, now=NOW)
    take(raws(1, rejected=99), KEYS, now=NOW)

    said = caplog.text + capsys.readouterr().err
    assert "RuntimeError" in said
    assert "anna" not in said
    assert "example" not in said


def test_a_dry_run_keeps_nothing(store):
    assert take(raws(2), KEYS, now=NOW, dry_run=True) == [Verdict.STORED] * 2
    assert store.kept == []
