"""Rule 2: who is the same person, merges by hand, shared emails; each test names its sentence."""

from .asking import by_email, kinds, people, person
from .given import edit, entry, merge, message, shared, undo
from .oracle import state
from .wire import MAY_1, MAY_2, MAY_3, MAY_4, an_action, an_event

ANN, BOB, CID = "ann@example.org", "bob@example.org", "cid@example.org"


def sign_up(action_id, email, ref, **overrides) -> dict:
    return message(an_action(actionId=action_id, email=email, contactRef=ref, **overrides))


def test_an_equal_key_links_through_any_chain():
    """“connected components of contacts linked by an equal email key or an equal contactRef”."""
    one = person(sign_up(1, ANN, "ref-a"), sign_up(2, BOB, "ref-b"), sign_up(3, ANN, "ref-b"))

    assert one["contact_refs"] == ["ref-a", "ref-b"]
    assert {one["email"], *one["other_emails"]} == {ANN, BOB}


def test_an_action_id_links_nobody():
    """“An action id links nobody”."""
    assert len(people(sign_up(1, ANN, "ref-a"), sign_up(1, BOB, "ref-b"))) == 2


def test_an_event_about_a_stranger_creates_the_supporter():
    """4: "An event about a person we do not know creates the supporter"."""
    one = person(message(an_event(emailStatus="bounce")))

    assert (one["email"], one["action_count"], kinds(one)) == (ANN, 0, ["bounce"])


def test_an_edit_of_the_email_adds_a_key():
    """“PATCH `email` adds a key (the old one stays a key)”."""
    one = person(sign_up(1, ANN, "ref-a"), edit(ANN, email=BOB), sign_up(2, BOB, None))

    assert (one["email"], one["other_emails"], one["action_count"]) == (BOB, [ANN], 2)


def test_a_merge_by_hand_holds_whatever_arrives_later():
    """“it is kept like a message and holds whatever arrives before or after”."""
    one = person(
        merge((ANN, "ref-a"), (BOB, "ref-b"), at=MAY_2),
        sign_up(1, ANN, "ref-a"),
        sign_up(2, BOB, "ref-b"),
        sign_up(3, None, "ref-b"),
    )

    assert one["action_count"] == 3


def test_an_undo_at_equal_time_counts_and_a_later_merge_counts_again():
    """“for each such pair the newest counts, the undo at equal time”."""
    both = [sign_up(1, ANN, "ref-a"), sign_up(2, BOB, "ref-b")]
    pair = ((ANN, "ref-a"), (BOB, "ref-b"))

    assert len(people(*both, merge(*pair, at=MAY_2), undo(*pair, at=MAY_2))) == 2
    assert len(people(*both, merge(*pair, at=MAY_3), undo(*reversed(pair), at=MAY_2))) == 1


def test_an_undo_never_takes_back_what_a_message_links():
    """“and never takes back what a message links”."""
    pair = ((ANN, "ref-a"), (ANN, "ref-b"))

    assert person(sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b"), undo(*pair, at=MAY_4))


def test_a_shared_email_links_nobody():
    """“A *shared email* (an operator says so) links nobody; contactRef does”."""
    found = people(sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b"), sign_up(3, BOB, "ref-b"), shared(ANN))

    assert sorted(one["contact_refs"] for one in found) == [["ref-a"], ["ref-b"]]
    assert by_email(found)[BOB]["other_emails"] == [ANN]


def test_shared_wins_over_not_shared_at_equal_time():
    """“The newest of shared and not shared counts, shared at equal time”."""
    both = [sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b"), shared(ANN, at=MAY_2)]

    assert len(people(*both, shared(ANN, at=MAY_2, shared=False))) == 2
    assert len(people(*both, shared(ANN, at=MAY_3, shared=False))) == 1


def test_messages_that_name_only_a_shared_email_make_one_supporter_when_nobody_else_has_it():
    """“speaks of one supporter for all of these, who exists exactly when nobody else has that email”."""
    alone = [sign_up(1, ANN, None), sign_up(2, ANN, None), shared(ANN)]

    assert person(*alone)["action_count"] == 2

    found = state([*alone, sign_up(3, ANN, "ref-a")])
    assert [one["actions"] for one in found["supporters"]] == [[3]]
    assert found["actions"][1]["supporter"] is None


def test_consent_by_a_shared_email_alone_counts_for_nobody():
    """“otherwise its action is stored without a supporter, and its details and consent count for nobody”."""
    one = person(
        sign_up(1, ANN, "ref-a", optIn=False),
        sign_up(2, ANN, None, firstName="Other", createdAt=MAY_2),
        shared(ANN),
    )

    assert (one["first_name"], kinds(one)) == ("Ann", ["opt_out"])


def test_a_stop_of_a_shared_email_speaks_of_everybody_who_has_it():
    """“stops … that name only the email, speak of everybody who has it”."""
    both = [sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b"), shared(ANN)]
    stop = message(an_event(email=ANN, contactRef=None, emailStatus="unsub"))

    found = people(*both, stop)

    assert [one["subscriptions"][0]["status"] for one in found] == ["unsubscribed"] * 2


def test_a_bounce_of_a_shared_email_speaks_of_everybody_but_an_unsub_with_a_ref_of_one():
    """“`bounce`, `blocked` and `inactive` of it … speak of everybody who has it”."""
    both = [sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b"), shared(ANN)]

    bounce = message(an_event(email=ANN, contactRef="ref-a", emailStatus="bounce"))
    unsub = message(an_event(email=ANN, contactRef="ref-a", emailStatus="unsub"))

    assert [kinds(one) for one in people(*both, bounce)] == [["bounce", "opt_in"]] * 2
    assert sorted(kinds(one) for one in people(*both, unsub)) == [["opt_in"], ["opt_in", "unsub"]]


def test_an_entry_by_hand_on_a_shared_email_speaks_of_everybody():
    """“entries that people or CRMs add, that name only the email, speak of everybody who has it”."""
    found = people(sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b"), shared(ANN), entry("unsub", ANN, at=MAY_3))

    assert [one["subscriptions"][0]["status"] for one in found] == ["unsubscribed"] * 2


def test_a_merge_of_a_contact_that_is_not_there_links_nobody():
    """A merge by hand links contacts; it makes no person and no key of its own."""
    found = people(sign_up(1, ANN, "ref-a"), sign_up(2, BOB, "ref-b"),
                   merge((ANN, "ref-a"), (CID, None), at=MAY_1))  # fmt: skip

    assert [one["other_emails"] for one in found] == [[], []]
