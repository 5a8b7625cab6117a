"""Rule 3: what is shown of a supporter; each test names the sentence that it checks."""

from .asking import noon, person
from .given import edit, entry, message
from .wire import (
    MAY_1,
    MAY_2,
    MAY_3,
    MAY_4,
    MAY_5,
    MAY_6,
    a_share,
    an_action,
    an_event,
    v1_action,
)

ANN = "ann@example.org"


def test_late_share_does_not_bring_the_old_postcode_back():
    """“The time of a message's details is `createdAt` when `withConsent` is true …, else `givenAt`”."""
    one = person(
        message(an_action(postcode="1000", createdAt=MAY_1)),
        message(an_action(actionId=3, postcode="2000", createdAt=MAY_2)),
        message(a_share(postcode="1000", createdAt=MAY_3, givenAt=MAY_1)),
    )

    assert (one["postcode"], one["details_given_at"]) == ("2000", noon(2))


def test_empty_never_erases():
    """“the newest non-empty value wins; empty never erases”."""
    one = person(
        message(an_action(lastName="Li", createdAt=MAY_1)),
        message(an_action(actionId=2, lastName=" ", createdAt=MAY_2)),
    )

    assert one["last_name"] == "Li"


def test_a_lower_rank_only_fills_what_no_higher_one_has():
    """“(1) delivered and dated … (2) an event's contact; (3) … undated; (4) not delivered; (5) testing”."""
    ranked = [
        message(an_action(actionId=5, testing=True, createdAt=MAY_6, lastName="five")),
        message(an_action(actionId=4, stage="confirm", createdAt=MAY_5, lastName="four")),
        message(v1_action(actionId=3, privacy=None, createdAt=MAY_4, lastName="three")),
        message(an_event(givenAt=MAY_3, lastName="two", emailStatus=None)),
        message(an_action(actionId=1, createdAt=MAY_1, lastName="one")),
    ]

    shown = [person(*ranked[:n])["last_name"] for n in range(1, 6)]

    assert shown == ["five", "four", "three", "two", "one"]


def test_an_event_of_a_testing_action_has_the_last_rank():
    """“(5) testing, events of testing actions too … a message's rank is its own”."""
    one = person(
        message(an_event(actionId=1, testing=True, lastName="test", givenAt=MAY_5)),
        message(an_action(actionId=1, testing=True, stage="confirm", lastName="own", optIn=None)),
        message(an_action(actionId=2, stage="confirm", lastName="early")),
    )

    assert one["last_name"] == "early"


def test_undated_details_follow_dated_ones_of_their_rank():
    """“Within ranks 2 to 5 dated before undated; undated ones by `createdAt`”."""
    dated = message(an_action(stage="confirm", createdAt=MAY_1, lastName="dated"))
    undated = [
        message(v1_action(actionId=n, stage="confirm", privacy=None, createdAt=at, lastName=name))
        for n, at, name in ((2, MAY_3, "older"), (3, MAY_4, "newer"))
    ]

    assert person(*undated)["last_name"] == "newer"
    assert person(*undated)["details_given_at"] is None
    assert person(dated, *undated)["last_name"] == "dated"


def test_ties_go_to_the_edit_then_the_larger_action_id_then_the_larger_value():
    """“an edit, then the larger action id (…none is smallest), then the larger value”."""
    nine = message(an_action(actionId=9, lastName="nine"))
    ten = message(an_action(actionId=10, lastName="A"))
    again = message(an_action(actionId=10, lastName="B"), 2)

    assert person(nine, ten)["last_name"] == "A"
    assert person(nine, ten, again)["last_name"] == "B"
    assert person(nine, ten, again, edit(at=MAY_1, last_name="0"))["last_name"] == "0"


def test_form_fields_are_details_only_with_consent_and_only_where_the_contact_has_none():
    """“`locality` and `street` in an action's `customFields` are details … when `withConsent` is true”."""
    form = {"locality": "Bern", "street": "Oak 1"}
    one = person(message(an_action(customFields=form, city="Berlin")))
    share = person(message(a_share(customFields=form)))

    assert (one["locality"], one["street"]) == ("Berlin", "Oak 1")
    assert (share["locality"], share["street"]) == (None, None)


