"""A database that already holds many people, written by SQL as the consumer would have written their sign-ups.

The consumer itself stores the first thousand, and with them all campaigns and pages. The SQL that writes the others is
first tried on these: what it selects must be what the consumer stored. The change log is left out: it is appended to,
and nothing looks into its past while messages are consumed.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from bench import messages as made
from bench.running import say
from tests.databases import Database

#: People of the consumer's own: enough for every campaign and page to be there.
FIRST = 1_000
_AT_ONCE = 250_000

#: One row for each person, as `messages` invents them.
_PEOPLE = r"""
CREATE TEMP TABLE one AS
SELECT person, lower(last) || '.' || person || '@mail' || person %% 50 || '.example.org' AS email,
  rtrim(translate(encode(sha256(person::text::bytea), 'base64'), '+/', '-_'), '=') AS ref, first, last,
  CASE WHEN person %% 4 = 0 THEN '+336' || lpad(person::text, 8, '0') END AS phone,
  (%(countries)s::text[])[1 + person %% 10] AS country, (%(locales)s::text[])[1 + person %% 10] AS locale,
  (person %% 90000 + 10000)::text AS postcode, 'Town ' || person %% 500 AS town,
  person %% 10 < 7 AS opt_in, %(start)s::timestamptz + make_interval(secs => person) AS at,
  (extract(epoch FROM %(start)s::timestamptz)::bigint + person) * 1000000 AS instant,
  (%(sources)s::text[])[1 + person %% 4] AS source,
  campaign.id AS campaign, campaign.proca_id AS number, page.id AS page
