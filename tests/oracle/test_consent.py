"""Rule 4: entries, which `double_opt_in` counts, folds; each test names the sentence it checks."""

import pytest

from .asking import counts, kinds, noon, person, status, subscription
from .given import edit, entry, merge, message
from .wire import (
    MAY_1,
    MAY_2,
    MAY_3,
    MAY_4,
    MAY_5,
    MAY_6,
    REF,
    a_share,
    an_action,
    an_event,
    v1_action,
)

ANN, BOB = "ann@example.org", "bob@example.org"


def sign_up(**overrides) -> dict:
    return message(an_action(**overrides))


def event(kind, at=MAY_3, **overrides) -> dict:
    return message(an_event(emailStatus=kind, timestamp=at, **overrides))


# --- Entries


def test_only_a_delivered_message_with_consent_is_an_opt_in():
    """“a message of stage `deliver`, itself not testing, with `withConsent: true` and `optIn`”."""
    assert kinds(person(sign_up())) == ["opt_in"]
    assert kinds(person(sign_up(optIn=False))) == ["opt_out"]
    assert kinds(person(message(v1_action()))) == ["opt_in"]
    for none in (
        sign_up(stage="supporter_confirm"),
        sign_up(testing=True),
        sign_up(optIn=None),
        sign_up(privacy={}),
        message(a_share(optIn=True)),
        message(v1_action(privacy=None)),
    ):
        assert kinds(person(none)) == []


def test_where_messages_of_one_action_and_reader_say_both_only_opt_out():
    """“Where messages of one (action, reader) say both …, only `opt_out`”."""
    yes, no = an_action(optIn=True, givenAt=MAY_3), an_action(optIn=False, givenAt=MAY_1)

    one = person(message(yes), message(no), message(yes, 2))

    found = sorted((row["org"], row["kind"]) for row in one["consents"])
    assert found == [(1, "opt_out"), (2, "opt_in")]


def test_a_stop_in_an_action_falls_back_to_the_later_of_its_times():
    """“in an action, for a stop the later of `givenAt` and `createdAt`, for a `double_opt_in` `givenAt`”."""
    times = {"createdAt": MAY_3, "givenAt": MAY_1, "optIn": None}

    stop = person(sign_up(emailStatus="unsub", **times))
    click = person(sign_up(emailStatus="doubleOptIn", **times))

    assert [row["occurred_at"] for row in stop["consents"]] == [noon(3)]
    assert [row["occurred_at"] for row in click["consents"]] == [noon(1)]


def test_testing_and_undelivered_messages_give_stops_only():
    """“A message that is itself testing … or of a stage before `deliver` gives stops only”."""
    for early in ({"testing": True}, {"stage": "confirm"}, {"stage": "odd"}):
        assert kinds(person(sign_up(emailStatus="double_opt_in", **early))) == []
        assert kinds(person(sign_up(emailStatus="bounce", **early))) == ["bounce"]
    assert kinds(person(event("double_opt_in", actionId=1, testing=True))) == []


def test_the_same_entry_from_many_is_one_with_the_smallest_action():
    """“One for each (supporter, org, kind, occurred_at, email) …; `action_id` the smallest known”."""
    one = person(
        sign_up(optIn=None),
        event("unsub", actionId=10),
        event("unsub", actionId=9),
        event("unsub"),
        entry("unsub", at=MAY_3, email=ANN, source="crm", destination="b", note="n"),
        entry("unsub", at=MAY_3, email=ANN, source="api", destination="a"),
    )

    (row,) = one["consents"]
    assert (row["action_id"], row["source"]) == (9, "proca")
    assert (row["destination"], row["note"]) == ("a", "n")


def test_a_null_or_unknown_status_is_no_entry():
    """“A null or absent status is no news"; "an unknown word is noted, no entry”."""
    for word in (None, "none", "active", "snoozed"):
        assert kinds(person(event(word))) == []


# --- Which double_opt_in counts


def test_a_click_counts_where_its_action_was_on_the_readers_own_page():
    """“where an action it names was on the reader's own page (that action's `orgId` is the reader)”."""
    own, partners = sign_up(orgId=1, optIn=False), sign_up(orgId=2, optIn=True)
    click = event("double_opt_in", actionId=1, optIn=True)

    assert counts(own, click) == [True]
    assert counts(partners, click) == [False]


def test_a_click_for_an_unknown_action_counts_with_opt_in_and_is_decided_again():
    """“its message says `optIn: true` and the action it names is unknown … What arrives later decides”."""
    click = event("double_opt_in", actionId=1, optIn=True)
    refused = event("double_opt_in", actionId=1, optIn=False)

    assert counts(click) == [True]
    assert counts(refused) == [False]
    assert counts(click, message(an_action(stage="confirm", orgId=2, email=None), 2)) == [False]


