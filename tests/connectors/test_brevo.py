"""Brevo by the rules of the contract, and by its own."""

import json
from datetime import timedelta

import pytest

from sync.connectors.brevo import connector
from sync.connectors.conformance import TRIALS, Subject
from sync.connectors.contract import Address, Delivered, Inbound, Misconfigured, Partial, RateLimited, Response
from sync.terms import ConsentKind, Status
from tests.connectors.people import LEFT, NOW, QUIET, a_context, an_action, fields, somebody
from tests.fakes.brevo import Brevo, empty


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
def test_it_conforms(trial):
    trial(Subject(connector=connector, fake=Brevo, values={"FIRSTNAME": "Anne"}))


def push(fake, *items, **settings):
    return list(connector.push(a_context(connector, fake, **settings), items))


# --- Contacts and the blocklist ----------------------------------------------------------------------


def test_somebody_new_needs_one_call():
    fake = Brevo()
    context = a_context(connector, fake)

    (outcome,) = connector.push(context, [somebody()])

    assert len(context.http.requests) == 1
    assert fake.contact("anne@example.org")["listIds"] == [4]
    assert outcome.remote_id == str(fake.contact("anne@example.org")["id"])


def test_who_is_not_mailed_is_on_the_blocklist_and_in_no_list():
    fake = Brevo()

    push(fake, somebody(**QUIET), somebody("ben@example.org", 2, **LEFT))

    assert [(one["emailBlacklisted"], one["listIds"]) for one in fake.contacts.values()] == [(True, [])] * 2


def test_who_was_not_mailed_and_consents_now_is_mailed():
    fake = Brevo()
    (made,) = push(fake, somebody(**QUIET))

    push(fake, somebody(remote_id=made.remote_id, consented_at=NOW + timedelta(minutes=1)))

    assert fake.people == {"anne@example.org": "subscribed"}


def test_a_consent_that_is_older_than_a_stop_known_here_lifts_nothing_there():
    fake = Brevo()
    push(fake, somebody())
    fake.stop("anne@example.org", NOW - timedelta(days=20))

    (outcome,) = push(fake, somebody(consent_newer_than_remote=False))

    assert fake.people == {"anne@example.org": "other"}
    assert outcome.remote.kind is ConsentKind.UNSUB


def test_details_never_touch_the_blocklist():
    fake = Brevo()
    push(fake, somebody())
    context = a_context(connector, fake)

    list(connector.push(context, [somebody(fields=fields(FIRSTNAME="Anna"))]))

    assert not any(b"Blacklisted" in one.content for one in context.http.requests)
    assert fake.contact("anne@example.org")["attributes"]["FIRSTNAME"] == "Anna"


def test_who_left_one_of_our_lists_there_is_not_put_into_it_again():
    fake = Brevo()
    push(fake, somebody())
    fake.contact("anne@example.org").update(listIds=[], listUnsubscribed=[4], modifiedAt=NOW.isoformat())

    (outcome,) = push(fake, somebody())

    assert fake.people == {"anne@example.org": "other"}
    assert (outcome.remote.kind, outcome.remote.at) == (ConsentKind.UNSUB, NOW)


@pytest.mark.parametrize(
    ("statistics", "kind"),
    [
        ({"complaints": [{"campaignId": 1}]}, ConsentKind.SPAM),
        ({"hardBounces": [{"campaignId": 1}]}, ConsentKind.BOUNCE),
        ({}, ConsentKind.UNSUB),
    ],
)
def test_the_stop_there_comes_back_as_what_it_is(statistics, kind):
    fake = Brevo()
    push(fake, somebody())
    fake.contact("anne@example.org").update(emailBlacklisted=True, statistics=statistics)

    (outcome,) = push(fake, somebody())

    assert outcome.remote.kind is kind


@pytest.mark.parametrize("code", ["duplicate_parameter", "invalid_parameter"])
def test_a_changed_address_that_another_contact_has_goes_on_there(code):
    fake = Brevo()
    fake.code = code
    old, new = push(fake, somebody(), somebody("anne@example.com", 2))

    (outcome,) = push(fake, somebody("anne@example.com", remote_id=old.remote_id))

    assert outcome.remote_id == new.remote_id
    assert fake.people == {"anne@example.org": "other", "anne@example.com": "subscribed"}


def test_a_changed_address_is_the_same_contact():
    fake = Brevo()
    (made,) = push(fake, somebody())

    (outcome,) = push(fake, somebody("anne@example.com", remote_id=made.remote_id))

    assert outcome.remote_id == made.remote_id
    assert fake.people == {"anne@example.com": "subscribed"}


