"""Action Network by the rules of the contract, and by its own."""

import json
from datetime import timedelta

import pytest

from sync.connectors.action_network import connector
from sync.connectors.conformance import TRIALS, Subject
from sync.connectors.contract import Address, Delivered, Field, Misconfigured, Mode, Partial, Rejected, Response
from sync.terms import ConsentKind, Status
from tests.connectors.people import LEFT, NOW, QUIET, a_context, an_action, fields, somebody
from tests.fakes.action_network import FORM, PETITION, ActionNetwork, empty, text


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
def test_it_conforms(trial):
    trial(Subject(connector=connector, fake=ActionNetwork, values={"given_name": "Anne"}))


def push(fake, *items, **settings):
    return list(connector.push(a_context(connector, fake, **settings), items))


# --- People and their status -------------------------------------------------------------------------


def test_somebody_new_is_told_with_an_explicit_status():
    fake = ActionNetwork()

    push(fake, somebody(), somebody("ben@example.org", 2, **QUIET), somebody("cleo@example.org", 3, **LEFT))

    assert fake.people == {
        "anne@example.org": "subscribed",
        "ben@example.org": "unsubscribed",
        "cleo@example.org": "unsubscribed",
    }


def test_somebody_known_is_told_without_a_status():
    fake = ActionNetwork()
    fake.activists["7"] = empty("7", "anne@example.org") | {"modified_date": text(NOW)}
    context = a_context(connector, fake)

    list(connector.push(context, [somebody(**QUIET, fields=fields(given_name="Anne"))]))

    (told,) = [json.loads(one.content) for one in context.http.requests if not one.read_only]
    assert "status" not in told["person"]["email_addresses"][0]
    assert fake.people == {"anne@example.org": "subscribed"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("unsubscribed", ConsentKind.UNSUB),
        ("bouncing", ConsentKind.BOUNCE),
        ("previous bounce", ConsentKind.BOUNCE),
        ("spam complaint", ConsentKind.SPAM),
        ("previous spam complaint", ConsentKind.SPAM),
    ],
)
def test_a_stop_there_comes_back_as_what_it_is(status, kind):
    fake = ActionNetwork()
    push(fake, somebody())
    fake.activist("anne@example.org")["email_addresses"][0]["status"] = status

    (outcome,) = push(fake, somebody())

    assert (outcome.remote.kind, outcome.remote.at) == (kind, NOW)
    assert fake.people == {"anne@example.org": status}


def test_a_stop_there_is_lifted_by_a_newer_consent():
    fake = ActionNetwork()
    push(fake, somebody())
    fake.stop("anne@example.org", NOW - timedelta(days=20))

    (outcome,) = push(fake, somebody())

    assert outcome.remote is None
    assert fake.people == {"anne@example.org": "subscribed"}


def test_a_consent_that_is_older_than_a_stop_known_here_lifts_nothing_there():
    fake = ActionNetwork()
    push(fake, somebody())
    fake.stop("anne@example.org", NOW - timedelta(days=20))

    (outcome,) = push(fake, somebody(consent_newer_than_remote=False))

    assert fake.people == {"anne@example.org": "unsubscribed"}
    assert outcome.remote.kind is ConsentKind.UNSUB


def test_a_new_address_does_not_make_an_old_stop_look_new():
    fake = ActionNetwork()
    (made,) = push(fake, somebody())
    fake.stop("anne@example.org", NOW - timedelta(days=20))

    push(fake, somebody("anne@example.com", remote_id=made.remote_id))

    assert fake.people == {"anne@example.com": "subscribed"}


def test_an_address_with_a_quote_is_found_again():
    fake = ActionNetwork()

    push(fake, somebody("o'neil@example.org"))
    push(fake, somebody("o'neil@example.org"))

    assert fake.people == {"o'neil@example.org": "subscribed"}


@pytest.mark.parametrize("takes_new_addresses", [True, False])
def test_a_changed_address_leaves_nobody_subscribed_under_the_old_one(takes_new_addresses):
    fake = ActionNetwork()
    fake.takes_new_addresses = takes_new_addresses
    (made,) = push(fake, somebody())

    (outcome,) = push(fake, somebody("anne@example.com", remote_id=made.remote_id))

    assert {email for email, status in fake.people.items() if status == "subscribed"} == {"anne@example.com"}
    assert len(fake.people) == (1 if takes_new_addresses else 2)
    assert isinstance(outcome, Delivered)


def test_a_contact_of_somebody_merged_ends_unsubscribed():
    fake = ActionNetwork()
    made, other = push(fake, somebody(), somebody("ben@example.org", 2))
    theirs = Address(status=Status.UNSUBSCRIBED, remote_id=other.remote_id)

    push(fake, somebody(remote_id=made.remote_id, others=(theirs,)))

    assert fake.people == {"anne@example.org": "subscribed", "ben@example.org": "unsubscribed"}


def test_somebody_erased_is_stopped_and_emptied_and_people_are_told_to_delete():
    fake = ActionNetwork()
    (made,) = push(fake, somebody(fields=fields(given_name="Anne", shoe="44")))
    order = somebody(email=None, mailed=None, erase=True, remote_id=made.remote_id)

    (outcome,) = push(fake, order)

    assert isinstance(outcome, Rejected)
    assert outcome.code == "delete_by_hand"
    left = fake.activist("anne@example.org")
    assert (left["given_name"], left["custom_fields"]) == ("", {"shoe": ""})
    assert fake.people == {"anne@example.org": "unsubscribed"}
    fake.activists.clear()
    assert isinstance(push(fake, order)[0], Delivered)


