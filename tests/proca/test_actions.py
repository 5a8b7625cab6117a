"""Actions of both versions, in all the spellings that occur."""

import pytest

from sync.proca import times
from sync.proca.encryption import KeyStore
from sync.proca.messages import Action, Contact, Notice, Places, Privacy, Unreadable, read
from tests.builders import (
    ABSENT,
    CREATED,
    REF,
    a_system_message,
    an_action,
    an_action_of_version_1,
    wire,
)

NOW = times.parse("2026-12-01T00:00:00Z")
CREATED_AT = times.parse(CREATED)
BIG = 19933688932870350000


def reading(message):
    return read(wire(message), KeyStore.empty(), now=NOW)


def refusal(message):
    result = reading(message)
    assert isinstance(result, Unreadable), result
    return result.code, result.where


# Whole messages


def test_an_action_of_version_2():
    assert reading(an_action()) == Action(
        action_id=4711,
        stage="deliver",
        testing=False,
        created_at=CREATED_AT,
        action_type="register",
        custom_fields={"comment": "Pour nos enfants"},
        donation=None,
        dupe_rank=0,
        tracking={
            "source": "newsletter",
            "medium": "email",
            "campaign": "autumn",
            "content": "",
            "location": "https://forest.example.org/fr",
        },
        contact=Contact(
            email="anne.martin@example.org",
            ref=REF,
            details={
                "first_name": "Anne",
                "last_name": "Martin",
                "phone": "+33612345678",
                "area": "FR",
                "country": "FR",
                "postcode": "69001",
                "locality": "Lyon",
                "street": "Rue de la Paix",
                "street_number": "12",
            },
            extra={},
        ),
        privacy=Privacy(opt_in=True, given_at=CREATED_AT, with_consent=True),
        places=Places(
            campaign_id=3,
            page_id=12,
            org_id=7,
            campaign={"name": "forest", "title": "Save the forest", "contact_schema": "basic"},
            page={"name": "forest/greens/fr", "locale": "fr"},
            org={"name": "greens", "title": "The Greens"},
        ),
    )


def test_an_action_of_version_1():
    result = reading(an_action_of_version_1(action={"testing": True}))

    assert isinstance(result, Action)
    assert result.custom_fields == {"comment": "Pour nos enfants"}
    assert result.privacy == Privacy(opt_in=True, given_at=CREATED_AT, with_consent=True)
    assert result.testing is True
    assert result.dupe_rank is None
    assert (result.contact.email, result.contact.ref) == ("anne.martin@example.org", REF)
    assert result.contact.details == {
        "first_name": "Anne",
        "last_name": "Martin",
        "area": "FR",
        "country": "FR",
        "postcode": "69001",
    }
    assert result.contact.extra == {}


def test_unknown_keys_anywhere_are_normal():
    message = an_action(
        future=1, action={"future": 1}, privacy={"future": 1}, campaign={"future": 1}, tracking={"future": 1}
    )

    assert reading(message) == reading(an_action())


# Consent


@pytest.mark.parametrize("given", [True, False, None])
def test_opt_in_is_taken_as_sent(given):
    assert reading(an_action(privacy={"optIn": given})).privacy.opt_in is given


@pytest.mark.parametrize("key", ["optIn", "withConsent"])
@pytest.mark.parametrize("value", ["yes", "true", "", 1, 0, [], {}, [True]])
def test_consent_is_never_guessed(key, value):
    assert refusal(an_action(privacy={key: value})) == ("wrong_type", f"privacy.{key}")


@pytest.mark.parametrize("value", [ABSENT, None, False])
def test_no_consent_in_this_action(value):
    assert reading(an_action(privacy={"withConsent": value})).privacy.with_consent is False


@pytest.mark.parametrize("privacy", [ABSENT, None, [], ""])
def test_no_privacy_says_nothing(privacy):
    assert reading(an_action(privacy=privacy)).privacy == Privacy()


def test_an_empty_privacy_says_nothing():
    for message in (an_action(), an_action_of_version_1()):
        message["privacy"] = {}

        assert reading(message).privacy == Privacy()


@pytest.mark.parametrize("privacy", ["x", 1, True, [1]])
def test_privacy_of_another_shape_is_refused(privacy):
    assert refusal(an_action(privacy=privacy)) == ("wrong_type", "privacy")


@pytest.mark.parametrize("given", [True, False, None])
def test_the_consent_of_version_1(given):
    privacy = reading(an_action_of_version_1(privacy={"communication": given})).privacy

    assert privacy == Privacy(opt_in=given, given_at=CREATED_AT, with_consent=True)


def test_without_privacy_version_1_says_nothing():
    assert reading(an_action_of_version_1(privacy=None)).privacy == Privacy()


