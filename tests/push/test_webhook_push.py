"""What was stored reaches a receiver, and its last word on everybody is ours."""

from datetime import timedelta

from django.utils import timezone

from sync.push import destinations
from sync.store import asked
from tests.fakes.receiver import receiver as running_receiver
from tests.push.world import (
    LATER,
    LATER_STILL,
    a_destination,
    due_at_once,
    event_about,
    person_row,
    push,
    receive,
    sign_up,
    supporter,
)


def test_a_new_destination_gets_everybody_in_its_audience_with_their_actions(receiver):
    receive(sign_up("anne", action_id=1), sign_up("ben", action_id=2, privacy={"optIn": False}))
    a_destination(receiver)

    summary = push()

    anne = supporter("anne")
    assert receiver.statuses() == {anne.pk: "subscribed"}
    assert receiver.people[anne.pk]["supporter"]["email"] == "anne@example.org"
    assert receiver.actions[1]["supporter"] == anne.pk
    assert receiver.actions[1]["action"]["campaign_name"] == "forest"
    assert receiver.actions[1]["subscription_status"] == "subscribed"
    assert summary == {"delivered": 1, "failed": 0, "skipped": 0}


def test_several_changes_become_one_message(receiver):
    a_destination(receiver)
    receive(sign_up("anne", action_id=1))
    receive(sign_up("anne", action_id=2, contact={"phone": "+33699999999"}))

    push()

    assert receiver.types() == ["supporter.changed", "action.recorded", "action.recorded"]


def test_a_stop_reaches_who_was_sent(receiver):
    receive(sign_up("anne"))
    a_destination(receiver)
    push()

    receive(event_about("anne", "unsub"))
    push()

    assert receiver.statuses() == {supporter("anne").pk: "unsubscribed"}


def test_a_stop_is_not_swallowed_by_the_country_filter(receiver):
    receive(sign_up("anne"))
    a_destination(receiver, audience={"countries": ["FR"]})
    push()

    receive(
        sign_up("anne", action={"createdAt": LATER}, contact={"country": "DE"}, privacy={"givenAt": LATER}),
        event_about("anne", "unsub", LATER_STILL),
    )
    push()

    assert receiver.statuses() == {supporter("anne").pk: "unsubscribed"}


def test_who_leaves_the_audience_without_a_stop_is_told_of_no_more(receiver):
    receive(sign_up("anne"))
    a_destination(receiver, audience={"countries": ["FR"]})
    push()

    moved = {"country": "DE", "phone": "+4930123456"}
    receive(sign_up("anne", action_id=99, action={"createdAt": LATER}, contact=moved, privacy={"givenAt": LATER}))
    push()

    told = receiver.people[supporter("anne").pk]["supporter"]
    assert "phone" not in told
    assert told["email"] == "anne@example.org"
    assert 99 not in receiver.actions


def test_who_was_never_sent_stays_unknown(receiver):
    a_destination(receiver, audience={"countries": ["FR"]})

    receive(sign_up("anne", contact={"country": "DE"}), event_about("anne", "unsub"))
    push()

    assert receiver.events == []


def test_testing_people_go_to_destinations_for_testing_alone(receiver):
    a_destination(receiver)
    receive(sign_up("anne", action={"testing": True}))
    push()
    assert receiver.events == []

    a_destination(receiver, testing=True, audience={"who": "everyone"})
    push()
    assert receiver.types() == ["supporter.changed", "action.recorded"]


def test_an_erasure_reaches_who_was_sent_whatever_the_filters_say_now(receiver):
    receive(sign_up("anne"), sign_up("ben"))
    destination = a_destination(receiver)
    push()
    anne = supporter("anne").pk
    destinations.change(destination, {"audience": {"campaigns": ["another"]}}, "test")

    asked.erase(supporter=anne)
    push()

    assert receiver.erased == [anne]
    assert anne not in receiver.people


