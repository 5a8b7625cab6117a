"""The rules of the contract as trials that every connector passes against a fake of its CRM.

    @pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
    def test_it_conforms(trial):
        trial(Subject(connector=connector, fake=FakePigeon))

A trial raises AssertionError. `fake` makes a fresh CRM for each; what a trial breaks on the way (time-outs, odd
answers) it breaks itself, between connector and fake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

from sync.connectors.contract import (
    Address,
    Checked,
    Delivered,
    Feature,
    FindsBy,
    Item,
    Misconfigured,
    Outcome,
    Partial,
    RateLimited,
    Rejected,
    Response,
    Retry,
    Seen,
)
from sync.connectors.trying import NOW, Fake, Subject, Trying
from sync.terms import Status

__all__ = ["TRIALS", "Fake", "Subject"]


def _is_delivered(outcome: Outcome) -> bool:
    return isinstance(outcome, Delivered)


def _remote_id(outcome: Outcome) -> str | None:
    return outcome.remote_id if isinstance(outcome, Delivered | Partial) else None


# --- What it declares --------------------------------------------------------------------------------


def it_declares_itself(subject: Subject) -> None:
    """Kind, settings, limits and the sources of its answers."""
    one = subject.connector
    assert one.kind
    assert one.title
    assert one.settings
    assert one.batch_size >= 1
    assert one.concurrency >= 1
    assert all(answer.source for answer in one.answers), "every answer has the source of the fact"
    assert (Feature.INBOUND_WEBHOOK in one.features) == (one.inbox is not None)
    assert (Feature.INBOUND_POLL in one.features) == (one.poll is not None)
    assert len({setting.key for setting in one.settings}) == len(one.settings)


def a_check_proves_an_identity(subject: Subject) -> None:
    """With right settings it says as whom it got in."""
    checked = Trying(subject).connector.check(Trying(subject).context)
    assert isinstance(checked, Checked)
    assert checked.identity


def a_wrong_key_is_a_misconfiguration(subject: Subject) -> None:
    """401 pauses the destination; it is never the item's fault."""
    trying = Trying(subject)
    if not _speaks_http(trying):
        return
    trying.between.answers = [Response(status=401, content=b'{"message": "no"}')]
    assert all(isinstance(_core(one), Misconfigured) for one in trying.push(trying.person("anne", 1)))
    assert isinstance(trying.connector.check(trying.context), Misconfigured)


def a_check_tells_of_mapped_fields_that_are_not_there(subject: Subject) -> None:
    """Where the CRM tells its fields; those of the kind's own mapping are there."""
    trying = Trying(subject)
    own = replace(trying.context, mapped=frozenset(one.target for one in trying.connector.mapping))
    checked = trying.connector.check(own)
    if not isinstance(checked, Checked) or "fields" not in checked.found:
        return
    assert not checked.problems, checked.problems
    wrong = trying.connector.check(replace(own, mapped=own.mapped | {"NO_SUCH_FIELD"}))
    assert isinstance(wrong, Checked)
    assert any("NO_SUCH_FIELD" in one for one in wrong.problems)


def a_preview_sends_nothing(subject: Subject) -> None:
    """And shows at least one request."""
    trying = Trying(subject)
    assert trying.connector.preview(trying.context, trying.person("anne", 1))
    assert trying.between.requests == []


def a_look_tells_who_is_there_and_changes_nothing(subject: Subject) -> None:
    """Of each in order: there, there and stopped, not there; and in its last word why it cannot tell."""
    trying = Trying(subject)
    look = trying.connector.look
    if look is None or not trying.holds_people:
        return
    people = [trying.person("anne", 1), trying.person("ben", 2), trying.person("cleo", 3)]
    trying.push(*people[:2])
    trying.fake.stop("ben@example.org", NOW)
    trying.between.requests.clear()
    seen = [one for one in look(trying.context, people) if isinstance(one, Seen)]
    assert [(one.remote_id is not None, one.is_stopped) for one in seen] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert all(one.read_only or one.method in ("GET", "HEAD") for one in trying.between.requests)
    trying.between.answers = [Response(status=401, content=b'{"message": "no"}')]
    *_, last = look(trying.context, people)
    assert isinstance(last, Misconfigured), last


