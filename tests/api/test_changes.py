"""The change feed: in the order of the commits, nothing skipped, and cursors that cannot lie."""

from __future__ import annotations

import threading

import time_machine

from sync.changes import log
from tests.api.conftest import anne
from tests.builders import a_campaign_update


def read_all(reader, **query):
    """Everything, a few at a time."""
    lines, after = [], "0"
    while True:
        answer = reader.get("changes/", after=after, limit=3, **query).json()
        lines += answer["results"]
        if len(answer["results"]) < 3:
            return lines, answer["next_after"]
        after = answer["next_after"]


def test_everything_that_happened_is_told_once_and_without_anything_of_anybody(api, received):
    received(anne(1), a_campaign_update())
    received(anne(2))
    received(anne(1, actionId=3, contact={"contactRef": f"ref{2:040d}"}))
    reader = api("read")
    (one,) = reader.results("supporters/")
    api("admin").delete(f"supporters/{one['id']}/")

    lines, after = read_all(reader)

    assert [line["id"] for line in lines] == sorted({line["id"] for line in lines})
    assert {line["kind"] for line in lines} >= {
        "supporter.changed", "supporter.merged", "supporter.erased", "action.recorded", "action.changed",
        "subscription.changed", "consent.recorded", "campaign.changed", "page.changed", "org.changed",
    }  # fmt: skip
    assert all(set(line) == {"id", "kind", "object", "object_id", "occurred_at", "data"} for line in lines)
    merged = next(line for line in lines if line["kind"] == "supporter.merged")
    assert merged["data"] == {"into": one["id"]}
    subscribed = next(line for line in lines if line["kind"] == "subscription.changed")
    assert subscribed["data"] == {"status": "subscribed", "org": 7}
    assert "example.org" not in str(lines)
    assert "Anne" not in str(lines)
    assert reader.get("changes/", after=after).json() == {"results": [], "next_after": after}


def test_a_kind_can_be_asked_for_and_the_cursor_moves_on(api, received):
    received(anne(1), anne(2))
    reader = api("read")

    lines, after = read_all(reader, kind="action.recorded")

    assert [line["kind"] for line in lines] == ["action.recorded"] * 2
    assert reader.get("changes/", after=after).json()["results"] == []


def test_objects_come_along_as_they_are_now(api, received):
    received(anne(1))
    reader = api("read")

    lines = reader.results("changes/", expand=1)

    by_kind = {line["kind"]: line["object"] for line in lines}
    assert by_kind["supporter.changed"]["email"] == "anne1@example.org"
    assert by_kind["action.recorded"]["action_id"] == 1
    assert by_kind["org.changed"]["id"] == 7
    api("admin").delete(f"supporters/{by_kind['supporter.changed']['id']}/")
    again = {line["kind"]: line["object"] for line in reader.results("changes/", expand=1)}
    assert again["supporter.changed"] is None


def test_a_cursor_beyond_the_newest_is_an_error_and_never_an_empty_page(api, received, store_database):
    received(anne(1))
    reader = api("read")
    before = reader.get("changes/").json()["next_after"]
    received(anne(2))
    after = reader.get("changes/").json()["next_after"]
    remove(store_database, "id > " + before.partition("-")[0])

    restored = reader.get("changes/", after=after)
    received(anne(3), anne(4))
    gone_on = reader.get("changes/", after=after)

    for answer in (restored, gone_on, reader.get("changes/", after="999999999")):
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "urn:proca-crm:problem:unknown-cursor")
    assert restored.json()["newest"] == before
    assert reader.get("changes/", after=before).json()["results"]


def test_a_cursor_older_than_what_is_kept_is_gone(api, received):
    with time_machine.travel("2020-01-01T00:00:00Z"):
        received(anne(1))
        early = api("read").get("changes/", limit=1).json()["next_after"]
        received(anne(2))
    received(anne(3))

    log.forget_old()

    problem = api("read").get("changes/", after=early)
    assert (problem.status_code, problem.json()["type"]) == (410, "urn:proca-crm:problem:expired-cursor")
    assert "supporters/?format=ndjson" in problem.json()["detail"]
    rest = api("read").results("changes/", after=problem.json()["oldest"])
    assert [line["kind"] for line in rest].count("action.recorded") == 1


def test_who_has_read_everything_loses_nothing_when_old_changes_go(api, received):
    with time_machine.travel("2020-01-01T00:00:00Z"):
        received(anne(1))
        after = api("read").get("changes/").json()["next_after"]
    received(anne(2))

    log.forget_old()

    assert "action.recorded" in {line["kind"] for line in api("read").results("changes/", after=after)}


def test_a_server_without_a_place_to_wait_waits_all_the_same(api, received):
    received(anne(1))
    reader = api("read")
    after = reader.get("changes/").json()["next_after"]
    later = threading.Timer(0.3, received, [anne(2)])
    later.start()

    lines = reader.results("changes/", after=after, wait=20)

    later.join()
    assert "supporter.changed" in {line["kind"] for line in lines}


def test_nothing_is_skipped_under_concurrent_writers(api, received):
    reader, written, seen, after = api("read"), 24, [], "0"

    def write(start):
        from django.db import connection

        for number in range(start, start + written // 4):
            received(anne(number))
        connection.close()

    writers = [threading.Thread(target=write, args=(start,)) for start in (100, 200, 300, 400)]
    for writer in writers:
        writer.start()
    is_last = False
    while not is_last:
        # Looked at before reading: what they wrote until then must come now.
        have_ended = not any(writer.is_alive() for writer in writers)
        answer = reader.get("changes/", after=after, limit=50).json()
        seen += answer["results"]
        after = answer["next_after"]
        is_last = have_ended and not answer["results"]

    recorded = [line["object_id"] for line in seen if line["kind"] == "action.recorded"]
    assert sorted(recorded) == sorted(row["id"] for row in reader.results("actions/"))
    assert [line["id"] for line in seen] == sorted(line["id"] for line in seen)


def remove(database, condition: str) -> None:
    """As a restore of a backup does: changes are gone, and their ids are given again."""
    with database.database.connect() as connection:
        connection.execute(f"DELETE FROM sync_change WHERE {condition}")
        if database.vendor == "postgresql":
            connection.execute("SELECT setval(pg_get_serial_sequence('sync_change', 'id'), max(id)) FROM sync_change")
        else:
            connection.execute(
                "UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM sync_change) WHERE name = 'sync_change'"
            )