def test_an_order_to_forget_is_given_once_more_an_hour_later(receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver)
    push()
    anne = supporter("anne").pk
    asked.erase(supporter=anne)
    push()
    waiting = person_row(destination, anne)
    assert waiting.state == "waiting"
    assert timedelta(minutes=55) < waiting.due_at - timezone.now() <= timedelta(hours=1)

    due_at_once()
    push()

    order = person_row(destination, anne)
    assert (order.kind, order.state, order.due_at) == ("erasure", "delivered", None)
    assert len([call for call in receiver.calls if b"supporter.erased" in call.body]) == 2


def test_nobody_hears_of_an_erased_person_who_was_never_sent(receiver):
    a_destination(receiver)
    receive(sign_up("anne"))

    asked.erase(email="anne@example.org")
    push()

    assert receiver.events == []


def test_a_merge_leaves_one_contact_with_the_survivors_status(receiver):
    receive(sign_up("anne"), sign_up("ben"))
    a_destination(receiver)
    push()
    anne, ben = supporter("anne").pk, supporter("ben").pk

    asked.merge(anne, ben)
    receive(event_about("ben", "unsub"))
    push()

    survivor = min(anne, ben)
    assert receiver.statuses() == {survivor: "unsubscribed"}
    assert receiver.people[survivor]["merged_ids"] == [max(anne, ben)]


def test_erasing_somebody_merged_erases_both_there(receiver):
    receive(sign_up("anne"), sign_up("ben"))
    a_destination(receiver)
    push()
    anne, ben = supporter("anne").pk, supporter("ben").pk
    asked.merge(anne, ben)
    push()

    asked.erase(supporter=anne)
    push()

    assert receiver.people == {}


def test_a_resync_sends_states_and_no_facts(receiver):
    receive(sign_up("anne"), sign_up("ben"))
    destination = a_destination(receiver)
    push()
    receiver.events.clear()

    destinations.resync(destination, "test")
    push()

    assert receiver.types() == ["supporter.changed", "supporter.changed"]


def test_a_destination_starts_paused_and_sends_nothing(receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver, state="paused")
    push()
    assert receiver.events == []

    destinations.resume(destination, "test")
    push()

    assert receiver.types() == ["supporter.changed", "action.recorded"]


def test_what_changes_while_it_is_paused_is_sent_when_it_is_resumed(receiver):
    destination = a_destination(receiver)
    destinations.pause(destination, "test")
    receive(sign_up("anne"))
    push()
    assert receiver.events == []

    destinations.resume(destination, "test")
    push()

    assert receiver.types() == ["supporter.changed", "action.recorded"]


def test_a_widened_audience_is_filled(receiver):
    receive(sign_up("anne"), sign_up("ben", privacy={"optIn": False}))
    destination = a_destination(receiver)
    push()

    destinations.change(destination, {"audience": {"who": "everyone"}}, "test")
    push()

    assert receiver.statuses() == {supporter("anne").pk: "subscribed", supporter("ben").pk: "none"}


def test_an_action_that_comes_before_the_consent_is_told_with_it(receiver):
    a_destination(receiver)
    receive(sign_up("anne", action_id=1, privacy={"optIn": None}))
    push()
    assert receiver.events == []

    receive(sign_up("anne", action_id=2))
    push()

    assert sorted(receiver.actions) == [1, 2]


def test_two_destinations_of_two_organisations_each_hear_their_own_status(store_database):
    with running_receiver() as first, running_receiver() as second:
        a_destination(first, org=7, audience={"who": "everyone"})
        a_destination(second, org=8, audience={"who": "everyone"})
        receive(sign_up("anne", action_id=1), org=7)
        receive(sign_up("anne", action_id=1, privacy={"optIn": False}), org=8)

        push()

        who = supporter("anne").pk
        assert first.statuses() == {who: "subscribed"}
        assert second.statuses() == {who: "none"}
