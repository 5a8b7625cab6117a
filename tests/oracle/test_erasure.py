"""Rule 7: how far a mark reaches and what is left; each test names the sentence that it checks."""

from .asking import kinds, noon, people, person, subscription
from .given import edit, entry, mark, merge, message, shared, undo
from .oracle import state
from .wire import MAY_1, MAY_2, MAY_3, MAY_4, MAY_5, MAY_6, an_action, an_event, v1_action

ANN, BOB = "ann@example.org", "bob@example.org"


def sign_up(action_id=1, email=ANN, ref="ref-a", at=MAY_1, **overrides) -> dict:
    return message(an_action(actionId=action_id, email=email, contactRef=ref, createdAt=at, **overrides))


def event(kind, at=MAY_6, email=ANN, ref="ref-a", **overrides) -> dict:
    return message(an_event(emailStatus=kind, timestamp=at, email=email, contactRef=ref, **overrides))


def test_what_is_at_or_before_the_mark_is_gone_and_what_is_newer_makes_a_new_supporter():
    """“Everything of the person whose own time … is at or before T … is gone”."""
    old = sign_up(1, at=MAY_3, phone="1", postcode="1000")
    new = sign_up(2, at=MAY_4)

    assert people(old, mark(ANN, at=MAY_3)) == []
    one = person(old, new, mark(ANN, at=MAY_3))
    assert (one["phone"], one["postcode"], one["actions"]) == (None, None, [2])
    assert [row["occurred_at"] for row in one["consents"]] == [noon(4)]


def test_undated_details_about_a_marked_key_are_gone():
    """“or unknown, is gone”."""
    undated = message(v1_action(privacy=None, createdAt=MAY_6))

    assert people(undated, mark(ANN, at=MAY_1)) == []


def test_a_removed_message_passes_the_mark_on():
    """“A message whose details a mark removes passes it on to its other keys”."""
    said = [sign_up(1, ANN, "ref-a"), sign_up(2, BOB, "ref-a", at=MAY_2), sign_up(3, BOB, None)]

    assert people(*said, mark(ANN, at=MAY_3)) == []


def test_a_newer_message_does_not_pass_the_mark_on():
    """“a message newer than T does not”."""
    newer = sign_up(1, ANN, "ref-b", at=MAY_4)
    others = sign_up(2, BOB, "ref-b", at=MAY_1, phone="1")

    one = person(newer, others, mark(ANN, at=MAY_3))

    assert (one["phone"], one["actions"]) == ("1", [1, 2])


def test_an_edit_of_the_email_passes_the_mark_on_when_it_is_old_enough():
    """“so do an edit of the email at or before T …”."""
    said = [sign_up(1, BOB, None, at=MAY_1)]

    assert people(*said, edit(ANN, at=MAY_2, email=BOB), mark(ANN, at=MAY_3)) == []
    one = person(*said, edit(ANN, at=MAY_4, email=BOB), mark(ANN, at=MAY_3))
    assert one["actions"] == [1]


def test_a_merge_by_hand_in_force_passes_the_mark_on_and_an_undone_one_does_not():
    """“… and a merge by hand in force at T”."""
    said = [sign_up(1, ANN, None), sign_up(2, BOB, None)]
    pair = ((ANN, None), (BOB, None))

    assert people(*said, merge(*pair, at=MAY_2), mark(ANN, at=MAY_3)) == []
    undone = person(*said, merge(*pair, at=MAY_1), undo(*pair, at=MAY_2), mark(ANN, at=MAY_3))
    assert undone["email"] == BOB
    assert people(*said, merge(*pair, at=MAY_2), undo(*pair, at=MAY_4), mark(ANN, at=MAY_3)) == []


