"""What people, CRMs and the API ask for: edits, reports, merges by hand and their undo, shared emails, erasures."""

import json

import pytest

from sync.models import (
    Action,
    Consent,
    Contact,
    FormerSupporter,
    Notice,
    QuarantinedMessage,
    SharedEmail,
    Subscription,
    Supporter,
)
from sync.proca import messages
from sync.proca.times import parse
from sync.rules import facts
from sync.rules.identity import email_key, ref_key
from sync.store import asked
from sync.store.arrivals import Arrival, Unstorable
from sync.store.asked import Said
from sync.store.whom import NotPossible
from sync.store.write import write
from sync.terms import Source, Verdict
from tests.builders import KEYS, a_system_message, an_action, an_email_status, changed
from tests.rules.fold import NOW

API = Said(source=Source.API)
CREATED = "2026-09-12T14:21:53Z"


@pytest.fixture(autouse=True)
def empty(store_database):
    store_database.empty()


def store(*bodies, reader=7):
    read = [messages.read(json.dumps(body).encode(), KEYS, now=NOW) for body in bodies]
    return write([Arrival(facts=facts.of_message(message, reader)) for message in read])


def somebody(email="ann@example.org", ref="ref-ann", number=1, **changes):
    """Store an action of somebody and return the supporter's id."""
    body = changed(an_action(actionId=number, contact={"email": email, "contactRef": ref}), changes)
    store(body)
    contact = Contact.objects.get(email=email_key(email), ref=ref_key(ref))
    return contact.supporter_id


def codes(call, *arguments, **named):
    with pytest.raises(NotPossible) as caught:
        call(*arguments, **named)
    return caught.value.code, caught.value.field


# Edits.


def test_an_edit_shows_and_nothing_older_undoes_it():
    ann = somebody()

    assert asked.edit(ann, {"first_name": "Anna", "phone": None})
    store(changed(an_action(actionId=1), {"contact": {"email": "ann@example.org", "contactRef": "ref-ann"}}))

    shown = Supporter.objects.get(pk=ann)
    assert (shown.first_name, shown.phone) == ("Anna", None)


def test_an_edited_email_is_added_and_the_old_one_still_finds_the_person():
    ann = somebody()

    asked.edit(ann, {"email": " Anna@Example.org "})
    store(an_email_status(status="bounce", supporter={"contact": {"email": "ann@example.org", "contactRef": None}}))

    shown = Supporter.objects.get()
    assert (shown.pk, shown.email, shown.other_emails) == (ann, "anna@example.org", ["ann@example.org"])


def test_an_email_of_somebody_else_is_refused():
    ann, bob = somebody(), somebody("bob@example.org", "ref-bob", 2)

    assert codes(asked.edit, bob, {"email": "ann@example.org"}) == ("taken", "email")
    assert codes(asked.edit, ann, {"email": None}) == ("required", "email")
    assert codes(asked.edit, ann, {"email": "nobody"}) == ("invalid", "email")
    assert codes(asked.edit, ann, {"language": "fr"}) == ("unknown", "language")
    assert codes(asked.edit, ann, {"first_name": 7}) == ("invalid", "first_name")
    assert codes(asked.edit, ann + bob, {"first_name": "X"}) == ("nobody", "")


def test_an_edited_street_is_hidden_once_another_postcode_comes():
    ann = somebody()
    asked.edit(ann, {"street": "Oak 1"})

    later = an_action(actionId=2, action={"createdAt": "2026-11-24T00:00:00Z"})
    asked_after = changed(later, {"contact": {"email": "ann@example.org", "contactRef": "ref-ann"}})
    assert Supporter.objects.get(pk=ann).street == "Oak 1"
    asked.edit(ann, {"postcode": "75001"})

    assert store(asked_after) == [Verdict.STORED]
    assert (Supporter.objects.get(pk=ann).postcode, Supporter.objects.get(pk=ann).street) == ("75001", None)


# Reports.


def test_a_reported_status_is_an_entry_and_holds():
    ann = somebody(privacy={"optIn": True, "withConsent": True})
    subscription = Subscription.objects.get()
    assert subscription.status == "subscribed"

    first = asked.set_status(subscription.pk, "unsubscribed", said=API, at=parse("2026-10-01T00:00:00Z"))
    again = asked.set_status(subscription.pk, "unsubscribed", said=API, at=parse("2026-10-01T00:00:00Z"))

    entry = Consent.objects.get(pk=first.consent)
    assert (entry.kind, entry.email, entry.source, entry.supporter_id) == ("unsub", None, "api", ann)
    assert (first.is_new, again.is_new, again.consent) == (True, False, first.consent)
    assert Subscription.objects.get().status == "unsubscribed"


