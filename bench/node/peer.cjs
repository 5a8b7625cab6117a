// Proca's own SDK with a handler that stores what the consumer stores: one statement, so one transaction, a message.
//
// What a strong program of this kind does, and no more: places are remembered, the statement is prepared once a
// connection, a person is recognised by the pair of email and contactRef, the newest details win. No merges, no
// erasures, no events, no change log.
//
// node peer.cjs QUEUE_URL QUEUE MESSAGES CONCURRENCY DATABASE_URL

const { syncQueue, count } = require('@proca/queue');
const { Pool } = require('pg');

const [queueUrl, queue, messages, concurrency, database] = process.argv.slice(2);
const pool = new Pool({ connectionString: database, max: +concurrency });
// The SDK reports on standard output, where the figures go.
const tell = console.log;
console.log = () => {};

// What a message says of a person, in the order of the parameters from $3 on.
const DETAILS = [
  'first_name', 'last_name', 'phone', 'postcode', 'locality', 'country', 'area', 'language', 'search_key',
];
const newer = 'excluded.details_given_at >= known.details_given_at';

// The contact comes first: its row is the lock on the person. What hangs on `action` is written for a new action only,
// so that a message that comes again changes nothing. Snapshots do not show what another transaction inserted while
// this one waited for it, hence ON CONFLICT everywhere.
const STORE = `
WITH contact AS (
  INSERT INTO sync_contact AS known (email, ref, supporter_id, home, said, marked)
  SELECT $1, $2, id, id, $12::json, false FROM (SELECT nextval('sync_supporter_id_seq') AS id) AS drawn
  ON CONFLICT (email, ref) DO UPDATE SET said = excluded.said
  RETURNING id, supporter_id
), action AS (
  INSERT INTO sync_action (action_id, supporter_id, contact_id, campaign_id, action_page_id, org_id, action_type, stage,
    testing, created_at, custom_fields, dupe_rank, with_consent, opt_in, tracking, said)
  SELECT $13::bigint, supporter_id, id, $14::bigint, $15::bigint, $16::bigint, $17, $18, $19::boolean,
    $20::timestamptz, $21::json, $22::bigint, $23::boolean, $24::boolean, $25::json, '{}' FROM contact
  ON CONFLICT (action_id) DO NOTHING
  RETURNING supporter_id, action_id, org_id, created_at, opt_in
), supporter AS (
  INSERT INTO sync_supporter AS known (id, email, ${DETAILS.join(', ')}, extra, contact_refs, other_emails,
    details_given_at, first_action_at, last_action_at, action_count, created_at, updated_at)
  SELECT supporter_id, $1, ${DETAILS.map((_, index) => `$${index + 3}`).join(', ')}, '{}', json_build_array($2::text),
    '[]', created_at, created_at, created_at, 1, now(), now() FROM action
  ON CONFLICT (id) DO UPDATE SET
    ${DETAILS.map((name) => `${name} = CASE WHEN ${newer} THEN excluded.${name} ELSE known.${name} END`).join(', ')},
    details_given_at = greatest(known.details_given_at, excluded.details_given_at),
    first_action_at = least(known.first_action_at, excluded.first_action_at),
    last_action_at = greatest(known.last_action_at, excluded.last_action_at),
    action_count = known.action_count + 1, updated_at = excluded.updated_at
), consent AS (
  INSERT INTO sync_consent (supporter_id, org_id, kind, email, occurred_at, recorded_at, source, action_id)
  SELECT supporter_id, org_id, CASE WHEN opt_in THEN 'opt_in' ELSE 'opt_out' END, $1, created_at, now(), 'proca',
    action_id FROM action
  ON CONFLICT DO NOTHING
)
INSERT INTO sync_subscription AS known (supporter_id, org_id, status, email, status_changed_at, source, updated_at)
SELECT supporter_id, org_id, CASE WHEN opt_in THEN 'subscribed' ELSE 'none' END, $1,
  CASE WHEN opt_in THEN created_at END, CASE WHEN opt_in THEN 'proca' END, now() FROM action
ON CONFLICT (supporter_id, org_id) DO UPDATE SET
  status = CASE WHEN $24::boolean THEN 'subscribed' ELSE 'unsubscribed' END, email = excluded.email,
  status_changed_at = $20::timestamptz, source = 'proca', updated_at = excluded.updated_at
  WHERE ($24::boolean = (known.status <> 'subscribed')) AND coalesce(known.status_changed_at < $20::timestamptz, true)`;

const ORG = `INSERT INTO sync_org (id, name, title, given) VALUES ($1, $2, $3, '{}')
  ON CONFLICT (id) DO UPDATE SET name = excluded.name, title = excluded.title RETURNING id`;
const CAMPAIGN = `INSERT INTO sync_campaign (proca_id, name, title, contact_schema, given)
  VALUES ($1, $2, $3, $4, '{}') ON CONFLICT (proca_id) DO UPDATE
  SET name = excluded.name, title = excluded.title, contact_schema = excluded.contact_schema RETURNING id`;
const PAGE = `INSERT INTO sync_actionpage (proca_id, name, locale, campaign_id, org_id, given)
  VALUES ($1, $2, $3, $4, $5, '{}') ON CONFLICT (proca_id) DO UPDATE
  SET name = excluded.name, locale = excluded.locale, campaign_id = excluded.campaign_id RETURNING id`;

const places = new Map();

// Written the first time that it is named; messages that come meanwhile wait for the same row.
const place = (sql, values) => {
  const key = values.join('\n');
  if (!places.has(key)) places.set(key, pool.query(sql, values).then((answer) => answer.rows[0].id));
  return places.get(key);
};

const parameters = async (told) => {
  const { contact, action, privacy, actionPage, campaign, org } = told;
  const orgId = await place(ORG, [told.orgId, org.name, org.title]);
  const campaignId = await place(CAMPAIGN, [
    told.campaignId, campaign.name, campaign.title, campaign.contactSchema,
  ]);
  const page = await place(PAGE, [told.actionPageId, actionPage.name, actionPage.locale, campaignId, orgId]);
  return [
    contact.email.toLowerCase(), contact.contactRef, contact.firstName, contact.lastName, contact.phone,
    contact.postcode, contact.address.locality, contact.country, contact.area, actionPage.locale,
    `${contact.lastName} ${contact.firstName}`.normalize('NFC').toLowerCase(), JSON.stringify(contact),
    told.actionId, campaignId, page, orgId, action.actionType, told.stage, action.testing, action.createdAt,
    JSON.stringify(action.customFields), contact.dupeRank, privacy.withConsent, privacy.optIn,
    JSON.stringify(told.tracking),
  ];
};

const store = async (told) => {
  try {
    await pool.query({ name: 'store', text: STORE, values: await parameters(told) });
  } catch (error) {
    // The SDK would drop the message and go on.
    console.error(error.message);
    process.exit(1);
  }
  return true;
};

const begun = process.hrtime.bigint();

// The SDK counts a message when it is about to acknowledge it.
const watch = setInterval(() => {
  if (count.ack < +messages) return;
  clearInterval(watch);
  tell(JSON.stringify({ seconds: Number(process.hrtime.bigint() - begun) / 1e9 }));
  process.kill(process.pid, 'SIGTERM');
}, 2);

syncQueue(queueUrl, queue, store, { concurrency: +concurrency, tag: 'bench' });
