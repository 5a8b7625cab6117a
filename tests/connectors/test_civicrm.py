"""CiviCRM by the rules of the contract; whose contact is whose, and when somebody may be mailed there."""

from dataclasses import replace

import pytest

from sync.connectors.civicrm import connector
from sync.connectors.conformance import TRIALS, Subject
from sync.connectors.contract import (
    Address,
    Delivered,
    Field,
    Item,
    Misconfigured,
    Mode,
    Partial,
    Rejected,
    Response,
    Retry,
    TooLarge,
)
from sync.terms import Status
from tests.connectors.people import LEFT, a_context, fields, somebody
from tests.fakes.civicrm import CiviCRM


class ByHold(CiviCRM):
    """People there stop by an address that does not work."""

    way = "hold"


class ByOptOut(CiviCRM):
    """People there leave all mail."""

    way = "opt_out"


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
@pytest.mark.parametrize("fake", [CiviCRM, ByHold, ByOptOut], ids=["left the group", "on hold", "opted out"])
def test_it_conforms(trial, fake):
    values = {"first_name": "Anne", "address_primary.postal_code": "75001"}

    trial(Subject(connector=connector, fake=fake, values=values))


@pytest.fixture
def civi():
    return CiviCRM()


def push(civi, *items: Item, **settings):
    return list(connector.push(a_context(connector, civi, **settings), items))


def pushed(civi, *items: Item, **settings):
    """Push people, which works, and return what came of the first."""
    outcomes = push(civi, *items, **settings)
    assert all(isinstance(one, Delivered) for one in outcomes), outcomes
    return outcomes[0]


# --- Whose contact -----------------------------------------------------------------------------------


def test_who_is_there_already_is_found_by_the_address_and_marked_as_ours(civi):
    there = civi.contact("anne@example.org", first_name="Ann")

    outcome = pushed(civi, somebody("Anne@Example.org".lower(), fields=fields(first_name="Anne")))

    assert outcome.remote_id == str(there)
    assert len(civi.having("anne@example.org")) == 1
    assert civi.row("anne@example.org")["external_identifier"] == "proca-1"
    assert civi.row("anne@example.org")["first_name"] == "Anne"


def test_an_identifier_of_another_system_stays(civi):
    civi.contact("anne@example.org", external_identifier="donors-77")

    pushed(civi, somebody())

    assert civi.row("anne@example.org")["external_identifier"] == "donors-77"


def test_of_two_contacts_with_the_address_the_older_one_is_taken(civi):
    older = civi.contact("anne@example.org")
    civi.contact("anne@example.org")

    assert pushed(civi, somebody()).remote_id == str(older)


def test_an_organisation_with_the_address_is_nobody(civi):
    civi.contact("info@example.org", contact_type="Organization", organization_name="Bakers")

    pushed(civi, somebody("info@example.org"))

    assert sorted(one["contact_type"] for one in civi.having("info@example.org")) == ["Individual", "Organization"]


def test_the_contact_of_another_supporter_with_the_same_address_is_not_taken(civi):
    pushed(civi, somebody("family@example.org", 1))

    pushed(civi, somebody("family@example.org", 2))

    names = [one["external_identifier"] for one in civi.having("family@example.org")]
    assert names == ["proca-1", "proca-2"]


def test_two_of_one_batch_do_not_share_a_contact_that_was_there(civi):
    civi.contact("family@example.org")

    pushed(civi, somebody("family@example.org", 1), somebody("family@example.org", 2))

    names = [one["external_identifier"] for one in civi.having("family@example.org")]
    assert names == ["proca-1", "proca-2"]


def test_a_contact_of_a_former_supporter_is_the_survivors(civi):
    pushed(civi, somebody("old@example.org", 5))

    outcome = pushed(civi, somebody("new@example.org", 1, merged_ids=(5,)))

    assert outcome.remote_id == str(civi.row("old@example.org")["id"])
    assert civi.row("new@example.org") == civi.row("old@example.org")
    assert civi.people == {"old@example.org": "quiet", "new@example.org": "subscribed"}


def test_the_other_contact_of_two_that_merged_ends_stopped(civi):
    first = pushed(civi, somebody("one@example.org", 1))
    second = pushed(civi, somebody("two@example.org", 2))
    other = Address(status=Status.UNSUBSCRIBED, remote_id=second.remote_id)

    pushed(civi, somebody("one@example.org", 1, merged_ids=(2,), remote_id=first.remote_id, others=(other,)))

    assert civi.people == {"one@example.org": "subscribed", "two@example.org": "quiet"}


