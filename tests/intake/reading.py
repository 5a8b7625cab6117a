"""A source on the test's broker, and what a worker would do with it."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from proca_crm.broker import parse_broker
from sync.intake.connecting import Reading
from sync.intake.rabbitmq import RabbitSource
from sync.intake.sources import Batch, GivenUp, Result, origin_of
from sync.terms import Verdict
from tests.broker import Broker
from tests.servers import wait_until

STORED = Verdict.STORED
FAILED = GivenUp("failed:Test")


@contextlib.contextmanager
def reading(
    broker: Broker,
    *queues: str,
    close: bool = True,
    port: int | None = None,
    password: str | None = None,
    tls: bool = False,
    **more: Any,
) -> Iterator[RabbitSource]:
    """A source that reads these queues, closed afterwards."""
    origins = tuple(origin_of(queue, None) for queue in queues or ("cus.7.deliver",))
    address = parse_broker(broker.url(tls=tls, port=port, password=password), "", "")
    source = RabbitSource(Reading(broker=address, origins=origins, **more))
    try:
        yield source
    finally:
        if close:
            source.close()


def batch_of(source: RabbitSource, seconds: float = 15, most: int = 10**6) -> Batch:
    """The next batch, which must come."""
    batch = wait_until(lambda: source.next(0.1, most), "a batch", seconds)
    assert batch is not None
    return batch


def batches_of(source: RabbitSource, messages: int, seconds: float = 15) -> list[Batch]:
    """Batches until so many messages have come; none of them settled."""
    taken: list[Batch] = []
    until = time.monotonic() + seconds
    while sum(len(batch.raws) for batch in taken) < messages and time.monotonic() < until:
        if batch := source.next(0.1, 10**6):
            taken.append(batch)
    return taken


def bodies_of(batches: Sequence[Batch]) -> list[bytes]:
    """What they hold."""
    return [raw.body for batch in batches for raw in batch.raws]


def settle(source: RabbitSource, batch: Batch, judge: Callable[[bytes], Result] = lambda _: STORED) -> None:
    """Settles a batch message by message."""
    source.settle(batch, [judge(raw.body) for raw in batch.raws])


def summary_of(output: str) -> dict[str, Any]:
    """The last line that the command printed."""
    summary: dict[str, Any] = json.loads(output.splitlines()[-1])
    return summary


def one_line(done: subprocess.CompletedProcess[str], *, code: int) -> str:
    """The only line on stderr of a command that ended with `code`."""
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    return lines[0]


def numbered(count: int, start: int = 0) -> list[bytes]:
    """Bodies that can be told apart."""
    return [b'{"n": %d}' % number for number in range(start, start + count)]
