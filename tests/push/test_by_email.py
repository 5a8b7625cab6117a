"""A CRM that finds people by their email: addresses that change, merge, leave there, and are forgotten."""

import importlib.util
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sync.models import Consent, Delivery, Subscription
from sync.push import destinations, line, registry
from sync.push.addresses import opened, sealer
from sync.store import asked
from tests.databases import ROOT
from tests.fakes.pigeon import Pigeon
from tests.push.world import (
    LATER,
    LATER_STILL,
    due_at_once,
    event_about,
    person_row,
    push,
    receive,
    sign_up,
    supporter,
)


def the_example():
    path = ROOT / "docs" / "examples" / "proca_pigeon" / "proca_pigeon.py"
    spec = importlib.util.spec_from_file_location("proca_pigeon", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class WithoutIds(Pigeon):
    """The same service, of which the connector keeps no id."""


@pytest.fixture(params=["with ids", "without ids"])
def pigeon(request, store_database, monkeypatch):
    crm = Pigeon()
    kind = the_example().connector
    if request.param == "without ids":
        kind = replace(kind, push=_forgetting_ids(kind.push))

    class Client:
        """Goes to the service in memory, by the same checks before each request."""

        def __init__(self, before_each):
            self._before_each = before_each

        def send(self, request):
            self._before_each()
            return crm.send(request)

        def close(self):
            pass

    monkeypatch.setattr(line, "Client", Client)
    monkeypatch.setattr(registry, "connectors", lambda: {"pigeon": kind})
    return crm


def _forgetting_ids(push):
    def without(context, items):
        for outcome in push(context, items):
            yield replace(outcome, remote_id=None) if hasattr(outcome, "remote_id") else outcome

    return without


def a_pigeon(**values):
    return destinations.create(
        {"name": "pigeon", "kind": "pigeon", "org": 7, "settings": Pigeon.settings, "state": "active", **values}, "test"
    )


def test_who_signs_up_is_mailed_and_who_leaves_is_not(pigeon):
    a_pigeon()
    receive(sign_up("anne"))
    push()
    assert pigeon.people == {"anne@example.org": "subscribed"}
    assert pigeon.subscribers["anne@example.org"]["name"] == "Anne"

    receive(event_about("anne", "unsub"))
    push()
    assert pigeon.people == {"anne@example.org": "other"}


def test_a_changed_email_leaves_one_contact_that_is_mailed(pigeon):
    a_pigeon()
    receive(sign_up("anne"))
    push()

    newer = {"action": {"createdAt": LATER}, "privacy": {"givenAt": LATER}}
    receive(sign_up("anne", contact={"email": "anne.new@example.org"}, **newer))
    push()

    assert pigeon.people["anne.new@example.org"] == "subscribed"
    assert pigeon.people.get("anne@example.org") != "subscribed"


def test_of_two_who_merge_only_the_survivors_address_is_mailed(pigeon):
    a_pigeon()
    receive(sign_up("anne"), sign_up("ben"))
    push()

    asked.merge(supporter("anne").pk, supporter("ben").pk)
    push()

    mailed = [email for email, status in pigeon.people.items() if status == "subscribed"]
    assert len(mailed) == 1
    assert mailed == list(Subscription.objects.values_list("email", flat=True))


def test_a_merge_with_somebody_who_left_mails_neither(pigeon):
    a_pigeon()
    receive(sign_up("anne"), sign_up("ben"), event_about("ben", "unsub"))
    push()

    asked.merge(supporter("anne").pk, supporter("ben").pk)
    push()

    assert "subscribed" not in pigeon.people.values()


def test_a_shared_address_that_another_is_mailed_at_is_not_stopped(pigeon):
    a_pigeon()
    receive(sign_up("anne"))
    asked.share("anne@example.org", shared=True)
    receive(sign_up("bea", contact={"email": "anne@example.org", "contactRef": "ref-bea"}))
    newer = {"action": {"createdAt": LATER}, "privacy": {"givenAt": LATER}}
    receive(sign_up("bea", contact={"email": "bea@example.org", "contactRef": "ref-bea"}, **newer))

    push()

    assert pigeon.people == {"anne@example.org": "subscribed", "bea@example.org": "subscribed"}


def test_a_stop_there_stays_and_comes_back_into_the_ledger(pigeon):
    a_pigeon()
    receive(sign_up("anne"))
    push()
    pigeon.stop("anne@example.org", datetime(2026, 10, 1, 9, tzinfo=UTC))

    receive(sign_up("anne", privacy={"optIn": None}, contact={"phone": "+33699999999"}))
    push()

    assert pigeon.people == {"anne@example.org": "other"}
    assert Subscription.objects.get(org=7).status == "unsubscribed"
    entry = Consent.objects.get(source="crm")
    assert (entry.kind, entry.destination) == ("unsub", "pigeon")
    assert entry.occurred_at == datetime(2026, 10, 1, 9, tzinfo=UTC)


def test_a_newer_consent_lifts_it(pigeon):
    a_pigeon()
    receive(sign_up("anne"))
    push()
    pigeon.stop("anne@example.org", datetime(2026, 10, 1, 9, tzinfo=UTC))

    receive(sign_up("anne", action={"createdAt": LATER_STILL}, privacy={"givenAt": LATER_STILL}))
    push()

    assert pigeon.people == {"anne@example.org": "subscribed"}


def test_a_stop_about_somebody_never_sent_reaches_who_is_there_from_elsewhere(pigeon):
    a_pigeon(audience={"countries": ["DE"]})
    pigeon.subscribers["anne@example.org"] = {"id": "p9", "name": "Anne", "mail": True, "left_at": None}

    receive(sign_up("anne"), sign_up("ben"), event_about("anne", "unsub"), event_about("ben", "unsub"))
    push()

    assert pigeon.people == {"anne@example.org": "other"}


def test_forgetting_reaches_the_contact_and_leaves_no_address_here(pigeon):
    destination = a_pigeon()
    receive(sign_up("anne"))
    push()
    anne = supporter("anne").pk
    told = person_row(destination, anne)
    assert opened(told.told_email) == ([] if told.remote_id else ["anne@example.org"])
    assert "anne" not in told.told_email

    asked.erase(supporter=anne)
    push()
    assert pigeon.people == {}
    due_at_once()
    push()

    order = person_row(destination, anne)
    assert (order.state, order.told_email, order.remote_id) == ("delivered", "", None)


def test_forgetting_reaches_every_address_that_was_ever_told(pigeon):
    a_pigeon()
    receive(sign_up("anne"))
    push()
    newer = {"action": {"createdAt": LATER}, "privacy": {"givenAt": LATER}}
    receive(sign_up("anne", contact={"email": "anne.new@example.org"}, **newer))
    push()
    assert len(pigeon.people) == 2

    asked.erase(email="anne.new@example.org")
    push()

    assert pigeon.people == {}


def test_an_address_in_an_order_is_kept_for_thirty_days_at_most(pigeon):
    destination = a_pigeon()
    receive(sign_up("anne"))
    push()
    anne = supporter("anne").pk
    asked.erase(supporter=anne)
    destinations.pause(destination, "test")
    push()
    Delivery.objects.filter(kind="erasure").update(
        created_at=datetime(2026, 1, 1, tzinfo=UTC), told_email="sealed, somehow"
    )

    push()

    order = person_row(destination, anne)
    assert (order.state, order.told_email) == ("rejected", "")
    assert "by hand" in order.error


def test_a_bounce_deletes_the_contact_where_people_want_that(pigeon):
    a_pigeon(on_bounce="delete")
    receive(sign_up("anne"), sign_up("ben"))
    push()

    receive(event_about("anne", "bounce"))
    push()

    assert pigeon.people == {"ben@example.org": "subscribed"}


def test_addresses_are_sealed_again_with_a_new_key(pigeon, settings):
    a_pigeon()
    receive(sign_up("anne"))
    push()
    who = supporter("anne").pk
    before = opened(Delivery.objects.get(kind="person").told_email)
    old = settings.FIELD_ENCRYPTION_KEYS
    try:
        for keys in (["a new key", *old], ["a new key"]):
            settings.FIELD_ENCRYPTION_KEYS = keys
            sealer.cache_clear()
            push()
        assert opened(Delivery.objects.get(kind="person").told_email) == before

        asked.erase(supporter=who)
        push()
        assert pigeon.people == {}
    finally:
        sealer.cache_clear()
