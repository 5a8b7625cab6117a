"""`check_proca` as a person runs it, against everything that it can find broken."""

from datetime import UTC, datetime, timedelta

import pytest

from proca_crm.broker import parse_broker
from sync.models import Delivery, Destination, DestinationState, Org, QuarantinedMessage
from sync.sealing import Sealer
from sync.store import asked
from tests.broker import management
from tests.builders import KEYS, OTHER_KEYS, a_campaign_update, an_action, an_email_status, encrypted, wire
from tests.commands.here import run, stored
from tests.project import run_manage
from tests.servers import free_port

NOW = datetime.now(UTC)
on_sqlite = pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)


def line(done, what):
    """The line about one thing, and nothing of anybody in any."""
    assert "anne" not in (done.stdout + done.stderr).lower()
    assert "$test" not in done.stdout + done.stderr
    (found,) = [one for one in done.stdout.splitlines() if one.split(maxsplit=1)[1].startswith(f"{what}:")]
    return found


def is_broken(done, what):
    assert done.returncode == 1
    assert what in done.stderr
    assert len(done.stderr.splitlines()) == 1
    return line(done, what).startswith("BROKEN")


def is_warned(done, what):
    assert done.returncode == 0, done.stdout
    return line(done, what).startswith("warning")


def test_what_works_is_told_too(store_database):
    stored(wire(an_action()), wire(an_email_status()))

    done = run("check_proca", "--deep")

    assert done.returncode == 0, done.stdout
    told = {one.split()[1] for one in done.stdout.splitlines() if one.startswith("ok")}
    assert told == {
        *("Database:", "Messages:", "Quarantine:", "Keys:", "Queue:", "HASH_KEY:", "FIELD_ENCRYPTION_KEY:"),
        *("Destinations:", "Rows:"),
    }
    assert done.stderr == ""


# --- Database ----------------------------------------------------------------------------------------


def test_a_database_that_does_not_answer():
    url = f"postgres://proca:secret-password@127.0.0.1:{free_port()}/proca"

    done = run_manage("check_proca", env={"DATABASE_URL": url})

    assert is_broken(done, "Database")
    assert "secret-password" not in done.stdout + done.stderr


@on_sqlite
def test_migrations_that_are_missing(store_database):
    store_database.query("DELETE FROM django_migrations WHERE app = 'sync' AND name NOT LIKE '0001%'")

    assert is_broken(run("check_proca"), "Database")


# --- Queue -------------------------------------------------------------------------------------------


@pytest.fixture
def queue(store_database, broker, settings):
    """A queue that the settings name; `queue(port=…)` and so on set another way to it."""

    def use(**more):
        settings.PROCA_BROKER = parse_broker(broker.url(**more), "", "")

    broker.declare()
    use()
    settings.PROCA_QUEUES = ("cus.7.deliver",)
    use.broker = broker
    return use


@on_sqlite
def test_a_queue_that_nobody_reads(queue):
    queue.broker.publish(an_action(), an_action())

    done = run("check_proca")

    assert is_warned(done, "Queue")
    assert "2 messages waiting" in line(done, "Queue")
    assert [headers for _, headers in queue.broker.take_all()] == [{}, {}]


@on_sqlite
def test_a_broker_that_does_not_answer(queue):
    queue(port=free_port())

    assert is_broken(run("check_proca"), "Queue")


@on_sqlite
def test_a_wrong_password(queue):
    queue(password="not-the-one")

    done = run("check_proca")

    assert is_broken(done, "Queue")
    assert "password" in line(done, "Queue")
    assert "not-the-one" not in done.stdout


@on_sqlite
def test_a_vhost_that_is_not_there(queue, settings):
    settings.PROCA_BROKER = parse_broker(queue.broker.url() + "x", "", "")

    assert is_broken(run("check_proca"), "Queue")
    assert "vhost" in line(run("check_proca"), "Queue")


@on_sqlite
def test_a_queue_that_is_not_there(queue, settings):
    settings.PROCA_QUEUES = ("cus.8.deliver",)

    done = run("check_proca")

    assert is_broken(done, "Queue")
    assert "does not exist" in line(done, "Queue")


@on_sqlite
def test_a_queue_that_may_not_be_read(queue):
    server = queue.broker.server
    rights = {"configure": "^$", "write": "^$", "read": "^$"}
    management(server, "PUT", f"permissions/{queue.broker.vhost}/{server.reader[0]}", rights)

    done = run("check_proca")

    assert is_broken(done, "Queue")
    assert "may not read" in line(done, "Queue")


@on_sqlite
def test_a_certificate_that_is_not_trusted(queue):
    queue(tls=True)

    done = run("check_proca")

    assert is_broken(done, "Queue")
    assert "certificate" in line(done, "Queue")


@on_sqlite
def test_a_trusted_certificate(queue, settings):
    queue(tls=True)
    settings.PROCA_CA_FILE = str(queue.broker.server.ca_file)

    assert is_warned(run("check_proca"), "Queue")


@on_sqlite
def test_a_broker_that_speaks_no_tls(queue, settings):
    queue(tls=True, port=queue.broker.port)

    assert is_broken(run("check_proca"), "Queue")


@on_sqlite
def test_a_broker_without_a_queue(queue, settings):
    settings.PROCA_QUEUES = ()

    done = run("check_proca")

    assert is_broken(done, "Queue")
    assert "PROCA_QUEUE" in line(done, "Queue")