def test_a_click_that_names_no_action_counts_where_all_came_by_own_pages():
    """“it names none and all the person's delivered actions … were on the reader's own pages”."""
    click = event("double_opt_in", at=MAY_3)
    own = sign_up(orgId=1, createdAt=MAY_1, optIn=False)
    partners = {"actionId": 2, "orgId": 2, "optIn": False}

    assert counts(click) == [False]
    assert counts(own, click) == [True]
    assert counts(own, click, sign_up(**partners, createdAt=MAY_2)) == [False]
    assert counts(own, click, sign_up(**partners, createdAt=MAY_4)) == [True]
    assert counts(own, click, sign_up(**partners, createdAt=MAY_2, testing=True)) == [True]
    read_by_other = message(an_action(**partners, createdAt=MAY_2), 2)
    assert counts(own, click, read_by_other) == [True]


def test_of_several_messages_one_that_counts_suffices():
    """“Of several messages that report it, one that counts suffices”."""
    partners = sign_up(orgId=2, optIn=False)

    assert counts(partners, event("double_opt_in", actionId=1), event("double_opt_in", optIn=True)) == [True]


def test_a_click_in_a_partners_mail_does_not_subscribe_who_said_no():
    """“Every other one only *confirms*: `pending` becomes `subscribed`, nothing more”."""
    refused = sign_up(orgId=2, optIn=False)
    click = event("double_opt_in", actionId=1, optIn=False)

    assert status(refused, click) == "none"
    assert status(sign_up(orgId=2), click, policy="double_opt_in") == "subscribed"
    assert status(sign_up(orgId=2), event("unsub", at=MAY_2), click) == "unsubscribed"


def test_what_people_add_counts_for_an_organisation_and_confirms_without_one():
    """“One that people add for an organisation counts"; without one it "confirms pending ones”."""
    stopped = [sign_up(), event("unsub", at=MAY_2)]

    assert status(*stopped, entry("double_opt_in", at=MAY_3, org=1)) == "subscribed"
    assert status(*stopped, entry("double_opt_in", at=MAY_3, org=None)) == "unsubscribed"
    confirmed = entry("double_opt_in", at=MAY_3, org=None)
    assert status(sign_up(), confirmed, policy="double_opt_in") == "subscribed"


# --- Folds


def test_a_complaint_outlives_a_new_opt_in_and_ends_by_a_click_that_counts():
    """“*Complaint*: set by `spam`, cleared only by a later `double_opt_in` that counts”."""
    said = [sign_up(), event("spam", at=MAY_2), sign_up(actionId=2, createdAt=MAY_3)]

    assert status(*said) == "complained"
    assert status(*said, event("double_opt_in", at=MAY_4)) == "subscribed"
    assert status(*said, event("double_opt_in", at=MAY_2)) == "complained"


def test_an_opt_in_after_an_unsub_subscribes_again_and_an_opt_out_changes_nothing():
    """“`unsub` → `unsubscribed`; `opt_out` changes nothing”."""
    said = [sign_up(), event("unsub", at=MAY_2)]

    assert status(*said, sign_up(actionId=2, createdAt=MAY_3)) == "subscribed"
    assert status(sign_up(), sign_up(actionId=2, createdAt=MAY_3, optIn=False)) == "subscribed"


def test_equal_times_let_the_stop_win():
    """“equal times: `opt_out`, `opt_in`, `double_opt_in`, `bounce`, … `unsub`, `spam`”."""
    assert status(sign_up(createdAt=MAY_3), event("unsub", at=MAY_3)) == "unsubscribed"
    assert status(sign_up(createdAt=MAY_3), event("double_opt_in", at=MAY_3), policy="double_opt_in") == "subscribed"


def test_under_double_opt_in_a_subscribed_person_stays_so():
    """“`pending` (policy `double_opt_in`; who is `subscribed` stays so)”."""
    said = [sign_up(), event("double_opt_in", at=MAY_2), sign_up(actionId=2, createdAt=MAY_3)]

    assert status(said[0], policy="double_opt_in") == "pending"
    assert status(*said, policy="double_opt_in") == "subscribed"
    assert status(*said, event("unsub", at=MAY_2), policy="double_opt_in") == "pending"


def test_a_bounce_is_cleared_for_its_own_address_only():
    """“cleared by a later `opt_in` … or `double_opt_in` that counts, for it”."""
    said = [sign_up(), event("bounce", at=MAY_2)]
    other = sign_up(actionId=2, email=BOB, createdAt=MAY_3)

    assert status(*said) == "bounced"
    assert status(*said, sign_up(actionId=2, createdAt=MAY_3)) == "subscribed"
    assert status(*said, other) == "subscribed"
    assert subscription(*said, other)["email"] == BOB


def test_a_bounce_without_an_email_hits_every_address_until_a_clearing():
    """“Without an email such a stop hits every address, until a clearing of the mailed one”."""
    said = [sign_up(), event("blocked", at=MAY_2, email=None)]

    assert status(*said) == "blocked"
    assert status(*said, sign_up(actionId=2, createdAt=MAY_3, email=None)) == "subscribed"
    assert status(*said, sign_up(actionId=2, createdAt=MAY_3)) == "subscribed"


def test_of_two_address_stops_the_later_one_shows():
    """A stop of the address and one of the person are both in force: the newest word shows."""
    general = event("blocked", at=MAY_2, email=None)

    assert status(sign_up(), general, event("bounce", at=MAY_3)) == "bounced"
    assert status(sign_up(), general, event("bounce", at=MAY_1)) == "blocked"


