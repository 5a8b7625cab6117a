"""Many rows at once, put into the tables by SQL."""

from typing import Any

_MANY = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s)
    INSERT INTO sync_supporter
           (id, email, first_name, country, extra, contact_refs, other_emails, action_count, search_key,
            created_at, updated_at)
    SELECT i, 'person' || i || '@example.org', 'Zoë', 'FR', '{}', '[]', '[]', 0, '',
           '2026-05-12 14:21:53+00:00', '2026-05-12 14:21:53+00:00'
      FROM n
"""


def many_supporters(project: Any, number: int) -> None:
    """So many supporters of whom nothing but the row is there."""
    project.query(_MANY, (number,))