# --- Keys and secrets --------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("setting", ["{broken", "/nowhere/keys.json"])
def test_keys_that_cannot_be_read(store_database, settings, setting):
    settings.PROCA_KEYS = setting

    assert is_broken(run("check_proca"), "Keys")


@on_sqlite
def test_a_key_that_is_not_there(store_database, settings):
    settings.PROCA_KEYS = KEYS.to_text()
    stored(wire(encrypted(an_action(), OTHER_KEYS)))

    assert is_broken(run("check_proca"), "Keys")


def test_another_hash_key_than_before(store_database, settings):
    asked.erase(email="anne@example.org")
    assert run("check_proca").returncode == 0

    settings.HASH_KEYS = ["another"]
    assert is_broken(run("check_proca"), "HASH_KEY")

    settings.HASH_KEYS = ["another", "$test-hash-key"]
    assert run("check_proca").returncode == 0


@on_sqlite
def test_a_hash_key_that_nothing_was_written_with_may_still_be_changed(store_database, settings):
    stored(wire(an_action()))

    settings.HASH_KEYS = ["another"]

    assert run("check_proca").returncode == 0


def a_destination(**more):
    org, _ = Org.objects.get_or_create(pk=7)
    destination = Destination.objects.create(name="civi", kind="webhook", org=org, **more)
    DestinationState.objects.create(destination=destination, since=NOW, state="active")
    return destination


def test_secrets_that_do_not_open(store_database, settings):
    a_destination(secrets=Sealer(settings.FIELD_ENCRYPTION_KEYS).seal("{}"))
    assert run("check_proca").returncode == 0

    settings.FIELD_ENCRYPTION_KEYS = ["another"]
    assert is_broken(run("check_proca"), "FIELD_ENCRYPTION_KEY")

    settings.FIELD_ENCRYPTION_KEYS = ["another", "$test-field-encryption-key"]
    assert run("check_proca").returncode == 0


# --- Destinations ------------------------------------------------------------------------------------


@on_sqlite
def test_a_destination_that_is_failing(store_database):
    DestinationState.objects.filter(destination=a_destination()).update(state="failing")

    done = run("check_proca")

    assert is_broken(done, "Destinations")
    assert "civi" in line(done, "Destinations")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"due_at": NOW, "created_at": NOW - timedelta(hours=1)}, 0),
        ({"due_at": NOW, "created_at": NOW - timedelta(days=2)}, 1),
        ({"due_at": NOW, "created_at": NOW - timedelta(days=2), "told": 1}, 0),
        ({"due_at": None, "created_at": NOW - timedelta(days=31), "state": "rejected"}, 1),
        ({"due_at": None, "created_at": NOW - timedelta(days=31), "state": "delivered", "told": 1}, 0),
    ],
)
def test_orders_to_forget_are_overdue_after_a_day(store_database, row, code):
    Delivery.objects.create(destination=a_destination(), kind="erasure", supporter_id=5, **row)

    done = run("check_proca")

    assert done.returncode == code
    assert ("1 at civi" in done.stdout) == bool(code)


# --- What is worth a look ----------------------------------------------------------------------------


@on_sqlite
def test_actions_without_any_event_about_emails(store_database):
    stored(wire(an_action(privacy={"emailStatus": "bounce"})), wire(a_campaign_update()))
    assert is_warned(run("check_proca"), "Email status")

    stored(wire(an_email_status()))

    assert "Email status" not in run("check_proca").stdout


@on_sqlite
def test_an_event_without_a_key_tells_that_events_come(store_database):
    nobody = {"email": None, "contactRef": None}
    stored(wire(an_action()), wire(an_email_status(supporter={"contact": nobody})))

    assert "Email status" not in run("check_proca").stdout


@on_sqlite
def test_messages_in_quarantine(store_database):
    stored(b"{", b"[")

    done = run("check_proca")

    assert is_warned(done, "Quarantine")
    assert "2 messages" in line(done, "Quarantine")


@on_sqlite
def test_a_retry_that_is_overdue(store_database):
    stored(wire(an_action(action={"createdAt": "2999-01-01T00:00:00Z"})))
    QuarantinedMessage.objects.update(not_before=NOW - timedelta(hours=1))

    assert is_warned(run("check_proca"), "Retries")


# --- Deep --------------------------------------------------------------------------------------------


ORPHANS = [
    ("UPDATE sync_action SET supporter_id = 4711", "1 action without supporter"),
    ("DELETE FROM sync_contact", "1 action without contact"),
    ("UPDATE sync_action SET campaign_id = 4711", "1 action without campaign"),
    ("UPDATE sync_action SET action_page_id = 4711", "1 action without actionpage"),
    ("UPDATE sync_action SET org_id = 4711", "1 action without org"),
    ("UPDATE sync_action SET supporter_id = NULL", "1 action without supporter of its contact"),
    ("DELETE FROM sync_supporter", "1 subscription without supporter"),
    ("DELETE FROM sync_supporter", "1 consent without supporter"),
    ("DELETE FROM sync_supporter", "1 contact without supporter"),
    ("UPDATE sync_contact SET supporter_id = NULL", "1 supporter without contact"),
    ("DELETE FROM sync_org", "1 subscription without org"),
    ("DELETE FROM sync_campaign", "1 actionpage without campaign"),
]


@pytest.mark.parametrize(("broken", "says"), ORPHANS)
def test_rows_without_their_counterpart(store_database, broken, says):
    stored(wire(an_action()))
    store_database.query(broken)
    assert run("check_proca").returncode == 0

    done = run("check_proca", "--deep")

    assert is_broken(done, "Rows")
    assert says in line(done, "Rows")