def test_a_clearing_without_an_email_lifts_nothing_of_an_address():
    """“a clearing without an email lifts nothing else”."""
    again = sign_up(actionId=2, createdAt=MAY_3, email=None)

    assert status(sign_up(), event("bounce", at=MAY_2), again) == "bounced"


def test_the_mailed_address_is_that_of_the_newest_consent():
    """“that of its newest entry that names one and gave consent …; **No other address is mailed.**”."""
    said = [sign_up(), edit(email=BOB, at=MAY_4), sign_up(actionId=2, createdAt=MAY_3, email=None)]

    assert subscription(*said)["email"] == ANN
    assert person(*said)["email"] == BOB


def test_of_two_consents_at_one_time_the_larger_address_is_mailed():
    """“at equal times the larger”."""
    said = [sign_up(email="zoe@example.org"), sign_up(actionId=2)]

    assert subscription(*said)["email"] == "zoe@example.org"


def test_without_a_consent_that_names_an_address_an_event_gives_none():
    """“the supporter's, if an edit or an action message … gave it (an event does not), else null”."""
    by_event = [sign_up(email=None), event("unsub", at=MAY_2)]

    assert subscription(*by_event)["email"] is None
    assert subscription(*by_event, edit(REF, email=ANN))["email"] == ANN
    assert subscription(sign_up(optIn=None))["email"] == ANN
    assert subscription(sign_up(optIn=None), policy="double_opt_in")["email"] == ANN


def test_a_click_that_made_pending_subscribed_gives_the_address():
    """“or a `double_opt_in` that counts or made `pending` `subscribed`”."""
    said = [sign_up(orgId=2), event("double_opt_in", at=MAY_2, email=BOB, actionId=1)]

    assert subscription(*said, policy="double_opt_in")["email"] == BOB
    assert subscription(*said, policy="opt_in")["email"] == ANN


def test_status_changed_at_is_when_the_status_shown_became_and_stayed():
    """“those of the entry after which the status shown … became and stayed what it is; null for `none`”."""
    said = [
        sign_up(),
        event("unsub", at=MAY_2),
        entry("unsub", at=MAY_3),
        event("bounce", at=MAY_4),
    ]

    row = subscription(*said)
    none = subscription(sign_up(optIn=False))

    assert (row["status"], row["status_changed_at"], row["source"]) == ("unsubscribed", noon(2), "proca")
    assert (none["status"], none["status_changed_at"], none["source"]) == ("none", None, None)


def test_the_strictest_shows_and_what_it_hid_comes_back():
    """“Status: `complained`, else `unsubscribed`, else `bounced` or `blocked` …, else the will”."""
    said = [sign_up(), event("bounce", at=MAY_2), event("spam", at=MAY_3)]
    click = event("double_opt_in", at=MAY_5, email=None, optIn=True)

    row = subscription(*said, click)

    assert (row["status"], row["status_changed_at"]) == ("bounced", noon(5))


# --- Which subscriptions exist


def test_a_testing_action_makes_no_subscription_but_a_stop_does():
    """“that a message of an action, itself not testing, or an entry, speaks of”."""
    assert person(sign_up(testing=True))["subscriptions"] == []
    assert person(event(None))["subscriptions"] == []
    assert status(sign_up(testing=True, emailStatus="unsub")) == "unsubscribed"


def test_a_stop_without_an_organisation_applies_to_every_subscription_and_makes_none():
    """“a stop applies to every subscription the person has, now or later, … and neither creates any”."""
    stop = entry("unsub", org=None, at=MAY_3)
    both = [sign_up(), message(an_action(), 2)]

    one = person(stop, *both)
    bare = person(stop, event(None))

    assert [row["status"] for row in one["subscriptions"]] == ["unsubscribed", "unsubscribed"]
    assert (kinds(bare), bare["subscriptions"]) == (["unsub"], [])


def test_a_stop_for_a_key_nobody_has_waits_for_the_person():
    """“counts once the person appears; it creates no supporter”."""
    stop = entry("unsub", BOB, at=MAY_3)

    assert person(stop, sign_up())["subscriptions"][0]["status"] == "subscribed"
    assert status(stop, sign_up(email=BOB)) == "unsubscribed"


def test_a_merge_brings_a_stop_along():
    """2: "they merge: nothing of either is lost"."""
    said = [sign_up(), sign_up(actionId=2, email=BOB, contactRef="ref-b", createdAt=MAY_1)]
    stop = entry("unsub", BOB, at=MAY_6)

    assert status(*said, stop, merge((ANN, REF), (BOB, "ref-b"))) == "unsubscribed"


@pytest.mark.parametrize("kind", ["bounce", "blocked", "inactive", "unsub", "spam"])
def test_every_stop_stops(kind):
    """Words: "*Stop*: `bounce`, `blocked`, `inactive`, `unsub`, `spam`"."""
    assert status(sign_up(), event(kind)) not in ("subscribed", "pending", "none")
