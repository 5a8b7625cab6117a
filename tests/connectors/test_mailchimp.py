"""Mailchimp by the rules of the contract, and by its own."""

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from sync.connectors.conformance import TRIALS, Subject
from sync.connectors.contract import (
    Address,
    Delivered,
    Inbound,
    Misconfigured,
    Partial,
    RateLimited,
    Rejected,
    Response,
)
from sync.connectors.mailchimp import connector
from sync.terms import ConsentKind, Status
from tests.connectors.people import LEFT, NOW, QUIET, a_context, an_action, fields, somebody
from tests.fakes.mailchimp import LIST, OTHER_LIST, Mailchimp


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
def test_it_conforms(trial):
    trial(Subject(connector=connector, fake=Mailchimp, values={"FNAME": "Anne"}))


def push(fake, *items, **settings):
    return list(connector.push(a_context(connector, fake, **settings), items))


# --- Members and their status ------------------------------------------------------------------------


def test_new_people_are_made_in_one_call():
    fake = Mailchimp()
    context = a_context(connector, fake)

    outcomes = list(connector.push(context, [somebody(f"p{n}@example.org", n) for n in range(1, 101)]))

    assert all(isinstance(one, Delivered) and one.remote_id for one in outcomes)
    assert context.http.written() == [f"POST https://us9.api.mailchimp.com/3.0/lists/{LIST}"]
    assert set(fake.people.values()) == {"subscribed"}
    assert len(fake.people) == 100


def test_a_batch_leaves_alone_who_is_there_and_has_left():
    fake = Mailchimp()
    push(fake, somebody())
    fake.stop("anne@example.org", NOW - timedelta(days=1))

    first, second = push(fake, somebody(), somebody("ben@example.org", 2))

    assert first.remote.kind is ConsentKind.UNSUB
    assert isinstance(second, Delivered)
    assert fake.people == {"anne@example.org": "unsubscribed", "ben@example.org": "subscribed"}


def test_who_is_not_mailed_is_made_without_mail():
    fake = Mailchimp()

    push(fake, somebody(**QUIET))
    push(fake, somebody("ben@example.org", 2, **LEFT))

    assert fake.people == {"anne@example.org": "transactional", "ben@example.org": "unsubscribed"}


def test_somebody_whom_we_stopped_comes_back_after_a_newer_consent():
    fake = Mailchimp()
    push(fake, somebody())
    push(fake, somebody(**LEFT))

    push(fake, somebody(consented_at=NOW + timedelta(minutes=1)))

    assert fake.people == {"anne@example.org": "subscribed"}


@pytest.mark.parametrize(("ask_again", "ends"), [(False, "unsubscribed"), (True, "pending")])
def test_somebody_who_left_by_themselves_is_at_most_asked_by_mail(ask_again, ends):
    fake = Mailchimp()
    push(fake, somebody())
    fake.stop("anne@example.org", NOW - timedelta(days=20))

    (outcome,) = push(fake, somebody(consented_at=NOW - timedelta(days=1)), ask_again=ask_again)

    assert fake.people == {"anne@example.org": ends}
    assert (outcome.remote is None) is ask_again
    assert fake.mails == (["anne@example.org"] if ask_again else [])


def test_a_consent_that_is_older_than_a_stop_known_here_lifts_nothing_there():
    fake = Mailchimp()
    push(fake, somebody())
    push(fake, somebody(**LEFT))
    fake.member("anne@example.org")["last_changed"] = (NOW - timedelta(days=20)).isoformat()

    (outcome,) = push(fake, somebody(consent_newer_than_remote=False))

    assert fake.people == {"anne@example.org": "unsubscribed"}
    assert outcome.remote.kind is ConsentKind.UNSUB


def test_a_contact_that_bounced_is_not_renamed_and_the_new_address_is_mailed():
    fake = Mailchimp()
    (made,) = push(fake, somebody())
    fake.member("anne@example.org")["status"] = "cleaned"

    push(fake, somebody("anne@example.com", remote_id=made.remote_id))

    assert fake.people == {"anne@example.org": "cleaned", "anne@example.com": "subscribed"}


