"""Who is mailed from CiviCRM, and which stops stand there: the rules of consent in its own words."""

from datetime import timedelta

import pytest

from sync.connectors.contract import Misconfigured, RemoteState
from sync.terms import ConsentKind, Status
from tests.connectors.people import LEFT, NOW, QUIET, somebody
from tests.connectors.test_civicrm import push, pushed
from tests.fakes.civicrm import GROUP, OTHER_GROUP, PARIS, CiviCRM

A_WEEK_AGO = NOW - timedelta(days=7)
#: Before the consent of everybody here.
LONG_AGO = NOW - timedelta(days=20)


@pytest.fixture
def civi():
    return CiviCRM()


# --- Who is mailed -----------------------------------------------------------------------------------


def test_the_address_to_mail_is_the_one_that_bulk_mail_goes_to(civi):
    there = civi.contact("home@example.org", external_identifier="proca-1")
    civi._add("Email", {"contact_id": there, "email": "bulk@example.org", "is_bulkmail": True, "on_hold": 0})

    pushed(civi, somebody("anne@example.org"))

    assert civi.people["anne@example.org"] == "subscribed"
    assert set(civi.people.values()) == {"subscribed", "quiet"}


def test_details_add_an_address_without_making_it_the_first(civi):
    civi.contact("home@example.org", external_identifier="proca-1")

    pushed(civi, somebody("anne@example.org", **QUIET))

    primary = [one["email"] for one in civi.table("Email") if one.get("is_primary") and one["contact_id"] != civi.me]
    assert primary == ["home@example.org"]


def test_who_unsubscribes_leaves_the_group_and_all_bulk_mail(civi):
    pushed(civi, somebody())

    pushed(civi, somebody(**LEFT))

    row = civi.row("anne@example.org")
    assert civi.groups(row["id"]) == {GROUP: "Removed"}
    assert row["is_opt_out"]
    assert not row.get("do_not_email")


def test_or_the_groups_alone(civi):
    pushed(civi, somebody())

    pushed(civi, somebody(**LEFT), opt_out=False)

    assert civi.groups(civi.row("anne@example.org")["id"]) == {GROUP: "Removed"}
    assert not civi.row("anne@example.org").get("is_opt_out")


def test_leaving_is_leaving_the_group_of_a_campaign_too(civi):
    pushed(civi, somebody(lists=(str(OTHER_GROUP),)), opt_out=False)
    assert civi.groups(civi.row("anne@example.org")["id"]) == {OTHER_GROUP: "Added"}

    pushed(civi, somebody(**LEFT), opt_out=False)

    assert civi.groups(civi.row("anne@example.org")["id"]) == {OTHER_GROUP: "Removed"}


def test_a_group_that_others_put_them_into_is_left_alone(civi):
    pushed(civi, somebody())
    volunteer = {"contact_id": civi.row("anne@example.org")["id"], "group_id": OTHER_GROUP, "status": "Added"}
    civi._add("GroupContact", volunteer)

    pushed(civi, somebody(**LEFT), opt_out=False)

    assert civi.groups(volunteer["contact_id"]) == {GROUP: "Removed", OTHER_GROUP: "Added"}


def test_a_complaint_ends_every_mail(civi):
    pushed(civi, somebody())

    pushed(civi, somebody(**LEFT | {"status": Status.COMPLAINED}), opt_out=False)

    row = civi.row("anne@example.org")
    assert (row["is_opt_out"], row["do_not_email"]) == (True, True)


def test_a_bounce_holds_the_address_and_leaves_the_will(civi):
    pushed(civi, somebody())

    pushed(civi, somebody(**LEFT | {"status": Status.BOUNCED}))

    (email,) = [one for one in civi.table("Email") if one["email"] == "anne@example.org"]
    assert email["on_hold"] == 1
    assert civi.groups(email["contact_id"]) == {GROUP: "Added"}
    assert not civi.row("anne@example.org").get("is_opt_out")


@pytest.mark.parametrize("status", [Status.UNSUBSCRIBED, Status.BOUNCED])
def test_a_stop_reaches_every_contact_with_the_address(civi, status):
    civi.contact("anne@example.org")
    twin = civi.contact("anne@example.org")
    civi._add("GroupContact", {"contact_id": twin, "group_id": GROUP, "status": "Added"})

    pushed(civi, somebody(**LEFT | {"status": status}, may_create=False))

    assert "subscribed" not in civi.people.values()


def test_who_is_not_asked_any_more_leaves_what_we_put_them_into(civi):
    pushed(civi, somebody())

    pushed(civi, somebody(**QUIET | {"status": Status.PENDING}))

    assert civi.people == {"anne@example.org": "quiet"}
    assert not civi.row("anne@example.org").get("is_opt_out")


def test_but_not_what_people_there_put_them_into(civi):
    there = civi.contact("anne@example.org")
    civi._add("GroupContact", {"contact_id": there, "group_id": GROUP, "status": "Added"})
    civi.line(there, GROUP, "Added", LONG_AGO)

    pushed(civi, somebody(**QUIET))

    assert civi.people == {"anne@example.org": "subscribed"}