# --- Delivering --------------------------------------------------------------------------------------


def the_same_item_twice_makes_one_contact(subject: Subject) -> None:
    """With the id that the CRM gave, and without it."""
    trying = Trying(subject)
    item = trying.person("anne", 1)
    first = trying.push(item)[0]
    assert _is_delivered(first), first
    again = replace(item, remote_id=_remote_id(first))
    assert _is_delivered(trying.push(again)[0])
    assert _is_delivered(trying.push(item)[0])
    if trying.holds_people:
        assert trying.subscribed() == ["anne@example.org"]
        assert len(trying.fake.people) == 1


def every_item_gets_an_outcome_in_order(subject: Subject) -> None:
    """Any subset may come again."""
    trying = Trying(subject)
    items = [trying.person(f"person{number}", number) for number in range(1, 4)]
    assert [_is_delivered(one) for one in trying.push(*items)] == [True] * 3
    assert [_is_delivered(one) for one in trying.push(items[2], items[0])] == [True] * 2
    if trying.holds_people:
        assert len(trying.subscribed()) == 3


def one_bad_record_holds_up_nobody(subject: Subject) -> None:
    """Half a batch fails: the others arrive, and what is noted in logs quotes nobody."""
    trying = Trying(subject)
    if not trying.holds_people:
        return
    trying.fake.refuse("ben@example.org")
    people = [trying.person("anne", 1), trying.person("ben", 2), trying.person("cleo", 3)]
    outcomes = trying.push(*people)
    retried = [one if _is_delivered(one) else trying.push(item)[0] for item, one in zip(people, outcomes, strict=True)]
    assert [_is_delivered(retried[0]), _is_delivered(retried[2])] == [True, True], retried
    assert isinstance(_core(retried[1]), Rejected | Retry), retried[1]
    assert trying.subscribed() == ["anne@example.org", "cleo@example.org"]
    assert not any("ben@" in line for line in trying.noted)


def details_alone_leave_the_status(subject: Subject) -> None:
    """Who never said yes is not mailed because their details changed."""
    trying = Trying(subject)
    quiet = {"status": Status.NONE, "mailed": None, "consented_at": None, "consent_newer_than_remote": False}
    outcome = trying.push(trying.person("anne", 1, **quiet))[0]
    assert _is_delivered(outcome), outcome
    if trying.holds_people:
        assert trying.subscribed() == []


# --- Stops -------------------------------------------------------------------------------------------


def a_stop_is_told(subject: Subject) -> None:
    """Whoever leaves here is mailed there no more; so is who bounced or complained."""
    for status in (Status.UNSUBSCRIBED, Status.BOUNCED, Status.BLOCKED, Status.COMPLAINED):
        trying = Trying(subject)
        item = trying.person("anne", 1)
        remote_id = _remote_id(trying.push(item)[0])
        stopped = replace(item, status=status, mailed=None, consent_newer_than_remote=False, remote_id=remote_id)
        outcome = trying.push(replace(stopped, push_id="1-1-2", with_details=False, fields=()))[0]
        assert _is_delivered(outcome), outcome
        if trying.holds_people:
            assert trying.subscribed() == [], status


def a_stop_there_stays(subject: Subject) -> None:
    """Without a newer consent it is never lifted, whatever else changes."""
    trying = Trying(subject)
    if not trying.holds_people:
        return
    item = trying.person("anne", 1)
    remote_id = _remote_id(trying.push(item)[0])
    trying.fake.stop("anne@example.org", NOW - timedelta(days=1))
    again = replace(item, push_id="1-1-2", consent_newer_than_remote=False, remote_id=remote_id)
    outcome = trying.push(again)[0]
    assert trying.subscribed() == [], "somebody who left was subscribed again"
    assert _tells_stop(outcome), "the stop there must come back as remote state"