def test_keys_that_a_mark_has_reached_stay_one_group():
    """“Keys that a mark has reached stay one group (hashes): a later mark on one reaches all”."""
    first = mark(ANN, "ref-a", at=MAY_2)
    again = sign_up(2, None, "ref-a", at=MAY_3)

    assert people(first, again, mark(ANN, at=MAY_4)) == []
    assert person(first, again, mark("ref-x", at=MAY_4))["actions"] == [2]
    assert person(again, mark(ANN, at=MAY_4))["actions"] == [2]


def test_a_group_outlives_the_undo_of_the_merge_that_made_it():
    """“Keys that a mark has reached stay one group”."""
    pair = ((ANN, None), (BOB, None))
    said = [sign_up(1, ANN, None), sign_up(2, BOB, None), merge(*pair, at=MAY_1)]
    undone = [undo(*pair, at=MAY_3), sign_up(3, BOB, None, at=MAY_4)]

    assert people(*said, *undone, mark(ANN, at=MAY_2), mark(ANN, at=MAY_5)) == []
    assert person(*said, *undone, mark(ANN, at=MAY_5))["actions"] == [2, 3]


def test_what_a_mark_removes_links_nobody():
    """“What a mark removes links nobody; who is made again is made of what is left”."""
    linking = sign_up(1, ANN, "ref-a", at=MAY_1)
    said = [sign_up(2, ANN, None, at=MAY_4), sign_up(3, None, "ref-a", at=MAY_4)]

    assert len(people(linking, *said)) == 1
    assert len(people(linking, *said, mark(ANN, at=MAY_2))) == 2


def test_only_a_message_of_an_action_makes_a_supporter_again():
    """“About a marked key an event gives entries only, no details and no key”."""
    said = [sign_up(), mark(ANN, "ref-a", at=MAY_2)]
    late = event("unsub", at=MAY_5, givenAt=MAY_5, lastName="Late")

    assert people(*said, late) == []
    one = person(*said, late, sign_up(2, ANN, None, at=MAY_4))
    assert (one["last_name"], one["contact_refs"], kinds(one)) == (None, [], ["opt_in", "unsub"])


def test_an_event_about_a_marked_key_goes_by_contact_ref_first():
    """“count for the supporter, made again or never erased, who has its contactRef, else its email”."""
    said = [sign_up(1, ANN, None), mark(ANN, at=MAY_2), sign_up(2, ANN, None, at=MAY_3)]
    other = sign_up(3, BOB, "ref-b", at=MAY_3)
    late = event("unsub", at=MAY_5, email=ANN, ref="ref-b")

    found = {one["email"]: kinds(one) for one in people(*said, other, late)}

    assert found == {ANN: ["opt_in"], BOB: ["opt_in", "unsub"]}


def test_a_bounce_of_an_address_that_is_not_theirs_hits_nothing():
    """“else it shows null and speaks of an address that is not theirs: a bounce of it hits nothing”."""
    said = [sign_up(1, ANN, None), mark(ANN, at=MAY_2), sign_up(3, BOB, "ref-b", at=MAY_3)]

    one = person(*said, event("bounce", at=MAY_5, email=ANN, ref="ref-b"))

    assert [(row["kind"], row["email"]) for row in one["consents"]] == [
        ("opt_in", BOB),
        ("bounce", None),
    ]
    assert one["subscriptions"][0]["status"] == "subscribed"


def test_the_mark_remembers_a_complaint_even_a_lifted_one():
    """“it counts as a `spam` at T that is no entry (`status_changed_at` T, `source` null)”."""
    said = [
        sign_up(),
        event("spam", at=MAY_1),
        event("double_opt_in", at=MAY_2, optIn=True),
        mark(ANN, at=MAY_3),
        sign_up(2, ANN, None, at=MAY_4),
    ]

    row = subscription(*said)

    assert (row["status"], row["status_changed_at"], row["source"]) == ("complained", noon(3), None)
    assert kinds(person(*said)) == ["opt_in"]
    click = event("double_opt_in", at=MAY_5, optIn=True)
    assert subscription(*said, click)["status"] == "subscribed"


