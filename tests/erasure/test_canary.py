"""After an erasure nothing is left of the person: in no table, in no log, and nothing that a replay could fill in."""

import logging

import pytest
from django.apps import apps
from django.db.models import BinaryField, CharField, TextField

from sync.intake.retry import retry
from sync.models import Action, QuarantinedMessage, Supporter
from sync.models.fields import ExactJSONField
from sync.store import asked
from sync.terms import DETAILS
from tests.builders import OTHER_KEYS
from tests.erasure.canary import (
    BYSTANDER,
    EMAIL,
    NOW,
    REF,
    Doors,
    a_sign_up,
    columns_with_traces,
    dump_of,
    messages,
    take_in,
    traces_in,
    unreadable,
    whoever,
)

#: Columns of texts that hold nothing of a supporter, and why. A column that is neither here nor filled by the person of
#: these tests makes them fail: whoever adds one says what an erasure does with it.
NOTHING_OF_A_PERSON = {
    "words of ours": {
        "sync_action": {"stage", "said"},
        "sync_change": {"kind", "object", "data", "origin"},
        "sync_consent": {"kind", "source", "destination"},
        "sync_delivery": {"kind", "state", "lease", "told_status"},
        "sync_destinationstate": {"state", "reason"},
        "sync_intakecount": {"source", "verdict"},
        "sync_link": {"kind", "history"},
        "sync_notice": {"kind"},
        "sync_org": {"policy"},
        "sync_quarantinedmessage": {"queue", "code", "where", "headers"},
        "sync_sharedemail": {"history"},
        "sync_subscription": {"status", "source"},
        "sync_supporter": {"email_status"},
    },
    "ids": {"sync_waitingentries": {"supporters"}},
    "hashes, keyed or of whole messages": {
        "sync_mark": {"key_hash"},
        "sync_erasure": {"spam"},
        "sync_notice": {"digest"},
        "sync_quarantinedmessage": {"digest"},
        "sync_sharedemail": {"email_hash"},
        "sync_waitingentries": {"email_hash", "ref_hash"},
    },
    "campaigns, pages and organisations": {
        "sync_action": {"action_type"},
        "sync_actionpage": {"name", "locale", "given"},
        "sync_campaign": {"name", "title", "external_id", "contact_schema", "config", "given"},
        "sync_org": {"name", "title", "given"},
        "sync_supporter": {"language"},
    },
    "places that many live in": {"sync_supporter": {"street_number", "postcode", "region", "country", "area"}},
    "the operator's own settings and people": {
        "sync_attempts": {"what"},
        "sync_auditentry": {"actor", "action", "object", "note"},
        "sync_destination": {
            "name",
            "kind",
            "settings",
            "secrets",
            "audience",
            "on_bounce",
            "mapping",
            "tags",
            "language",
        },
        "sync_destinationstate": {"position", "poll_cursor", "found"},
        "sync_installation": {"name", "value"},
        "sync_token": {"name", "prefix", "digest", "scopes"},
    },
    "what destinations know: emptied by the order to forget, see tests/push": {
        "sync_delivery": {"error", "remote_id", "remote_others", "told_email", "told_tags"},
        "sync_reported": {"who", "said"},
    },
}
TEXTS = (TextField, CharField, BinaryField, ExactJSONField)


@pytest.fixture
def doors(store_database, tmp_path):
    return Doors(tmp_path)


def everything(database, caplog):
    """What a backup and the logs hold of the person."""
    logs = "\n".join(str(record.__dict__) for record in caplog.records)
    return columns_with_traces(), traces_in(dump_of(database)), traces_in(logs)


def test_nothing_is_left_of_a_person_who_went_through_every_door(store_database, doors, caplog):
    caplog.set_level(logging.INFO)
    ids = doors.walk()
    assert len(ids) == 1
    assert len(columns_with_traces()) > 20

    asked.erase(supporter=ids.pop())

    assert everything(store_database, caplog) == (set(), [], [])
    assert whoever(BYSTANDER["email"])


def test_a_replay_of_everything_brings_nothing_back(store_database, doors, caplog):
    caplog.set_level(logging.INFO)
    (canary,) = doors.walk()
    others = Supporter.objects.exclude(pk=canary).count()
    asked.erase(email=EMAIL)

    take_in(messages())
    take_in(unreadable())
    retry([row.pk for row in QuarantinedMessage.objects.filter(code="no_key")], OTHER_KEYS, now=NOW)
    # What cannot be read cannot be known to be theirs; the operator throws it away.
    QuarantinedMessage.objects.exclude(code="no_key").delete()

    assert Supporter.objects.count() == others
    columns, _, logs = everything(store_database, caplog)
    assert columns <= {("sync_notice", "payload")}
    assert logs == []


def test_only_a_new_action_makes_somebody_again_under_a_new_id(store_database, doors):
    (canary,) = doors.walk()
    asked.erase(supporter=canary)

    take_in([a_sign_up(12, hours=-1, contact={"email": EMAIL, "contactRef": REF})])

    again = Supporter.objects.get(email="q\u00fcentzal.kanari@example.org")
    assert again.pk > canary
    assert (again.contact_refs, again.other_emails, again.action_count) == ([REF], [], 1)
    assert not Action.objects.filter(action_id__lt=12, supporter=again).exists()


def test_the_api_erases_alike(store_database, doors, caplog):
    (canary,) = doors.walk()

    answer = doors.clients["admin"].delete(f"/api/v1/supporters/{canary}/")

    assert answer.status_code == 204
    assert columns_with_traces() == set()


def test_every_column_of_texts_is_tried_or_holds_nothing_of_a_person(store_database, doors):
    doors.walk()
    tried = columns_with_traces()
    excused = {
        (table, name) for tables in NOTHING_OF_A_PERSON.values() for table, names in tables.items() for name in names
    }

    texts = {
        (model._meta.db_table, field.column)
        for model in apps.get_app_config("sync").get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, TEXTS)
    }

    assert texts - tried - excused == set(), "what does an erasure do with these?"
    assert tried & excused == set()
    assert excused <= texts
    assert {("sync_supporter", name) for name in DETAILS} <= texts