@pytest.mark.parametrize("now", [{"consent_newer_than_remote": False}, QUIET, LEFT], ids=["consented", "quiet", "left"])
def test_a_changed_address_takes_nobody_off_the_blocklist(now):
    fake = Brevo()
    (made,) = push(fake, somebody())
    fake.stop("anne@example.org", NOW)

    push(fake, somebody("anne@example.com", remote_id=made.remote_id, **now))

    assert fake.people == {"anne@example.com": "other"}


def test_a_newer_consent_lifts_a_stop_with_a_changed_address_too():
    fake = Brevo()
    (made,) = push(fake, somebody())
    fake.stop("anne@example.org", NOW)

    changed = somebody("anne@example.com", remote_id=made.remote_id, consented_at=NOW + timedelta(minutes=1))
    push(fake, changed)

    assert fake.people == {"anne@example.com": "subscribed"}


def test_a_contact_of_somebody_merged_ends_on_the_blocklist():
    fake = Brevo()
    made, other = push(fake, somebody(), somebody("ben@example.org", 2))
    theirs = Address(status=Status.UNSUBSCRIBED, remote_id=other.remote_id)

    push(fake, somebody(remote_id=made.remote_id, others=(theirs,)))

    assert fake.people == {"anne@example.org": "subscribed", "ben@example.org": "other"}


# --- Fields ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["duplicate_parameter", "invalid_parameter"])
def test_a_number_that_another_contact_has_is_left_out(code):
    fake = Brevo()
    fake.code = code
    push(fake, somebody(fields=fields(SMS="+33612345678")))

    (outcome,) = push(fake, somebody("ben@example.org", 2, fields=fields(SMS="+33612345678", LASTNAME="Autumn")))

    assert isinstance(outcome, Delivered)
    assert "phone" in outcome.note
    assert fake.contact("ben@example.org")["attributes"] == {"LASTNAME": "Autumn"}


def test_a_number_that_is_none_is_left_out():
    fake = Brevo()

    (outcome,) = push(fake, somebody(fields=fields(SMS="call me", LASTNAME="Autumn")))

    assert "phone" in outcome.note
    assert fake.contact("anne@example.org")["attributes"] == {"LASTNAME": "Autumn"}


@pytest.mark.parametrize(
    ("name", "value", "there"),
    [
        ("BORN", "1984-03-07", "1984-03-07"),
        ("BORN", "2026-03-07T10:00:00Z", "2026-03-07"),
        ("BORN", "in spring", None),
        ("SIGNED", 3, 3.0),
        ("SIGNED", "often", None),
        ("SHOESIZE", "44", None),
        ("FIRSTNAME", None, ""),
        ("FIRSTNAME", ["a", "b"], "a, b"),
    ],
)
def test_a_value_that_an_attribute_does_not_take_is_left_out(name, value, there):
    fake = Brevo()

    (outcome,) = push(fake, somebody(fields=fields(LASTNAME="Autumn", **{name: value})))

    assert isinstance(outcome, Delivered)
    assert fake.contact("anne@example.org")["attributes"].get(name) == there


# --- Lists and events --------------------------------------------------------------------------------


def test_a_campaign_may_name_its_own_list_and_who_is_there_stays_there():
    fake = Brevo()
    (made,) = push(fake, somebody(lists=("5",)))

    push(fake, somebody(remote_id=made.remote_id))

    assert fake.contact("anne@example.org")["listIds"] == [5]


def test_what_is_no_list_leaves_the_usual_one():
    fake = Brevo()

    push(fake, somebody(lists=("bees",)))

    assert fake.contact("anne@example.org")["listIds"] == [4]
    assert "list" in connector.faults({"list": "bees"})


def test_a_list_that_is_not_there_pauses_the_destination():
    assert isinstance(push(Brevo(), somebody(), list="77")[0], Misconfigured)


def test_an_action_is_an_event():
    fake = Brevo()
    given = an_action(action_type="donate now", donation={"amount": 1500, "currency": "JPY"}, amount="1500")

    (outcome,) = push(fake, somebody(actions=(given,)))

    assert outcome.actions_done == ("501",)
    (event,) = fake.events
    assert event["event_name"] == "proca_donate_now"
    assert event["event_properties"] == {"proca_action": "501", "campaign": "bees", "amount": "1500", "currency": "JPY"}
    assert event["identifiers"] == {"contact_id": int(outcome.remote_id)}