def test_the_memory_of_a_complaint_makes_no_subscription():
    """“a `spam` at T that is no entry” – and only an entry makes a subscription."""
    said = [message(an_event(emailStatus="spam", timestamp=MAY_1), 2), mark(ANN, at=MAY_3)]

    one = person(*said, sign_up(2, at=MAY_4))

    assert [row["org"] for row in one["subscriptions"]] == [1]


def test_a_stop_by_hand_newer_than_the_mark_waits_and_an_older_one_is_gone():
    """“entries: `occurred_at`”."""
    said = [sign_up(), mark(ANN, at=MAY_3), sign_up(2, at=MAY_4)]

    assert kinds(person(*said, entry("unsub", at=MAY_2))) == ["opt_in"]
    assert subscription(*said, entry("unsub", at=MAY_5))["status"] == "unsubscribed"


def test_a_mark_on_somebody_with_a_ref_is_not_on_the_shared_email():
    """“a mark on somebody with a contactRef is not on it”."""
    both = [sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b"), shared(ANN, at=MAY_1)]

    one = person(*both, mark(ANN, "ref-a", at=MAY_3))

    assert (one["email"], one["contact_refs"]) == (ANN, ["ref-b"])


def test_a_mark_by_a_shared_email_alone_reaches_only_what_has_no_ref():
    """“one given by such an email alone reaches only what has no contactRef”."""
    said = [sign_up(1, ANN, "ref-a"), sign_up(2, ANN, None), shared(ANN, at=MAY_1)]

    found = state([*said, mark(ANN, at=MAY_3)])

    assert [one["contact_refs"] for one in found["supporters"]] == [["ref-a"]]
    alone = state([said[1], said[2], mark(ANN, at=MAY_3)])
    assert alone["supporters"] == []


def test_sharing_said_after_the_mark_does_not_change_the_marks_reach():
    """“An email shared *at T* … whatever is said of it later”."""
    both = [sign_up(1, ANN, "ref-a"), sign_up(2, ANN, "ref-b")]

    assert people(*both, mark(ANN, "ref-a", at=MAY_3), shared(ANN, at=MAY_4)) == []


def test_a_stop_of_a_shared_email_alone_survives_the_mark():
    """“a stop that names only that email is not removed by it: it waits … for whoever has it”."""
    stop = event("unsub", at=MAY_2, email=ANN, ref=None)
    said = [stop, shared(ANN, at=MAY_1), mark(ANN, at=MAY_3)]

    assert people(*said) == []
    assert subscription(*said, sign_up(1, ANN, "ref-a"))["status"] == "unsubscribed"


def test_an_edit_never_passes_a_mark_from_an_email_shared_then():
    """“An edit never passes a mark to or from an email shared at T”."""
    said = [sign_up(1, BOB, None), edit(ANN, at=MAY_2, email=BOB), shared(ANN, at=MAY_1)]

    assert person(*said, mark(ANN, at=MAY_3))["email"] == BOB


def test_the_opt_in_of_a_contradicted_action_counts_once_the_contradiction_is_removed():
    """4: "(entries that a mark removes aside)"."""
    refused = sign_up(1, ANN, "ref-a", at=MAY_1, optIn=False)
    given = sign_up(1, BOB, "ref-b", at=MAY_4)

    one = person(refused, given, mark(ANN, at=MAY_2))

    assert (kinds(one), one["actions"]) == (["opt_in"], [])


def test_an_erased_action_is_still_known():
    """4: "An action is known once any message of it was stored, whatever its … erasure"."""
    partners = sign_up(1, ANN, "ref-a", orgId=2)
    click = event("double_opt_in", at=MAY_5, email=BOB, ref=None, actionId=1, optIn=True)

    found = person(partners, mark(ANN, at=MAY_3), click)

    assert [row["counts"] for row in found["consents"]] == [False]