def a_newer_stop_there_stays_too(subject: Subject) -> None:
    """A consent that is newer than what is known here, but older than the stop there."""
    trying = Trying(subject)
    if not trying.holds_people:
        return
    item = trying.person("anne", 1)
    remote_id = _remote_id(trying.push(item)[0])
    trying.fake.stop("anne@example.org", NOW - timedelta(hours=1))
    outcome = trying.push(replace(item, push_id="1-1-2", remote_id=remote_id))[0]
    assert trying.subscribed() == [], "somebody who left after their consent was subscribed again"
    assert _tells_stop(outcome), "the stop there must come back as remote state"


def who_is_not_there_is_not_made_by_a_stop(subject: Subject) -> None:
    """A stop about somebody whom the CRM does not know creates nobody."""
    trying = Trying(subject)
    if not trying.holds_people or trying.connector.finds_by is not FindsBy.EMAIL:
        return
    stranger = trying.person("anne", 1, status=Status.UNSUBSCRIBED, mailed=None, consent_newer_than_remote=False)
    outcome = trying.push(replace(stranger, may_create=False, with_details=False, fields=()))[0]
    assert _is_delivered(outcome), outcome
    assert not trying.fake.people


def another_address_of_the_person_ends_stopped(subject: Subject) -> None:
    """Two contacts of one person mean mail to somebody who left."""
    trying = Trying(subject)
    if not trying.holds_people or trying.connector.finds_by is not FindsBy.EMAIL:
        return
    first = trying.push(trying.person("old", 1))[0]
    other = Address(status=Status.UNSUBSCRIBED, email="old@example.org")
    item = trying.person("new", 1, push_id="1-1-2", previous_email="old@example.org", others=(other,))
    assert _is_delivered(trying.push(replace(item, remote_id=_remote_id(first)))[0])
    assert trying.subscribed() == ["new@example.org"], trying.fake.people


def another_contact_of_the_person_ends_stopped(subject: Subject) -> None:
    """The contact of somebody merged into this one, known by the CRM's own id alone."""
    trying = Trying(subject)
    if not trying.holds_people:
        return
    former = _remote_id(trying.push(trying.person("old", 2))[0])
    if former is None:
        return
    other = Address(status=Status.UNSUBSCRIBED, remote_id=former)
    assert _is_delivered(trying.push(trying.person("new", 1, merged_ids=(2,), others=(other,)))[0])
    assert trying.subscribed() == ["new@example.org"], trying.fake.people


# --- Forgetting --------------------------------------------------------------------------------------


def somebody_erased_is_gone(subject: Subject) -> None:
    """Told twice, and of somebody who is not there: delivered all the same."""
    trying = Trying(subject)
    if Feature.ERASE not in trying.connector.features:
        return
    remote_id = _remote_id(trying.push(trying.person("anne", 1))[0])
    order = Item(
        push_id="1-1-3-erasure", supporter=1, remote_id=remote_id, erase=True, with_details=False, may_create=False
    )
    if remote_id is None and trying.connector.finds_by is FindsBy.EMAIL:
        order = replace(order, email="anne@example.org")
    assert _is_delivered(trying.push(order)[0])
    assert _is_delivered(trying.push(order)[0]), "an order to forget may come again"
    if trying.holds_people:
        assert not trying.fake.people


# --- Trouble -----------------------------------------------------------------------------------------


