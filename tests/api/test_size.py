"""What it costs does not grow: queries with the size of a page, pages with their depth, streams with their length."""

from __future__ import annotations

import time
import tracemalloc

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.access.limits import Shares
from sync.api import endpoint
from tests.api.conftest import anne
from tests.builders import a_campaign_update

LISTS = (
    "supporters/", "actions/", "action-pages/", "campaigns/", "orgs/", "subscriptions/", "consents/", "changes/",
    "quarantine/",
)  # fmt: skip
MANY = """
    INSERT INTO sync_action (action_id, action_type, testing, created_at, custom_fields, with_consent, said)
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 20000)
    SELECT 1000000 + n, 'register', false, '2026-01-01 00:00:00+00:00', '{"text":"some words of a person"}', false, '{}'
      FROM number
"""


@pytest.fixture
def at_one_moment(monkeypatch):
    """Nothing is due between two requests: each minute, or after a hundred requests, some queries count and note a use.

    What a process has left of a hundred requests outlives the database of a test, and so would meet the next one.
    """
    monkeypatch.setattr(endpoint, "_shares", Shares())
    with time_machine.travel(time.time(), tick=False):
        yield


def queries(reader, path, **query) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert reader.get(path, **query).status_code == 200
    return len(captured)


def test_a_larger_page_needs_no_more_queries(at_one_moment, api, received):
    received(*(anne(number, orgId=number) for number in range(1, 30)), a_campaign_update())
    reader = api("admin")
    reader.get("orgs/")

    for path in LISTS:
        size = "limit" if path == "changes/" else "page_size"
        assert queries(reader, path, **{size: 2}) == queries(reader, path, **{size: 50}), path
        assert queries(reader, path, **{size: 50}) <= 6, path
    # One more for each kind of thing.
    assert queries(reader, "changes/", limit=5, expand=1) <= queries(reader, "changes/", limit=500, expand=1) <= 12


@pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)
def test_a_deep_page_reads_no_more_rows_than_the_first(api, received, store_database):
    store_database.query(MANY)
    reader = api("read")
    with CaptureQueriesContext(connection) as captured:
        answer = reader.get("actions/", page_size=10).json()
        for _ in range(3):
            answer = reader.follow(answer["next"]).json()
    statement = captured.captured_queries[-1]["sql"]

    plan = "\n".join(row[0] for row in store_database.query(f"EXPLAIN ANALYZE {statement}"))

    assert "Index Scan using sync_action_pkey" in plan
    assert "OFFSET" not in statement.upper()


@pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)
def test_a_long_stream_takes_no_more_memory_than_a_short_one(api, store_database):
    with store_database.database.connect() as plain:
        plain.execute(MANY)
    reader = api("read")
    answer = reader.get("actions/", format="ndjson")
    size = 0

    tracemalloc.start()
    for piece in answer.streaming_content:
        size += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size > 5_000_000
    assert peak < size
