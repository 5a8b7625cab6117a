"""`consume_proca --drain` on a full queue, beside a bare drain of the same queue that stores nothing.

Rounds take turns, so that a slow hour of the machine falls on all of them; what counts are the ratios.
`BENCH_MESSAGES` (default 50,000) and `BENCH_ROUNDS` (default 3) make it shorter or longer.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.messages import NEW, messages
from tests.broker import Broker, vhost_of_its_own
from tests.databases import ROOT, copy_of_template
from tests.environment import environment_for_tests
from tests.servers import RabbitMQ, shared

QUEUE = "cus.7.deliver"
#: What the drain does at once; as the consumer's own batches.
BATCH = 1_000
DRAIN = "pika, nothing stored"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one consumer."""

    seconds: float
    cpu: float
    peak_mb: float


def main() -> list[dict[str, Any]]:
    """Rows of the table: the bare drain, one worker, two workers."""
    count = int(os.environ.get("BENCH_MESSAGES", "50000"))
    rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
    bodies = list(messages(count))
    size = sum(map(len, bodies)) / count
    print(f"{count:,} messages of {size:,.0f} bytes, {NEW:.0%} from new people; {rounds} rounds", file=sys.stderr)
    runs = {DRAIN: _drained, "1 worker": _one_worker, "2 workers": _two_workers}
    measured: dict[str, list[Measured]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            with vhost_of_its_own(shared(RabbitMQ)) as broker:
                broker.declare(QUEUE)
                broker.publish_raw(bodies, exchange="org.7.deliver", routing_key="petition.campaign")
                measured[name].append(run(broker, count))
    return _table(measured, count)


def _table(measured: dict[str, list[Measured]], count: int) -> list[dict[str, Any]]:
    rates = {name: count / median(one.seconds for one in runs) for name, runs in measured.items()}
    return [
        {
            "consumer": name,
            "messages/s": round(rates[name]),
            "to the drain": rates[name] / rates[DRAIN],
            "to 1 worker": rates[name] / rates["1 worker"],
            "CPU s/1,000": median(one.cpu for one in runs) / count * 1000,
            "peak MB": round(max(one.peak_mb for one in runs)),
        }
        for name, runs in measured.items()
    ]


def _one_worker(broker: Broker, count: int) -> Measured:
    return _consumed(broker, count, 1)


def _two_workers(broker: Broker, count: int) -> Measured:
    return _consumed(broker, count, 2)


def _consumed(broker: Broker, count: int, workers: int) -> Measured:
    """`consume_proca` on an empty database; the seconds are its own, without the start of Python."""
    with copy_of_template("postgresql") as database:
        environment = broker.env(QUEUE) | {"DATABASE_URL": database.url}
        command = [str(ROOT / "manage.py"), "consume_proca", "--drain", "--workers", str(workers), "--no-progress"]
        said, cpu, peak = _run(command, environment)
        assert said["stored"] == count == database.value("SELECT count(*) FROM sync_action"), said
        assert broker.depth(QUEUE) == 0
    return Measured(said["seconds"], cpu, peak)


def _drained(broker: Broker, count: int) -> Measured:
    """The same queue with pika alone: receive, acknowledge, forget."""
    said, cpu, peak = _run(["-c", _DRAIN_PROGRAM, broker.url(), QUEUE, str(count), str(BATCH)], {})
    assert broker.depth(QUEUE) == 0
    return Measured(said["seconds"], cpu, peak)


def _run(arguments: list[str], environment: dict[str, str]) -> tuple[dict[str, Any], float, float]:
    """The last line of a program, its seconds of CPU and its peak memory in MB (of the largest of its processes)."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ
            | environment_for_tests()
            | {"DJANGO_SETTINGS_MODULE": "proca_crm.settings", "LOG_LEVEL": "WARNING"}
            | environment,
            cwd=ROOT,
            stdout=out,
        )
        peak = 0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak = max([peak, *map(_peak_of, [process.pid, *_children(process.pid)])])
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        out.seek(0)
        lines = out.read().splitlines()
    if process.returncode or not lines:
        raise RuntimeError(f"a consumer ended with {process.returncode}")
    return json.loads(lines[-1]), ended[2].ru_utime + ended[2].ru_stime, peak / 1024


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _peak_of(pid: int) -> int:
    """How many kB a process ever had in memory. What `wait4` says would include the benchmark that started it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


_DRAIN_PROGRAM = """
import json, sys, time
import pika

url, queue, count, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.basic_qos(prefetch_count=2 * batch)
begun = time.monotonic()
got = 0

def on_message(channel, method, properties, body):
    global got
    got += 1
    if got % batch == 0 or got == count:
        channel.basic_ack(method.delivery_tag, multiple=True)
    if got == count:
        channel.stop_consuming()

channel.basic_consume(queue, on_message)
channel.start_consuming()
connection.close()
print(json.dumps({"seconds": time.monotonic() - begun}))
"""
