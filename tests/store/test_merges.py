"""Messages that make one person of two, or of many: nothing is lost, and every old id finds the survivor."""

from sync.models import Action, Change, Consent, FormerSupporter, Subscription, Supporter
from tests.store.storing import action_of, event_of, joining, take_in

GROWN = 150


def grown(who, first):
    """Hundreds of actions of somebody, with consent told to two organisations, on as many days."""
    days = [f"2026-{1 + number // 28:02}-{1 + number % 28:02}T12:00:00Z" for number in range(GROWN)]
    return [
        action_of(who, first + number, action={"createdAt": day}, privacy={"givenAt": day})
        for number, day in enumerate(days)
    ]


def test_two_grown_people_become_one_and_nothing_of_either_is_lost(store_database):
    for who, first in ((1, 1000), (2, 2000)):
        for reader in (7, 9):
            take_in(*grown(who, first), reader=reader)
    take_in(event_of(2, 2000, "unsub"), reader=9)
    ann, bob = Supporter.objects.order_by("pk").values_list("pk", flat=True)
    actions = set(Action.objects.values_list("pk", "action_id"))
    consents = set(Consent.objects.values_list("pk", "org_id", "kind", "occurred_at", "email"))

    take_in(joining(1, 2, 3000))

    assert Supporter.objects.get().pk == ann
    assert set(Action.objects.exclude(action_id=3000).values_list("pk", "action_id")) == actions
    assert set(Consent.objects.values_list("pk", "org_id", "kind", "occurred_at", "email")) >= consents
    assert len(consents) == 4 * GROWN + 1
    assert set(Action.objects.values_list("supporter_id", flat=True)) == {ann}
    assert set(Consent.objects.values_list("supporter_id", flat=True)) == {ann}
    assert Supporter.objects.get().action_count == 2 * GROWN + 1
    assert sorted(Subscription.objects.values_list("supporter_id", "org_id", "status")) == [
        (ann, 7, "subscribed"),
        (ann, 9, "unsubscribed"),
    ]
    merged = Change.objects.get(kind="supporter.merged")
    assert (merged.object_id, merged.data) == (bob, {"into": ann})


def test_a_chain_of_twelve_merges_by_messages_leads_to_the_survivor(store_database):
    people = range(1, 14)
    take_in(*(action_of(who, who) for who in people))
    ids = list(Supporter.objects.order_by("pk").values_list("pk", flat=True))

    for who in reversed(people[1:]):
        take_in(joining(who - 1, who, 100 + who))
        assert Supporter.objects.count() == who - 1

    assert Supporter.objects.get().pk == ids[0]
    assert dict(FormerSupporter.objects.values_list("pk", "into_id")) == dict.fromkeys(ids[1:], ids[0])
    assert Supporter.objects.get().contact_refs == sorted(f"ref-{who}" for who in people)


def test_many_who_meet_in_one_batch_are_one_person_once(store_database):
    people = range(1, 31)

    take_in(*(action_of(who, who) for who in people), *(joining(who, who + 1, 100 + who) for who in people[:-1]))

    assert Supporter.objects.get().action_count == 59
    assert not FormerSupporter.objects.exists()
