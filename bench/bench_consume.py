"""`consume_proca --drain` on a full queue, beside its peers on the same queue, and beside the limits of both servers.

Beside it: a bare drain that stores nothing; Proca's own SDK for Node, which stores the same rows one transaction a
message; pika with Django's `update_or_create`; and PostgreSQL alone, which gets the same final rows, of all tables that
the consumer fills, by COPY in one transaction. The slowest take the first tenth of the messages.

Rounds take turns, so that a slow hour of the machine falls on all of them; what counts are the ratios. After each run
what was stored is compared. `BENCH_MESSAGES` (default 50,000) and `BENCH_ROUNDS` (default 3) make it shorter or longer;
`BENCH_PEERS=no` leaves out all but the limits.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import peers
from bench.messages import NEW, messages
from bench.peers import QUEUE
from bench.running import Ran, say
from bench.stored import Stored, copy_out, differences, stored_in
from tests.broker import Broker, vhost_of_its_own
from tests.databases import Database, copy_of_template
from tests.servers import RabbitMQ, shared

DRAIN = "pika, nothing stored"
COPY = "COPY of the same rows"
OURS = "consume_proca, 1 worker"
DJANGO = "pika, update_or_create"
SDK = "SDK for Node, {} at once"


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who stores so many messages of a queue, in an empty database. Without a `run`, it is COPY."""

    name: str
    count: int
    run: Callable[[Broker, Database, int], Ran] | None
    is_peer: bool = False


class Course:
    """The messages, and what must have become of them."""

    def __init__(self, count: int, folder: Path) -> None:
        self.bodies = list(messages(count))
        self.folder = folder
        self._expected: dict[int, Stored] = {}

    @contextlib.contextmanager
    def ready(self, count: int) -> Iterator[tuple[Broker, Database]]:
        """An empty database, and a queue with the first of the messages, which is empty in the end."""
        with vhost_of_its_own(shared(RabbitMQ)) as broker, copy_of_template("postgresql") as database:
            broker.declare(QUEUE)
            broker.publish_raw(self.bodies[:count], exchange="org.7.deliver", routing_key="petition.campaign")
            yield broker, database
            assert broker.depth(QUEUE) == 0

    def expected(self, count: int) -> Stored:
        """What so many messages become, as the consumer stored it before anything was measured."""
        if count not in self._expected:
            with self.ready(count) as (broker, database):
                peers.consume(broker, database, count)
                self._expected[count] = stored_in(database)
                if count == len(self.bodies):
                    copy_out(database, self.folder)
            people = len({json.loads(body)["contact"]["email"] for body in self.bodies[:count]})
            rows = {what: self._expected[count][what][0] for what in ("actions", "consents", "supporters")}
            assert rows == {"actions": count, "consents": count, "supporters": people}, rows
        return self._expected[count]

    def run(self, contestant: Contestant) -> Ran:
        """One run of one of them, what it stored compared."""
        wanted = self.expected(contestant.count)
        if contestant.run is None:
            with copy_of_template("postgresql") as database:
                ran = peers.copy_rows(database, self.folder)
                _compare(contestant, database, wanted)
            return ran
        with self.ready(contestant.count) as (broker, database):
            ran = contestant.run(broker, database, contestant.count)
            if contestant.name != DRAIN:
                _compare(contestant, database, wanted)
        return ran


def main() -> list[dict[str, Any]]:
    """Rows of the table."""
    count = int(os.environ.get("BENCH_MESSAGES", "50000"))
    rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
    with tempfile.TemporaryDirectory(prefix="proca-crm-bench-") as folder:
        course = Course(count, Path(folder))
        size = sum(map(len, course.bodies)) / count
        say(f"{count:,} messages of {size:,.0f} bytes, {NEW:.0%} from new people; {rounds} rounds")
        contestants = list(_contestants(count, with_peers=os.environ.get("BENCH_PEERS") != "no"))
        measured: dict[str, list[Ran]] = {one.name: [] for one in contestants}
        for number in range(rounds):
            for one in contestants:
                measured[one.name].append(ran := course.run(one))
                say(f"round {number + 1}: {one.name}: {one.count / ran.seconds:,.0f}/s")
    return _table(contestants, measured)


def _contestants(count: int, *, with_peers: bool) -> Iterator[Contestant]:
    yield Contestant(DRAIN, count, peers.drain)
    yield Contestant(COPY, count, None)
    yield Contestant(OURS, count, peers.consume)
    yield Contestant("consume_proca, 2 workers", count, partial(peers.consume, workers=2))
    if not with_peers:
        return
    tenth = max(1, count // 10)
    if peers.sdk_is_there():
        for at_once, its_count in ((1, tenth), (10, count), (50, count)):
            run = partial(peers.sdk, concurrency=at_once)
            yield Contestant(SDK.format(at_once), its_count, run, is_peer=True)
    yield Contestant(DJANGO, tenth, peers.upsert, is_peer=True)


def _compare(contestant: Contestant, database: Database, wanted: Stored) -> None:
    found = differences(stored_in(database), wanted)
    assert not found, f"{contestant.name} stored something else: {'; '.join(found)}"


def _table(contestants: list[Contestant], measured: dict[str, list[Ran]]) -> list[dict[str, Any]]:
    rates = {one.name: one.count / median(ran.seconds for ran in measured[one.name]) for one in contestants}
    strongest = max((rates[one.name] for one in contestants if one.is_peer), default=None)
    return [
        {
            "consumer": one.name,
            "messages": one.count,
            "a second": round(rates[one.name]),
            "to the drain": rates[one.name] / rates[DRAIN],
            "to COPY": rates[one.name] / rates[COPY],
            "to the best peer": rates[one.name] / strongest if strongest else "",
        }
        | _costs(one, measured[one.name])
        for one in contestants
    ]


def _costs(contestant: Contestant, runs: list[Ran]) -> dict[str, Any]:
    """CPU seconds for 1,000 messages, its own and those of both servers, and memory."""
    thousands = contestant.count / 1000
    return {
        "CPU s/1,000": median(ran.cpu for ran in runs) / thousands,
        "PostgreSQL": median(ran.database_cpu for ran in runs) / thousands,
        "RabbitMQ": median(ran.broker_cpu for ran in runs) / thousands,
        "peak MB": round(max(ran.peak_mb for ran in runs)),
    }
