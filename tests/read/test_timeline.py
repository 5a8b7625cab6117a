"""A person's story: in time order, page by page, standing still while new events come in above."""

import time

import pytest

from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import Supporter
from sync.proca.encryption import KeyStore
from sync.read.timeline import Kind, timeline
from sync.store import asked
from tests.builders import an_action, wire

pytestmark = pytest.mark.usefixtures("store_database")


def taken(*messages):
    take(
        [Raw(body=wire(one), queue="file", reader=7) for one in messages], KeyStore.empty(), now=time.time_ns() // 1000
    )


def acted(number, day):
    """An action of Anne on a day of May; each adds an opt-in at the same time."""
    at = f"2026-05-{day:02}T10:00:00Z"
    return an_action(actionId=number, action={"createdAt": at}, privacy={"givenAt": at})


def test_all_of_a_person_comes_newest_first():
    taken(acted(1, 1), acted(2, 3))
    taken(an_action(actionId=9, contact={"email": "other@example.org", "contactRef": "ref-other"}))
    anne, other = Supporter.objects.order_by("pk").values_list("pk", flat=True)
    asked.merge(anne, other)

    events = timeline(anne).events

    assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)
    assert [event.kind for event in events].count(Kind.ACTION) == 3
    assert events[0].kind is Kind.MERGE
    assert events[0].row.pk == other


def test_pages_join_without_a_gap_whatever_comes_in_above():
    # Many at one time: the order holds among equals too.
    taken(*(acted(number, 1 + number // 4) for number in range(1, 12)))
    anne = Supporter.objects.get().pk
    whole = [(event.kind, event.id) for event in timeline(anne).events]

    read, cursor = [], None
    for number in range(100):
        page = timeline(anne, before=cursor, limit=3)
        read += [(event.kind, event.id) for event in page.events]
        taken(acted(100 + number, 28))
        if (cursor := page.older) is None:
            break

    assert read == whole
    assert len(set(read)) == len(read)


@pytest.mark.parametrize("cursor", ["", "x", "1_2", "1_2_3_4", "9" * 40 + "_0_1", "0_0_-1", "0_0_" + "9" * 30])
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(ValueError):  # noqa: PT011 - every text that is none
        timeline(1, before=cursor)


def test_nobody_has_no_story():
    assert timeline(4711).events == ()
