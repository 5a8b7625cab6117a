"""Pushes a second to a local receiver, beside the same requests sent bare; and how long a change takes to get there.

`BENCH_PEOPLE` (default 3,000) makes it shorter or longer; `BENCH_LOAD` (default 60) is how many people a second come
in while the time from the commit to the receiver is measured.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from tests.databases import Database, copy_of_template, django_uses
from tests.environment import environment_for_tests

BARE = "the same requests, nothing else"
_ANSWER = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"
_SECONDS_OF_LOAD = 20


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where it listens, and where it writes down what came when."""

    port: int
    seen: Any

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"


def main() -> list[dict[str, Any]]:
    """Rows of the table."""
    people = int(os.environ.get("BENCH_PEOPLE", "3000"))
    load = int(os.environ.get("BENCH_LOAD", "60"))
    rows = []
    # The receiver first: it is forked off, and must not take a connection along.
    with receiver() as there, copy_of_template("postgresql") as database:
        _setup(database)
        with django_uses(database):
            _people(people)
            bare = _bare(there, 2 * people)
            rows.append({"what": BARE, "a second": bare, "to bare": 1.0, "median ms": "", "99th ms": ""})
            for workers in (1, 2):
                seconds = _pushed(database, there, workers)
                rate = 2 * people / seconds
                rows.append(_row(f"webhook, {workers} worker{'s' * (workers > 1)}", rate, bare))
            rows.append(_row("file, batches of 500", 2 * people / _to_file(database), bare))
            middle, last = _latency(database, there, load)
            about = f"from commit to receiver, {load} people/s"
            rows.append({"what": about, "a second": "", "to bare": "", "median ms": middle, "99th ms": last})
    return rows


def _row(what: str, rate: float, bare: float) -> dict[str, Any]:
    return {"what": what, "a second": rate, "to bare": rate / bare, "median ms": "", "99th ms": ""}


# --- The receiver ------------------------------------------------------------------------------------


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver in a process of its own: it reads whole requests, answers 204, and notes the actions' numbers."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Receiver(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any) -> None:
    seen: list[tuple[int, float]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                at = body.find(b'"action_id":')
                if at > 0:
                    seen.append((int(body[at + 12 : body.index(b",", at)]), time.time()))
                writer.write(_ANSWER)
                await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=2**20)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            await asyncio.sleep(0.05)
            if pipe.poll():
                pipe.recv()
                pipe.send(list(seen))
                seen.clear()

    asyncio.run(serve())


# --- What is measured --------------------------------------------------------------------------------


def _setup(database: Database) -> None:
    os.environ.update(environment_for_tests() | {"PUSH_ALLOW_HOSTS": "127.0.0.1", "DATABASE_URL": database.url})
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.conf import settings

    settings.PUSH_ALLOW_HOSTS = ("127.0.0.1",)


def _message(number: int) -> dict[str, Any]:
    from tests.builders import an_action

    contact = {"email": f"person{number}@example.org", "contactRef": f"ref-{number:040d}"}
    return an_action(actionId=number, contact=contact)


def _people(number: int, first: int = 1) -> None:
    from sync.intake.sources import Raw
    from sync.intake.take import take
    from sync.proca.encryption import KeyStore
    from tests.builders import wire

    for start in range(first, first + number, 1_000):
        numbers = range(start, min(start + 1_000, first + number))
        raws = [Raw(body=wire(_message(one)), queue="cus.7.deliver", reader=7) for one in numbers]
        take(raws, KeyStore([]), now=time.time_ns() // 1000)


def _bare(there: Receiver, requests: int) -> float:
    """The same client and bodies of the same size, without a database."""
    from sync.connectors.contract import json_request
    from sync.push.http import Client

    client, body = Client(), {"type": "x", "timestamp": "x", "data": {"x": "y" * 900}}
    started = time.perf_counter()
    for _ in range(requests):
        client.send(json_request("POST", there.url, body))
    return requests / (time.perf_counter() - started)


def _destination(there: Receiver, **more: Any) -> Any:
    from sync.push import destinations
    from tests.fakes.receiver import SECRET

    values = {"kind": "webhook", "org": 7, "settings": {"url": there.url, "secret": SECRET}, "state": "active"}
    return destinations.create({"name": f"bench {time.time_ns()}", **values, **more}, "bench")


def _pushed(database: Database, there: Receiver, workers: int) -> float:
    """Everybody, to a new destination, by the command."""
    one = _destination(there)
    seconds = _drained(database, "--destination", one.name, "--workers", str(workers))
    _gone(one)
    return seconds


def _to_file(database: Database) -> float:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"name": "bench", "format": "ndjson"}
        one = _destination(Receiver(0, None), kind="file", settings=settings)
        seconds = _drained(database, "--destination", one.name, EXPORT_DIR=folder)
    _gone(one)
    return seconds


def _gone(one: Any) -> None:
    from sync.push import destinations

    destinations.remove(one, "bench")


def _drained(database: Database, *arguments: str, **env: str) -> float:
    done = subprocess.run(
        _command("--drain", *arguments), env=_env(database) | env, capture_output=True, text=True, check=True
    )
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["pending"] == 0, summary
    return float(summary["seconds"])


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", "push_crm", *arguments]


def _env(database: Database) -> dict[str, str]:
    own = {"DATABASE_URL": database.url, "DJANGO_SETTINGS_MODULE": "proca_crm.settings"}
    return dict(os.environ) | own


def _latency(database: Database, there: Receiver, load: int) -> tuple[float, float]:
    """People come in at a steady rate; the time from each commit until the receiver has read it, in milliseconds."""
    _destination(there)
    _drained(database)
    there.seen.send("all")
    there.seen.recv()
    running = subprocess.Popen(_command(), env=_env(database), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_it_runs(there)
        committed = _steady(load)
        arrived = _all_of(there, set(committed))
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait()
    waits = [1000 * (arrived[one] - at) for one, at in committed.items() if one in arrived]
    assert len(waits) == len(committed), f"{len(committed) - len(waits)} did not arrive"
    return median(waits), quantiles(waits, n=100)[98]


def _until_it_runs(there: Receiver) -> None:
    """Wait until the worker has delivered somebody: how long a process takes to start is not measured."""
    _people(1, 999_999)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        there.seen.send("all")
        if there.seen.recv():
            return
        time.sleep(0.2)
    raise AssertionError("nobody arrived")


def _all_of(there: Receiver, wanted: set[int]) -> dict[int, float]:
    """When each of these arrived; a worker that is slower than the load is waited for, so that its delay shows."""
    arrived: dict[int, float] = {}
    until = time.monotonic() + 120
    while wanted - arrived.keys() and time.monotonic() < until:
        there.seen.send("all")
        for number, at in there.seen.recv():
            arrived.setdefault(number, at)
        time.sleep(0.2)
    return arrived


def _steady(load: int) -> dict[int, float]:
    committed: dict[int, float] = {}
    number, started = 1_000_000, time.monotonic()
    for tick in range(_SECONDS_OF_LOAD * 10):
        few = max(load // 10, 1)
        _people(few, number)
        committed |= dict.fromkeys(range(number, number + few), time.time())
        number += few
        time.sleep(max(started + tick / 10 - time.monotonic(), 0))
    return committed
