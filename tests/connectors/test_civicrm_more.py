"""What people did, campaigns and tags in CiviCRM; checking, looking, previews; and what comes back from it."""

import json
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from sync.connectors.civicrm import connector
from sync.connectors.contract import (
    Address,
    CampaignItem,
    Checked,
    Choice,
    Misconfigured,
    Partial,
    Response,
    Retry,
    Seen,
)
from sync.terms import ConsentKind, Status
from tests.connectors.people import LEFT, NOW, a_context, an_action, fields, somebody
from tests.connectors.test_civicrm import push, pushed
from tests.fakes.civicrm import GROUP, OTHER_GROUP, PETITION, SIGNED_UP, CiviCRM


@pytest.fixture
def civi():
    return CiviCRM()


def activity(civi):
    (one,) = civi.table("Activity")
    return one


# --- What people did ---------------------------------------------------------------------------------


def test_an_action_is_an_activity_of_its_person(civi):
    outcome = pushed(civi, somebody(actions=(an_action(501, custom_fields={"why": "<b>bees</b>"}),)))

    assert outcome.actions_done == ("501",)
    one = activity(civi)
    assert str(one["source_contact_id"]) == outcome.remote_id
    assert one["target_contact_id"] == [one["source_contact_id"]]
    assert (one["activity_type_id"], one["subject"]) == (PETITION, "petition: Save the bees")
    assert one["details"] == "<p>why: &lt;b&gt;bees&lt;/b&gt;</p>"
    # 22 October, 12:00 UTC, as clocks in Paris showed it.
    assert one["activity_date_time"] == "2026-10-22 14:00:00"
    assert one["status_id:name"] == "Completed"


def test_told_twice_it_is_one_activity(civi):
    item = somebody(actions=(an_action(501),))

    pushed(civi, item)
    pushed(civi, item)

    assert len(civi.table("Activity")) == 1


def test_an_action_without_a_type_of_its_name_gets_the_chosen_one(civi):
    pushed(civi, somebody(actions=(an_action(501, action_type="register", testing=True),)))

    assert activity(civi)["activity_type_id"] == SIGNED_UP
    assert activity(civi)["is_test"] is True


def test_a_donation_is_told_as_people_write_it(civi):
    gift = {"amount": 1500, "currency": "EUR", "frequency_unit": "monthly"}

    pushed(civi, somebody(actions=(an_action(501, donation=gift, amount="15.00"),)))

    assert activity(civi)["details"] == "<p>donation: 15.00 EUR, monthly</p>"


def test_an_action_alone_leaves_the_person_as_they_are(civi):
    pushed(civi, somebody())
    before = dict(civi.row("anne@example.org"))

    pushed(civi, somebody(is_due=False, actions=(an_action(501),), fields=fields(first_name="Anne")))

    assert civi.row("anne@example.org") == before
    assert len(civi.table("Activity")) == 1


def test_an_action_whose_number_is_too_large_holds_up_no_other(civi):
    (outcome,) = push(civi, somebody(actions=(an_action(2**32), an_action(502))))

    assert isinstance(outcome, Partial)
    assert outcome.person_done
    assert outcome.actions_done == ("502",)
    assert outcome.rejected_actions == {str(2**32): "id_too_large"}


# --- Campaigns and tags ------------------------------------------------------------------------------


def test_a_campaign_is_made_once_and_keeps_the_title_that_it_has_there(civi):
    pushed(civi, somebody(actions=(an_action(501),)))
    (campaign,) = civi.table("Campaign")
    assert (campaign["name"], campaign["title"]) == ("bees", "Save the bees")
    campaign["title"] = "Bees 2026"

    pushed(civi, somebody(actions=(an_action(502),)))

    assert [one["title"] for one in civi.table("Campaign")] == ["Bees 2026"]
    assert {one["campaign_id"] for one in civi.table("Activity")} == {campaign["id"]}


def test_without_the_component_people_arrive_and_the_actions_wait(civi):
    civi.has_campaigns = False

    (outcome,) = push(civi, somebody(actions=(an_action(501),)))

    assert isinstance(outcome, Partial)
    assert outcome.person_done
    assert isinstance(outcome.rest, Misconfigured)
    assert civi.people == {"anne@example.org": "subscribed"}