def test_an_edits_null_clears_until_something_newer_of_rank_one():
    """“neither older messages nor lower ranks bring a value back, a newer one of rank 1 may”."""
    said = [message(an_action(phone="1")), edit(at=MAY_3, phone=None)]
    event = message(an_event(phone="2", givenAt=MAY_5, emailStatus=None))

    assert person(*said, event)["phone"] is None
    assert person(*said, message(an_action(actionId=2, phone="3", createdAt=MAY_4)))["phone"] == "3"


def test_of_two_edits_at_one_time_a_value_beats_null():
    """“Two edits at one time: a value beats null, then the larger”."""
    edits = [edit(phone=None), edit(phone="1"), edit(phone="2")]

    assert person(message(an_action()), *edits)["phone"] == "2"


def test_a_street_of_another_postcode_is_hidden_and_no_older_one_takes_its_place():
    """“hidden unless the postcode that they came with is the one shown …; no older value”."""
    one = person(
        message(an_action(postcode="2000", street="Oak 1", region="North", createdAt=MAY_1)),
        message(an_action(actionId=2, postcode="1000", street="Elm 2", createdAt=MAY_2)),
        message(an_action(actionId=3, postcode="2000", createdAt=MAY_3)),
    )

    assert (one["postcode"], one["street"], one["region"]) == ("2000", None, "North")


def test_a_street_that_came_without_a_postcode_is_shown():
    """“or they came without one”."""
    one = person(
        message(an_action(street="Oak 1", createdAt=MAY_1)),
        message(an_action(actionId=2, postcode="2000", createdAt=MAY_2)),
    )

    assert one["street"] == "Oak 1"


def test_an_edited_street_belongs_to_the_postcode_its_editor_saw():
    """“keeps … the postcode given in it, else the one its editor saw”."""
    old = message(an_action(postcode="1000", createdAt=MAY_1))
    new = message(an_action(actionId=2, postcode="2000", createdAt=MAY_5))

    seen = edit(at=MAY_3, street="Oak 1", seen="1000")
    given = edit(at=MAY_6, street="Oak 1", postcode="3000", seen="2000")

    assert person(old, seen)["street"] == "Oak 1"
    assert person(old, seen, new)["street"] is None
    assert person(old, new, given)["street"] == "Oak 1"


def test_language_is_that_of_the_newest_page_that_has_one():
    """“the locale, as shown, of the page of the newest delivered action … whose page has one”."""
    one = person(
        message(an_action(actionPageId=1, actionPage={"locale": "fr"}, createdAt=MAY_1)),
        message(an_action(actionId=2, actionPageId=2, actionPage={"locale": "de"}, createdAt=MAY_2)),
        message(an_action(actionId=3, actionPageId=3, actionPage={}, createdAt=MAY_3)),
        message(an_action(actionId=4, actionPageId=4, testing=True, createdAt=MAY_4)),
    )

    assert one["language"] == "de"


def test_unknown_contact_keys_are_extra_and_of_nationality_only_the_country():
    """“contact keys we do not know, each like a field; of `nationality` only `{"country": …}`”."""
    nationality = {"country": "FR", "documentType": "id", "documentNumber": "123"}

    one = person(message(an_action(nationality=nationality, salutation="Dr", empty="")))

    assert one["extra"] == {"nationality": {"country": "FR"}, "salutation": "Dr"}


def test_email_status_is_the_newest_that_names_the_email_shown():
    """“kind of the newest `double_opt_in` or stop that names the `email` shown”."""
    one = person(
        message(an_action()),
        message(an_event(emailStatus="bounce", timestamp=MAY_2), 2),
        entry("unsub", at=MAY_3),
        entry("spam", at=MAY_4, email="other@example.org"),
    )

    assert (one["email_status"], one["email_status_changed_at"]) == ("bounce", noon(2))


def test_details_given_at_is_of_shown_details_only():
    """“newest time of any named detail shown (email and `extra` aside)”."""
    one = person(
        message(an_action(postcode="1000", createdAt=MAY_1)),
        message(an_action(actionId=2, firstName=None, title="Dr", createdAt=MAY_2)),
        edit(at=MAY_4, street="Oak 1", seen="9999"),
    )

    assert (one["street"], one["details_given_at"]) == (None, noon(1))