def test_the_consent_of_version_1_is_never_guessed():
    message = an_action_of_version_1(privacy={"communication": "yes"})

    assert refusal(message) == ("wrong_type", "privacy.communication")


@pytest.mark.parametrize(
    ("sent", "read_as"),
    [
        (None, None),
        ("", None),
        ("none", None),
        ("active", None),
        ("double_opt_in", "double_opt_in"),
        ("doubleOptIn", "double_opt_in"),
        ("bounce", "bounce"),
        ("Blocked", "blocked"),
        ("spam", "spam"),
        ("unsub", "unsub"),
        ("inactive", "inactive"),
        ("soft bounce", "soft bounce"),
        ("Unheard_Of", "Unheard_Of"),
    ],
)
def test_the_words_for_an_email_status(sent, read_as):
    assert reading(an_action(privacy={"emailStatus": sent})).privacy.email_status == read_as


@pytest.mark.parametrize("status", [True, 1, ["bounce"], {"status": "bounce"}])
def test_a_status_that_is_no_word_is_refused(status):
    assert refusal(an_action(privacy={"emailStatus": status})) == ("wrong_type", "privacy.emailStatus")


@pytest.mark.parametrize("key", ["emailStatusChanged", "emailStatusChange"])
def test_both_spellings_of_when_the_status_changed(key):
    message = an_action(privacy={"emailStatusChanged": ABSENT} | {key: "2026-09-13T08:00:00Z"})

    assert reading(message).privacy.email_status_changed_at == times.parse("2026-09-13T08:00:00Z")


@pytest.mark.parametrize("testing", ["true", "", 1, 0, []])
def test_testing_is_never_guessed(testing):
    assert refusal(an_action(action={"testing": testing})) == ("wrong_type", "action.testing")


@pytest.mark.parametrize("stage", ["deliver", "supporter_confirm", "action_confirm", "confirm", "brand_new", ""])
def test_stages_stay_as_sent(stage):
    assert reading(an_action(stage=stage)).stage == stage


@pytest.mark.parametrize("stage", [ABSENT, None])
def test_no_stage(stage):
    assert reading(an_action(stage=stage)).stage == ""


@pytest.mark.parametrize("stage", [5, True, ["deliver"], {}])
def test_a_stage_that_is_no_text_is_refused(stage):
    assert refusal(an_action(stage=stage)) == ("wrong_type", "stage")


# Ids and places


def test_ids_repeated_inside_are_used_where_there_is_no_other():
    message = an_action(
        actionId=ABSENT,
        campaignId=None,
        actionPageId=ABSENT,
        orgId="",
        action={"id": 4711},
        campaign={"id": "3"},
        actionPage={"id": 12},
        org={"id": 7},
    )

    assert reading(message) == reading(an_action())


def test_a_copy_inside_never_contradicts():
    message = an_action(action={"id": "?"}, campaign={"id": 99}, org={"id": None}, actionPage={"id": []})

    assert reading(message) == reading(an_action())


@pytest.mark.parametrize("key", ["actionId", "campaignId", "actionPageId", "orgId"])
@pytest.mark.parametrize("value", [0, -1, 2**63, "x", "-1", "1.0", " 1", "²", "9" * 30, 1.0, 1.5, True, [1], {"a": 1}])
def test_an_id_is_never_guessed(key, value):
    assert refusal(an_action(**{key: value})) == ("wrong_type", key)


@pytest.mark.parametrize(("value", "number"), [(1, 1), ("12", 12), (2**63 - 1, 2**63 - 1)])
def test_ids_as_numbers_and_digits(value, number):
    assert reading(an_action(actionId=value, campaignId=value)).action_id == number
    assert reading(an_action(actionId=value, campaignId=value)).places.campaign_id == number


@pytest.mark.parametrize("value", [ABSENT, None, ""])
def test_an_action_needs_its_id(value):
    assert refusal(an_action(actionId=value)) == ("missing", "actionId")


@pytest.mark.parametrize("part", ["campaign", "actionPage", "org"])
@pytest.mark.parametrize("value", [ABSENT, None, [], "x", 3])
def test_an_odd_place_costs_nothing_but_itself(part, value):
    places = reading(an_action(**{part: value})).places

    assert {"campaign": places.campaign, "actionPage": places.page, "org": places.org}[part] == {}
    assert (places.campaign_id, places.page_id, places.org_id) == (3, 12, 7)


@pytest.mark.parametrize(("sent", "kept"), [(1984, 1984), ("1984", 1984), ("x", None), (2**70, None), (None, None)])
def test_external_id_is_a_number(sent, kept):
    assert reading(an_action(campaign={"externalId": sent})).places.campaign.get("external_id") == kept


