"""Reads Proca's queue, or files with its messages, into the database."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from sync.intake.connecting import MAX_BATCH, MAX_PREFETCH, Reading
from sync.intake.dump import Dump
from sync.intake.files import FileSource, NoReader, files_of
from sync.intake.keys import load_keys
from sync.intake.rabbitmq import RabbitSource
from sync.intake.sources import NotKept, Origin, Source, SourceFailed, names_its_reader, origin_of
from sync.intake.worker import Order, Worker
from sync.management.progress import progress
from sync.processes import Aside, Failed, Numbers, Stop, Workers
from sync.terms import Verdict

log = structlog.get_logger(__name__)

_DRY_RUN_LIMIT = 1_000
_SUMMARY = ("received", *map(str, Verdict))


class Command(BaseCommand):
    """`consume_proca`."""

    help = (
        "Reads Proca's messages until stopped: from the queue (PROCA_URL, PROCA_QUEUE), or from files. "
        "Messages are acknowledged after they are stored. The last line is a summary in JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        source = parser.add_argument_group("where messages come from")
        source.add_argument("--queue", action="append", metavar="NAME", help="repeatable; default: PROCA_QUEUE")
        source.add_argument(
            "--file",
            action="append",
            metavar="PATH",
            help="repeatable: a message, a JSON array, or a message a line; also .gz; a folder of these; -",
        )
        source.add_argument("--org", type=_positive, metavar="N", help="the organisation that files are read for")
        end = parser.add_argument_group("when to stop")
        end.add_argument("--drain", action="store_true", help="when the queue is empty and everything read is settled")
        end.add_argument("--limit", type=_positive, metavar="N", help="after N messages")
        how = parser.add_argument_group("how")
        how.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes (PostgreSQL only)")
        how.add_argument("--batch-size", type=_batch_size, default=1_000, metavar="N", help="messages a transaction")
        how.add_argument(
            "--batch-wait",
            type=_seconds,
            default=0.2,
            metavar="SECONDS",
            help="how long a batch waits to be full",
        )
        how.add_argument(
            "--dry-run",
            action="store_true",
            help=f"everything but the commit; messages stay in the queue; --limit is then {_DRY_RUN_LIMIT}",
        )
        how.add_argument("--dump", type=Path, metavar="DIR", help="also write each raw message to DIR/QUEUE/….json")
        how.add_argument(
            "--progress",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="a live line on a terminal, log lines elsewhere",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, print the summary, and say by the exit code whether all went well."""
        _refuse_contradictions(options)
        if options["dry_run"] and options["limit"] is None:
            options["limit"] = _DRY_RUN_LIMIT
        run = _Run(options)
        started = time.monotonic()
        try:
            with Stop().on_signals() as stop, progress(options["progress"]) as show:
                _refuse_unready_database(stop)
                numbers = run.all(stop, show)
        except (SourceFailed, NotKept, Failed) as failure:
            raise CommandError(str(failure)) from None
        summary = {name: int(numbers.get(name, 0)) for name in _SUMMARY}
        self.stdout.write(json.dumps(summary | {"seconds": round(time.monotonic() - started, 3)}))
        self.stdout.flush()
        for trouble in run.troubles:
            self.stderr.write(trouble)
        if run.troubles:
            sys.exit(1)


class _Run:
    """What was asked for, checked; makes a source for each worker."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.troubles: list[str] = []
        self._options = options
        self._keys = load_keys()
        self._sources = _file_sources(options) if options["file"] else _queue_sources(options)

    def all(self, stop: Stop, show: Callable[[Numbers], None]) -> Numbers:
        """Run one worker here, or several in processes of their own."""
        workers = self._options["workers"]
        if workers == 1:
            return self.one(stop, 0, show)
        work = partial(_in_a_process, self, stop)
        return Workers(workers, work, stop=stop, notice=log.error).run(show)

    def one(self, stop: Stop, number: int, report: Callable[[Numbers], None]) -> Numbers:
        """Run one worker; of a limit it takes its share."""
        limit = _share(self._options["limit"], number, self._options["workers"])
        if limit == 0:
            return {}
        source = self._sources(limit)
        dump = self._options["dump"]
        order = Order(limit=limit, dry_run=self._options["dry_run"], dump=None if dump is None else Dump(dump))
        try:
            return Worker(source, self._keys, order, stop=stop, report=report).run()
        finally:
            self.troubles.extend(source.troubles)


def _in_a_process(run: _Run, stop: Stop, number: int, tell: Callable[[Numbers], None]) -> Numbers:
    """Be worker `number`: only the first tells the depth, which is everybody's."""

    def report(numbers: Numbers) -> None:
        if number:
            numbers.pop("now_depth", None)
        tell(numbers)

    try:
        return run.one(stop, number, report)
    except (SourceFailed, NotKept) as failure:
        raise Failed(str(failure)) from None


