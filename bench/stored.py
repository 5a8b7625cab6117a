"""What a database holds of the same messages, so that consumers can be seen to have stored the same."""

from pathlib import Path

from tests.databases import Database

#: Table → what anybody must have stored of it. Left out is what differs without a difference: numbers that a sequence
#: gave, times of storing, since when a subscription is as it is (told apart by those who saw the messages in order),
#: and each program's own notes.
_SAME = {
    "supporters": (
        "email, first_name, last_name, phone, postcode, locality, country, area, language, contact_refs::jsonb,"
        " action_count, details_given_at, first_action_at, last_action_at, search_key FROM sync_supporter"
    ),
    "contacts": (
        "contact.email, ref, supporter.email, home = supporter_id"
        " FROM sync_contact AS contact JOIN sync_supporter AS supporter ON supporter.id = supporter_id"
    ),
    "actions": (
        "action_id, action_type, stage, testing, action.created_at, custom_fields::jsonb, donation, dupe_rank,"
        " with_consent, opt_in, tracking::jsonb, campaign.proca_id, page.proca_id, action.org_id, supporter.email,"
        " contact.ref"
        " FROM sync_action AS action JOIN sync_supporter AS supporter ON supporter.id = action.supporter_id"
        " JOIN sync_contact AS contact ON contact.id = contact_id"
        " JOIN sync_campaign AS campaign ON campaign.id = action.campaign_id"
        " JOIN sync_actionpage AS page ON page.id = action_page_id"
    ),
    "consents": (
        "supporter.email, org_id, kind, entry.email, occurred_at, source, destination, action_id, counts"
        " FROM sync_consent AS entry JOIN sync_supporter AS supporter ON supporter.id = supporter_id"
    ),
    "subscriptions": (
        "supporter.email, org_id, status, subscription.email, source"
        " FROM sync_subscription AS subscription JOIN sync_supporter AS supporter ON supporter.id = supporter_id"
    ),
    "organisations": "id, name, title FROM sync_org",
    "campaigns": "proca_id, name, title, contact_schema, org_id FROM sync_campaign",
    "pages": (
        "page.proca_id, page.name, locale, campaign.proca_id, page.org_id"
        " FROM sync_actionpage AS page JOIN sync_campaign AS campaign ON campaign.id = campaign_id"
    ),
}

Stored = dict[str, tuple[int, str]]


def stored_in(database: Database) -> Stored:
    """How many rows of each kind, and a digest of them all in an order that does not depend on who wrote them."""
    return {what: (row[0], row[1]) for what, columns in _SAME.items() for row in database.query(_digest(columns))}


def differences(one: Stored, other: Stored) -> list[str]:
    """The kinds of rows that are not the same, with how many there are on either side."""
    return [f"{what}: {one[what][0]} and {other[what][0]}" for what in one if one[what] != other[what]]


def copy_out(database: Database, folder: Path) -> None:
    """Writes every table of ours that has rows to a file `TABLE.copy`, in the order of its ids."""
    tables = database.query("SELECT tablename FROM pg_tables WHERE starts_with(tablename, 'sync_')")
    with database.connect() as connection:
        for (table,) in tables:
            if not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]:
                continue
            sql = f"COPY (SELECT * FROM {table} ORDER BY 1) TO STDOUT"
            with (folder / f"{table}.copy").open("wb") as file, connection.cursor().copy(sql) as copy:
                for block in copy:
                    file.write(block)


def _digest(columns: str) -> str:
    names, _, rest = columns.partition(" FROM ")
    return (
        "SELECT count(*), md5(coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), ''))"
        f" FROM (SELECT ROW({names})::text AS line FROM {rest}) AS lines"
    )
