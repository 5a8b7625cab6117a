"""Probes as values: well, or sick with what to do. The desk's start page and `check_proca` show the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pika
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from pika.exceptions import ChannelClosedByBroker

from sync.intake.connecting import TROUBLE, Reading, lasting_reason, parameters, passing_reason
from sync.intake.keys import load_keys
from sync.intake.sources import origin_of
from sync.models import Action, Delivery, Destination, DestinationState, QuarantinedMessage
from sync.proca.shapes import Code
from sync.read import figures
from sync.sealing import KeyedHash, Sealer, Unsealable
from sync.store import installation, policies
from sync.store.orphans import orphans

if TYPE_CHECKING:
    from proca_crm.broker import Broker

#: People wait for a page: a broker that does not answer in this time counts as away.
SECONDS_FOR_THE_QUEUE = 3
#: A running consumer retries every minute what its time has come for.
_RETRY_IS_LATE_AFTER = timedelta(minutes=10)
#: A worker forgets at once where the CRM lets it; after this time somebody has to look.
_FORGETTING_IS_LATE_AFTER = timedelta(days=1)
#: A priority that no broker takes: it refuses the consumer, after it has looked whether the queue may be read.
_NO_CONSUMER = {"x-priority": "none"}
_PRECONDITION_FAILED = 406


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
        return Sick("Keys", f"{_messages(closed)} in quarantine cannot be opened by the keys that are here", todo)
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
    return Doubtful("Quarantine", f"{_messages(number)}: {told}", "Look at the reasons, mend them, and retry.")


def retries(now: datetime) -> Finding | None:
    """Whether messages that were kept for their time are tried once it has come."""
    late = QuarantinedMessage.objects.filter(not_before__lt=now - _RETRY_IS_LATE_AFTER).count()
    if not late:
        return None
    return Doubtful(
        "Retries", f"{_messages(late)} overdue: the time to try again has come", "Start manage.py consume_proca."
    )


def email_news(_now: datetime) -> Finding | None:
    """Whether Proca tells about bounces and confirmations: that is a switch of the organisation there."""
    if installation.events_came() or not Action.objects.exists():
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
    if not settings.PROCA_QUEUES:
        return Sick("Queue", "PROCA_URL is set and PROCA_QUEUE is not", "Set PROCA_QUEUE: cus.N.deliver.")
    try:
        states = list(queue_states(settings.PROCA_BROKER))
    except TROUBLE as error:
        return Sick("Queue", *_why_not(error))
    waiting = sum(state.waiting for state in states)
    idle = [state.name for state in states if not state.consumers]
    if idle:
        return Doubtful(
            "Queue", f"{_messages(waiting)} waiting, nobody reads {', '.join(idle)}", "Start consume_proca."
        )
    consumers = sum(state.consumers for state in states)
    return Well("Queue", f"{_messages(waiting)} waiting, read by {consumers}")


def no_queue(_now: datetime) -> Finding | None:
    """Whether there is a queue to look at."""
    if settings.PROCA_BROKER is not None:
        return None
    return Well("Queue", "none (PROCA_URL is not set): messages come by HTTP or from files")


def queue_states(broker: Broker) -> Iterator[QueueState]:
    """Ask the broker for each queue of the settings; raises what pika raises, also where it may not be read."""
    origins = tuple(origin_of(name, settings.PROCA_ORG) for name in settings.PROCA_QUEUES)
    reading = Reading(broker=broker, origins=origins, ca_file=settings.PROCA_CA_FILE)
    how = parameters(reading)
    how.socket_timeout = how.stack_timeout = how.blocked_connection_timeout = SECONDS_FOR_THE_QUEUE
    with pika.BlockingConnection(how) as opened:
        for name in settings.PROCA_QUEUES:
            state = opened.channel().queue_declare(name, passive=True).method
            _try_to_read(opened.channel(), name)
            yield QueueState(name, state.message_count, state.consumer_count)


def _try_to_read(channel: Any, name: str) -> None:
    """Raise what reading would raise, and take nothing: a message taken and put back counts against it."""
    try:
        channel.basic_consume(name, lambda *_: None, arguments=_NO_CONSUMER)
    except ChannelClosedByBroker as closed:
        if closed.reply_code != _PRECONDITION_FAILED:
            raise


def _why_not(error: BaseException) -> tuple[str, str]:
    reason = lasting_reason(error)
    if reason is None:
        return f"cannot be reached ({passing_reason(error)})", "See whether the broker runs, and mend PROCA_URL."
    return reason, "Mend PROCA_URL and PROCA_QUEUE, or ask whoever runs Proca."


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def ago(time: timedelta) -> str:
    """Return a length of time in words: the largest unit is enough."""
    seconds = max(0, int(time.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def hash_key(_now: datetime) -> Finding:
    """Whether erased people would still be recognised: by every secret that their hashes were written with."""
    there = KeyedHash(settings.HASH_KEYS).fingerprints()
    used = installation.hash_keys_used()
    if missing := used - set(there):
        todo = "Put the old one back behind the new one, after a comma: erased people come back without it."
        return Sick("HASH_KEY", f"{len(missing)} of {len(used)} secrets that were used before are not there", todo)
    return Well("HASH_KEY", "the one that was used before" if used else "there, and not used yet")


def secrets(_now: datetime) -> Finding:
    """Whether the secrets of destinations can be opened."""
    sealer, closed = Sealer(settings.FIELD_ENCRYPTION_KEYS), []
    sealed = list(Destination.objects.exclude(secrets="").order_by("name").values_list("name", "secrets"))
    for name, secret in sealed:
        try:
            sealer.open(secret)
        except Unsealable:
            closed.append(name)
    if closed:
        todo = "Put the old key back behind the new one, after a comma, or enter the secrets again."
        return Sick("FIELD_ENCRYPTION_KEY", f"does not open the secrets of {', '.join(closed)}", todo)
    return Well("FIELD_ENCRYPTION_KEY", f"opens the secrets of {len(sealed)} destinations" if sealed else "there")


def destinations(_now: datetime) -> Finding:
    """Whether destinations take what is sent to them."""
    rows = list(DestinationState.objects.order_by("destination__name").values_list("destination__name", "state"))
    failing = [name for name, state in rows if state == "failing"]
    if failing:
        todo = "Look at the destination in the desk: it says since when and why."
        return Sick("Destinations", f"{', '.join(failing)} failing", todo)
    if not rows:
        return Well("Destinations", "none")
    active = sum(state == "active" for _, state in rows)
    return Well("Destinations", f"{active} active, {len(rows) - active} paused")


def forgetting(now: datetime) -> Finding | None:
    """Whether everybody who was erased is forgotten wherever they were known."""
    orders = Delivery.objects.filter(kind="erasure", told=0)
    late = Q(due_at__isnull=False, created_at__lt=now - _FORGETTING_IS_LATE_AFTER)
    names = orders.filter(late | Q(state="rejected")).order_by().values_list("destination__name", flat=True)
    if not (found := Counter(names)):
        return None
    told = ", ".join(f"{number} at {name}" for name, number in sorted(found.items()))
    return Sick("Erasure", f"orders to forget are overdue: {told}", "See to the destination, or delete there by hand.")


def counterparts(_now: datetime) -> Finding:
    """Whether rows have the rows that they point to; a pass over all tables."""
    found = orphans()
    if not found:
        return Well("Rows", "none is without its counterpart")
    told = ", ".join(f"{one.number} {one.table} without {one.without}" for one in found)
    return Sick("Rows", told, "Run manage.py refold, and look again.")


#: What the start page of the desk shows.
PROBES: tuple[Probe, ...] = (
    last_message,
    queue,
    quarantine,
    retries,
    keys,
    email_news,
    policies_followed,
    destinations,
    forgetting,
)
#: What whoever looks after the installation wants to know too.
MORE_PROBES: tuple[Probe, ...] = (no_queue, hash_key, secrets)
#: What takes as long as there is much.
DEEP_PROBES: tuple[Probe, ...] = (counterparts,)
