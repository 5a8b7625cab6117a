"""The test of the test: a rule broken in one place is found by few of the sets that the trials draw.

The sets are always the same ones, and each is folded as it came: what is found here, the trials find too.
"""

import random

import pytest

from sync.rules import consent, contacts, details, erasure, facts, identity, kept, people
from sync.rules.actions import Told
from sync.rules.consent import Entry
from sync.rules.contacts import Said, Slot
from sync.terms import ConsentKind, Status
from tests.oracle.difference import difference
from tests.oracle.oracle import state
from tests.rules import close, fold
from tests.rules.orders import as_they_may_come

SETS = 600


def drawn(number):
    """The set of a number: in which order it comes, the policies, the split, and what the rules make of it."""
    rnd = random.Random(number)
    items = close.items(rnd)
    policies = {org: rnd.choice(("opt_in", "double_opt_in")) for org in (1, 2)}
    return as_they_may_come(items, rnd), policies, rnd.randint(1, 4), state(items, policies=policies)


@pytest.fixture(scope="module")
def sets():
    return list(map(drawn, range(SETS)))


def first_found(sets):
    """The number of the first set whose fold is not what the rules say, or nothing."""
    for number, (arriving, policies, split, expected) in enumerate(sets):
        if difference(fold.fold(arriving, policies, split=split), expected):
            return number
    return None


def test_unbroken_rules_hold_in_every_one_of_these_sets(sets):
    assert first_found(sets) is None


# Each breaks one rule. What it patches is put back by pytest.


def casefold_for_lower(patch):
    for module in (facts, fold):
        patch.setattr(module, "email_key", lambda email: identity.email_key(email and email.casefold()))


def references_of_one_beginning_are_one(patch):
    for module in (facts, fold):
        patch.setattr(module, "ref_key", lambda ref: identity.ref_key(ref)[:-1])


def a_yes_stands_beside_the_no_of_its_action(patch):
    patch.setattr(people.People, "_refusals", lambda self: set())


def any_confirmation_clears_a_complaint(patch):
    original = consent._Fold._double_opt_in

    def clear(self, entry):
        self.complaint = False
        original(self, entry)

    patch.setattr(consent._Fold, "_double_opt_in", clear)


def every_confirmation_is_consent(patch):
    patch.setattr(people, "counts", lambda *_: True)


def an_opt_in_lifts_a_bounce_whatever_its_address(patch):
    def clear(self, entry):
        self.stopped = self.stopped_everywhere = None

    patch.setattr(consent._Fold, "_clear", clear)


def an_opt_in_takes_back_what_is_subscribed(patch):
    original = consent._Fold._opt_in

    def opt_in(self, entry):
        original(self, entry)
        if self.policy == "double_opt_in":
            self.will = Status.PENDING

    patch.setattr(consent._Fold, "_opt_in", opt_in)


def stops_come_before_confirmations_of_the_same_moment(patch):
    backwards = {kind: -number for number, kind in enumerate(ConsentKind)}
    patch.setattr(consent, "_KIND_ORDER", backwards)


def the_largest_action_id_is_shown(patch):
    largest = property(lambda self: max((atom.action_id for atom in self.atoms if atom.action_id), default=None))
    patch.setattr(Entry, "action_id", largest)


def events_rank_after_undated_details(patch):
    ranks = details._RANKS
    swapped = {Slot.EVENT: ranks[Slot.UNDATED], Slot.UNDATED: ranks[Slot.EVENT]}
    patch.setattr(details, "_RANKS", ranks | swapped)


def an_event_is_as_good_as_an_action(patch):
    patch.setattr(Slot, "EVENT", Slot.DATED)


def a_street_shows_beside_any_postcode(patch):
    patch.setattr(details, "ADDRESS", frozenset())


def a_step_after_the_sign_up_dates_its_details(patch):
    patch.setattr(facts, "_details_at", lambda action: action.created_at)


def the_last_to_arrive_wins(patch):
    original = Said._join_slots

    def join(self, other):
        news = original(self, other)
        self.slots |= other.slots
        return news

    patch.setattr(Said, "_join_slots", join)


def the_smaller_value_wins(patch):
    original = contacts.detail

    def backwards(**said):
        made = original(**said)
        return made._replace(text="".join(chr(0x10FFFF - ord(sign)) for sign in made.text))

    patch.setattr(facts, "detail", backwards)


def a_stage_may_go_back(patch):
    original = Told._join_furthest

    def join(self, other):
        if other.stage < self.stage:
            self.stage = other.stage
        original(self, other)

    patch.setattr(Told, "_join_furthest", join)


def a_mark_spares_what_was_said_at_its_very_moment(patch):
    original = erasure.Marks.newest

    def earlier(self, pair):
        at = original(self, pair)
        return None if at is None else at - 1

    patch.setattr(erasure.Marks, "newest", earlier)


def a_mark_is_not_passed_on(patch):
    patch.setattr(erasure.Marks, "spread", lambda self, *_: None)


def an_erasure_forgets_complaints(patch):
    patch.setattr(erasure.Reach, "remember", lambda self, org, key, since: None)


def a_shared_email_links(patch):
    patch.setattr(kept.Kept, "is_shared", lambda self, email: False)


def an_undo_at_the_time_of_its_merge_is_no_undo(patch):
    patch.setattr(erasure.HandLink, "holds", lambda self: max(self.history, key=lambda line: line[0])[1] != "undo")


MUTATIONS = [
    casefold_for_lower,
    references_of_one_beginning_are_one,
    a_yes_stands_beside_the_no_of_its_action,
    any_confirmation_clears_a_complaint,
    every_confirmation_is_consent,
    an_opt_in_lifts_a_bounce_whatever_its_address,
    an_opt_in_takes_back_what_is_subscribed,
    stops_come_before_confirmations_of_the_same_moment,
    the_largest_action_id_is_shown,
    events_rank_after_undated_details,
    an_event_is_as_good_as_an_action,
    a_street_shows_beside_any_postcode,
    a_step_after_the_sign_up_dates_its_details,
    the_last_to_arrive_wins,
    the_smaller_value_wins,
    a_stage_may_go_back,
    a_mark_spares_what_was_said_at_its_very_moment,
    a_mark_is_not_passed_on,
    an_erasure_forgets_complaints,
    a_shared_email_links,
    an_undo_at_the_time_of_its_merge_is_no_undo,
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_broken_rule_is_found(sets, monkeypatch, mutation):
    mutation(monkeypatch)

    assert first_found(sets) is not None
