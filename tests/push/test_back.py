"""What CRMs report, a page at a time: whom it is about is asked once for all of them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.connectors.contract import Report
from sync.models import Delivery, Subscription, Supporter
from sync.push import back
from sync.store import asked
from sync.terms import ConsentKind
from tests.fakes.receiver import receiver as running_receiver
from tests.push.world import a_destination, push, receive, sign_up, supporter

PEOPLE = 12

pytestmark = pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)


@pytest.fixture
def destination(store_database):
    receive(*(sign_up(f"person{number}") for number in range(PEOPLE)))
    with running_receiver() as receiver:
        one = a_destination(receiver)
        push(one)
        yield one


def about(number, **how):
    return Report(kind=ConsentKind.UNSUB, key=f"{number}", **how)


def every_way(destination, number):
    """A report by our id, by the CRM's, by the address and by the contactRef, in turn."""
    who = supporter(f"person{number}").pk
    Delivery.objects.filter(destination=destination, supporter_id=who, kind="person").update(remote_id=f"r{number}")
    ways = (
        {"supporter": who},
        {"remote_id": f"r{number}"},
        {"email": f"person{number}@example.org"},
        {"contact_ref": f"ref-person{number}"},
    )
    return about(number, **ways[number % 4])


def asked_for(destination, reports):
    with CaptureQueriesContext(connection) as queries:
        assert back.take(destination, reports, is_signed=True) == 0
    return len(queries)


def test_a_long_page_asks_as_much_as_a_short_one(destination):
    page = [every_way(destination, number) for number in range(PEOPLE)]
    assert back.take(destination, page, is_signed=True) == PEOPLE
    assert set(Subscription.objects.values_list("status", flat=True)) == {"unsubscribed"}

    assert asked_for(destination, page) == asked_for(destination, page[:4])


def test_who_was_merged_away_twice_is_found_by_their_first_id(destination):
    ids = [supporter(f"person{number}").pk for number in (0, 1, 2)]
    asked.merge(ids[2], ids[1])
    asked.merge(ids[1], ids[0])
    survivor = Supporter.objects.get(pk__in=ids).pk

    back.take(destination, [about(one, supporter=one) for one in ids], is_signed=True)

    assert Subscription.objects.get(supporter_id=survivor).status == "unsubscribed"
    assert Subscription.objects.filter(status="unsubscribed").count() == 1