def too_fast_waits_until_the_date_it_says(subject: Subject) -> None:
    """429 with a date pauses, and is nobody's fault."""
    trying = Trying(subject)
    if not _speaks_http(trying):
        return
    until = {"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}
    trying.between.answers = [Response(status=429, headers=until, content=b"{}")]
    outcome = _core(trying.push(trying.person("anne", 1))[0])
    assert isinstance(outcome, RateLimited), outcome
    assert outcome.after is not None
    assert timedelta(seconds=80) <= outcome.after <= timedelta(seconds=90)


def passing_trouble_is_tried_again(subject: Subject) -> None:
    """503, and no answer at all."""
    trying = Trying(subject)
    if not _speaks_http(trying):
        return
    trying.between.answers = [Response(status=503, content=b"<html>busy</html>")]
    assert isinstance(_core(trying.push(trying.person("anne", 1))[0]), Retry | RateLimited)


def a_lost_answer_makes_no_second_contact(subject: Subject) -> None:
    """The CRM did it, and the answer was lost."""
    trying = Trying(subject)
    if not trying.holds_people or not _speaks_http(trying):
        return
    trying.between.loses_answers = True
    outcome = trying.push(trying.person("anne", 1))[0]
    assert not _is_delivered(outcome), "without an answer nothing is known"
    trying.between.loses_answers = False
    assert _is_delivered(trying.push(trying.person("anne", 1))[0])
    assert len(trying.fake.people) == 1


def a_web_page_is_no_success(subject: Subject) -> None:
    """200 with a page of some proxy, an empty object, an empty list: nothing is delivered."""
    for content in (b"<html>welcome</html>", b"{}", b"[]", b""):
        trying = Trying(subject)
        if not _speaks_http(trying) or not trying.fake.reads_bodies:
            return
        trying.between.answers = [Response(status=200, content=content)]
        outcomes = trying.push(trying.person("anne", 1), trying.person("ben", 2))
        assert not any(map(_is_delivered, outcomes)), content


def who_is_missing_among_the_results_is_not_delivered(subject: Subject) -> None:
    """200 with fewer results than items: nothing is known of the missing one, and here it was not done."""
    trying = Trying(subject)
    if not trying.holds_people or not _speaks_http(trying):
        return
    trying.between.shadow = subject.fake()
    outcomes = trying.push(*(trying.person(f"person{number}", number) for number in range(1, 4)))
    assert len(outcomes) == 3
    assert not _is_delivered(outcomes[-1]) or "person3@example.org" in trying.subscribed(), outcomes[-1]


def a_redirect_is_no_success(subject: Subject) -> None:
    """301 turns a POST into an empty GET."""
    trying = Trying(subject)
    if not _speaks_http(trying):
        return
    trying.between.answers = [Response(status=301, headers={"location": "https://elsewhere.example.org/a?b=c"})]
    outcome = _core(trying.push(trying.person("anne", 1))[0])
    assert isinstance(outcome, Misconfigured), outcome
    assert "a?b" not in outcome.message, "where it points: the host only"


def _core(outcome: Outcome) -> Outcome:
    return outcome.rest if isinstance(outcome, Partial) else outcome


def _tells_stop(outcome: Outcome) -> bool:
    return getattr(outcome, "remote", None) is not None


def _speaks_http(trying: Trying) -> bool:
    """Whether there is anything between connector and fake; a file has none."""
    return bool(getattr(trying.fake, "speaks_http", True))


#: All trials.
TRIALS: tuple[Callable[[Subject], None], ...] = (
    it_declares_itself,
    a_check_proves_an_identity,
    a_wrong_key_is_a_misconfiguration,
    a_check_tells_of_mapped_fields_that_are_not_there,
    a_preview_sends_nothing,
    a_look_tells_who_is_there_and_changes_nothing,
    the_same_item_twice_makes_one_contact,
    every_item_gets_an_outcome_in_order,
    one_bad_record_holds_up_nobody,
    details_alone_leave_the_status,
    a_stop_is_told,
    a_stop_there_stays,
    a_newer_stop_there_stays_too,
    who_is_not_there_is_not_made_by_a_stop,
    another_address_of_the_person_ends_stopped,
    another_contact_of_the_person_ends_stopped,
    somebody_erased_is_gone,
    too_fast_waits_until_the_date_it_says,
    passing_trouble_is_tried_again,
    a_lost_answer_makes_no_second_contact,
    a_web_page_is_no_success,
    who_is_missing_among_the_results_is_not_delivered,
    a_redirect_is_no_success,
)
