"""The one door in: a message, an edit, a report or an erasure is written in one transaction, lock first.

    lock → what is known → fold → plan → rows → signals → commit

One writer at a time: the lock is a statement of its own, before anything is read, so that what is read is what others
have committed; and it is freed only once the commit is visible, so change ids are in commit order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from sync import signals
from sync.models.bulk import is_postgresql, select
from sync.rules.facts import Facts
from sync.rules.kept import Kept
from sync.rules.newest import News
from sync.rules.people import People
from sync.rules.plan import Plan, make_plan
from sync.store import installation, notices, quarantine
from sync.store.arrivals import Arrival, Asked, Unstorable
from sync.store.counting import count
from sync.store.errors import told_apart
from sync.store.known import Reader
from sync.store.languages import follow_locales
from sync.store.places import ChangedPlaces, write_places
from sync.store.rows import Rows, VoiceRows, voice_rows, write_voices
from sync.store.scrub import scrub
from sync.terms import Instant, Verdict, to_instant

#: Any constant will do; it is the name of the lock that all our writers share.
_LOCK = 7_077_265_717
#: How long a writer waits for the others.
_WAIT = "60s"
#: How long one may hold the lock doing nothing: a frozen machine must not stop the others.
_IDLE = "60s"


def write(arrivals: Sequence[Arrival | Asked | Unstorable], *, dry_run: bool = False) -> list[Verdict]:
    """Store these in one transaction, and return what became of each, in order.

    Raises `errors.Away` when the same would work later, `errors.Refused` when the database will never take it; then
    nothing is stored. A dry run does everything but the commit.
    """
    verdicts: list[Verdict] = []
    with told_apart(), transaction.atomic(durable=True):
        lock()
        verdicts = _store(arrivals)
        transaction.set_rollback(dry_run)
    return verdicts


def lock() -> None:
    """Wait for the other writers. SQLite's transactions begin with the lock."""
    if is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET LOCAL lock_timeout = '{_WAIT}'; SET LOCAL idle_in_transaction_session_timeout = '{_IDLE}'"
            )
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _now() -> Instant:
    """The time after the lock, so that it never goes back from one commit to the next."""
    if is_postgresql():
        return to_instant(select("SELECT clock_timestamp()")[0][0])
    return to_instant(timezone.now())


def _store(asked: Sequence[Arrival | Asked | Unstorable]) -> list[Verdict]:
    at = _now()
    arrivals = [Arrival(facts=one.ask(at)) if isinstance(one, Asked) else one for one in asked]
    facts = [arrival.facts for arrival in arrivals if isinstance(arrival, Arrival)]
    reader = Reader(facts)
    reader.read()
    known_notices = notices.known(facts)
    verdicts = [_fold(arrival, reader.kept, known_notices) for arrival in arrivals]
    reader.kept.settle()
    _write(reader, at, _origin(facts))
    notices.write(facts, known_notices, at)
    installation.remember_events(facts, at)
    if reader.added.reached_more:
        scrub(facts, reader)
    quarantine.put([one for one in arrivals if isinstance(one, Unstorable)], at)
    quarantine.discard(
        [one.quarantine_id for one in arrivals if isinstance(one, Arrival) and one.quarantine_id is not None]
    )
    count(Counter(zip((_source(one) for one in arrivals), verdicts, strict=True)), at)
    return verdicts


def _fold(arrival: Arrival | Unstorable, kept: Kept, known_notices: set[str]) -> Verdict:
    """Fold one arrival in, and say what it did."""
    if isinstance(arrival, Unstorable):
        return Verdict.QUARANTINED
    facts = arrival.facts
    is_new = facts.told is not None and facts.action_id not in kept.actions
    news = kept.fold(facts)
    if notices.are_new(facts, known_notices):
        news = News.CHANGED
    if is_new:
        return Verdict.STORED
    if news is not News.CHANGED:
        return Verdict.DUPLICATE
    return Verdict.EVENT if facts.is_event else Verdict.UPDATED


def _write(reader: Reader, at: Instant, origin: str) -> Again:
    kept = reader.kept
    places = write_places(kept, reader.place_ids)
    again = _follows(reader)
    rows = Rows(again.plan, kept, reader.place_ids, at)
    rows.write()
    write_voices(again.voices)
    reader.added.write(at, rows.shown_by())
    speakers = follow_locales(places.pages_of_other_locale, at)
    _tell(rows, places, speakers, origin)
    return again


@dataclass(frozen=True, slots=True)
class Again:
    """What follows from what is kept, as far as the rows do not show it."""

    plan: Plan
    voices: VoiceRows


def fold_again(facts: Sequence[Facts], supporters: Collection[int] = (), *, dry_run: bool = False) -> Again:
    """Compute again all that hangs together with these facts, which say nothing new, and with these supporters."""
    with told_apart(), transaction.atomic(durable=True):
        lock()
        at = _now()
        reader = Reader(facts, supporters)
        reader.read()
        reader.kept.settle()
        return _follows(reader) if dry_run else _write(reader, at, "")


def _follows(reader: Reader) -> Again:
    people = People(reader.kept, policy_in_force(reader.kept))
    return Again(make_plan(reader.known, reader.kept, people), voice_rows(reader.kept, reader.voices))


def policy_in_force(kept: Kept) -> Callable[[int], str]:
    """Return what tells the policy in force of each organisation that is spoken of."""
    orgs = {org for said in kept.contacts.values() for org in said.orgs}
    orgs |= {key.org for said in kept.contacts.values() for key in said.entries}
    orgs |= {key.org for heard in kept.heard.values() for key in heard.entries}
    if not orgs:
        return lambda _: settings.SUBSCRIPTION_POLICY
    rows = select("SELECT id, policy FROM sync_org WHERE policy IS NOT NULL AND policy <> ''")
    own: dict[int, str] = dict(rows)
    return lambda org: own.get(org, settings.SUBSCRIPTION_POLICY)


def _origin(facts: Sequence[Facts]) -> str:
    origins = {one.origin for one in facts}
    return origins.pop() if len(origins) == 1 else ""


def _source(arrival: Arrival | Unstorable) -> str:
    return arrival.source


def _tell(rows: Rows, places: ChangedPlaces, speakers: list[int], origin: str) -> None:
    """Send the signals of a batch: places first, then people, and what they did."""
    plan = rows.plan
    changed = [rows.real(one) for one in (*plan.new_supporters, *plan.changed_supporters)]
    told = [
        (signals.org_changed, "ids", places.ids["org"]),
        (signals.campaign_changed, "ids", places.ids["campaign"]),
        (signals.page_changed, "ids", places.ids["page"]),
        (signals.supporter_merged, "merged", {one: rows.real(into) for one, into in plan.merged.items()}),
        (signals.supporter_erased, "ids", plan.erased),
        (signals.supporter_changed, "ids", [*changed, *(one for one in speakers if one not in changed)]),
        (signals.action_recorded, "ids", [rows.real(one) for one in plan.new_actions]),
        (signals.action_changed, "ids", [*plan.changed_actions, *plan.moved_actions]),
        (signals.subscription_changed, "subscriptions", rows.subscriptions),
        (signals.consent_recorded, "ids", rows.new_consents),
    ]
    for signal, name, what in told:
        if what:
            installation.count_failures(signals.tell(signal, origin=origin, **{name: what}))
