"""Consumers that are watched while things break, and what they stored in the end."""

import hashlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import QuarantinedMessage
from sync.proca.encryption import KeyStore
from tests.databases import Database, copy_of_template, django_uses
from tests.intake.reading import summary_of
from tests.project import start_manage
from tests.servers import wait_until
from tests.store import stored

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "0"))
MINUTES = float(os.environ.get("FAULT_MINUTES", "0"))
SEED = int(os.environ.get("FAULT_SEED", "0")) or random.randrange(1, 10**6)
NOW = 1_800_000_000_000_000

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_WORRIES = re.compile(r"\[(?:warning|error|critical) *\]\x1b?\S* +(?:\x1b\[\d+m)*(\w+)")


def state_of(database: Database) -> dict[str, Any]:
    """Everything that is stored, without generated ids, and what is in quarantine."""
    with django_uses(database):
        kept = sorted((one.digest, one.reader, one.code) for one in QuarantinedMessage.objects.all())
        return {"quarantine": kept, **stored.state()}


def quiet_run(messages: Sequence[bytes], reader: int = 7) -> dict[str, Any]:
    """The state after these messages when nothing at all goes wrong."""
    raws = [Raw(body=body, queue="cus.7.deliver", reader=reader) for body in messages]
    with copy_of_template("postgresql") as database, django_uses(database):
        for start in range(0, len(raws), 500):
            take(raws[start : start + 500], KeyStore.empty(), now=NOW)
        return state_of(database)


def assert_nothing_lost_nothing_twice(database: Database, messages: Sequence[bytes]) -> None:
    """The stored state is that of a quiet run of the same messages."""
    expected, found = quiet_run(messages), state_of(database)
    different = [name for name in expected if expected[name] != found[name]]
    assert not different, f"seed {SEED}: {different} differ ({_digest(expected)} is not {_digest(found)})"


def _digest(state: dict[str, Any]) -> str:
    return hashlib.sha256(repr(state).encode()).hexdigest()[:8]


class Consumer:
    """`consume_proca`, running; its log goes to a file, so that no full pipe stops it."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text()

    def cpu(self) -> float:
        """How many seconds it has worked."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def says(self, event: str, seconds: float = 60) -> None:
        """Waits for a line in the log."""
        wait_until(lambda: event in self.log, f"{event} in the log", seconds)

    def signal(self, number: int) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """The end, at this very moment."""
        self.process.kill()
        self.process.wait()

    def finish(self) -> dict[str, Any]:
        """Ends it as an operator would; returns its summary."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.log
        assert "Traceback" not in self.log
        return summary_of(out)


@contextmanager
def consuming(database: Database, broker: Any, log: Path, *arguments: str, **env: str) -> Iterator[Consumer]:
    """A consumer of Proca's queue, attached; killed at the end if it still runs."""
    settings = broker.env() | {"DATABASE_URL": database.url} | env
    with log.open("a") as file:
        process = start_manage("consume_proca", *arguments, env=settings, stderr=file)
    try:
        wait_until(lambda: broker.consumers() or process.poll() is not None, "a consumer", 60)
        yield Consumer(process, log)
    finally:
        process.kill()
        process.communicate()


def drained(database: Database, broker: Any, log: Path, *arguments: str) -> dict[str, Any]:
    """Reads the queue to its end; returns the summary."""
    settings = broker.env() | {"DATABASE_URL": database.url}
    with log.open("a") as file:
        process = start_manage("consume_proca", "--drain", *arguments, env=settings, stderr=file)
        out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, log.read_text()
    return summary_of(out)


def until_empty(broker: Any, seconds: float = 120) -> None:
    """Waits until nothing is in the queue, nor in anybody's hand."""

    def counted() -> bool:
        queue = broker.api("GET", f"queues/{broker.vhost}/cus.7.deliver")
        return queue.get("messages") == 0 and broker.depth() == 0

    wait_until(counted, "an empty queue", seconds)


def worries(log: str) -> list[str]:
    """The events of a log that are warnings or worse."""
    return _WORRIES.findall(log)


def working_for(consumer: Consumer, seconds: float) -> float:
    """The share of a core that a consumer uses while it can do nothing."""
    before = consumer.cpu()
    time.sleep(seconds)
    return (consumer.cpu() - before) / seconds


@contextmanager
def held(database: Database, table: str) -> Iterator[None]:
    """Nobody else gets at a table."""
    with database.connect() as connection:
        connection.execute("BEGIN")
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            connection.execute("COMMIT")


def rounds(few: int) -> int:
    """How many rounds: few with the suite, as many as were asked for otherwise."""
    return ROUNDS or few
