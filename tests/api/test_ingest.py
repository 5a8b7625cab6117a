"""Proca's own ways in, by HTTP: messages exactly as on the queue, and its question what we know of somebody."""

from __future__ import annotations

import base64

import pytest
from django.db import OperationalError, connection, connections
from django.test import Client

from sync.proca.encryption import KeyStore
from tests.api.conftest import anne
from tests.builders import an_email_status, encrypted, wire

BAD_JSON = b'{"schema": "proca:action:2", "contact": {"email": "anne@example.org"'


def results(answer):
    assert answer.status_code == 200, answer.content
    return [one["result"] for one in answer.json()["results"]]


def test_a_message_is_stored_as_from_the_queue(api, received, store_database):
    ingest = api("ingest", org=7)

    assert results(ingest.post("proca/messages/", anne(1))) == ["stored"]
    assert results(ingest.post("proca/messages/", anne(1))) == ["duplicate"]
    assert [str(verdict) for verdict in received(anne(1))] == ["duplicates"]
    (one,) = api("read").results("subscriptions/")
    assert (one["org"], one["status"]) == (7, "subscribed")
    counts = store_database.query("SELECT verdict, number FROM sync_intakecount WHERE source = 'http' ORDER BY verdict")
    assert counts == [("duplicates", 1), ("stored", 1)]


def test_an_array_gets_a_result_for_each_and_a_bad_one_spoils_nobody(api, store_database):
    confirmed = an_email_status(actionId=1, supporter={"contact": {"email": "anne1@example.org"}})
    foreign = encrypted(anne(2), KeyStore.generate())

    answer = api("ingest", org=7).post("proca/messages/", [anne(1), {"schema": "other"}, confirmed, foreign, anne(1)])

    assert results(answer) == ["stored", "quarantined", "event", "quarantined", "duplicate"]
    assert store_database.query("SELECT queue, reader FROM sync_quarantinedmessage") == [("http", 7)] * 2


def test_a_body_that_is_no_json_is_kept_to_the_byte(api, store_database):
    ingest = api("ingest", org=7)
    bodies = [BAD_JSON, b"[" + BAD_JSON, b"\xff\xfe", b" "]

    assert [results(ingest.post("proca/messages/", body)) for body in bodies] == [["quarantined"]] * 4

    kept = store_database.query("SELECT body, CAST(headers AS text) FROM sync_quarantinedmessage ORDER BY id")
    assert [bytes(body) for body, _ in kept] == bodies
    assert ingest.token not in str(kept)


@pytest.mark.parametrize("path", ["proca/messages/", "proca/messages", "proca/lookup/", "proca/lookup"])
def test_proca_may_send_the_token_as_it_likes_with_and_without_the_last_slash(api, path):
    token = api("ingest", org=7).token
    basic = base64.b64encode(f"proca:{token}".encode()).decode()

    for header in (f"Bearer {token}", f"bearer {token}", f"Basic {basic}", token):
        answer = Client(headers={"authorization": header}).post(
            f"/api/v1/{path}", wire(anne(1)), content_type="application/json"
        )
        assert answer.status_code == 200, (header, answer.content)
    for header in ("Bearer wrong", "Basic wrong", "Basic " + base64.b64encode(b"proca:x").decode(), "wrong"):
        answer = Client(headers={"authorization": header}).post(f"/api/v1/{path}", b"{}", content_type="text/plain")
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_the_content_type_does_not_matter(api):
    client = api("ingest", org=7).client

    for number, kind in enumerate(("application/json", "text/plain", "application/octet-stream", "multipart/x"), 1):
        answer = client.post("/api/v1/proca/messages/", wire(anne(number)), content_type=kind)
        assert results(answer) == ["stored"]


def test_more_than_a_thousand_at_a_time_are_refused_whole(api):
    answer = api("ingest", org=7).post("proca/messages/", [{}] * 1001)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["body"])
    assert results(api("ingest", org=7).post("proca/messages/", [])) == []


def test_a_body_above_the_limit_is_refused_and_a_large_one_is_not(api, settings):
    settings.MAX_BODY_MB = 8
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
    ingest = api("ingest", org=7)
    large = anne(1, action={"customFields": {"text": "x" * (7 * 1024 * 1024)}})

    assert results(ingest.post("proca/messages/", large)) == ["stored"]
    refused = ingest.post("proca/messages/", b"x" * (8 * 1024 * 1024 + 1))

    assert (refused.status_code, refused["Content-Type"]) == (413, "application/problem+json")


def test_while_the_database_is_away_proca_comes_again_and_nobody_is_known(api, received, monkeypatch):
    received(anne(1))
    ingest = api("ingest", org=7)

    def away(_self):
        raise OperationalError

    connection.close()
    with monkeypatch.context() as broken:
        broken.setattr(type(connections["default"]), "connect", away)
        messages = ingest.post("proca/messages/", anne(2))
        lookup = ingest.post("proca/lookup/", {"email": "anne1@example.org", "contactRef": None})
        stranger = api().post("proca/lookup/", {"email": "anne1@example.org", "contactRef": None})
        listing = ingest.get("supporters/")

    assert (messages.status_code, messages["Content-Type"]) == (503, "application/problem+json")
    assert int(messages["Retry-After"]) > 0
    assert (lookup.status_code, lookup.json()) == (200, {})
    assert stranger.status_code in (200, 401)
    assert listing.status_code == 503
    assert results(ingest.post("proca/messages/", anne(2))) == ["stored"]


def test_only_who_is_subscribed_at_the_tokens_organisation_is_known(api, received):
    received(anne(1), anne(2, privacy={"optIn": False}))
    received(anne(3), org=8)
    known = {"action": {"customFields": {"isSubscribed": True}}}
    questions = [
        ({"email": "anne1@example.org", "contactRef": f"ref{1:040d}"}, known),
        ({"email": None, "contactRef": f"ref{1:040d}"}, known),
        ({"email": " ANNE1@example.org ", "contactRef": None}, known),
        ({"email": "anne1@example.org"}, known),
        ({"email": "anne2@example.org", "contactRef": f"ref{2:040d}"}, {}),
        # The contactRef says who it is, whatever the email says.
        ({"email": "anne1@example.org", "contactRef": f"ref{2:040d}"}, {}),
        ({"email": "anne3@example.org", "contactRef": f"ref{3:040d}"}, {}),
        ({"email": "nobody@example.org", "contactRef": "nobody"}, {}),
        ({"email": "null", "contactRef": "undefined"}, {}),
        ({"email": "a\0@example.org", "contactRef": "\ud800"}, {}),
        ({"email": ["x"], "contactRef": {"x": 1}}, {}),
        ({}, {}), ([], {}), ("x", {}), (None, {}), (b"no json", {}), (b"[" * 100_000, {}),
    ]  # fmt: skip
    ingest = api("ingest", org=7)

    for question, said in questions:
        answer = ingest.post("proca/lookup/", question)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        assert answer.json() == said, question


def test_a_shared_email_is_known_when_all_who_have_it_are_subscribed(api, received):
    from sync.store import asked

    received(anne(1))
    asked.share("anne1@example.org", shared=True)
    received(anne(2, contact={"email": "anne1@example.org"}))
    ingest = api("ingest", org=7)

    def ask(ref):
        return ingest.post("proca/lookup/", {"email": "anne1@example.org", "contactRef": ref}).json()

    assert ask(None) != {}
    received(
        anne(3, actionId=3, contact={"email": "anne1@example.org", "contactRef": "third"}, privacy={"optIn": False})
    )
    assert ask(None) == {}
    assert ask("unknown") == {}
    assert ask(f"ref{1:040d}") != {}