def test_whom_to_subscribe_again_needs_a_reason():
    somebody(privacy={"optIn": True, "withConsent": True})
    subscription = Subscription.objects.get()
    asked.set_status(subscription.pk, "unsubscribed", said=API)

    assert codes(asked.set_status, subscription.pk, "subscribed", said=API) == ("required", "reason")
    asked.set_status(subscription.pk, "subscribed", said=Said(source=Source.API, note="asked by phone"))

    subscription.refresh_from_db()
    assert (subscription.status, subscription.email) == ("subscribed", "ann@example.org")


def test_a_time_in_the_future_is_refused():
    ann = somebody()
    ahead = parse("2099-01-01T00:00:00Z")

    assert codes(asked.add_consent, org=7, kind="unsub", said=API, supporter=ann, at=ahead) == ("ahead", "occurred_at")
    assert not Consent.objects.filter(kind="unsub").exists()


def test_a_stop_for_somebody_unknown_waits_for_the_person():
    added = asked.add_consent(org=7, kind="unsub", said=API, email="zoe@example.org", at=parse("2026-10-01T00:00:00Z"))
    assert (added.consent, added.is_new) == (None, True)
    assert codes(asked.add_consent, org=7, kind="opt_in", said=API, email="zoe@example.org") == ("not_a_stop", "kind")

    somebody("zoe@example.org", "ref-zoe", privacy={"optIn": True, "withConsent": True})

    assert Subscription.objects.get().status == "unsubscribed"


def test_an_address_stop_names_its_address():
    ann = somebody()

    assert codes(asked.add_consent, org=7, kind="bounce", said=API, supporter=ann) == ("required", "email")
    assert codes(asked.add_consent, org=7, kind="open", said=API, supporter=ann) == ("invalid", "kind")
    added = asked.add_consent(org=7, kind="bounce", said=API, supporter=ann, email="Ann@example.org")

    assert Consent.objects.get(pk=added.consent).email == "ann@example.org"


# Merges by hand.


def test_two_merged_by_hand_are_one_and_an_undo_gives_the_old_id_back():
    ann, bob = somebody(), somebody("bob@example.org", "ref-bob", 2)

    asked.merge(ann, bob)
    assert Supporter.objects.get().pk == ann
    assert FormerSupporter.objects.get().into_id == ann

    asked.undo_merge(bob)
    assert set(Supporter.objects.values_list("pk", "email")) == {(ann, "ann@example.org"), (bob, "bob@example.org")}
    assert set(Action.objects.values_list("action_id", "supporter_id")) == {(1, ann), (2, bob)}


def test_what_messages_link_is_not_undone():
    ann, bob = somebody(), somebody("bob@example.org", "ref-bob", 2)
    store(an_action(actionId=3, contact={"email": "bob@example.org", "contactRef": "ref-ann"}))

    assert codes(asked.undo_merge, bob) == ("not_merged", "")
    assert codes(asked.merge, ann, bob) == ("same", "")
    assert Supporter.objects.get().pk == ann


def test_undoing_one_of_two_merges_leaves_the_other():
    ann = somebody()
    bob = somebody("bob@example.org", "ref-bob", 2)
    cem = somebody("cem@example.org", "ref-cem", 3)
    asked.merge(ann, bob)
    asked.merge(ann, cem)

    asked.undo_merge(bob)

    assert set(Supporter.objects.values_list("pk", flat=True)) == {ann, bob}
    assert Contact.objects.get(email="cem@example.org").supporter_id == ann


def test_a_chain_of_twelve_merges_ends_at_the_survivor_and_unwinds():
    people = [somebody(f"p{number}@example.org", f"ref-{number}", number) for number in range(1, 14)]
    for one, other in zip(people[1:], people, strict=False):
        asked.merge(one, other)

    assert Supporter.objects.get().pk == people[0]
    assert set(FormerSupporter.objects.values_list("into_id", flat=True)) == {people[0]}
    assert FormerSupporter.objects.count() == 12

    for one in people[:0:-1]:
        asked.undo_merge(one)
    assert sorted(Supporter.objects.values_list("pk", flat=True)) == people
    assert not FormerSupporter.objects.exists()


# Shared emails.


def test_a_shared_email_parts_those_who_had_it_and_a_stop_of_it_reaches_all():
    somebody("info@example.org", "ref-ann", 1, privacy={"optIn": True, "withConsent": True})
    somebody("info@example.org", "ref-bob", 2, privacy={"optIn": True, "withConsent": True})
    assert Supporter.objects.count() == 1

    asked.share("Info@example.org", shared=True)
    assert Supporter.objects.count() == 2

    asked.add_consent(org=7, kind="unsub", said=API, email="info@example.org")
    assert set(Subscription.objects.values_list("status", flat=True)) == {"unsubscribed"}


