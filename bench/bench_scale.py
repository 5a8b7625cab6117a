"""How the consumer's rate and memory change with what is stored already, with its workers, and with the queue.

Each round drains a queue into an empty database, and into databases that hold many people already, by 1, 2 and 4
workers; 40 % of the messages come from people who are there. The memory of a worker is also taken with a queue four
times as long. `BENCH_SUPPORTERS` (default 1000000,3000000) tells how many are there, `BENCH_MESSAGES` (default 30,000)
and `BENCH_ROUNDS` (default 3) how much is measured.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import peers, preloaded
from bench.messages import messages, sign_ups
from bench.peers import QUEUE
from bench.running import Ran, say
from tests.broker import Broker, vhost_of_its_own
from tests.databases import Database, copy_of_template
from tests.servers import RabbitMQ, shared

WORKERS = (1, 2, 4)
LONGER = 4


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: people who are there, workers, messages in the queue."""

    people: int
    workers: int
    count: int


class Filled:
    """A database with people; each run goes on where the last one ended."""

    def __init__(self, database: Database, people: int) -> None:
        self.database, self.people = database, people
        with _queue(sign_ups(1, preloaded.FIRST)) as broker:
            peers.consume(broker, database, preloaded.FIRST)
        preloaded.load(database, people)
        self.megabytes = preloaded.counts(database)[2]

    def run(self, case: Case) -> Ran:
        """Drains one queue, and looks whether those who are there were recognised."""
        people, actions, _ = preloaded.counts(self.database)
        bodies = list(
            messages(case.count, seed=actions, first_action=actions + 1, first_person=people + 1, known=self.people)
        )
        with _queue(bodies) as broker:
            ran = peers.consume(broker, self.database, case.count, case.workers)
        # The new ones have the numbers after those who are there, and each of them comes once.
        new = sum(_number_of_person(body) > people for body in bodies)
        assert preloaded.counts(self.database)[:2] == (people + new, actions + case.count)
        return ran


def _number_of_person(body: bytes) -> int:
    return int(body.partition(b'"email":"')[2].partition(b"@")[0].rpartition(b".")[2])


def main() -> list[dict[str, Any]]:
    """Rows of the table."""
    count = int(os.environ.get("BENCH_MESSAGES", "30000"))
    rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
    sizes = [int(size) for size in os.environ.get("BENCH_SUPPORTERS", "1000000,3000000").split(",")]
    cases = [Case(people, workers, count) for people in (0, *sizes) for workers in WORKERS]
    cases.append(Case(0, 1, LONGER * count))
    measured: dict[Case, list[Ran]] = {case: [] for case in cases}
    with contextlib.ExitStack() as stack:
        filled = {size: Filled(stack.enter_context(copy_of_template("postgresql")), size) for size in sizes}
        for number in range(rounds):
            for case in cases:
                measured[case].append(ran := filled[case.people].run(case) if case.people else _run_empty(case))
                say(f"round {number + 1}: {case}: {case.count / ran.seconds:,.0f}/s")
        megabytes = {size: one.megabytes for size, one in filled.items()}
    return _table(measured, megabytes)


def _run_empty(case: Case) -> Ran:
    with copy_of_template("postgresql") as database, _queue(messages(case.count)) as broker:
        return peers.consume(broker, database, case.count, case.workers)


@contextlib.contextmanager
def _queue(bodies: Iterable[bytes]) -> Iterator[Broker]:
    with vhost_of_its_own(shared(RabbitMQ)) as broker:
        broker.declare(QUEUE)
        broker.publish_raw(bodies, exchange="org.7.deliver", routing_key="petition.campaign")
        yield broker
        assert broker.depth(QUEUE) == 0


def _table(measured: dict[Case, list[Ran]], megabytes: dict[int, int]) -> list[dict[str, Any]]:
    rates = {case: case.count / median(ran.seconds for ran in runs) for case, runs in measured.items()}
    usual = min(case.count for case in measured)
    return [
        {
            "people there": f"{case.people:,}",
            "database MB": megabytes.get(case.people, 0),
            "workers": case.workers,
            "messages": case.count,
            "a second": round(rates[case]),
            "to empty": rates[case] / rates[Case(0, case.workers, usual)],
            "to 1 worker": rates[case] / rates[Case(case.people, 1, usual)],
            "CPU s/1,000": _each(runs, case, lambda ran: ran.cpu),
            "PostgreSQL": _each(runs, case, lambda ran: ran.database_cpu),
            "peak MB": round(max(ran.peak_mb for ran in runs)),
        }
        for case, runs in measured.items()
    ]


def _each(runs: list[Ran], case: Case, seconds: Callable[[Ran], float]) -> float:
    return median(map(seconds, runs)) / case.count * 1000
