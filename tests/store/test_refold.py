"""What is derived follows from what is kept: a check finds whatever differs, and a refold mends it."""

import json
import random

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from sync.models import Change, Subscription, Supporter
from sync.store import policies
from sync.store.refold import refold
from tests.commands.here import run, stored
from tests.intake.messages import an_action
from tests.oracle import strategies
from tests.oracle.difference import difference
from tests.rules.orders import as_they_may_come
from tests.store.stored import state
from tests.store.test_convergence import store


@pytest.fixture
def people(store_database):
    """Anna with three actions and two contactRefs, and Bert who said no; what their rows show."""
    stored(*(an_action(actionId=number, contact=anna(ref)) for number, ref in ((1, "a"), (2, "b"), (3, "a"))))
    stored(an_action(actionId=9, contact={"contactRef": "r", "email": "bert@example.org", "firstName": "Bert"}))
    assert refold(check=True).total == 0
    return state()


def anna(ref):
    return {"contactRef": ref, "email": "anna@example.org", "firstName": "Anna", "country": "FR", "postcode": "69001"}


ANNA = "(SELECT id FROM sync_supporter WHERE email = 'anna@example.org')"
COLUMNS = {
    **{
        f"supporter's {column}": f"UPDATE sync_supporter SET {column} = 'x'"
        for column in (
            *("email", "email_status", "first_name", "last_name", "phone", "birth_date", "street", "street_number"),
            *("postcode", "locality", "region", "country", "area", "language", "search_key"),
        )
    },
    **{
        f"supporter's {column}": f"UPDATE sync_supporter SET {column} = '[\"x\"]'"
        for column in ("extra", "contact_refs", "other_emails")
    },
    **{
        f"supporter's {column}": f"UPDATE sync_supporter SET {column} = '2001-01-01 00:00:00+00:00'"
        for column in ("email_status_changed_at", "details_given_at", "first_action_at", "last_action_at")
    },
    "action_count": "UPDATE sync_supporter SET action_count = 77",
}
ROWS = {
    "supporter gone": f"DELETE FROM sync_supporter WHERE id = {ANNA}",
    "supporter of nobody": "UPDATE sync_supporter SET id = 4711 WHERE id = 1",
    "contact of nobody": "UPDATE sync_contact SET supporter_id = NULL",
    "contact of another": f"UPDATE sync_contact SET supporter_id = {ANNA}",
    "contact marked": "UPDATE sync_contact SET marked = NOT marked",
    "action of nobody": "UPDATE sync_action SET supporter_id = NULL",
    "action of another": f"UPDATE sync_action SET supporter_id = {ANNA}",
    "action of somebody unknown": "UPDATE sync_action SET supporter_id = 4711 WHERE action_id = 2",
    "actions and contacts of nobody": "UPDATE sync_action SET supporter_id = NULL",
    "entry gone": "DELETE FROM sync_consent",
    "entry's source": "UPDATE sync_consent SET source = 'crm'",
    "entry's action": "UPDATE sync_consent SET action_id = 4711",
    "entry's email": "UPDATE sync_consent SET email = NULL",
    "entry counts": "UPDATE sync_consent SET counts = TRUE",
    "entry's note": "UPDATE sync_consent SET note = 'x', destination = 'y'",
    "entry of nobody": "UPDATE sync_consent SET supporter_id = 4711",
    "entry too many": "UPDATE sync_consent SET kind = 'unsub'",
    "subscription gone": "DELETE FROM sync_subscription",
    "subscription's status": "UPDATE sync_subscription SET status = 'bounced'",
    "subscription's email": "UPDATE sync_subscription SET email = 'x@example.org'",
    "subscription's time": "UPDATE sync_subscription SET status_changed_at = NULL",
    "subscription's source": "UPDATE sync_subscription SET source = 'import'",
    "subscription of nobody": "UPDATE sync_subscription SET supporter_id = 4711 WHERE supporter_id = 1",
    "subscription of another org": "UPDATE sync_subscription SET org_id = 8",
}


@pytest.mark.parametrize("broken", ROWS)
def test_what_a_hand_breaks_is_found_and_mended(store_database, people, broken):
    store_database.query(ROWS[broken])
    if broken == "actions and contacts of nobody":
        store_database.query("UPDATE sync_contact SET supporter_id = NULL")

    is_mended(people)


@pytest.mark.parametrize("broken", COLUMNS)
@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_every_column_of_a_supporter_is_mended(store_database, people, broken):
    store_database.query(COLUMNS[broken])

    is_mended(people)


def is_mended(people):
    assert refold(check=True).total > 0

    refold()

    assert difference(state(), people) == []
    assert refold(check=True).total == 0


def test_a_check_changes_nothing(store_database, people):
    store_database.query("UPDATE sync_supporter SET action_count = 77")

    done = run("refold", "--check")

    assert done.returncode == 1
    assert json.loads(done.stdout)["supporters"] == 2
    assert "refold" in done.stderr
    assert set(Supporter.objects.values_list("action_count", flat=True)) == {77}


def test_what_a_refold_mends_is_told_to_those_who_follow(store_database, people):
    store_database.query("UPDATE sync_subscription SET status = 'bounced' WHERE supporter_id = 1")
    before = Change.objects.count()

    done = run("refold")

    assert done.returncode == 0
    assert json.loads(done.stdout)["differences"] == 1
    assert [(one.kind, one.data) for one in Change.objects.order_by("pk")[before:]] == [
        ("subscription.changed", {"status": "subscribed", "org": 7})
    ]


def test_an_organisation_is_folded_alone(store_database, people):
    stored(an_action(actionId=20, contact={"contactRef": "z", "email": "zoe@example.org"}), reader=8)
    store_database.query("UPDATE sync_subscription SET status = 'bounced'")

    done = run("refold", "--org", "8")

    assert json.loads(done.stdout)["subscriptions"] == 1
    assert sorted(Subscription.objects.values_list("org_id", "status")) == [
        (7, "bounced"),
        (7, "bounced"),
        (8, "subscribed"),
    ]


def test_a_subscription_that_is_gone_is_found_for_its_organisation(store_database, people):
    store_database.query("DELETE FROM sync_subscription")

    assert run("refold", "--org", "7", "--check").returncode == 1


def test_an_unknown_organisation_is_wrong_usage(store_database):
    done = run("refold", "--org", "99")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


# --- Policies ----------------------------------------------------------------------------------------


def test_subscriptions_follow_another_policy(store_database, people):
    policies.set_policy(7, "double_opt_in")
    assert refold(check=True).differences["subscriptions"] == 2
    assert policies.unfinished() == [7]

    refold(org=7)

    assert set(Subscription.objects.values_list("status", flat=True)) == {"pending"}
    assert policies.unfinished() == []


def test_another_default_is_followed_by_a_refold(store_database, people, settings):
    settings.SUBSCRIPTION_POLICY = "double_opt_in"

    assert run("refold", "--check").returncode == 1
    assert run("refold").returncode == 0
    assert set(Subscription.objects.values_list("status", flat=True)) == {"pending"}


# --- Whatever happened before ------------------------------------------------------------------------


@hypothesis_settings(
    max_examples=20,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(items=strategies.items(max_messages=8, shared=True))
def test_what_was_stored_needs_no_mending(store_database, items):
    store_database.empty()
    store(as_they_may_come(items, random.Random(len(items))), 3)

    assert refold(check=True).differences.total() == 0
