"""CiviCRM and the store, both ways: what is told arrives, what happens there comes back, nothing goes in circles."""

import pytest
from django.utils import timezone

from sync.models import Consent, Delivery, DestinationState, Subscription
from sync.push import destinations
from sync.store import asked
from tests.fakes.civicrm import CiviCRM
from tests.fakes.served import served
from tests.push.world import event_about, push, receive, sign_up, supporter


@pytest.fixture
def civi(store_database):
    with served(CiviCRM(), "https://crm.example.org") as server:
        server.fake.now = timezone.now
        settings = server.fake.settings | {"url": server.url}
        values = {"name": "civi", "kind": "civicrm", "org": 7, "settings": settings, "state": "active"}
        destinations.create(values, "test")
        yield server.fake


def push_and_poll():
    DestinationState.objects.update(poll_at=None)
    push()


def statuses():
    return sorted(Subscription.objects.values_list("status", flat=True))


def kinds():
    return sorted(Consent.objects.exclude(kind="opt_in").values_list("kind", "source"))


def test_people_and_what_they_did_arrive(civi):
    receive(sign_up("anne", action_id=501), sign_up("ben", action_id=502, privacy={"optIn": False}))

    push_and_poll()

    assert civi.people == {"anne@example.org": "subscribed"}
    assert civi.row("anne@example.org")["first_name"] == "Anne"
    assert civi.row("anne@example.org")["external_identifier"] == f"proca-{supporter('anne').pk}"
    assert [one["source_record_id"] for one in civi.table("Activity")] == [501]
    assert [one["name"] for one in civi.table("Campaign")] == ["forest"]


def test_who_leaves_there_has_left_here_and_is_not_told_back(civi):
    receive(sign_up("anne"))
    push_and_poll()
    civi.stop("anne@example.org", timezone.now())

    push_and_poll()
    told = len(civi.calls)
    push()

    assert kinds() == [("unsub", "crm")]
    assert statuses() == ["unsubscribed"]
    assert [one for one in civi.calls[told:] if one[1] == "save"] == []


@pytest.mark.parametrize(("word", "status"), [("blocked", "blocked"), ("spam", "complained"), ("bounce", "bounced")])
def test_a_stop_that_we_tell_does_not_come_back_under_another_name(civi, word, status):
    receive(sign_up("anne"))
    push_and_poll()
    receive(event_about("anne", word))
    push_and_poll()

    push_and_poll()

    assert kinds() == [(word, "proca")]
    assert statuses() == [status]
    assert civi.people == {"anne@example.org": "quiet"}


def test_a_new_consent_brings_back_who_had_left(civi):
    receive(sign_up("anne"))
    push_and_poll()
    receive(event_about("anne", "unsub"))
    push_and_poll()
    assert civi.people == {"anne@example.org": "quiet"}

    receive(sign_up("anne", privacy={"givenAt": "2026-10-05T10:00:00Z"}))
    push_and_poll()

    assert statuses() == ["subscribed"]
    assert civi.people == {"anne@example.org": "subscribed"}


def test_who_is_erased_is_gone_there_too(civi):
    receive(sign_up("anne", action_id=501), sign_up("ben", action_id=502))
    push_and_poll()

    asked.erase(supporter=supporter("anne").pk)
    push_and_poll()

    assert list(civi.people) == ["ben@example.org"]
    assert [one["source_record_id"] for one in civi.table("Activity")] == [502]
    assert not Delivery.objects.filter(kind="erasure", error__gt="").exists()