# Contact


@pytest.mark.parametrize(
    "contact",
    [
        {"address": {"street_number": "12", "streetNumber": ABSENT}},
        {"address": {"city": "Lyon", "locality": ABSENT}},
        {"address": {"city": "elsewhere"}},
        {"address": ABSENT, "street": "Rue de la Paix", "streetNumber": "12", "city": "Lyon"},
        {
            "address": None,
            "street": "Rue de la Paix",
            "street_number": "12",
            "locality": "Lyon",
            "region": " ",
        },
        {"address": {"locality": "elsewhere"}, "locality": "Lyon"},
        {"postcode": ABSENT, "address": {"postcode": "69001"}},
    ],
)
def test_addresses_nested_and_flat_in_all_spellings(contact):
    assert reading(an_action(contact=contact)).contact == reading(an_action()).contact


def test_a_number_is_kept_as_its_digits():
    contact = reading(an_action(contact={"postcode": 75001, "address": {"streetNumber": 7}})).contact

    assert (contact.details["postcode"], contact.details["street_number"]) == ("75001", "7")


@pytest.mark.parametrize("value", [None, "", "  ", "\u00a0\n", [], {}])
def test_empty_details_are_none(value):
    assert (
        reading(an_action(contact={"lastName": value})).contact
        == reading(an_action(contact={"lastName": ABSENT})).contact
    )


def test_texts_stay_as_sent():
    contact = reading(an_action(contact={"email": " Anne@Example.org ", "lastName": " ΌΣΟΣ \u200b"})).contact

    assert contact.email == " Anne@Example.org "
    assert contact.details["last_name"] == " ΌΣΟΣ \u200b"


def test_a_detail_that_is_no_text_is_kept_aside():
    contact = reading(an_action(contact={"phone": ["+331", "+332"], "address": "Rue de la Paix 12"})).contact

    assert "phone" not in contact.details
    assert contact.extra == {"phone": ["+331", "+332"], "address": "Rue de la Paix 12"}


def test_contact_keys_that_we_do_not_know_are_extra():
    contact = reading(
        an_action(
            contact={
                "jobTitle": "baker",
                "shoeSize": 42,
                "nothing": None,
                "address": {"floor": 0, "door": ""},
            }
        )
    ).contact

    assert contact.extra == {"jobTitle": "baker", "shoeSize": 42, "address": {"floor": 0}}


def test_of_nationality_only_the_country_is_kept():
    message = an_action(
        contact={
            "nationality": {"country": "IT", "documentType": "passport", "documentNumber": "YA1234567"},
            "documentType": "passport",
            "documentNumber": "YA1234567",
        }
    )

    result = reading(message)

    assert result.contact.extra == {"nationality": {"country": "IT"}}
    assert "YA1234567" not in repr(result)


@pytest.mark.parametrize("nationality", [None, {}, "YA1234567", ["IT"], {"country": None}, {"documentType": "x"}])
def test_nationality_without_a_country_is_dropped(nationality):
    assert reading(an_action(contact={"nationality": nationality})).contact.extra == {}


def test_keys_for_machines_are_no_extra():
    message = an_action(contact={"nonce": None, "publicKey": "x", "signKey": "x", "payload": "", "ref": "other"})

    assert reading(message) == reading(an_action())


@pytest.mark.parametrize("contact", [ABSENT, None])
def test_an_action_without_a_contact_is_an_action(contact):
    assert reading(an_action(contact=contact)).contact == Contact()


@pytest.mark.parametrize("contact", ["x", 1, [], [{}], True])
def test_a_contact_of_another_shape_is_refused(contact):
    assert refusal(an_action(contact=contact)) == ("wrong_type", "contact")


@pytest.mark.parametrize("key", ["email", "contactRef"])
@pytest.mark.parametrize("value", [0, 1, True, False, [], ["a@example.org"], {}])
def test_an_identity_is_never_guessed(key, value):
    assert refusal(an_action(contact={key: value})) == ("wrong_type", f"contact.{key}")


@pytest.mark.parametrize("key", ["email", "contactRef"])
def test_an_identity_ends_at_a_thousand_bytes(key):
    fits, letter = "é" * 500, "é"

    assert isinstance(reading(an_action(contact={key: fits})), Action)
    assert refusal(an_action(contact={key: fits + letter})) == ("too_long", f"contact.{key}")


def test_every_other_text_has_any_length():
    message = an_action(contact={"lastName": "x" * 100_000}, action={"customFields": {"comment": "y" * 1_000_000}})

    assert len(reading(message).contact.details["last_name"]) == 100_000


