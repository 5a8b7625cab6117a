"""Probes as values: well, or sick with what to do. The desk's start page and `check_proca` show the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pika
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max

from sync.intake.connecting import TROUBLE, Reading, lasting_reason, parameters, passing_reason
from sync.intake.keys import load_keys
from sync.intake.sources import origin_of
from sync.models import Action, Consent, Notice, QuarantinedMessage
from sync.proca.shapes import Code
from sync.read import figures
from sync.store import policies
from sync.terms import STOPS, ConsentKind, Source

if TYPE_CHECKING:
    from proca_crm.broker import Broker

#: People wait for a page: a broker that does not answer in this time counts as away.
SECONDS_FOR_THE_QUEUE = 3
#: A running consumer retries every minute what its time has come for.
_RETRY_IS_LATE_AFTER = timedelta(minutes=10)
#: Proca sends news of some email nearly every day; a campaign just started has none yet.
_ACTIONS_WITHOUT_NEWS = 1_000
#: Of the newest entries of the ledger: reading all of them would take a second.
_ENTRIES_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Well:
    """It works."""

    what: str
    says: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """It works, and somebody should look at it."""

    what: str
    says: str
    todo: str


@dataclass(frozen=True, slots=True)
class Sick:
    """It does not work."""

    what: str
    says: str
    todo: str


Finding = Well | Doubtful | Sick
Probe = Callable[[datetime], Finding | None]


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue as the broker sees it now: messages that wait, and consumers that read it."""

    name: str
    waiting: int
    consumers: int


def findings(now: datetime, probes: tuple[Probe, ...] | None = None) -> list[Finding]:
    """Return what the probes find. Where the database is away, that is the one thing to say of it."""
    found = [database(now)]
    if isinstance(found[0], Sick):
        return found
    return [*found, *(finding for probe in probes or PROBES if (finding := probe(now)) is not None)]


def database(_now: datetime) -> Finding:
    """Whether the database answers, and holds the tables of this version."""
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError):
        return Sick("Database", "does not answer", "Start it, or mend DATABASE_URL.")
    if behind:
        return Sick("Database", f"{len(behind)} migrations are missing", "Run manage.py migrate.")
    return Well("Database", f"{connection.display_name}, all migrations are there")


def keys(_now: datetime) -> Finding:
    """Whether the keys can be read, and open what came."""
    try:
        store = load_keys()
    except ImproperlyConfigured as error:
        return Sick("Keys", str(error), "Mend PROCA_KEYS: a key store file, or its JSON.")
    closed = QuarantinedMessage.objects.filter(code__in=(Code.NO_KEY, Code.NOT_DECRYPTED)).count()
    if closed:
        todo = "Import the key with manage.py proca_keys import, then retry the messages in quarantine."
        return Sick("Keys", f"{closed} messages in quarantine need a key that is not there", todo)
    if not store.public_keys:
        return Well("Keys", "none, and nothing encrypted came")
    return Well("Keys", f"{len(store.public_keys)} to open messages with")


def last_message(now: datetime) -> Finding:
    """Whether messages come."""
    newest = figures.last_message()
    if newest is None:
        return Doubtful("Messages", "none has come yet", "Start manage.py consume_proca, or read files with --file.")
    return Well("Messages", f"the last one came {ago(now - newest)}")


def quarantine(_now: datetime) -> Finding:
    """Whether messages wait because they could not be stored."""
    reasons = figures.quarantine_by_reason()
    number = sum(reason.number for reason in reasons)
    if not number:
        return Well("Quarantine", "empty")
    told = ", ".join(f"{reason.number} {reason.code}" for reason in reasons[:3])
    return Doubtful("Quarantine", f"{number} messages: {told}", "Look at the reasons, mend them, and retry.")


def retries(now: datetime) -> Finding | None:
    """Whether messages that were kept for their time are tried once it has come."""
    late = QuarantinedMessage.objects.filter(not_before__lt=now - _RETRY_IS_LATE_AFTER).count()
    if not late:
        return None
    return Doubtful("Retries", f"{late} messages wait though their time has come", "Start manage.py consume_proca.")


def email_news(_now: datetime) -> Finding | None:
    """Whether Proca tells about bounces and confirmations: that is a switch of the organisation there."""
    if not Action.objects.order_by("pk")[_ACTIONS_WITHOUT_NEWS:].exists():
        return None
    newest = Consent.objects.aggregate(pk=Max("pk"))["pk"] or 0
    recent = Consent.objects.filter(pk__gt=newest - _ENTRIES_LOOKED_AT, source=Source.PROCA)
    notices = Notice.objects.filter(kind__in=("email_status", "unknown_email_status"))
    if recent.filter(kind__in=[*STOPS, ConsentKind.DOUBLE_OPT_IN]).exists() or notices.exists():
        return None
    todo = "Ask Proca to send email_status events to this queue: without them bounces are never heard of."
    return Doubtful("Email status", "actions came, and never an email_status event", todo)


def policies_followed(_now: datetime) -> Finding | None:
    """Whether all subscriptions have followed a change of policy."""
    orgs = ", ".join(map(str, policies.unfinished()))
    if not orgs:
        return None
    todo = "Open the organisation's policy page and go on, or run manage.py refold --org N."
    return Doubtful("Policy", f"subscriptions of organisation {orgs} do not all follow its new policy yet", todo)


def queue(_now: datetime) -> Finding | None:
    """Whether the queue can be reached and read, and somebody reads it."""
    if settings.PROCA_BROKER is None:
        return None
    try:
        states = list(queue_states(settings.PROCA_BROKER))
    except TROUBLE as error:
        return Sick("Queue", *_why_not(error))
    waiting = sum(state.waiting for state in states)
    idle = [state.name for state in states if not state.consumers]
    if idle:
        return Doubtful("Queue", f"{waiting} messages wait, nobody reads {', '.join(idle)}", "Start consume_proca.")
    consumers = sum(state.consumers for state in states)
    return Well("Queue", f"{waiting} messages wait, read by {consumers}")


def queue_states(broker: Broker) -> Iterator[QueueState]:
    """Ask the broker for each queue of the settings; raises what pika raises."""
    origins = tuple(origin_of(name, settings.PROCA_ORG) for name in settings.PROCA_QUEUES)
    reading = Reading(broker=broker, origins=origins, ca_file=settings.PROCA_CA_FILE)
    how = parameters(reading)
    how.socket_timeout = how.stack_timeout = how.blocked_connection_timeout = SECONDS_FOR_THE_QUEUE
    with pika.BlockingConnection(how) as opened:
        channel = opened.channel()
        for name in settings.PROCA_QUEUES:
            state = channel.queue_declare(name, passive=True).method
            yield QueueState(name, state.message_count, state.consumer_count)


def _why_not(error: BaseException) -> tuple[str, str]:
    reason = lasting_reason(error)
    if reason is None:
        return f"cannot be reached ({passing_reason(error)})", "See whether the broker runs, and mend PROCA_URL."
    return reason, "Mend PROCA_URL and PROCA_QUEUE, or ask whoever runs Proca."


def ago(time: timedelta) -> str:
    """Return a length of time in words: the largest unit is enough."""
    seconds = max(0, int(time.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


PROBES: tuple[Probe, ...] = (last_message, queue, quarantine, retries, keys, email_news, policies_followed)