def test_or_campaigns_are_switched_off_here(civi):
    civi.has_campaigns = False

    pushed(civi, somebody(actions=(an_action(501),)), campaigns=False)

    assert "campaign_id" not in activity(civi)


def test_a_campaigns_own_group_and_tags_win(civi):
    civi._add("Tag", {"name": "friends"})
    action = an_action(501, sync={"listid": OTHER_GROUP, "tagids": ["1", "bees"]})

    pushed(civi, somebody(lists=(str(OTHER_GROUP),), actions=(action,)))

    assert civi.groups(civi.row("anne@example.org")["id"]) == {OTHER_GROUP: "Added"}
    assert [one["name"] for one in civi.table("Tag")] == ["friends", "bees"]
    assert sorted(one["tag_id"] for one in civi.table("EntityTag")) == [1, 2]


def test_a_group_of_a_campaign_that_is_not_there_is_the_newsletter(civi):
    pushed(civi, somebody(lists=("12345", "friends")))

    assert civi.groups(civi.row("anne@example.org")["id"]) == {GROUP: "Added"}


def test_tags_come_and_go(civi):
    pushed(civi, somebody(tags=("proca", "bees")))

    pushed(civi, somebody(tags=("proca",), tags_to_remove=("bees",)))

    names = {one["id"]: one["name"] for one in civi.table("Tag")}
    assert [names[one["tag_id"]] for one in civi.table("EntityTag")] == ["proca"]


def test_a_tag_that_is_not_taken_holds_up_nobody(civi):
    long = CampaignItem(proca_id=3, name="bees", title=None, sync={"tagids": "x"})
    civi.refuse("x")

    pushed(civi, somebody(actions=(an_action(501, campaign=long),)))

    assert civi.people == {"anne@example.org": "subscribed"}


def test_what_somebody_did_is_forgotten_with_them(civi):
    pushed(civi, somebody(actions=(an_action(501),)), somebody("ben@example.org", 2, actions=(an_action(502),)))
    order = somebody(erase=True, email=None, mailed=None, with_details=False, may_create=False)

    pushed(civi, order)

    assert [one["source_record_id"] for one in civi.table("Activity")] == [502]
    assert list(civi.people) == ["ben@example.org"]


# --- Checking ----------------------------------------------------------------------------------------


def check(civi, **settings):
    return connector.check(a_context(connector, civi, **settings))


def test_a_check_says_as_whom_and_what_there_is(civi):
    checked = check(civi)

    assert checked.identity == f"API user (contact {civi.me})"
    assert checked.problems == ()
    assert checked.found["groups"] == (Choice(id="6", title="Bees"), Choice(id="5", title="Newsletter"))
    assert Choice(id=str(PETITION), title="Petition") in checked.found["activity_types"]
    assert {"Extra.shoe_size", "address_primary.postal_code"} <= {one.id for one in checked.found["fields"]}


def test_before_anything_is_chosen_a_check_finds_what_to_choose_from(civi):
    checked = check(civi, group=None, activity_type=None)

    assert checked.problems == ("choose the newsletter group", "choose the activity type")
    assert checked.found["groups"]
    assert push(civi, somebody(), group=None) == [Misconfigured(message="choose the newsletter group")]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"group": "7"}, "the group is a smart group: nobody can be put into it"),
        ({"group": "99"}, "the group is not there, or not active"),
        ({"activity_type": "99"}, "the activity type is not there, or not active"),
        ({"timezone": "Asia/Tokyo"}, "the time zone is not that of CiviCRM: its clock shows another hour"),
    ],
)
def test_a_check_tells_what_is_wrong_with_the_settings(civi, settings, problem):
    assert check(civi, **settings).problems == (problem,)


def test_a_check_tells_which_permission_is_missing(civi):
    civi.rights -= {"Contact.delete", "SubscriptionHistory.get"}
    civi.has_campaigns = False

    deleting, history, campaigns = check(civi).problems

    assert deleting == "the key lacks a permission: delete contacts"
    assert "administer CiviCRM" in history
    assert "CiviCampaign" in campaigns


