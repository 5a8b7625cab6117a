"""Destinations and deliveries by the API, and what CRMs post."""

import json
from datetime import UTC, datetime

import pytest
from django.test import Client
from standardwebhooks import Webhook

from sync.models import AuditEntry, Consent, Destination, Subscription
from sync.push import destinations
from tests.api.conftest import api as api
from tests.fakes.receiver import SECRET
from tests.fakes.receiver import receiver as running_receiver
from tests.fakes.server import Reply
from tests.push.world import a_destination, allowed, push, receive, sign_up, supporter


def a_body(receiver, **more):
    return {
        "name": "our receiver",
        "kind": "webhook",
        "org": 7,
        "settings": {"url": f"{receiver.url}/hook", "secret": SECRET},
        **more,
    }


def test_a_destination_is_made_paused_and_its_secret_never_shown(api, receiver):
    admin = api("admin")

    made = admin.post("destinations/", a_body(receiver))

    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["state"], shown["settings"]) == ("paused", {"url": f"{receiver.url}/hook", "secret": "set"})
    assert shown["audience"] == {"who": "subscribed", "campaigns": [], "action_types": [], "countries": []}
    assert SECRET.encode() not in admin.get("destinations/").content
    stored = Destination.objects.get()
    assert SECRET not in stored.secrets
    assert SECRET not in json.dumps(stored.settings)
    assert AuditEntry.objects.filter(object="destination", action="create").exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "pigeon"}, "kind"),
        ({"settings": {"url": "ftp://x", "secret": SECRET}}, "settings.url"),
        ({"settings": {"url": "https://user:pw@example.org", "secret": SECRET}}, "settings.url"),
        ({"settings": {"url": "https://example.org"}}, "settings.secret"),
        ({"settings": {"url": "https://example.org", "secret": "whsec_eA=="}}, "settings.secret"),
        ({"settings": {"url": "https://example.org", "secret": SECRET, "colour": 1}}, "settings.colour"),
        ({"audience": {"who": "all"}}, "audience"),
        ({"audience": {"colour": []}}, "audience"),
        ({"mapping": [{"source": "colour", "target": "x"}]}, "mapping"),
        ({"name": ""}, "name"),
        ({"org": "7"}, "org"),
        ({"state": "failing"}, "state"),
        ({"testing": 1}, "testing"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"batch_size": 2}, "batch_size"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_is_no_destination_is_refused_by_the_fields_name(api, receiver, change, field):
    answer = api("admin").post("destinations/", a_body(receiver) | change)

    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not Destination.objects.exists()


def test_what_a_check_finds_is_chosen_later_and_before_it_is_switched_on(api, store_database):
    admin = api("admin")
    body = {"name": "ours", "kind": "mailchimp", "org": 7, "settings": {"key": f"{'0' * 32}-us9"}}

    at_once = admin.post("destinations/", body | {"state": "active"})
    made = admin.post("destinations/", body)
    path = f"destinations/{made.json()['id']}/"
    without = admin.patch(path, {"state": "active"})
    chosen = admin.patch(path, {"settings": {"list": "a1b2c3"}, "state": "active"})
    taken_away = admin.patch(path, {"settings": {"list": None, "key": f"{'0' * 32}-us9"}})

    assert [one.status_code for one in (at_once, made, without, chosen, taken_away)] == [400, 201, 400, 200, 400]
    assert "settings.list" in without.json()["errors"]
    assert chosen.json()["state"] == "active"


def test_a_change_of_the_address_needs_the_secret_again(api, receiver):
    admin = api("admin")
    path = f"destinations/{admin.post('destinations/', a_body(receiver)).json()['id']}/"

    refused = admin.patch(path, {"settings": {"url": "https://evil.example.org/"}})
    unchanged = admin.patch(path, {"settings": {"secret": "set"}, "name": "renamed"})
    moved = admin.patch(path, {"settings": {"url": "https://other.example.org/", "secret": SECRET}})

    assert refused.status_code == 400
    assert "settings.secret" in refused.json()["errors"]
    assert (unchanged.status_code, unchanged.json()["name"]) == (200, "renamed")
    assert moved.json()["settings"]["url"] == "https://other.example.org/"