def test_a_404_of_some_proxy_is_not_somebody_new():
    fake = Mailchimp()
    send = fake.send
    fake.send = lambda one: Response(status=404, content=b"<html>") if one.method == "GET" else send(one)

    (outcome,) = push(fake, somebody())

    assert isinstance(outcome, Misconfigured)
    assert fake.people == {}


def test_a_forgotten_address_is_rejected():
    fake = Mailchimp()
    (made,) = push(fake, somebody())
    push(fake, replace(somebody(), erase=True, remote_id=made.remote_id, email=None, mailed=None))

    (outcome,) = push(fake, somebody())

    assert isinstance(outcome, Rejected)
    assert outcome.code == "Forgotten Email Not Subscribed"


def test_a_bounced_contact_there_is_told_as_a_bounce():
    fake = Mailchimp()
    push(fake, somebody())
    fake.member("anne@example.org")["status"] = "cleaned"

    (outcome,) = push(fake, somebody())

    assert outcome.remote.kind is ConsentKind.BOUNCE
    assert outcome.remote.email == "anne@example.org"


def test_a_changed_address_is_the_same_contact():
    fake = Mailchimp()
    (made,) = push(fake, somebody())

    (outcome,) = push(fake, somebody("anne@example.com", remote_id=made.remote_id))

    assert fake.people == {"anne@example.com": "subscribed"}
    assert outcome.remote_id != made.remote_id


def test_where_the_new_address_is_there_already_the_old_contact_ends_stopped():
    fake = Mailchimp()
    (made,) = push(fake, somebody())
    push(fake, somebody("anne@example.com", 2))

    push(fake, somebody("anne@example.com", remote_id=made.remote_id))

    assert fake.people == {"anne@example.org": "unsubscribed", "anne@example.com": "subscribed"}


def test_a_contact_of_somebody_merged_ends_stopped():
    fake = Mailchimp()
    made, other = push(fake, somebody(), somebody("ben@example.org", 2))

    push(
        fake,
        replace(
            somebody(),
            remote_id=made.remote_id,
            others=(Address(status=Status.UNSUBSCRIBED, remote_id=other.remote_id),),
        ),
    )

    assert fake.people == {"anne@example.org": "subscribed", "ben@example.org": "unsubscribed"}


# --- A campaign's own audience -----------------------------------------------------------------------


def test_a_campaign_may_name_its_own_audience_and_a_stop_reaches_it():
    fake = Mailchimp()
    action = an_action(sync={"listid": OTHER_LIST})
    (made,) = push(fake, somebody(actions=(action,), lists=(OTHER_LIST,)))
    assert fake.member("anne@example.org") is None
    assert fake.member("anne@example.org", OTHER_LIST)["status"] == "subscribed"

    push(fake, somebody(**LEFT, with_details=False, may_create=False, remote_id=made.remote_id))

    assert fake.people == {"anne@example.org": "unsubscribed"}


def test_what_is_no_audience_is_not_put_into_an_address():
    fake = Mailchimp()

    push(fake, somebody(lists=("../lists?",)))

    assert fake.member("anne@example.org")["status"] == "subscribed"


def test_an_action_of_somebody_who_is_not_there_is_not_lost():
    fake = Mailchimp()

    (outcome,) = push(fake, somebody(is_due=False, actions=(an_action(),)))

    assert outcome.actions_done == ("501",)
    assert len(fake.member("anne@example.org")["events"]) == 1


@pytest.mark.parametrize(
    ("key", "is_good"),
    [("0123456789abcdef-us9", True), ("0123456789abcdef", False), ("0123-us9.evil.example", False), ("", False)],
)
def test_a_key_without_its_end_is_refused_before_it_becomes_the_name_of_a_host(key, is_good):
    assert (connector.faults({"key": key}) == {}) is is_good