def test_who_was_put_into_the_trash_is_not_taken_out_again(civi):
    remote_id = pushed(civi, somebody()).remote_id
    civi.row("anne@example.org")["is_deleted"] = True

    (outcome,) = push(civi, somebody(remote_id=remote_id))

    assert isinstance(outcome, Rejected)
    assert outcome.code == "in_the_trash"
    assert civi.having("anne@example.org") == []


def test_a_stop_of_somebody_in_the_trash_is_done(civi):
    remote_id = pushed(civi, somebody()).remote_id
    civi.row("anne@example.org")["is_deleted"] = True

    assert not pushed(civi, somebody(remote_id=remote_id, **LEFT)).changed


def test_who_was_deleted_there_is_not_made_again_by_leaving(civi):
    remote_id = pushed(civi, somebody()).remote_id
    civi.tables["Contact"].pop(int(remote_id))
    civi.tables["Email"].clear()

    pushed(civi, somebody(remote_id=remote_id, **LEFT))

    assert civi.people == {}


def test_losing_the_race_for_an_identifier_is_tried_again(civi):
    pushed(civi, somebody())
    hidden = civi.tables["Email"]
    context = a_context(connector, civi)
    real = civi._get
    # Another worker has just made the contact: this one does not see it yet.
    civi._get = lambda entity, params: [] if entity == "Contact" and "OR" in str(params) else real(entity, params)
    civi.tables["Email"] = {}

    (outcome,) = connector.push(context, [somebody()])

    civi._get, civi.tables["Email"] = real, hidden
    assert outcome == Retry(reason="somebody else was writing the same")
    assert pushed(civi, somebody())
    assert len(civi.people) == 1


# --- Details -----------------------------------------------------------------------------------------


def contact_of(civi, email="anne@example.org"):
    row = civi.row(email)
    (address,) = [one for one in civi.table("Address") if one["contact_id"] == row["id"]] or [{}]
    return row, address


def test_details_go_where_they_belong(civi):
    details = {
        "first_name": "Anne",
        "birth_date": "1980-02-29",
        "preferred_language": "fr",
        "phone_primary.phone": "+33612345678",
        "address_primary.street_address": "Rue Verte",
        "street_number": "12 bis",
        "address_primary.country_id:abbr": "FR",
        "Extra.shoe_size": "39",
    }

    pushed(civi, somebody(fields=fields(**details)))

    row, address = contact_of(civi)
    assert (row["first_name"], row["birth_date"], row["preferred_language"]) == ("Anne", "1980-02-29", "fr_FR")
    assert row["Extra.shoe_size"] == "39"
    assert [one["phone"] for one in civi.table("Phone")] == ["+33612345678"]
    assert (address["street_address"], address["country_id:abbr"]) == ("Rue Verte 12 bis", "FR")


@pytest.mark.parametrize(
    ("ours", "theirs"), [("en", "en_US"), ("de-AT", "de_AT"), ("de", "de_DE"), ("en_ZA", "en_US"), ("tlh", None)]
)
def test_a_language_is_one_that_they_have(civi, ours, theirs):
    pushed(civi, somebody(fields=fields(preferred_language=ours)))

    assert civi.row("anne@example.org").get("preferred_language") == theirs


def test_a_birth_date_that_is_none_is_left_out(civi):
    pushed(civi, somebody(fields=fields(birth_date="29/02/1980", first_name="Anne")))

    assert civi.row("anne@example.org")["first_name"] == "Anne"
    assert "birth_date" not in civi.row("anne@example.org")


def test_an_old_street_does_not_stay_beside_a_new_postcode(civi):
    old = {"address_primary.postal_code": "75001", "address_primary.street_address": "Rue Verte"}
    pushed(civi, somebody(fields=fields(**old, **{"address_primary.city": "Paris"})))

    pushed(civi, somebody(fields=fields(**{"address_primary.postal_code": "69001"})))

    _, address = contact_of(civi)
    assert address["postal_code"] == "69001"
    assert (address["street_address"], address["city"]) == (None, None)


def test_what_is_only_for_empty_fields_leaves_the_others(civi):
    civi.contact("anne@example.org", first_name="Ann", last_name="")
    wanted = [Field(name=name, value="Anne", mode=Mode.ONLY_IF_EMPTY) for name in ("first_name", "last_name")]

    pushed(civi, somebody(fields=(*wanted, Field(name="source", value="Proca", mode=Mode.ONLY_IF_NEW))))

    row = civi.row("anne@example.org")
    assert (row["first_name"], row["last_name"], row.get("source")) == ("Ann", "Anne", None)