def test_who_may_not_read_when_people_left_brings_nobody_back(civi):
    civi.contact("anne@example.org")
    civi.rights.discard("SubscriptionHistory.get")

    (outcome,) = push(civi, somebody())

    assert outcome == Misconfigured(message="403: the key lacks a permission (SubscriptionHistory.get)")
    assert civi.people == {"anne@example.org": "quiet"}


def test_an_answer_to_nobody_is_no_proof(civi):
    civi.is_anonymous = True

    assert isinstance(check(civi), Misconfigured)


def test_a_site_that_wants_its_own_key_too_gets_it(civi):
    civi.guard = "site"

    assert isinstance(check(civi), Misconfigured)
    assert isinstance(check(civi, site_key="site"), Checked)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, set()),
        ({"timezone": "Paris"}, {"timezone"}),
        ({"timezone": "../etc/passwd"}, {"timezone"}),
        ({"group": "Newsletter"}, {"group"}),
        ({"prefix": "a b"}, {"prefix"}),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, wrong):
    whole = {one.key: one.default for one in connector.settings} | CiviCRM.settings | settings

    assert set(connector.faults(whole)) == wrong


# --- Looking, and previews ---------------------------------------------------------------------------


def test_a_look_changes_nothing(civi):
    pushed(civi, somebody("anne@example.org", 1), somebody("ben@example.org", 2))
    civi.stop("ben@example.org", NOW)
    context = a_context(connector, civi)

    people = [somebody("anne@example.org", 1), somebody("ben@example.org", 2), somebody("cleo@example.org", 3)]
    seen = list(connector.look(context, people))

    ids = [str(civi.row(f"{name}@example.org")["id"]) for name in ("anne", "ben")]
    assert seen == [Seen(remote_id=ids[0]), Seen(remote_id=ids[1], is_stopped=True), Seen()]
    assert context.http.written() == []


@pytest.mark.parametrize("remote_id", [None, "41"])
def test_a_preview_shows_the_calls(civi, remote_id):
    item = somebody(remote_id=remote_id, fields=fields(first_name="Anne"), actions=(an_action(501),))

    (request,) = connector.preview(a_context(connector, civi), item)

    calls = json.loads(parse_qs(request.content.decode())["calls"][0])
    assert [entity for entity, *_ in calls][0 :: len(calls) - 1] == ["Contact", "Activity"]
    assert calls[0][2]["records"][0]["first_name"] == "Anne"
    assert calls[0][2]["records"][0].get("id") == (41 if remote_id else None)


def test_an_address_that_is_whole_is_taken_as_it_is(civi):
    url = "https://crm.example.org/wp-admin/admin.php?page=CiviCRM&q=civicrm/ajax/api4"

    (request,) = connector.preview(a_context(connector, civi, url=url, one_by_one=True), somebody(**LEFT))[:1]

    assert request.url == f"{url}/Contact/save"


# --- What comes back ---------------------------------------------------------------------------------


class Polling:
    """Asks until there is no more, again and again, with the cursor that it was given."""

    def __init__(self, civi):
        self.context = a_context(connector, civi)
        self.cursor = connector.poll(self.context, None).cursor

    def reports(self):
        found = []
        for _ in range(50):
            polled = connector.poll(self.context, self.cursor)
            found += polled.reports
            self.cursor = polled.cursor
            if not polled.more:
                return [(one.kind, one.email, one.at) for one in found]
        raise AssertionError("it never ends")


@pytest.fixture
def anne(civi):
    return int(pushed(civi, somebody()).remote_id)


def test_our_own_writing_does_not_come_back(civi, anne):
    polling = Polling(civi)

    pushed(civi, somebody("ben@example.org", 2))
    pushed(civi, somebody(**LEFT), opt_out=False)

    assert polling.reports() == []