# --- Fields ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "value", "there"),
    [
        ("BIRTHDAY", "1984-03-07", "03/07"),
        ("BIRTHDAY", "in spring", None),
        ("ZIPCODE", "75001", "75001"),
        ("ZIPCODE", "SW1A 1AA", None),
        ("TOPIC", "Bees", "Bees"),
        ("TOPIC", "Wasps", None),
        ("HOME", "1 rue de la Paix", None),
        ("FNAME", "x" * 300, "x" * 255),
        ("FNAME", None, ""),
    ],
)
def test_a_value_that_a_field_does_not_take_is_left_out_and_stops_nobody(tag, value, there):
    fake = Mailchimp()

    (outcome,) = push(fake, somebody(fields=fields(LNAME="Autumn", **{tag: value})))

    assert isinstance(outcome, Delivered)
    assert fake.member("anne@example.org")["merge_fields"].get(tag) == there
    assert fake.member("anne@example.org")["merge_fields"]["LNAME"] == "Autumn"


# --- Tags and events ---------------------------------------------------------------------------------


def test_tags_are_added_and_taken_away_and_a_campaign_is_one():
    fake = Mailchimp()
    push(fake, somebody(tags=("proca",), actions=(an_action(),)))

    push(fake, somebody(tags_to_remove=("proca",)))

    assert fake.member("anne@example.org")["tags"] == {"proca": "inactive", "bees": "active"}


def test_an_action_is_one_event_however_often_it_is_told():
    fake = Mailchimp()
    given = an_action(action_type="donate", donation={"amount": 1500, "currency": "JPY"}, amount="1500")

    for _ in range(2):
        (outcome,) = push(fake, somebody(actions=(given, an_action(502))))

    assert outcome.actions_done == ("501", "502")
    donated, signed = fake.member("anne@example.org")["events"]
    assert donated["name"] == "proca_donate"
    assert donated["properties"] == {"proca_action": "501", "campaign": "bees", "amount": "1500", "currency": "JPY"}
    assert signed["properties"]["proca_action"] == "502"


def test_what_was_done_before_a_failure_is_not_lost():
    fake = Mailchimp()
    add_event = fake.send

    def send(request):
        if b'"502"' in request.content:
            return Response(status=503)
        return add_event(request)

    fake.send = send
    (outcome,) = push(fake, somebody(actions=(an_action(), an_action(502))))

    assert isinstance(outcome, Partial)
    assert outcome.person_done
    assert outcome.actions_done == ("501",)
    assert outcome.remote_id


# --- Trouble -----------------------------------------------------------------------------------------


def test_a_403_without_json_means_slow_down_and_with_json_no_permission():
    fake = Mailchimp()
    fake.send = lambda _: Response(status=403, content=b"<html>Forbidden</html>")
    assert isinstance(push(fake, somebody())[0], RateLimited)

    fake.send = lambda _: Response(status=403, content=b'{"title": "User Disabled", "detail": "no"}')
    assert isinstance(push(fake, somebody())[0], Misconfigured)


def test_an_audience_that_is_not_there_pauses_the_destination():
    assert isinstance(push(Mailchimp(), somebody(), list="0000000000")[0], Misconfigured)


def test_a_check_finds_audiences_and_fields_to_choose_from():
    checked = connector.check(a_context(connector, Mailchimp()))

    assert checked.identity == "account Bees for All"
    assert [one.id for one in checked.found["lists"]] == [LIST, OTHER_LIST]
    assert "FNAME" in {one.id for one in checked.found["fields"]}


def test_a_preview_shows_the_status_of_somebody_new():
    put, tag, event = connector.preview(
        a_context(connector, Mailchimp()), somebody(actions=(an_action(),), fields=fields(FNAME="Anne"))
    )

    assert json.loads(put.content)["status_if_new"] == "subscribed"
    assert tag.url.endswith("/tags")
    assert json.loads(event.content)["name"] == "proca_petition"


