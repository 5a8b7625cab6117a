"""The engine under faults: whatever happens, the receiver ends with what we hold, and nothing is told twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sync.models import Delivery, Destination
from sync.push import addresses, deliveries, destinations, explain, registry
from sync.store import asked
from tests.fakes.receiver import SECRET
from tests.fakes.server import Reply
from tests.push.world import (
    a_destination,
    due_at_once,
    event_about,
    person_row,
    push,
    receive,
    sign_up,
    standing,
    supporter,
)

NAMES = ("anne", "ben", "cleo")


@pytest.fixture
def destination(receiver):
    receive(*(sign_up(name) for name in NAMES))
    return a_destination(receiver)


def everybody():
    return {supporter(name).pk: "subscribed" for name in NAMES}


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500, "<html>oops</html>"),
        Reply(503, headers={"retry-after": "1"}),
        Reply(reset=True),
        Reply(408),
        Reply(425),
    ],
    ids=["500", "503", "reset", "408", "425"],
)
def test_passing_trouble_passes(receiver, destination, trouble):
    receiver.trouble.extend([trouble] * 2)

    push()
    due_at_once()
    push()

    assert receiver.statuses() == everybody()
    assert standing(destination).state == "active"


def test_the_answer_is_lost_after_it_was_taken(receiver, destination):
    def lost(call):
        receiver.answer(call)
        return Reply(reset=True)

    receiver.trouble.append(lost)

    push()
    due_at_once()
    push()

    assert receiver.statuses() == everybody()
    assert len(receiver.events) == len({call.headers["webhook-id"] for call in receiver.calls})


def test_a_failure_waits_longer_each_time_and_is_given_up_after_days(receiver, destination):
    destinations.change(destination, {"audience": {"countries": ["FR"]}}, "test")
    anne = supporter("anne").pk
    pauses = []
    for _ in range(10):
        receiver.trouble.extend([Reply(408)] * 3)
        push(destination)
        row = person_row(destination, anne)
        pauses.append(row.due_at and row.due_at - timezone.now())
        due_at_once()
        receiver.trouble.clear()

    assert timedelta(seconds=4) < pauses[0] < timedelta(seconds=8)
    assert timedelta(minutes=4) < pauses[1] < timedelta(minutes=7)
    assert timedelta(hours=23) < pauses[8] < timedelta(hours=31)
    assert pauses[9] is None
    assert person_row(destination, anne).state == "rejected"
    assert person_row(destination, anne).error.startswith("gave up")


def test_after_five_failures_in_a_row_only_one_is_tried(receiver, destination):
    receive(*(sign_up(f"person{number}") for number in range(10)))
    receiver.trouble.extend([Reply(503)] * 50)

    push()
    assert len(receiver.calls) == 5
    assert standing(destination).state == "failing"
    assert standing(destination).blocked_until > timezone.now()
    push()
    assert len(receiver.calls) == 5

    due_at_once()
    push()
    assert len(receiver.calls) == 6

    receiver.trouble.clear()
    due_at_once()
    push()
    assert len(receiver.people) == 13
    assert standing(destination).state == "active"


def test_too_fast_pauses_and_costs_nobody_an_attempt(receiver, destination):
    receiver.trouble.append(Reply(429, headers={"retry-after": "50, 53"}))

    push()

    assert len(receiver.calls) == 1
    wait = standing(destination).blocked_until - timezone.now()
    assert timedelta(seconds=45) < wait <= timedelta(seconds=53)
    assert set(Delivery.objects.exclude(kind="action").values_list("attempts", flat=True)) == {0}
    (told,) = explain.of_supporter(supporter("anne").pk, [Destination.objects.get()])
    assert told.why.startswith("waiting: it asked to be sent less; nothing is sent before 20")


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "check the key"), (403, "permission"), (410, "no more"), (301, "redirect")],
)
def test_what_people_must_repair_pauses_and_keeps_everything(receiver, destination, status, words):
    receiver.trouble.append(Reply(status, headers={"location": "https://elsewhere.example.org/secret?anne"}))

    push()

    assert standing(destination).state == "paused"
    assert standing(destination).reason.startswith(str(status))
    assert words in standing(destination).reason
    assert "anne" not in standing(destination).reason
    assert len(receiver.calls) == 1
    destinations.resume(destination, "test")
    push()
    assert receiver.statuses() == everybody()


def test_a_refusal_is_kept_without_the_persons_values_and_holds_up_nobody(receiver, destination):
    def refuse_anne(call):
        refused = b"anne@" in call.body
        words = "\x00anne@example.org: Anne Martin +33612345678 is too short\ud800"
        return Reply(422, {"error": words}) if refused else receiver.answer(call)

    receiver.trouble.extend([refuse_anne] * 6)

    push()

    row = person_row(destination, supporter("anne").pk)
    assert (row.state, row.due_at) == ("rejected", None)
    assert row.error == "422: error: …: … … … is too short…"
    assert set(receiver.statuses()) == {supporter("ben").pk, supporter("cleo").pk}


def test_a_rejected_person_comes_again_when_they_change(receiver, destination):
    receiver.trouble.append(Reply(422))
    push()
    rejected = Delivery.objects.get(state="rejected", kind="person")
    name = next(one for one in NAMES if supporter(one).pk == rejected.supporter_id)

    receive(event_about(name, "unsub"))
    push()

    assert receiver.statuses()[rejected.supporter_id] == "unsubscribed"


def test_an_action_that_is_refused_holds_up_neither_person_nor_the_next(receiver):
    a_destination(receiver)
    receive(sign_up("anne", action_id=1), sign_up("anne", action_id=2))

    def refuse_first(call):
        return Reply(422) if b'"action_id":1,' in call.body else receiver.answer(call)

    receiver.trouble.extend([refuse_first] * 10)
    push()
    due_at_once()
    push()

    assert receiver.statuses() == {supporter("anne").pk: "subscribed"}
    assert list(receiver.actions) == [2]
    assert Delivery.objects.get(action__action_id=1, kind="action").state == "rejected"


def test_a_change_while_it_is_being_sent_is_sent_after(receiver, destination):
    anne = supporter("anne").pk

    def while_sending(call):
        if b"anne@" in call.body and b"supporter.changed" in call.body:
            receive(event_about("anne", "unsub"))
        return receiver.answer(call)

    receiver.trouble.extend([while_sending] * 2)

    push()

    assert receiver.statuses()[anne] == "unsubscribed"


def test_who_is_erased_while_waiting_in_a_batch_is_not_sent(receiver, destination):
    erased = []

    def erase_the_others(call):
        for name in NAMES:
            if f"{name}@".encode() not in call.body and not erased:
                erased.append(supporter(name).pk)
                asked.erase(supporter=erased[0])
        return receiver.answer(call)

    receiver.trouble.append(erase_the_others)

    push()

    told = b"".join(call.body for call in receiver.calls)
    assert f'"supporter":{{"id":{erased[0]},'.encode() not in told
    assert erased[0] not in receiver.people


def test_who_is_erased_while_being_sent_is_forgotten_after(receiver, destination):
    anne = supporter("anne").pk

    def erase_anne(call):
        if b"anne@" in call.body:
            asked.erase(supporter=anne)
            receiver.trouble.clear()
        return receiver.answer(call)

    receiver.trouble.extend([erase_anne] * 6)

    push()
    due_at_once()
    push()

    assert anne in receiver.erased
    assert anne not in receiver.people


def test_a_worker_that_was_killed_costs_a_repetition_at_most(receiver, destination):
    push_nothing = deliveries.claim(destination.pk, deliveries.new_lease(), 10, timezone.now())
    assert push_nothing == []
    from sync.push import due, filling
    from sync.push.registry import connector

    due.read_changes(destination, connector("webhook"))
    filling.fill(destination, connector("webhook"))
    held = deliveries.claim(destination.pk, deliveries.new_lease(), 10, timezone.now())
    assert len(held) == 3

    push()
    assert receiver.events == []

    due_at_once()
    push()
    assert receiver.statuses() == everybody()


def test_who_finds_their_lease_over_sends_nothing_more(receiver, destination):
    from sync.push import due, filling
    from sync.push.registry import connector

    due.read_changes(destination, connector("webhook"))
    filling.fill(destination, connector("webhook"))
    now = timezone.now()
    lease = deliveries.new_lease()
    rows = deliveries.claim(destination.pk, lease, 10, now)

    later = now + deliveries.LEASE + timedelta(seconds=1)

    ids = [row.id for row in rows]
    assert len(deliveries.held(lease, ids, now)) == len(rows) == 3
    deliveries.renew(lease, ids, later)
    assert deliveries.held(lease, ids, later) == {}
    again = deliveries.claim(destination.pk, deliveries.new_lease(), 10, later + deliveries.LEASE)
    assert {row.id for row in again} == {row.id for row in rows}


def test_a_clock_that_jumps_back_holds_nobody_for_ever(receiver, destination):
    push()
    Delivery.objects.filter(kind="person").update(
        due_at=timezone.now(), wanted=10**6, lease="x", lease_until=timezone.now() + timedelta(seconds=1)
    )
    receiver.events.clear()

    due_at_once()
    push()

    assert receiver.types() == ["supporter.changed"] * 3


def test_the_answer_drips_for_ever(receiver, destination, monkeypatch):
    from sync.push import http

    monkeypatch.setattr(http, "WHOLE", 0.2)
    receiver.trouble.append(Reply(200, "x" * 20, slow=1.0))

    push()
    due_at_once()
    push()

    assert receiver.statuses() == everybody()


def test_an_endless_body_is_not_read_to_its_end(receiver, destination, monkeypatch):
    from sync.push import http

    monkeypatch.setattr(http, "LARGEST_BODY", 1000)
    receiver.trouble.append(Reply(200, "x" * 200_000))

    push()

    assert len(receiver.events) < 6
    due_at_once()
    push()
    assert receiver.statuses() == everybody()


def test_a_restored_feed_is_noticed_and_everything_compared(receiver, destination):
    push()
    receive(sign_up("dora"))
    state = standing(destination)
    state.position = "999999-0123456789"
    state.save()
    receiver.events.clear()

    push()

    assert receiver.statuses() == everybody() | {supporter("dora").pk: "subscribed"}
    assert standing(destination).position != "999999-0123456789"


def test_secrets_of_another_key_pause_the_destination_until_they_are_typed_again(receiver, destination, settings):
    settings.FIELD_ENCRYPTION_KEYS = ["another key"]
    addresses.sealer.cache_clear()
    try:
        push()
        assert standing(destination).state == "paused"
        assert "FIELD_ENCRYPTION_KEY" in standing(destination).reason
        assert destinations.shown_settings(destination, registry.connector("webhook"))["secret"] is None

        destination.refresh_from_db()
        destinations.change(destination, {"settings": {"secret": SECRET}, "state": "active"}, "test")
        push()
        assert receiver.statuses() == everybody()
    finally:
        addresses.sealer.cache_clear()


def test_a_new_key_in_front_seals_the_secrets_again_so_that_the_old_one_can_go(receiver, destination, settings):
    old = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = ["a new key", *old]
    addresses.sealer.cache_clear()
    try:
        push()

        settings.FIELD_ENCRYPTION_KEYS = ["a new key"]
        addresses.sealer.cache_clear()
        destinations.resync(destination, "test")
        push()
        assert len(receiver.types()) > len(set(receiver.types())) * len(NAMES)
        assert standing(destination).state == "active"
    finally:
        addresses.sealer.cache_clear()