def test_who_may_only_read_sees_no_settings_and_changes_nothing(api, receiver):
    made = api("admin").post("destinations/", a_body(receiver)).json()
    reader = api("read")

    assert reader.get(f"destinations/{made['id']}/").json()["settings"] is None
    for send in (reader.post, reader.patch):
        assert send(f"destinations/{made['id']}/", {"name": "x"}).status_code in (403, 405)
    assert reader.post("destinations/", a_body(receiver)).status_code == 403
    assert reader.delete(f"destinations/{made['id']}/").status_code == 403
    assert reader.post(f"destinations/{made['id']}/test/").status_code == 403


def test_another_organisations_destinations_are_not_there(api, receiver):
    made = api("admin").post("destinations/", a_body(receiver)).json()
    stranger = api("admin", org=8)

    assert stranger.get("destinations/").json()["results"] == []
    for path in ("", "test/", "resync/"):
        assert stranger.post(f"destinations/{made['id']}/{path}").status_code in (404, 405)
    assert stranger.get(f"destinations/{made['id']}/").status_code == 404
    assert stranger.delete(f"destinations/{made['id']}/").status_code == 404
    assert stranger.post("destinations/", a_body(receiver, name="mine", org=7)).status_code == 400
    assert stranger.post("destinations/", {**a_body(receiver), "name": "mine", "org": 8}).status_code == 201


def test_a_test_answers_in_our_words(api, receiver):
    admin = api("admin")
    path = f"destinations/{admin.post('destinations/', a_body(receiver)).json()['id']}/test/"

    with allowed():
        works = admin.post(path)
        receiver.trouble.append(Reply(401, "who is anne@example.org?"))
        refused = admin.post(path)

    assert works.json()["works"] is True
    assert (refused.json()["works"], refused.json()["status"]) == (False, 401)
    assert b"anne" not in refused.content


def test_a_private_address_is_refused_and_the_setting_named(api, receiver):
    admin = api("admin")
    path = f"destinations/{admin.post('destinations/', a_body(receiver)).json()['id']}/test/"

    answer = admin.post(path).json()

    assert answer["works"] is False
    assert "PUSH_ALLOW_HOSTS" in answer["detail"]
    assert receiver.calls == []


def test_deliveries_say_what_became_of_them_and_are_tried_again(api, receiver):
    receive(sign_up("anne"))
    a_destination(receiver)
    receiver.trouble.append(Reply(422, {"error": "anne@example.org is no good"}))
    push()
    admin = api("admin")

    (rejected,) = admin.results("deliveries/", state="rejected")
    assert rejected["kind"] == "person"
    assert rejected["supporter"] == supporter("anne").pk
    assert "anne" not in (rejected["error"] or "")
    again = admin.post(f"deliveries/{rejected['id']}/retry/")
    push()

    assert again.json() == {"retried": True}
    assert {one["state"] for one in admin.results("deliveries/")} == {"delivered"}


def test_the_supporter_knows_who_was_told_and_why_not(api, receiver):
    receive(sign_up("anne"))
    a_destination(receiver, name="told")
    push()
    a_destination(receiver, name="elsewhere", audience={"countries": ["XX"]})
    a_destination(receiver, name="asleep", state="paused")

    told = {one["name"]: one for one in api("read").results(f"supporters/{supporter('anne').pk}/destinations/")}

    assert (told["told"]["told"], told["told"]["why_not"]) == (True, None)
    assert told["told"]["told_at"].endswith("Z")
    assert (told["elsewhere"]["told"], told["elsewhere"]["why_not"]) == (False, "audience")
    assert (told["asleep"]["told"], told["asleep"]["why_not"]) == (False, "paused")


def test_deleting_a_destination_leaves_nothing_of_it(api, receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver)
    push()

    answer = api("admin").delete(f"destinations/{destination.pk}/")

    assert answer.status_code == 204
    assert api("admin").results("deliveries/") == []
    assert api("admin").results("destinations/") == []


# --- What CRMs post ----------------------------------------------------------------------------------


def post_report(destination, *, slash="/", secret=SECRET, message_id="msg_1", **said):
    content = json.dumps({"type": "consent.reported", "timestamp": "2026-11-01T00:00:00Z", "data": said})
    now = datetime.now(tz=UTC)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, content),
    }
    path = f"/api/v1/destinations/{destination.pk}/inbound{slash}"
    return Client().post(path, content, content_type="application/json", headers=headers)


