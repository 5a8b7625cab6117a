"""With very many people, lists and searches of the desk go by an index, and read no further than a page."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.many import fill

PEOPLE = 12_000
#: Tables that grow with every message.
LARGE = ("sync_supporter", "sync_contact", "sync_action", "sync_subscription", "sync_consent", "sync_change")

LISTS = [
    "supporter/",
    "supporter/?p=100",
    "action/",
    "action/?campaign=9",
    "subscription/",
    "subscription/?org=3&status=bounced",
    "consent/",
    "contact/",
    "change/",
]
SEARCHES = [
    "supporter/?q=P5000@example.org",
    "supporter/?q=ref-7777",
    "supporter/?q=7777",
    "supporter/?q=lastc4ca4",
    "supporter/?q=first1 lastc4ca4238a0b923820dcc509a6f75849b",
    "supporter/?q=nobody at all",
    "action/?q=7777",
    "subscription/?q=p5@example.org",
    "consent/?q=ref-5",
    "contact/?q=ref-5",
]


@pytest.fixture
def many(desk):
    """A browser at the desk of somebody with very many supporters."""
    with connection.cursor() as cursor:
        fill(cursor, PEOPLE)
    return desk


def test_lists_and_searches_find_by_an_index_and_read_no_whole_table(many):
    for address in [*LISTS, *SEARCHES, "supporter/5000/change/"]:
        with CaptureQueriesContext(connection) as asked:
            answer = many.get(f"/admin/sync/{address}")

        assert answer.status_code == 200, address
        assert ("Nothing fits" in answer.content.decode()) == ("nobody" in address), address
        for query in asked.captured_queries:
            read = whole_tables(query["sql"])
            assert not read, f"{address} reads all of {read}: {query['sql'][:300]}"
    # And one that has no index is noticed.
    assert whole_tables("SELECT * FROM sync_supporter WHERE postcode LIKE '%1%'") == {"sync_supporter"}


def whole_tables(sql):
    """Return the large tables that a query reads from one end to the other."""
    if not sql.startswith("SELECT") or not any(table in sql for table in LARGE):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    plan = found if isinstance(found, list) else json.loads(found)
    return {
        node["Relation Name"]
        for node in nodes(plan[0]["Plan"])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE and went_through(node)
    }


def went_through(node):
    """Whether a scan looked at most rows; one that ends with the page is cheap."""
    return node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0) > PEOPLE // 2


def nodes(plan):
    """Yield every node of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