def _file_sources(options: dict[str, Any]) -> Callable[[int | None], Source]:
    try:
        files = files_of(options["file"], org=options["org"], fallback=settings.PROCA_ORG)
    except FileNotFoundError as missing:
        raise _usage(f"--file: there is no {missing}") from None
    except NoReader:
        raise _usage("--file: nothing says for which organisation: --org N, or PROCA_ORG") from None
    return lambda limit: FileSource(files, options["batch_size"], options["batch_wait"])


def _queue_sources(options: dict[str, Any]) -> Callable[[int | None], Source]:
    if settings.PROCA_BROKER is None:
        raise _usage("PROCA_URL is not set: amqps://user:password@host/vhost")
    origins = _origins(options["queue"] or settings.PROCA_QUEUES)
    if options["dry_run"] and options["limit"] > (most := MAX_PREFETCH // len(origins)):
        # Nothing is acknowledged, so everything read is in hand at once, and the broker gives no more.
        raise _usage(f"--dry-run: --limit must be at most {most}")
    reading = partial(
        Reading,
        broker=settings.PROCA_BROKER,
        origins=origins,
        ca_file=settings.PROCA_CA_FILE,
        batch_size=options["batch_size"],
        batch_wait=options["batch_wait"],
        drain=options["drain"],
        dry_run=options["dry_run"],
        consumers=options["workers"],
    )
    return lambda limit: RabbitSource(reading(limit=limit))


def _origins(queues: Sequence[str]) -> tuple[Origin, ...]:
    if not queues:
        raise _usage("PROCA_QUEUE is not set, and there is no --queue: cus.N.deliver")
    if settings.PROCA_ORG is None and not all(map(names_its_reader, queues)):
        raise _usage("a queue that is not named cus.N.… needs PROCA_ORG: nothing says who reads it")
    return tuple(origin_of(queue, settings.PROCA_ORG) for queue in dict.fromkeys(queues))


def _refuse_contradictions(options: dict[str, Any]) -> None:
    if options["file"]:
        for name in ("queue", "dump"):
            if options[name]:
                raise _usage(f"--file and --{name} do not go together")
        if options["workers"] > 1:
            raise _usage("--workers reads the queue; files are read by one process")
    elif options["org"]:
        raise _usage("--org says for whom files are read; a queue's name says it by itself")
    if options["workers"] > 1 and connection.vendor == "sqlite":
        raise _usage("--workers: SQLite takes one process that writes; use PostgreSQL")


def _refuse_unready_database(stop: Stop) -> None:
    """Refuse tables that are not there. A database that is away now is waited for as ever."""
    aside = Aside("start")
    task = aside.start(_is_migrated)
    while not (task.over.wait(0.1) or stop.asked):
        pass
    aside.close(1)
    if task.over.is_set() and not task.result():
        raise CommandError("the database is not up to date: run manage.py migrate first")


def _is_migrated() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError):
        log.warning("database_not_checked")
        return True
    finally:
        connections.close_all()


def _share(limit: int | None, number: int, workers: int) -> int | None:
    """Return the part of a limit that falls to one worker."""
    return None if limit is None else limit // workers + (number < limit % workers)


def _usage(problem: str) -> CommandError:
    return CommandError(problem, returncode=2)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _batch_size(text: str) -> int:
    number = _positive(text)
    if number > MAX_BATCH:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_BATCH}, as two batches are under way")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 60:
        raise argparse.ArgumentTypeError("must be between 0 and 60")
    return number