# --- Stops there -------------------------------------------------------------------------------------


def stopped(civi, way, at):
    pushed(civi, somebody())
    civi.way = way
    civi.stop("anne@example.org", at)


@pytest.mark.parametrize("way", ["group", "hold", "opt_out"])
def test_a_newer_consent_lifts_an_older_stop(civi, way):
    stopped(civi, way, LONG_AGO)

    assert pushed(civi, somebody()).remote is None

    assert civi.people == {"anne@example.org": "subscribed"}


@pytest.mark.parametrize(
    ("way", "kind", "email"),
    [
        ("group", ConsentKind.UNSUB, None),
        ("hold", ConsentKind.BOUNCE, "anne@example.org"),
        ("opt_out", ConsentKind.UNSUB, None),
    ],
)
def test_a_newer_stop_stays_and_is_told_with_its_time(civi, way, kind, email):
    stopped(civi, way, A_WEEK_AGO)

    outcome = pushed(civi, somebody())

    assert outcome.remote == RemoteState(kind=kind, at=A_WEEK_AGO, email=email)
    assert civi.people == {"anne@example.org": "quiet"}


def test_a_stop_of_an_unknown_time_stays(civi):
    pushed(civi, somebody())
    # Somebody there ticked it, and the contact was touched since: it may be from today.
    civi.row("anne@example.org").update(do_not_email=True, modified_date=civi.wall(A_WEEK_AGO))

    assert pushed(civi, somebody()).remote == RemoteState(kind=ConsentKind.UNSUB, at=None)

    assert civi.row("anne@example.org")["do_not_email"]


def test_a_consent_that_is_not_the_newest_word_lifts_nothing(civi):
    stopped(civi, "group", LONG_AGO)

    outcome = pushed(civi, somebody(consent_newer_than_remote=False))

    assert outcome.remote == RemoteState(kind=ConsentKind.UNSUB, at=LONG_AGO)
    assert civi.people == {"anne@example.org": "quiet"}


def test_who_left_before_and_may_have_ticked_it_since_stays_out(civi):
    stopped(civi, "opt_out", LONG_AGO)
    civi.row("anne@example.org")["modified_date"] = civi.wall(A_WEEK_AGO)

    assert pushed(civi, somebody()).remote == RemoteState(kind=ConsentKind.UNSUB, at=None)
    assert civi.people == {"anne@example.org": "quiet"}


@pytest.mark.parametrize("opt_out", [True, False])
def test_our_own_stop_is_no_stop_of_theirs(civi, opt_out):
    pushed(civi, somebody())
    pushed(civi, somebody(**LEFT), opt_out=opt_out)

    # What we wrote is younger than the consent, which is all the same newer than every stop known.
    assert pushed(civi, somebody()).remote is None
    assert civi.people == {"anne@example.org": "subscribed"}


def test_an_opt_out_after_ours_is_theirs(civi):
    pushed(civi, somebody())
    pushed(civi, somebody(**LEFT))
    civi.line(civi.row("anne@example.org")["id"], None, "Removed", A_WEEK_AGO)

    assert pushed(civi, somebody()).remote == RemoteState(kind=ConsentKind.UNSUB, at=A_WEEK_AGO)
    assert civi.people == {"anne@example.org": "quiet"}


def test_who_was_taken_out_of_the_group_and_forgotten_by_it_stays_out(civi):
    stopped(civi, "group", A_WEEK_AGO)
    civi.tables["GroupContact"].clear()

    assert pushed(civi, somebody()).remote == RemoteState(kind=ConsentKind.UNSUB, at=A_WEEK_AGO)
    assert civi.people == {"anne@example.org": "quiet"}


def test_a_stop_of_a_second_contact_with_the_address_counts(civi):
    civi.contact("anne@example.org", external_identifier="proca-1")
    civi.contact("anne@example.org", is_opt_out=True)

    assert pushed(civi, somebody()).remote.kind is ConsentKind.UNSUB
    assert set(civi.people.values()) == {"quiet"}


def test_a_stop_is_not_told_back_to_who_tells_it(civi):
    stopped(civi, "group", A_WEEK_AGO)

    assert pushed(civi, somebody(**LEFT)).remote is None


def test_of_an_hour_that_came_twice_the_later_one_counts(civi):
    # 25 October 2026, 02:30 in Paris: 00:30 and 01:30 UTC. The consent lies between them.
    consented = NOW.replace(month=10, day=25, hour=1, minute=0)
    stopped(civi, "group", consented - timedelta(minutes=30))
    assert civi.table("SubscriptionHistory")[-1]["date"] == "2026-10-25 02:30:00"

    outcome = pushed(civi, somebody(consented_at=consented))

    assert outcome.remote is not None
    assert civi.people == {"anne@example.org": "quiet"}


def test_a_wrong_time_zone_is_found_before_anything_is_written(civi):
    (outcome,) = push(civi, somebody(), timezone="America/New_York")

    assert outcome == Misconfigured(message="the time zone is not that of CiviCRM: its clock shows another hour")
    assert civi.people == {}
    assert PARIS.key == civi.settings["timezone"]