FROM (
  SELECT person, (%(first)s::text[])[1 + person %% 10] AS first, (%(last)s::text[])[1 + person / 10 %% 10] AS last
  FROM generate_series(%(begin)s::bigint, %(end)s::bigint) AS person
) AS named
JOIN sync_campaign AS campaign ON campaign.proca_id = 1 + person %% %(campaigns)s
JOIN sync_actionpage AS page ON page.proca_id = campaign.proca_id * 100 + person %% 10
"""

_SAID = r"""
'{"d":[[1,1,' || instant || ',0,' || person || ',"' || postcode || '",{"area":"' || country || '","country":"'
|| country || '","email":"' || email || '","first_name":"' || first || '","last_name":"' || last || '","locality":"'
|| town || '"' || CASE WHEN phone IS NULL THEN '' ELSE ',"phone":"' || phone || '"' END || ',"postcode":"' || postcode
|| '"}]],"e":[[7,"' || CASE WHEN opt_in THEN 'opt_in' ELSE 'opt_out' END || '",' || instant || ',"' || email
|| '",[[' || person || ',' || opt_in || ',"proca","",""]]]],"o":[[7,' || instant || ']],"t":[' || instant || ','
|| instant || ']}'
"""

_TRACKING = r"""
'{"campaign":"spring","content":"","location":"https://campaign-' || number || '.example.org/' || locale
|| '?utm_source=spring","medium":"email","source":"' || source || '"}'
"""

#: Table → column → what is in it. A column that is not named is null.
_TABLES = {
    "sync_supporter": {
        "id": "person",
        "email": "email",
        "first_name": "first",
        "last_name": "last",
        "phone": "phone",
        "postcode": "postcode",
        "locality": "town",
        "country": "country",
        "area": "country",
        "language": "locale",
        "extra": "'{}'",
        "contact_refs": "'[\"' || ref || '\"]'",
        "other_emails": "'[]'",
        "details_given_at": "at",
        "first_action_at": "at",
        "last_action_at": "at",
        "action_count": "1",
        "search_key": "lower(last || ' ' || first)",
        "created_at": "now()",
        "updated_at": "now()",
    },
    "sync_contact": {
        "id": "person",
        "email": "email",
        "ref": "ref",
        "supporter_id": "person",
        "home": "person",
        "said": _SAID,
        "marked": "false",
    },
    "sync_action": {
        "id": "person",
        "action_id": "person",
        "supporter_id": "person",
        "contact_id": "person",
        "campaign_id": "campaign",
        "action_page_id": "page",
        "org_id": "7",
        "action_type": "'petition'",
        "stage": "'deliver'",
        "testing": "false",
        "created_at": "at",
        "custom_fields": (
            "CASE WHEN person % 3 = 0 THEN '{\"comment\":\"For our children, and for theirs\"}' ELSE '{}' END"
        ),
        "dupe_rank": "0",
        "with_consent": "true",
        "opt_in": "opt_in",
        "tracking": _TRACKING,
        "said": "'{\"r\":[7],\"v\":' || instant || '}'",
    },
    "sync_consent": {
        "id": "person",
        "supporter_id": "person",
        "org_id": "7",
        "kind": "CASE WHEN opt_in THEN 'opt_in' ELSE 'opt_out' END",
        "email": "email",
        "occurred_at": "at",
        "recorded_at": "now()",
        "source": "'proca'",
        "action_id": "person",
    },
    "sync_subscription": {
        "id": "person",
        "supporter_id": "person",
        "org_id": "7",
        "status": "CASE WHEN opt_in THEN 'subscribed' ELSE 'none' END",
        "email": "email",
        "status_changed_at": "CASE WHEN opt_in THEN at END",
        "source": "CASE WHEN opt_in THEN 'proca' END",
        "updated_at": "now()",
    },
}
_JSON = ("extra", "contact_refs", "other_emails", "said", "custom_fields", "tracking")
#: What a sequence or a clock gave: the consumer's own are others. Timestamps of what happened are compared.
_OTHER = ("id", "supporter_id", "contact_id", "home", "recorded_at", "updated_at")


def load(database: Database, people: int) -> None:
    """Adds the sign-ups of people from the first that the consumer did not store up to number `people`."""
    with database.connect() as connection:
        connection.execute("SET synchronous_commit = off")
        _make_people(connection, 1, FIRST)
        _check(connection)
        for begin in range(FIRST + 1, people + 1, _AT_ONCE):
            _make_people(connection, begin, min(people, begin + _AT_ONCE - 1))
            for table, columns in _TABLES.items():
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {_expressions(columns)} FROM one"
                )
            say(f"{min(people, begin + _AT_ONCE - 1):,} of {people:,} people are there")
        for table in _TABLES:
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
            connection.execute(f"VACUUM (ANALYZE) {table}")


def _make_people(connection: psycopg.Connection, begin: int, end: int) -> None:
    values = {
        "first": list(made.FIRST_NAMES),
        "last": list(made.LAST_NAMES),
        "countries": list(made.COUNTRIES),
        "locales": list(made.LOCALES),
        "sources": list(made.SOURCES),
        "campaigns": made.CAMPAIGNS,
        "start": made.START,
        "begin": begin,
        "end": end,
    }
    connection.execute("DROP TABLE IF EXISTS one")
    psycopg.ClientCursor(connection).execute(_PEOPLE, values)


def _check(connection: psycopg.Connection) -> None:
    """Compares what would be written of the first people with what the consumer wrote of them."""
    for table, columns in _TABLES.items():
        same = {name: sql for name, sql in columns.items() if not _is_other(table, name)}
        ours = f"SELECT ROW({_expressions(same)})::text FROM one"
        theirs = f"SELECT ROW({', '.join(same)})::text FROM {table}"
        [(missing,)] = connection.execute(f"SELECT count(*) FROM ({ours} EXCEPT {theirs}) AS rows").fetchall()
        assert not missing, f"{missing} rows of {table} would be others than the consumer's; first: " + str(
            connection.execute(f"({ours} EXCEPT {theirs}) LIMIT 1").fetchone()
        )


def _is_other(table: str, column: str) -> bool:
    return column in _OTHER or (table, column) == ("sync_supporter", "created_at")


def _expressions(columns: dict[str, str]) -> str:
    return ", ".join(f"({sql})::json" if name in _JSON else f"({sql})" for name, sql in columns.items())


def counts(database: Database) -> Sequence[Any]:
    """How many supporters and how many actions there are, and how large it all is in MB."""
    return database.query(
        "SELECT (SELECT count(*) FROM sync_supporter), (SELECT count(*) FROM sync_action),"
        " pg_database_size(current_database()) / 1000000"
    )[0]