def status_of(name):
    return Subscription.objects.get(supporter=supporter(name), org=7).status


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_signed_stop_enters_the_ledger_once(receiver, slash):
    receive(sign_up("anne"))
    destination = a_destination(receiver, name="the receiver")
    push()

    said = {"email": "anne@example.org", "kind": "unsub", "occurred_at": "2026-11-01T10:00:00Z"}
    answers = [post_report(destination, slash=slash, **said) for _ in range(2)]

    assert [one.status_code for one in answers] == [200, 200]
    assert status_of("anne") == "unsubscribed"
    entry = Consent.objects.get(kind="unsub")
    assert (entry.source, entry.destination) == ("crm", "the receiver")


def test_a_forged_call_is_refused(receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver)

    answer = post_report(destination, secret="whsec_" + "eA" * 32, email="anne@example.org", kind="unsub")

    assert answer.status_code == 401
    assert status_of("anne") == "subscribed"


def test_a_stop_goes_to_the_other_destinations_and_is_not_echoed(store_database):
    with running_receiver() as first, running_receiver() as second:
        receive(sign_up("anne"))
        reporting, _ = a_destination(first), a_destination(second)
        push()
        first.events.clear()

        post_report(reporting, email="anne@example.org", kind="unsub")
        push()

        assert second.statuses() == {supporter("anne").pk: "unsubscribed"}
        assert first.events == []


def test_a_stop_about_somebody_unknown_waits_for_them(receiver):
    destination = a_destination(receiver)

    post_report(destination, email="anne@example.org", kind="spam", occurred_at="2026-11-01T10:00:00Z")
    receive(sign_up("anne"))
    push()

    assert status_of("anne") == "complained"
    assert receiver.events == []


def test_subscribed_there_is_no_consent_here_unless_people_give_it_there(receiver):
    receive(sign_up("anne", privacy={"optIn": False}))
    plain = a_destination(receiver, audience={"who": "everyone"})
    push()

    post_report(plain, email="anne@example.org", kind="opt_in")
    assert status_of("anne") == "none"

    destinations.change(plain, {"consent_source": True}, "test")
    post_report(plain, message_id="msg_2", email="anne@example.org", kind="opt_in", occurred_at="2026-11-02T10:00:00Z")
    assert status_of("anne") == "subscribed"


def test_subscribed_there_is_no_consent_where_it_repeats_what_was_sent(receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver, consent_source=True)
    push()

    post_report(destination, email="anne@example.org", kind="opt_in", occurred_at="2026-11-02T10:00:00Z")

    assert Consent.objects.filter(source="crm").count() == 0


def test_who_left_here_is_told_again_to_a_crm_that_takes_them_for_subscribed(receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver)
    push()
    post_report(destination, email="anne@example.org", kind="unsub", occurred_at="2026-11-01T10:00:00Z")
    push()
    receiver.events.clear()

    post_report(destination, message_id="msg_2", email="anne@example.org", kind="opt_in")
    push()

    assert receiver.statuses() == {supporter("anne").pk: "unsubscribed"}


def test_a_stop_without_a_time_is_news_only_when_it_differs(receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver)
    push()

    for number in range(3):
        post_report(destination, message_id=f"msg_{number}", email="anne@example.org", kind="unsub")

    assert Consent.objects.filter(kind="unsub").count() == 1


def test_a_time_in_the_future_is_our_own_time(receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver)

    post_report(destination, email="anne@example.org", kind="unsub", occurred_at="2090-01-01T00:00:00Z")

    assert Consent.objects.get(kind="unsub").occurred_at <= datetime.now(tz=UTC)


def test_a_destination_without_calls_has_no_address_for_them(store_database, tmp_path):
    values = {"name": "files", "kind": "file", "org": 7, "settings": {"name": "people"}}
    destination = destinations.create(values, "test")

    assert Client().get(f"/api/v1/destinations/{destination.pk}/inbound/").status_code == 404
    assert Client().get("/api/v1/destinations/999999/inbound/").status_code == 404


def test_the_timeline_tells_of_deliveries(api, receiver):
    receive(sign_up("anne"))
    destination = a_destination(receiver)
    push()
    path = f"supporters/{supporter('anne').pk}/timeline/"

    told = [one["object"] for one in api("read").results(path) if one["kind"] == "delivery"]

    assert {(one["destination"], one["kind"]) for one in told} == {
        (destination.pk, "person"),
        (destination.pk, "action"),
    }
    assert not any(one["kind"] == "delivery" for one in api("read", org=8).results(path))
