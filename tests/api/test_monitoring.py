"""Whether it lives, whether it is ready, and numbers for Prometheus."""

from __future__ import annotations

from django.db import OperationalError, connection, connections
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import anne


def numbers(answer):
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_it_lives_without_a_database_and_is_not_ready_then(store_database, monkeypatch):
    assert Client().get("/healthz").content == b"ok\n"
    assert Client().get("/readyz").content == b"ok\n"

    def away(_self):
        raise OperationalError

    connection.close()
    with monkeypatch.context() as broken:
        broken.setattr(type(connections["default"]), "connect", away)
        answers = [Client().get(path).status_code for path in ("/healthz", "/readyz", "/metrics")]

    assert answers == [200, 503, 503]


def test_missing_migrations_are_not_ready(store_database):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sync'")
    try:
        answer = Client().get("/readyz")
    finally:
        restore = "INSERT INTO django_migrations (app, name, applied) VALUES ('sync', %s, CURRENT_TIMESTAMP)"
        from pathlib import Path

        import sync

        with connection.cursor() as cursor:
            for path in sorted((Path(sync.__file__).parent / "migrations").glob("0*.py")):
                cursor.execute(restore, [path.stem])

    assert (answer.status_code, answer.content) == (503, b"migrations are missing: manage.py migrate\n")
    assert Client().get("/readyz").status_code == 200


def test_numbers_come_from_the_database(api, received):
    received(anne(1), anne(2, privacy={"optIn": False}), b"no json")
    received(anne(1))

    found = numbers(Client().get("/metrics"))

    def messages(result):
        return found["proca_crm_messages_total", ("result", result), ("source", "cus.7.deliver")]

    assert (messages("stored"), messages("duplicates"), messages("quarantined")) == (2, 1, 1)
    assert found["proca_crm_quarantine", ("code", "not_json")] == 1
    assert found[("proca_crm_supporters",)] == 2
    assert found["proca_crm_subscriptions", ("org", "7"), ("status", "subscribed")] == 1
    assert found[("proca_crm_last_message_timestamp_seconds",)] > 1_700_000_000
    assert found[("proca_crm_newest_change",)] > 0


def test_numbers_are_for_tokens_and_for_this_machine(api):
    def status(**headers):
        return Client().get("/metrics", **headers).status_code

    here, elsewhere = {}, {"REMOTE_ADDR": "192.0.2.1"}
    assert status(**here) == 200
    assert status(REMOTE_ADDR="::1") == 200
    assert status(**elsewhere) == 401
    assert status(HTTP_X_FORWARDED_FOR="127.0.0.1") == 401
    assert status(HTTP_FORWARDED="for=127.0.0.1") == 401
    assert status(**elsewhere, HTTP_AUTHORIZATION=f"Bearer {api('read').token}") == 200
    assert status(HTTP_AUTHORIZATION=f"Bearer {api('ingest', org=7).token}") == 403
    assert status(HTTP_AUTHORIZATION="Bearer wrong") == 401
