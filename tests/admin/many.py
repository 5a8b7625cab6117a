"""Very many people, made by the database itself: rows as the store writes them, as far as lists and searches look."""

from __future__ import annotations

from typing import Any

_FILL = """
INSERT INTO sync_org (id, name, title, given)
SELECT n, 'org' || n, 'Organisation ' || n, '{}' FROM generate_series(1, 5) n;

INSERT INTO sync_campaign (id, proca_id, name, title, given)
SELECT n, n, 'campaign' || n, 'Campaign ' || n, '{}' FROM generate_series(1, 40) n;

INSERT INTO sync_actionpage (id, proca_id, name, locale, campaign_id, org_id, given)
SELECT n, n, 'page' || n, 'en', 1 + n % 40, 1 + n % 5, '{}' FROM generate_series(1, 400) n;

-- Names of many letters, each of several people.
INSERT INTO sync_supporter (id, email, first_name, last_name, postcode, country, extra, contact_refs, other_emails,
                            action_count, search_key, created_at, updated_at, last_action_at)
SELECT n, 'p' || n || '@example.org', 'First' || n % 500, 'Last' || md5((n % 4000)::text), n % 99999,
       (ARRAY['FR', 'DE', 'PL', 'IT', 'ES'])[1 + n % 5], '{}', json_build_array('ref-' || n), '[]',
       2, 'last' || md5((n % 4000)::text) || ' first' || n % 500, now(), now() - n * interval '1 second', now()
  FROM generate_series(1, <people>) n;

INSERT INTO sync_contact (id, email, ref, supporter_id, home, said, marked)
SELECT id, email, 'ref-' || id, id, id, '{}', false FROM sync_supporter;

INSERT INTO sync_action (id, action_id, supporter_id, contact_id, campaign_id, action_page_id, org_id, action_type,
                         stage, testing, created_at, custom_fields, with_consent, opt_in, said)
SELECT n, n, 1 + n % <people>, 1 + n % <people>, 1 + n % 40, 1 + n % 400, 1 + n % 5, 'petition',
       'deliver', n % 1000 = 0, now() - n * interval '1 second', '{}', true, n % 3 > 0, '{}'
  FROM generate_series(1, 2 * <people>) n;

INSERT INTO sync_subscription (supporter_id, org_id, status, email, status_changed_at, source, updated_at)
SELECT id, 1 + id % 5, (ARRAY['subscribed', 'none', 'unsubscribed', 'bounced'])[1 + id % 4], email, now(), 'proca',
       now() FROM sync_supporter;

INSERT INTO sync_consent (supporter_id, org_id, kind, email, occurred_at, recorded_at, source, action_id)
SELECT id, 1 + id % 5, 'opt_in', email, now(), now(), 'proca', id FROM sync_supporter;

INSERT INTO sync_change (kind, object, object_id, occurred_at, data, origin)
SELECT 'supporter.changed', 'supporter', id, now(), '{}', '' FROM sync_supporter;

ANALYZE
"""


def fill(cursor: Any, number: int) -> None:
    """Make so many supporters with all that belongs to them, and tell the planner."""
    cursor.execute(_FILL.replace("<people>", str(number)))
