"""The start page says whether it works, what to do where it does not, and what came in."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from proca_crm.broker import parse_broker
from sync import health
from sync.health import Doubtful, Sick, Well
from sync.models import IntakeCount, QuarantinedMessage
from sync.store import policies
from tests.admin.people import anne, crowd, taken
from tests.admin.test_people import text
from tests.builders import KEYS, an_action, encrypted
from tests.servers import free_port

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def found(probe):
    """Return what a probe says now."""
    return probe(NOW)


def test_a_new_installation_says_how_to_begin(desk):
    page = text(desk.get("/admin/"))

    assert "none has come yet" in page.lower()
    assert "Start manage.py consume_proca" in page
    assert "Nobody yet" in page


def test_what_came_in_is_shown_by_day_in_numbers(desk):
    anne()
    taken(b"{")

    page = text(desk.get("/admin/"))

    today = datetime.now(UTC)
    assert f"{today:%a} {today.day} {today:%b} 1 0 1 0 1 3" in page
    assert "The last one came just now" in page
    assert "The Greens 0 0 1 0 0 0 0" in page


def test_quarantine_is_told_with_what_to_do(desk):
    taken(b"{", b"[", encrypted(an_action(), KEYS))

    page = text(desk.get("/admin/"))

    assert "3 messages: 2 not_json, 1 no_key" in page
    assert "Look at the reasons" in page
    assert "1 message in quarantine cannot be opened" in page
    assert "anne" not in page.lower()


def test_numbers_of_a_large_table_are_estimated(desk):
    crowd(30)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = 1234567 WHERE relname = 'sync_supporter'")

    assert "about 1 234 567" in text(desk.get("/admin/"))
    assert "about 1 234 567 supporters" in text(desk.get("/admin/sync/supporter/"))


@pytest.mark.django_db
def test_a_message_of_long_ago_is_told_in_words():
    IntakeCount.objects.create(
        day=NOW, source="cus.7.deliver", verdict="stored", number=1, last_at=NOW - timedelta(hours=30)
    )

    assert found(health.last_message) == Well("Messages", "the last one came 1 day ago")


@pytest.mark.django_db
def test_a_retry_that_is_overdue_is_told():
    taken(an_action(action={"createdAt": "2999-01-01T00:00:00Z"}))
    assert found(health.retries) is None

    QuarantinedMessage.objects.update(not_before=NOW - timedelta(hours=1))

    assert isinstance(found(health.retries), Doubtful)


@pytest.mark.django_db
def test_keys_that_cannot_be_read_are_sick_and_not_shown(settings):
    settings.PROCA_KEYS = '{"secret": "private-part'

    finding = found(health.keys)

    assert isinstance(finding, Sick)
    assert "private-part" not in f"{finding}"


@pytest.mark.django_db
def test_actions_without_any_news_of_emails_are_doubtful():
    assert found(health.email_news) is None

    crowd(1)
    assert isinstance(found(health.email_news), Doubtful)

    anne()
    assert found(health.email_news) is None


@pytest.mark.django_db
def test_a_policy_that_is_half_followed_is_told():
    anne()
    assert found(health.policies_followed) is None

    policies.set_policy(7, "double_opt_in")

    finding = found(health.policies_followed)
    assert isinstance(finding, Doubtful)
    assert "organisation 7" in finding.says


# --- The queue ---------------------------------------------------------------------------------------


@pytest.fixture
def queue(broker, settings):
    """A queue of Proca's that the settings name, with a reader's eyes."""
    broker.declare()
    settings.PROCA_BROKER = parse_broker(broker.url(), "", "")
    settings.PROCA_QUEUES = ("cus.7.deliver",)
    return broker


def test_a_queue_that_nobody_reads_is_told(queue):
    with queue.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish("", "cus.7.deliver", b"{}")

    finding = found(health.queue)

    assert isinstance(finding, Doubtful)
    assert finding.says == "1 message waiting, nobody reads cus.7.deliver"


def test_a_queue_that_is_read_is_well(queue):
    with queue.channel() as channel:
        channel.basic_consume("cus.7.deliver", lambda *_: None)

        assert found(health.queue) == Well("Queue", "0 messages waiting, read by 1")


def test_a_queue_that_is_not_there_is_sick(queue, settings):
    settings.PROCA_QUEUES = ("cus.7.deliver", "cus.7.nothing")

    finding = found(health.queue)

    assert isinstance(finding, Sick)
    assert "the queue does not exist" in finding.says


def test_a_wrong_password_is_sick_and_not_shown(queue, settings):
    settings.PROCA_BROKER = parse_broker(queue.url(password="wrong-secret"), "", "")

    finding = found(health.queue)

    assert isinstance(finding, Sick)
    assert "refuses this user" in finding.says
    assert "wrong-secret" not in f"{finding}"


def test_a_broker_that_is_away_is_sick_and_the_page_still_comes(desk, settings):
    settings.PROCA_BROKER = parse_broker(f"amqp://u:p@127.0.0.1:{free_port()}/v", "", "")
    settings.PROCA_QUEUES = ("cus.7.deliver",)

    page = text(desk.get("/admin/"))

    assert "Cannot be reached" in page
    assert "Database works" in page


def test_without_a_queue_in_the_settings_nothing_is_said_of_one(settings):
    settings.PROCA_BROKER = None

    assert found(health.queue) is None