def test_what_was_done_before_a_failure_is_not_repeated():
    fake = Brevo()
    send = fake.send
    fake.send = lambda request: Response(status=503) if b'"502"' in request.content else send(request)

    (outcome,) = push(fake, somebody(actions=(an_action(), an_action(502))))

    assert isinstance(outcome, Partial)
    assert (outcome.person_done, outcome.actions_done) == (True, ("501",))


# --- Trouble -----------------------------------------------------------------------------------------


def test_too_fast_waits_as_long_as_the_header_of_brevo_says():
    fake = Brevo()
    fake.send = lambda _: Response(status=429, headers={"x-sib-ratelimit-reset": "37"}, content=b"{}")

    assert push(fake, somebody()) == [RateLimited(after=timedelta(seconds=37))]


def test_an_address_of_ours_that_is_not_allowed_is_said_so():
    fake = Brevo()
    said = b'{"code": "unauthorized", "message": "We have detected you are using an unrecognised IP address 192.0.2.1"}'
    fake.send = lambda _: Response(status=401, content=said)

    (outcome,) = push(fake, somebody())

    assert outcome == Misconfigured(message="401: allow this server's address at Brevo (Security, Authorised IPs)")


def test_a_check_finds_every_list_and_attribute():
    checked = connector.check(a_context(connector, Brevo()))

    assert checked.identity == "account Bees for All"
    assert len(checked.found["lists"]) == 57
    assert "FIRSTNAME" in {one.id for one in checked.found["fields"]}
    assert connector.check(a_context(connector, Brevo(), list="77")).problems == ("choose a list",)


# --- Coming back -------------------------------------------------------------------------------------


def called(*events, **headers):
    content = json.dumps(events[0] if len(events) == 1 else list(events)).encode()
    return Inbound(method="POST", headers={"authorization": "Bearer a-secret-of-a-hook"} | headers, content=content)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("unsubscribe", ConsentKind.UNSUB),
        ("hard_bounce", ConsentKind.BOUNCE),
        ("spam", ConsentKind.SPAM),
        ("soft_bounce", None),
        ("delivered", None),
        ("opened", None),
        ("contact_deleted", None),
        (None, None),
    ],
)
def test_a_call_tells_of_lasting_stops_and_of_nothing_else(event, kind):
    said = {"event": event, "email": "anne@example.org", "ts_event": 1_793_530_800, "id": 9}

    reports = connector.inbox.read(a_context(connector, Brevo()), called(said))

    assert [one.kind for one in reports] == ([kind] if kind else [])
    assert all(one.at.isoformat() == "2026-11-01T11:00:00+00:00" for one in reports)


def test_several_events_may_come_in_one_call():
    reports = connector.inbox.read(
        a_context(connector, Brevo()),
        called({"event": "spam", "email": "a@example.org"}, {"event": "unsubscribe", "email": "b@example.org"}, 3),
    )

    assert [one.email for one in reports] == ["a@example.org", "b@example.org"]


def test_a_call_needs_the_secret():
    context = a_context(connector, Brevo())

    assert connector.inbox.is_authentic(context, called({}))
    assert connector.inbox.is_authentic(context, Inbound(method="GET", query={"secret": "a-secret-of-a-hook"}))
    assert not connector.inbox.is_authentic(context, called({}, authorization="Bearer another"))
    assert not connector.inbox.is_authentic(a_context(connector, Brevo(), hook_secret=None), Inbound(method="POST"))


def test_a_poll_tells_who_left_and_not_who_was_never_in_a_list():
    fake = Brevo()
    push(fake, somebody(), somebody("ben@example.org", 2, **QUIET), somebody("cleo@example.org", 3))
    context = a_context(connector, fake)
    cursor = connector.poll(context, None).cursor
    fake.stop("anne@example.org", NOW + timedelta(minutes=1))

    polled = connector.poll(context, cursor)

    assert [(one.kind, one.email, one.at) for one in polled.reports] == [
        (ConsentKind.UNSUB, "anne@example.org", NOW + timedelta(minutes=1))
    ]


def test_a_poll_of_many_pages_skips_nobody():
    fake = Brevo()
    late = (NOW + timedelta(minutes=1)).isoformat()
    for n in range(1, 2102):
        left = {"emailBlacklisted": True, "listIds": [4], "modifiedAt": late}
        fake.contacts[n] = empty(n, f"p{n}@example.org") | left
    context, found = a_context(connector, fake), set()
    polled = connector.poll(context, None)

    while True:
        polled = connector.poll(context, polled.cursor)
        found |= {one.email for one in polled.reports}
        if not polled.more:
            break

    assert len(found) == 2101