def test_nor_do_the_stops_that_we_write_into_former_contacts(civi, anne):
    civi.contact("old@example.org")
    polling = Polling(civi)
    other = Address(status=Status.UNSUBSCRIBED, email="old@example.org")

    pushed(civi, somebody(remote_id=str(anne), others=(other,)))

    assert civi.row("old@example.org")["is_opt_out"]
    assert polling.reports() == []


def test_nor_a_complaint_that_we_tell(civi, anne):
    polling = Polling(civi)

    pushed(civi, somebody(**LEFT | {"status": Status.COMPLAINED}))

    assert civi.row("anne@example.org")["do_not_email"]
    assert polling.reports() == []


def test_nothing_from_before_comes_back(civi, anne):
    civi.stop("anne@example.org", NOW - timedelta(days=1))

    assert Polling(civi).reports() == []


@pytest.mark.parametrize(
    ("way", "kind"), [("group", ConsentKind.UNSUB), ("hold", ConsentKind.BOUNCE), ("opt_out", ConsentKind.UNSUB)]
)
def test_a_stop_comes_back_with_its_time(civi, anne, way, kind):
    polling = Polling(civi)
    civi.way = way
    civi.stop("anne@example.org", NOW)

    assert (kind, "anne@example.org", NOW) in polling.reports()


def test_it_names_the_contact_as_we_know_it(civi, anne):
    polling = Polling(civi)
    civi.stop("anne@example.org", NOW)

    (report,) = connector.poll(polling.context, polling.cursor).reports

    assert report.remote_id == str(anne)


def test_a_tick_of_somebody_there_comes_back_without_a_time(civi, anne):
    polling = Polling(civi)
    civi.row("anne@example.org").update(do_not_email=True, modified_date=civi.wall())

    assert polling.reports() == [(ConsentKind.UNSUB, "anne@example.org", None)]


def test_whoever_joins_the_newsletter_there_is_told(civi):
    polling = Polling(civi)
    ben = civi.contact("ben@example.org")
    civi.line(ben, GROUP, "Added", NOW)

    assert polling.reports() == [(ConsentKind.OPT_IN, "ben@example.org", NOW)]


def test_leaving_a_group_that_has_nothing_to_do_with_us_says_nothing(civi, anne):
    polling = Polling(civi)
    civi.line(anne, OTHER_GROUP, "Removed", NOW)

    assert polling.reports() == []


def test_leaving_the_group_of_a_campaign_does(civi):
    anne = int(pushed(civi, somebody(lists=(str(OTHER_GROUP),))).remote_id)
    polling = Polling(civi)
    civi.line(anne, OTHER_GROUP, "Removed", NOW)

    assert polling.reports() == [(ConsentKind.UNSUB, "anne@example.org", NOW)]


def test_many_come_page_by_page_each_at_least_once(civi, monkeypatch):
    monkeypatch.setattr("sync.connectors.civicrm.back.PAGE", 3)
    polling = Polling(civi)
    people = [civi.contact(f"p{number}@example.org") for number in range(7)]
    for one in people:
        civi.line(one, GROUP, "Removed", NOW)

    assert sorted(email for _, email, _ in polling.reports()) == [f"p{number}@example.org" for number in range(7)]


def test_what_was_written_while_a_sweep_was_read_comes_with_the_next(civi, anne):
    polling = Polling(civi)
    polling.reports()
    civi.now = lambda: NOW + timedelta(minutes=5)
    # Written by a slow transaction, under a time that the last sweep had passed already.
    civi.stop("anne@example.org", NOW - timedelta(minutes=1))

    assert (ConsentKind.UNSUB, "anne@example.org", NOW - timedelta(minutes=1)) in polling.reports()


def test_a_cursor_that_nobody_can_read_begins_again(civi):
    assert connector.poll(a_context(connector, civi), '{"of": "another version"}').reports == ()


def test_an_error_of_theirs_leaves_the_cursor_where_it_is(civi, anne):
    polling = Polling(civi)
    civi.stop("anne@example.org", NOW)
    answer, civi.send = civi.send, lambda _: Response(status=503, content=b"<html>maintenance</html>")

    assert isinstance(connector.poll(polling.context, polling.cursor), Retry)

    civi.send = answer
    assert len(polling.reports()) == 1
