"""How much there is: exact where that is cheap, honest where it is not."""

from datetime import UTC, datetime, timedelta

import pytest

from sync.models import Change, IntakeCount, Org, QuarantinedMessage
from sync.read import figures
from sync.read.figures import Number

pytestmark = pytest.mark.usefixtures("store_database")
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def test_few_rows_are_counted():
    Org.objects.bulk_create(Org(pk=number) for number in range(1, 8))

    assert figures.rows(Org.objects.all()) == Number(7)
    assert figures.rows(Org.objects.filter(pk__lt=4)) == Number(3)


def test_counting_stops_where_nobody_reads_further(monkeypatch):
    monkeypatch.setattr(figures, "CAP", 5)
    Change.objects.bulk_create(Change(kind="k", object="o", object_id=n, occurred_at=NOW) for n in range(9))

    assert figures.rows(Change.objects.filter(kind="k")) == Number(5, more=True)
    assert figures.rows(Change.objects.filter(object_id__lt=5)) == Number(5)


def test_every_day_is_there_and_the_verdicts_add_up():
    for verdict, day, number in (("stored", 0, 3), ("stored", 0, 2), ("events", 2, 1), ("stored", 40, 9)):
        IntakeCount.objects.create(
            day=NOW - timedelta(days=day),
            source=f"q{number}",
            verdict=verdict,
            number=number,
            last_at=NOW - timedelta(days=day),
        )

    days = figures.messages_by_day(NOW.date(), 3)

    assert list(days) == [NOW.date() - timedelta(days=day) for day in (2, 1, 0)]
    assert [sum(numbers.values()) for numbers in days.values()] == [1, 0, 5]
    assert days[NOW.date()]["stored"] == 5
    assert figures.last_message() == NOW


def test_reasons_come_with_the_most_frequent_first():
    for number, code in enumerate(("no_key", "clock", "no_key")):
        QuarantinedMessage.objects.create(
            digest=number, body=b"", code=code, received_at=NOW - timedelta(days=number), last_attempt_at=NOW
        )

    reasons = figures.quarantine_by_reason()

    assert [(one.code, one.number) for one in reasons] == [("no_key", 2), ("clock", 1)]
    assert reasons[0].oldest == NOW - timedelta(days=2)