# Erasures.


def test_an_erasure_takes_all_of_a_person_and_a_replay_brings_nobody_back():
    ann = somebody(privacy={"optIn": True, "withConsent": True})
    body = an_action(actionId=1, contact={"email": "ann@example.org", "contactRef": "ref-ann"})

    erased = asked.erase(email="ANN@example.org")
    store(body)

    assert (erased.supporters, erased.keys, erased.shared) == ((ann,), 2, False)
    assert not Supporter.objects.exists()
    assert not Consent.objects.exists()
    assert not Contact.objects.exists()
    assert Action.objects.get().custom_fields == {}
    assert codes(asked.edit, ann, {"first_name": "X"}) == ("erased", "")


def test_a_key_that_nobody_has_is_marked_too():
    erased = asked.erase(contact_ref="ref-ann", at=parse("2026-10-01T00:00:00Z"))
    assert (erased.supporters, erased.keys) == ((), 1)

    store(an_action(actionId=1, contact={"email": "ann@example.org", "contactRef": "ref-ann"}))

    assert not Supporter.objects.exists()


def test_a_shared_email_alone_reaches_only_what_has_no_contact_ref():
    ann = somebody("info@example.org", "ref-ann", 1)
    asked.share("info@example.org", shared=True)

    erased = asked.erase(email="info@example.org")

    assert (erased.supporters, erased.shared) == ((), True)
    assert Supporter.objects.get().pk == ann
    assert asked.would_erase(supporter=ann).keys == 1


def test_raw_texts_that_hold_a_key_go_with_the_person():
    somebody("bücher@bücher.example", "ref-ann")
    bodies = [
        b"not JSON: B\\u00dccher@B\\u00fccher.example",
        '{"x": "bücher@BÜCHER.example"'.encode(),
        b'{"contact": {"contactRef": "ref-ann"}',
        b'{"contact": {"contactRef": "ref-anna", "email": "xb@example.org"}',
    ]
    write([Unstorable(body=body, source="q", reader=7, code="not_json") for body in bodies])
    asked.share("bücher@bücher.example", shared=True)
    asked.share("bücher@bücher.example", shared=False)

    asked.erase(email="bücher@xn--bcher-kva.example")

    assert [bytes(one.body) for one in QuarantinedMessage.objects.all()] == bodies[3:]
    assert SharedEmail.objects.get().email == ""


def test_a_notice_loses_the_text_that_names_the_erased_person():
    somebody()
    store(a_system_message(action={"customFields": {"who": "Ask ann@example.org.", "other": "kept"}}), reader=None)
    store(an_email_status(status="dancing", supporter={"contact": {"email": None, "contactRef": None}}))
    before = Notice.objects.count()

    asked.erase(email="ann@example.org")

    assert Notice.objects.count() == before
    assert not [one for one in Notice.objects.all() if "ann@" in json.dumps(one.payload)]


def test_what_is_no_key_is_no_erasure():
    somebody()
    assert codes(asked.erase, email="no address") == ("invalid", "email")
    assert codes(asked.erase, contact_ref="null") == ("invalid", "contact_ref")
    assert Supporter.objects.count() == 1


def test_an_entry_that_waits_moves_to_whoever_comes_with_its_contact_ref():
    bob = somebody("bob@example.org", "ref-bob", 1)
    asked.erase(contact_ref="ref-x", at=parse("2026-10-01T00:00:00Z"))
    later = {"emailStatusChanged": "2026-10-05T00:00:00Z", "givenAt": "2026-10-05T00:00:00Z"}
    about = {"contact": {"email": "bob@example.org", "contactRef": "ref-x"}, "privacy": later}
    store(an_email_status("unsub", supporter=about))
    assert Consent.objects.get(kind="unsub").supporter_id == bob

    new = somebody("x@example.org", "ref-x", 2, action={"createdAt": "2026-10-06T00:00:00Z"})

    assert new != bob
    assert Consent.objects.get(kind="unsub").supporter_id == new


def test_raw_texts_go_too_when_a_mark_reaches_a_key_later():
    asked.erase(contact_ref="ref-ann")
    raw = b"not JSON, of ann@example.org"
    write([Unstorable(body=raw, source="q", reader=7, code="not_json")])

    store(an_action(actionId=1, contact={"email": "ann@example.org", "contactRef": "ref-ann"}))

    assert not QuarantinedMessage.objects.exists()
