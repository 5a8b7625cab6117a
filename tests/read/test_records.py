"""Records carry the names of the interface, in its order, and values exactly as they are kept."""

import json

import pytest

from sync.models import Action, Supporter
from sync.read.export import lines, ndjson_line
from sync.read.records import KINDS, records
from tests.commands.here import stored
from tests.intake.messages import an_action

NAMES = {
    "supporters": (
        *("id", "email", "email_status", "email_status_changed_at", "first_name", "last_name", "phone", "birth_date"),
        *("street", "street_number", "postcode", "locality", "region", "country", "area", "language", "extra"),
        *("contact_refs", "other_emails", "details_given_at", "first_action_at", "last_action_at", "action_count"),
        *("created_at", "updated_at"),
    ),
    "actions": (
        *("id", "action_id", "supporter", "campaign", "action_page", "org", "action_type", "stage", "testing"),
        *("created_at", "custom_fields", "donation", "dupe_rank", "with_consent", "opt_in", "tracking"),
        *("supporter_email", "supporter_contact_refs", "campaign_name", "org_name"),
    ),
    "subscriptions": (
        *("id", "supporter", "org", "status", "email", "status_changed_at", "source"),
        *("supporter_email", "supporter_contact_refs", "org_name"),
    ),
    "consents": (
        *("id", "supporter", "org", "kind", "email", "occurred_at", "recorded_at", "source", "destination"),
        *("action_id", "counts", "note", "supporter_email", "supporter_contact_refs", "org_name"),
    ),
    "campaigns": (*("id", "proca_id", "name", "title", "external_id", "contact_schema", "config", "org", "org_name"),),
}
ODD = {
    "two to the 53 and one": 2**53 + 1,
    "beyond 64 bits": 19933688932870350000,
    "float": 1.0,
    "small": 1e-7,
    "large": 1e22,
    "text": '1e22 \u2028 ﬁ 🌳 "quoted" \\ <b>',
    "deep": [{"a": [None, False, 0, ""]}],
}


def test_the_names_are_those_of_the_interface():
    assert {name: kind.names for name, kind in KINDS.items()} == NAMES


@pytest.fixture
def odd(store_database):
    """An action with values that decoders have turned into others."""
    action = {"actionType": "petition", "createdAt": "2026-05-12T14:21:53.120Z", "testing": False, "customFields": ODD}
    stored(an_action(action=action, tracking={"source": "=1+1", "medium": "email"}))


def test_values_come_out_as_they_went_in(odd):
    (line,) = lines(KINDS["actions"], Action.objects.all(), "ndjson")

    assert json.loads(line)["custom_fields"] == ODD
    assert "19933688932870350000" in line
    assert '"float":1.0' in line
    assert "🌳" in line
    assert line.count("\n") == 1


def test_times_are_utc_with_a_fraction_only_where_there_is_one(odd):
    (record,) = records(KINDS["actions"], Action.objects.all())
    (supporter,) = records(KINDS["supporters"], Supporter.objects.all())

    assert record["created_at"] == "2026-05-12T14:21:53.120000Z"
    assert supporter["details_given_at"] == "2026-05-12T14:21:53.120000Z"


def test_tracking_has_all_its_parts(odd):
    (record,) = records(KINDS["actions"], Action.objects.all())

    assert list(record["tracking"]) == ["source", "medium", "campaign", "content", "location"]
    assert record["tracking"]["source"] == "=1+1"
    assert record["donation"] is None


def test_rows_whose_counterpart_is_missing_are_still_exported(odd, store_database):
    store_database.query("DELETE FROM sync_org")
    store_database.query("DELETE FROM sync_supporter")

    for name in ("actions", "subscriptions", "consents"):
        kind = KINDS[name]
        assert len(list(records(kind, kind.model._default_manager.all()))) == 1, name


def test_a_line_is_a_line():
    assert ndjson_line({"a": "x\ny"}) == '{"a":"x\\ny"}\n'
