"""`push_crm` as a person runs it: drained, previewed, killed, with several workers."""

import json
import signal
import time

import pytest

from sync.push import destinations
from tests.fakes.receiver import SECRET
from tests.fakes.receiver import receiver as running_receiver
from tests.project import run_manage, start_manage
from tests.push.world import a_destination, receive, sign_up
from tests.servers import wait_until

ENV = {"PUSH_ALLOW_HOSTS": "127.0.0.1"}
PEOPLE = 24


def env_of(store_database):
    return ENV | {"DATABASE_URL": store_database.url}


def summary_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def everybody():
    receive(*(sign_up(f"person{number}", action_id=number) for number in range(1, PEOPLE + 1)))


def test_it_drains_and_sums_up(store_database, receiver):
    everybody()
    a_destination(receiver)

    summary = summary_of(run_manage("push_crm", "--drain", env=env_of(store_database)))

    assert summary.keys() == {"delivered", "failed", "skipped", "pending", "seconds"}
    assert (summary["delivered"], summary["failed"], summary["pending"]) == (PEOPLE, 0, 0)
    assert len(receiver.people) == len(receiver.actions) == PEOPLE


def test_a_dry_run_sends_nothing_keeps_nothing_and_shows_people_in_full(store_database, receiver):
    everybody()
    destination = a_destination(receiver, name="ours", state="paused")

    done = run_manage("push_crm", "--dry-run", "--limit", "2", env=env_of(store_database))

    *lines, summary = map(json.loads, done.stdout.splitlines())
    assert lines[0] == {
        "destination": "ours",
        "audience": PEOPLE,
        "told": 0,
        "new": PEOPLE,
        "due": 0,
        "to_forget": 0,
        "there": None,
    }
    assert len(lines) == 3
    assert "example.org" in json.dumps(lines[1])
    assert SECRET not in done.stdout
    assert (summary["delivered"], summary["pending"]) == (0, PEOPLE)
    assert receiver.calls == []
    assert destination.deliveries.count() == 0


@pytest.mark.parametrize(
    "arguments",
    [("--destination", "nobody"), ("--limit", "3"), ("--workers", "0"), ("--colour",)],
)
def test_wrong_usage_is_one_line(store_database, arguments):
    done = run_manage("push_crm", *arguments, env=env_of(store_database))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "nobody" not in done.stderr


def test_one_destination_alone(store_database, receiver):
    everybody()
    with running_receiver() as other:
        a_destination(receiver, name="this")
        a_destination(other, name="that")

        summary_of(run_manage("push_crm", "--drain", "--destination", "this", env=env_of(store_database)))

        assert len(receiver.people) == PEOPLE
        assert other.calls == []


def test_it_stops_when_asked_and_goes_on_later(store_database, receiver):
    everybody()
    a_destination(receiver)
    running = start_manage("push_crm", env=env_of(store_database))
    wait_until(lambda: len(receiver.events) > 3, "some messages", 60)

    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    json.loads(out.splitlines()[-1])
    summary_of(run_manage("push_crm", "--drain", env=env_of(store_database)))

    assert len(receiver.people) == len(receiver.actions) == PEOPLE


@pytest.mark.fault
def test_killed_at_any_moment_nothing_is_lost_and_nothing_told_twice(store_database, receiver):
    everybody()
    destination = a_destination(receiver)
    for kill_after in (1, 20):
        running = start_manage("push_crm", env=env_of(store_database))
        wait_until(lambda: len(receiver.events) > kill_after, "some messages", 60)  # noqa: B023
        running.kill()
        running.communicate()
        let_leases_run_out(store_database, destination)

    summary_of(run_manage("push_crm", "--drain", env=env_of(store_database)))

    assert len(receiver.people) == len(receiver.actions) == PEOPLE
    assert set(receiver.statuses().values()) == {"subscribed"}


def let_leases_run_out(store_database, destination):
    """What was in the hands of the killed is free only when its lease is over: let that be now."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if destination.deliveries.exclude(lease="").update(lease_until="2026-01-01T00:00:00Z") is not None:
            return


def test_two_workers_tell_everybody_once(store_database, receiver):
    everybody()
    a_destination(receiver)
    workers = [] if store_database.vendor == "sqlite" else ["--workers", "2"]

    summary = summary_of(run_manage("push_crm", "--drain", *workers, env=env_of(store_database)))

    assert summary["delivered"] == PEOPLE
    assert len(receiver.calls) == 2 * PEOPLE
    assert len(receiver.people) == len(receiver.actions) == PEOPLE


def test_a_destination_whose_kind_is_gone_holds_up_no_other(store_database, receiver):
    everybody()
    gone = a_destination(receiver, name="gone")
    a_destination(receiver, name="here")
    type(gone).objects.filter(pk=gone.pk).update(kind="pigeon")

    summary_of(run_manage("push_crm", "--drain", env=env_of(store_database)))

    assert len(receiver.people) == PEOPLE
    assert destinations.secrets_of(gone) == {"secret": SECRET}