# --- Coming back -------------------------------------------------------------------------------------


def called(secret="a-secret-in-an-address", method="POST", **said):
    form = {f"data[{name}]": value for name, value in said.items() if name not in ("type", "fired_at")}
    form |= {name: said[name] for name in ("type", "fired_at") if name in said}
    return Inbound(method=method, query={"secret": secret}, content=urlencode(form).encode())


@pytest.mark.parametrize(
    ("what", "action", "reason", "kind"),
    [
        ("unsubscribe", "unsub", "manual", ConsentKind.UNSUB),
        ("unsubscribe", "unsub", "abuse", ConsentKind.SPAM),
        ("unsubscribe", "delete", "manual", ConsentKind.UNSUB),
        ("cleaned", "", "hard", ConsentKind.BOUNCE),
        ("cleaned", "", "abuse", ConsentKind.SPAM),
        ("unsubscribe", "archive", "manual", None),
        ("subscribe", "", "", None),
        ("campaign", "", "", None),
    ],
)
def test_a_call_tells_of_stops_and_of_nothing_else(what, action, reason, kind):
    inbound = called(type=what, fired_at="2026-10-30 21:40:57", email="anne@example.org", action=action, reason=reason)

    reports = connector.inbox.read(a_context(connector, Mailchimp()), inbound)

    assert [one.kind for one in reports] == ([kind] if kind else [])
    assert all(one.at.isoformat() == "2026-10-30T21:40:57+00:00" for one in reports)


def test_a_call_needs_the_secret_in_the_address_and_can_only_stop_people():
    context = a_context(connector, Mailchimp())

    assert connector.inbox.is_authentic(context, called(method="GET"))
    assert not connector.inbox.is_authentic(context, called(secret="another"))
    assert not connector.inbox.is_authentic(a_context(connector, Mailchimp(), hook_secret=None), called(secret=""))
    assert not connector.inbox.is_signed


def test_a_poll_tells_who_left_since_the_last_one():
    fake = Mailchimp()
    push(fake, somebody(), somebody("ben@example.org", 2))
    context = a_context(connector, fake)
    cursor = connector.poll(context, None).cursor
    fake.stop("anne@example.org", NOW + timedelta(minutes=1))

    polled = connector.poll(context, cursor)

    assert [(one.kind, one.email, one.at) for one in polled.reports] == [
        (ConsentKind.UNSUB, "anne@example.org", NOW + timedelta(minutes=1))
    ]
    assert not polled.more


def test_a_poll_tells_who_subscribed_there_by_themselves_and_not_whom_we_made():
    fake = Mailchimp()
    push(fake, somebody(), somebody("ben@example.org", 2))
    at = NOW + timedelta(minutes=1)
    for email, source in (("anne@example.org", "Hosted Signup Form"), ("ben@example.org", "API - Generic")):
        fake.member(email).update(source=source, last_changed=at.isoformat(), timestamp_opt="2026-10-31T10:00:00+00:00")
    context = a_context(connector, fake)

    polled = connector.poll(context, connector.poll(context, None).cursor)

    assert [(one.kind, one.email, one.at.isoformat()) for one in polled.reports] == [
        (ConsentKind.OPT_IN, "anne@example.org", "2026-10-31T10:00:00+00:00")
    ]


def test_a_poll_skips_nobody_where_thousands_changed_within_a_second():
    fake = Mailchimp()
    people = [somebody(f"p{n}@example.org", n) for n in range(1, 1301)]
    for first in range(0, 1300, 500):
        push(fake, *people[first : first + 500])
    for one in people:
        fake.stop(one.email, NOW + timedelta(minutes=1))
    context, found, polled = a_context(connector, fake), set(), connector.poll(a_context(connector, fake), None)

    while True:
        polled = connector.poll(context, polled.cursor)
        found |= {one.email for one in polled.reports}
        if not polled.more:
            break

    assert len(found) == 1300