def test_a_field_that_is_not_there_pauses_the_destination(civi):
    (outcome,) = push(civi, somebody(fields=fields(first_nmae="Anne")))

    assert isinstance(outcome, Misconfigured)
    assert "mapping" in outcome.message


# --- Forgetting --------------------------------------------------------------------------------------


def an_order(**more) -> Item:
    return Item(push_id="1-1-9-erasure", supporter=1, erase=True, with_details=False, may_create=False, **more)


def test_the_trash_is_emptied_of_them(civi):
    remote_id = pushed(civi, somebody()).remote_id
    civi.row("anne@example.org")["is_deleted"] = True

    pushed(civi, an_order(remote_id=remote_id))

    assert [one["id"] for one in civi.table("Contact")] == [civi.me]


def test_all_their_contacts_go_and_nobody_elses(civi):
    first = pushed(civi, somebody("one@example.org", 1))
    pushed(civi, somebody("two@example.org", 2), somebody("ben@example.org", 3))
    civi.contact("one@example.org")

    pushed(civi, an_order(remote_id=first.remote_id, merged_ids=(2,)))

    left = [(one.get("external_identifier")) for one in civi.table("Contact") if one["id"] != civi.me]
    assert left == ["proca-3", None]


def test_without_the_right_to_delete_the_order_waits(civi):
    remote_id = pushed(civi, somebody()).remote_id
    civi.rights.discard("Contact.delete")

    assert isinstance(push(civi, an_order(remote_id=remote_id))[0], Misconfigured)


# --- Trouble -----------------------------------------------------------------------------------------


def test_a_person_is_found_again_after_a_failure_halfway(civi):
    civi.contact("home@example.org", external_identifier="proca-1")
    civi.refuse("anne@example.org")
    (outcome,) = push(civi, somebody())
    assert isinstance(outcome, Partial)
    assert not outcome.person_done

    civi.refused.clear()
    again = replace(somebody(), remote_id=outcome.remote_id)

    assert pushed(civi, again).remote_id == outcome.remote_id
    assert civi.people["anne@example.org"] == "subscribed"


def test_a_group_that_is_gone_pauses_the_destination(civi):
    (outcome,) = push(civi, somebody(), group="99")

    assert outcome == Misconfigured(message="the newsletter group is not there, or not active")
    assert civi.people == {}


def test_words_that_are_hidden_are_asked_for_once_more(civi):
    civi.words_hidden = True
    civi.refuse("anne@example.org")

    (outcome,) = push(civi, somebody())

    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith("unreadable_500")
    assert "view debug output" in outcome.reason


def test_a_page_instead_of_an_answer_halves_a_batch(civi):
    civi.send = lambda _: Response(status=500, content=b"<html>Fatal error</html>")

    outcomes = push(civi, somebody(), somebody("ben@example.org", 2))

    assert outcomes == [TooLarge(), TooLarge()]


def test_alone_it_is_passing_trouble(civi):
    civi.send = lambda _: Response(status=500, content=b"<html>Fatal error</html>")

    assert push(civi, somebody()) == [Retry(reason="500", of_destination=True)]


def test_a_record_that_stops_the_server_is_found_by_halves(civi):
    answer = civi.send
    civi.send = lambda one: Response(status=500) if b"%22Boom" in one.content and not one.read_only else answer(one)
    people = [somebody("anne@example.org", 1), somebody("ben@example.org", 2, fields=fields(first_name="Boom"))]

    assert push(civi, *people) == [TooLarge(), TooLarge()]
    assert isinstance(push(civi, people[0])[0], Delivered)
    assert push(civi, people[1]) == [Retry(reason="500", of_destination=True)]


def test_a_key_that_nobody_knows_writes_nothing(civi):
    civi.is_anonymous = True

    assert push(civi, somebody()) == [Misconfigured(message="CiviCRM does not know the key: nobody is logged in")]
    assert civi.people == {}


def test_calls_go_alone_where_a_firewall_wants_it(civi):
    pushed(civi, somebody(), somebody("ben@example.org", 2), one_by_one=True)

    assert set(civi.people.values()) == {"subscribed"}


def test_a_batch_is_few_requests(civi):
    context = a_context(connector, civi)
    people = [somebody(f"p{number}@example.org", number) for number in range(1, 26)]
    list(connector.push(context, people))
    context.http.requests.clear()

    list(connector.push(context, people))

    assert len(context.http.requests) <= 4