@pytest.mark.parametrize("payload", ["", "null", "{}", None, {}])
def test_an_empty_payload_of_version_1(payload):
    result = reading(an_action_of_version_1(contact={"payload": payload}))

    assert result.contact.details == {"first_name": "Anne", "area": "FR"}


def test_a_payload_of_version_1_that_is_an_object_already():
    message = an_action_of_version_1()
    message["contact"]["payload"] = {"lastName": "Martin"}

    assert reading(message).contact.details["last_name"] == "Martin"


@pytest.mark.parametrize("payload", ["[]", "x", '"x"', 5, ["x"], "{"])
def test_a_payload_of_version_1_that_is_no_object_is_refused(payload):
    message = an_action_of_version_1(contact={"payload": payload})

    assert refusal(message) == ("bad_personal_info", "contact.payload")


@pytest.mark.parametrize(("sent", "kept"), [(2, 2), ("2", 2), (None, None), ("many", None), (1.5, None), (True, None)])
def test_an_odd_dupe_rank_costs_nothing_but_itself(sent, kept):
    assert reading(an_action(contact={"dupeRank": sent})).dupe_rank == kept


# The rest of an action


def test_both_names_of_the_custom_fields():
    message = an_action(action={"fields": {"a": 1, "b": 1}, "customFields": {"b": 2}})

    assert reading(message).custom_fields == {"a": 1, "b": 2, "comment": "Pour nos enfants"}


@pytest.mark.parametrize("fields", [ABSENT, None, [], "x", 5])
def test_odd_custom_fields_cost_nothing_but_themselves(fields):
    assert reading(an_action(action={"customFields": fields})).custom_fields == {}


def test_values_come_out_exactly_as_they_went_in():
    fields = {"a": 2**53 + 1, "b": BIG, "c": -(10**400), "d": 0.1, "e": [1, "1", True, None], "f": {"g": []}}

    assert reading(an_action(action={"customFields": fields | {"comment": ABSENT}})).custom_fields == fields


@pytest.mark.parametrize("kind", [ABSENT, None, "", [], {}])
def test_an_action_without_a_type(kind):
    assert reading(an_action(action={"actionType": kind})).action_type == ""


def test_a_donation_without_its_payload():
    donation = {
        "payload": {"card": "4242"},
        "amount": 1500,
        "currency": "JPY",
        "frequencyUnit": "monthly",
        "schema": "stripe_payment_intent",
    }

    assert reading(an_action(action={"donation": donation})).donation == {
        "amount": 1500,
        "currency": "JPY",
        "frequency_unit": "monthly",
        "schema": "stripe_payment_intent",
    }


@pytest.mark.parametrize(("sent", "kept"), [("1500", 1500), (15.5, 15.5), (2**70, 2**70), (True, None), ("x", None)])
def test_amounts(sent, kept):
    donation = reading(an_action(action={"donation": {"amount": sent, "currency": "EUR"}})).donation

    assert donation == {"amount": kept, "currency": "EUR", "frequency_unit": None, "schema": None}


@pytest.mark.parametrize("donation", [None, {}, [], "x", {"payload": {}}])
def test_no_donation(donation):
    assert reading(an_action(action={"donation": donation})).donation is None


@pytest.mark.parametrize("tracking", [ABSENT, None, [], "x", 5, {"source": None, "future": "x"}])
def test_no_tracking(tracking):
    message = an_action()
    message["tracking"] = tracking if tracking is not ABSENT else None

    assert reading(message).tracking is None


def test_tracking_keeps_what_is_text_as_it_was_sent():
    message = an_action()
    message["tracking"] = {
        "source": "unknown",
        "medium": " ",
        "campaign": 2026,
        "content": {"a": 1},
        "id": "x",
    }

    assert reading(message).tracking == {"source": "unknown", "medium": " "}


# System messages


def test_a_system_message_is_a_notice_and_never_an_action():
    message = a_system_message()

    assert reading(message) == Notice(
        kind="join_campaign",
        timestamp=times.parse("2026-09-09T12:00:00.123456Z"),
        payload=message,
        places=reading(an_action()).places,
    )


def test_a_system_message_without_places():
    message = a_system_message(
        eventType="new_user",
        campaign=None,
        campaignId=None,
        actionPage=None,
        actionPageId=None,
        org=None,
        orgId=None,
    )

    assert reading(message).places == Places()


def test_a_system_message_with_an_action_id_is_a_notice_all_the_same():
    assert isinstance(reading(a_system_message(actionId=4711)), Notice)


def test_a_system_message_named_only_by_its_action():
    assert reading(a_system_message(eventType=ABSENT)).kind == "join_campaign"
