"""Rules 0, 1 and 8: readers, convergence, one action one row, and the fields of places."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import near, strategies
from .asking import noon, people, person
from .given import edit, mark, message
from .oracle import state
from .reading import read
from .wire import (
    MAY_1,
    MAY_2,
    MAY_3,
    MAY_5,
    an_action,
    an_event,
    campaign_updated,
    system_message,
    v1_action,
)
from .words import UnreadableError, canonical, email_key, ref_key, time_of


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(strategies.items(), strategies.items(shared=True)),
    strategies.policies(),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_repetition_matters(said, policies, random):
    """1: "The stored state depends only on the *set* … any order, any repetition"."""
    again = [*said, random.choice(said)]
    random.shuffle(again)

    assert canonical(state(again, policies=policies)) == canonical(state(said, policies=policies))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(near.near_messages())
def test_whatever_is_broken_in_a_message_it_is_read_or_called_unreadable(body):
    found = state([message(body)])

    try:
        read(body, 1)
    except UnreadableError:
        assert found["supporters"] == []
        assert found["orgs"] == {}


# --- Words and readers


def test_an_email_is_shown_by_its_key():
    """2: "characters of category Cf dropped, NFC, blanks cut, `lower()`, domain in ASCII form"."""
    assert email_key("\ufeffAnn\u200b@Bücher.Example\u00a0") == "ann@xn--bcher-kva.example"
    assert email_key("straße@x.example") != email_key("strasse@x.example")
    assert email_key("a@under_score.example") == "a@under_score.example"


def test_placeholders_are_no_keys():
    """2: "No key, and no value: not exactly one `@` …, a blank inside, or `""`, `null`, …"."""
    assert not any(map(email_key, ("", "null", "a@", "@b", "a@b@c", "a b@c", None, 0)))
    assert not any(map(ref_key, ("", " ", "NULL", "undefined", "None", "0", "a b", None)))
    assert ref_key(" AbC\u200b ") == "AbC"


def test_times_are_cut_to_microseconds():
    assert time_of("2026-05-01T14:00:00.123456789+02:00") == time_of("2026-05-01T12:00:00.123456")
    assert time_of("2026-05-01T24:00:00Z") == time_of("2026-05-02T00:00:00Z")


def test_a_message_without_a_reader_gives_fields_and_nothing_else():
    """0: "`system.…` queues have no reader: they give campaign, page and org fields"."""
    found = state([message(an_action(), None)])

    assert found["supporters"] == []
    assert found["actions"] == {}
    assert found["campaigns"][3]["title"] == "Save the forest"


def test_every_reader_and_every_owner_of_a_page_has_an_org_row():
    """0: "An org row exists for each reader and each `orgId`"."""
    found = state([message(an_action(orgId=7), 2)], policies={2: "double_opt_in"})

    assert found["orgs"] == {
        2: {"name": None, "title": None, "policy": "double_opt_in"},
        7: {"name": "greens", "title": "The Greens", "policy": "opt_in"},
    }


def test_a_campaigner_of_a_system_message_is_no_supporter():
    """8: "`system` messages are never actions", yet they give fields."""
    found = state([message(system_message())])

    assert (found["supporters"], found["actions"]) == ([], {})
    assert found["action_pages"][12]["org"] == 1


def test_u0000_in_an_email_is_quarantine_and_elsewhere_dropped():
    """6: "U+0000 in an email or contactRef (from all other values and keys it is dropped)"."""
    assert people(message(an_action(email="a\0nn@example.org"))) == []
    assert person(message(an_action(firstName="A\0nn")))["first_name"] == "Ann"


# --- One action, one row


def test_the_furthest_stage_counts_and_never_goes_back():
    """8: "`confirm` < `supporter_confirm` < `action_confirm` < any other or none < `deliver`"."""
    confirm = message(an_action(stage="action_confirm", actionType="early", testing=True))
    odd = message(an_action(stage="odd", actionType="odd"))
    deliver = message(an_action(actionType="late"))

    row = state([deliver, odd, confirm])["actions"][1]
    before = state([odd, confirm])["actions"][1]

    assert (row["stage"], row["action_type"], row["testing"]) == ("deliver", "late", False)
    assert before["stage"] == "odd"


def test_within_the_furthest_stage_testing_wins_and_no_consent_wins():
    """8: "`testing` true wins, `opt_in` and `with_consent` false win"."""
    one = message(an_action(testing=True, optIn=True))
    other = message(an_action(optIn=False, withConsent=False), 2)

    row = state([one, other])["actions"][1]

    assert (row["testing"], row["opt_in"], row["with_consent"]) == (True, False, False)


def test_custom_fields_are_joined_key_by_key():
    """8: "the furthest stage's first, an empty value last, never from events"."""
    early = message(an_action(stage="confirm", customFields={"a": "z", "b": "kept", "c": ""}))
    late = message(an_action(customFields={"a": "y", "b": ""}))
    event = message(an_event(actionId=1, customFields={"d": "event"}))

    row = state([early, late, event])["actions"][1]

    assert row["custom_fields"] == {"a": "y", "b": "kept", "c": ""}


def test_numbers_are_compared_as_canonical_json():
    """Words: "all else as canonical JSON … action ids are compared as numbers"."""
    row = state([message(an_action(dupeRank=9)), message(an_action(dupeRank=10), 2)])["actions"][1]

    assert row["dupe_rank"] == 9


def test_an_action_belongs_to_the_contact_with_most_keys():
    """8: "the contact of the furthest-stage message with most keys, then the larger pair"."""
    bare = message(an_action(email="zoe@example.org", contactRef=None))
    full = message(an_action(email="ann@example.org", contactRef="ref-a"), 2)
    early = message(an_action(email="yan@example.org", contactRef="ref-z", stage="confirm"))

    row = state([bare, full, early])["actions"][1]

    assert row["supporter"] == [["ann@example.org", "ref-a"]]


def test_the_donations_payload_is_not_stored():
    donation = {"payload": {"card": 1}, "amount": 1500, "currency": "EUR",
                "frequencyUnit": "monthly"}  # fmt: skip

    row = state([message(an_action(donation=donation))])["actions"][1]

    assert row["donation"] == {"amount": 1500, "currency": "EUR",
                               "frequency_unit": "monthly", "schema": None}  # fmt: skip


def test_version_1_reads_its_own_names():
    """Messages 3: `fields`, `ref`, a JSON text as payload, `communication`."""
    found = state([message(v1_action(fields={"k": 1}, payload={"email": "A@b.c", "city": "Bern"}))])

    (one,) = found["supporters"]
    assert (one["email"], one["contact_refs"], one["locality"]) == ("a@b.c", ["r" * 43], "Bern")
    assert found["actions"][1]["custom_fields"] == {"k": 1}
    assert [entry["kind"] for entry in one["consents"]] == ["opt_in"]


def test_the_newest_field_of_a_campaign_wins_and_empty_never_erases():
    """8: "newest non-empty by the event's `timestamp` or the action's `createdAt`"."""
    old = message(an_action(createdAt=MAY_1))
    update = message(campaign_updated(timestamp=MAY_3, title="New title", orgId=7), 7)
    later = message(an_action(actionId=2, createdAt=MAY_5,
                              campaign={"name": "forest", "title": ""}))  # fmt: skip

    campaign = state([later, update, old])["campaigns"][3]

    assert (campaign["title"], campaign["org"]) == ("New title", 7)
    assert campaign["config"] == {"locales": ["en"]}


def test_an_event_gives_campaign_fields_but_no_owner():
    """8: "`email_status` events give them too. A campaign's org comes from `campaign_updated` only"."""
    event = an_event(timestamp=MAY_2, campaignId=3, campaign={"name": "wood"})

    campaign = state([message(an_action()), message(event)])["campaigns"][3]

    assert (campaign["name"], campaign["org"]) == ("wood", None)


def test_an_action_without_any_key_is_stored_without_a_supporter():
    """2: "the action is stored without a supporter and nothing else of it counts"."""
    found = state([message(an_action(email="null", contactRef=""))])

    assert found["supporters"] == []
    assert found["actions"][1]["supporter"] is None


def test_an_erased_action_keeps_flags_and_amount_and_a_replay_fills_nothing_in():
    """7: "An action with a message that a mark removes is without a person as a whole"."""
    donation = {"amount": 5, "currency": "EUR", "frequencyUnit": "one_off", "schema": "s"}
    first = message(an_action(createdAt=MAY_1, customFields={"comment": "secret"},
                              donation=donation))  # fmt: skip
    replay = message(an_action(createdAt=MAY_5, customFields={"comment": "again"},
                               contactRef="ref-new", email=None))  # fmt: skip

    found = state([first, replay, mark("ann@example.org", at=MAY_3)])

    row = found["actions"][1]
    assert (row["supporter"], row["custom_fields"]) == (None, {})
    assert row["donation"] == {"amount": 5, "currency": "EUR", "frequency_unit": "one_off",
                               "schema": None}  # fmt: skip
    assert (row["stage"], row["created_at"]) == ("deliver", noon(5))
    assert [one["contact_refs"] for one in found["supporters"]] == [["ref-new"]]


def test_counts_leave_out_testing_and_undelivered_actions():
    """3: "over actions that are not testing and whose stage is `deliver`"."""
    one = person(
        message(an_action(createdAt=MAY_2)),
        message(an_action(actionId=2, testing=True)),
        message(an_action(actionId=3, stage="confirm")),
        edit(phone="1"),
    )

    assert (one["action_count"], one["first_action_at"]) == (1, noon(2))
    assert one["actions"] == [1, 2, 3]