# --- Fields and tags ---------------------------------------------------------------------------------


def test_fields_go_where_osdi_has_a_place_for_them():
    fake = ActionNetwork()
    told = fields(family_name="Autumn", postal_code="75001", country="FR", phone="+33612345678", language="fr", shoe=44)

    push(fake, somebody(fields=told))

    one = fake.activist("anne@example.org")
    assert one["family_name"] == "Autumn"
    assert one["postal_addresses"] == [{"primary": True, "postal_code": "75001", "country": "FR"}]
    assert one["phone_numbers"] == [{"primary": True, "number": "+33612345678"}]
    assert (one["languages_spoken"], one["custom_fields"]) == (["fr"], {"shoe": "44"})


def test_a_field_that_is_written_only_where_it_is_empty():
    fake = ActionNetwork()
    push(fake, somebody(fields=fields(postal_code="75001")))

    only_if_empty = Field(name="postal_code", value="1000", mode=Mode.ONLY_IF_EMPTY)
    push(fake, somebody(fields=(only_if_empty,)))

    assert fake.activist("anne@example.org")["postal_addresses"][0]["postal_code"] == "75001"


def test_a_tag_is_made_before_it_is_used():
    fake = ActionNetwork()

    push(fake, somebody(tags=("old", "proca"), actions=(an_action(),)))
    push(fake, somebody(tags=("old",), tags_to_remove=("proca",)))

    assert fake.tags == {"old", "proca", "bees"}
    assert fake.activist("anne@example.org")["tags"] == {"old", "bees"}


# --- What people did ---------------------------------------------------------------------------------


def test_an_action_is_one_submission_however_often_it_is_told():
    fake = ActionNetwork()

    for _ in range(2):
        (outcome,) = push(fake, somebody(actions=(an_action(),)))

    assert outcome.actions_done == ("501",)
    (submission,) = fake.submissions
    assert submission["identifiers"] == [f"proca:{FORM}-501"]
    assert submission["action_network:referrer_data"] == {"source": "bees"}


@pytest.mark.parametrize(
    ("sync", "testing", "form"),
    [
        ({"form": f"petitions/{PETITION}"}, False, PETITION),
        ({"form": f"petitions/{PETITION}", "test_form": FORM}, True, FORM),
        ({"form": "../people"}, False, FORM),
        ({}, False, FORM),
    ],
)
def test_a_campaign_may_name_its_own_form(sync, testing, form):
    fake = ActionNetwork()

    push(fake, somebody(actions=(an_action(sync=sync, testing=testing),)))

    assert [one["form"] for one in fake.submissions] == [form]


def test_without_a_form_an_action_is_a_tag():
    fake = ActionNetwork()

    (outcome,) = push(fake, somebody(actions=(an_action(),)), form=None)

    assert outcome.actions_done == ("501",)
    assert fake.submissions == []
    assert fake.activist("anne@example.org")["tags"] == {"bees"}


def test_a_form_that_is_not_there_pauses_and_the_person_is_done():
    (outcome,) = push(ActionNetwork(), somebody(actions=(an_action(),)), form="forms/nowhere")

    assert isinstance(outcome, Partial)
    assert outcome.person_done
    assert isinstance(outcome.rest, Misconfigured)


# --- Trouble, and without changing anything ----------------------------------------------------------


def test_a_wrong_key_is_said_so():
    fake = ActionNetwork()
    fake.send = lambda _: Response(status=403, content=b'{"error": "API Key invalid or not present"}')

    assert push(fake, somebody()) == [Misconfigured(message="403: check the key; the group must be a partner")]


def test_a_check_finds_forms_and_petitions_to_choose_from():
    checked = connector.check(a_context(connector, ActionNetwork()))

    assert checked.identity == "group Bees for All"
    assert [one.id for one in checked.found["forms"]] == [f"forms/{FORM}", f"petitions/{PETITION}"]


def test_a_preview_shows_the_status_and_no_autoresponse():
    person, submission = connector.preview(
        a_context(connector, ActionNetwork()), somebody(actions=(an_action(),), **QUIET)
    )

    assert json.loads(person.content)["person"]["email_addresses"][0]["status"] == "unsubscribed"
    assert json.loads(submission.content)["triggers"] == {"autoresponse": {"enabled": False}}


# --- Coming back -------------------------------------------------------------------------------------


def test_a_poll_tells_everybody_who_left_page_by_page():
    fake = ActionNetwork()
    context = a_context(connector, fake)
    polled = connector.poll(context, None)
    for n in range(1, 61):
        one = empty(str(n), f"p{n}@example.org") | {"modified_date": text(NOW + timedelta(minutes=1))}
        one["email_addresses"][0]["status"] = "unsubscribed" if n % 2 else "subscribed"
        fake.activists[str(n)] = one
    found = []

    while True:
        polled = connector.poll(context, polled.cursor)
        found += polled.reports
        if not polled.more:
            break

    assert len({one.email for one in found}) == 30
    assert {(one.kind, one.at) for one in found} == {(ConsentKind.UNSUB, NOW + timedelta(minutes=1))}
