"""Delivers what has changed to the destinations."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog
from django.core.management.base import CommandParser
from django.db import connection, connections

from sync.management.one_line import OneLineCommand, failure, usage
from sync.models import Destination
from sync.processes import Failed, Numbers, Stop, Workers
from sync.push import deliveries, destinations, look, preview
from sync.push.registry import UnknownKind, connector
from sync.push.worker import Order, Worker
from sync.sealing import Unsealable
from sync.store.errors import told_apart

log = structlog.get_logger(__name__)

_DRY_RUN_LIMIT = 10
_SUMMARY = ("delivered", "failed", "skipped")


class Command(OneLineCommand):
    """`push_crm`."""

    help = (
        "Delivers to the destinations until stopped, any number of these at the same time. "
        "What fails is tried again for about three days. The last line is a summary in JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--drain", action="store_true", help="stop when nothing more is due")
        parser.add_argument("--destination", metavar="NAME", help="only this one")
        parser.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes (PostgreSQL only)")
        parser.add_argument("--dry-run", action="store_true", help="send nothing: say what would be sent, in numbers")
        parser.add_argument(
            "--limit", type=_positive, metavar="N", help=f"with --dry-run: so many people in full ({_DRY_RUN_LIMIT})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Deliver, and print the summary."""
        if options["workers"] > 1 and connection.vendor == "sqlite":
            raise usage("--workers: SQLite takes one")
        if options["limit"] and not options["dry_run"]:
            raise usage("--limit: only with --dry-run")
        only = _named(options["destination"])
        if options["dry_run"]:
            self._preview(only, options["limit"] or _DRY_RUN_LIMIT)
            return
        started = time.monotonic()
        order = Order(drain=options["drain"], only=None if only is None else only.pk)
        try:
            with Stop().on_signals() as stop:
                numbers = _run(order, stop, options["workers"])
        except Failed as failed:
            raise failure(str(failed)) from None
        pending = deliveries.pending(_ids(only))
        summary = {name: int(numbers.get(name, 0)) for name in _SUMMARY} | {"pending": pending}
        self.stdout.write(json.dumps(summary | {"seconds": round(time.monotonic() - started, 3)}))

    def _preview(self, only: Destination | None, limit: int) -> None:
        started, pending, troubles = time.monotonic(), 0, []
        for destination in [only] if only is not None else list(Destination.objects.order_by("pk")):
            try:
                pending += self._preview_one(destination, limit)
            except UnknownKind:
                troubles.append(f"{destination.name}: no connector of this kind is installed")
            except Unsealable:
                troubles.append(f"{destination.name}: {destinations.SEALED}")
        summary = dict.fromkeys(_SUMMARY, 0) | {"pending": pending}
        self.stdout.write(json.dumps(summary | {"seconds": round(time.monotonic() - started, 3)}))
        if troubles:
            raise failure("; ".join(troubles))

    def _preview_one(self, destination: Destination, limit: int) -> int:
        """Print the numbers, here and at the CRM, and some people in full; return how many wait."""
        kind = connector(destination.kind)
        numbers = preview.numbers(destination)
        there = look.there(destination, kind, numbers.audience)
        line = {"destination": destination.name, **asdict(numbers), "there": None if there is None else asdict(there)}
        self.stdout.write(json.dumps(line))
        for person in preview.people(destination, kind, limit):
            self.stdout.write(json.dumps({"destination": destination.name, **person}, ensure_ascii=False))
        return numbers.new + numbers.due + numbers.to_forget


def _run(order: Order, stop: Stop, workers: int) -> Numbers:
    if workers == 1:
        return Worker(order, stop).run()
    # Every process makes its own connections.
    connections.close_all()
    return Workers(workers, partial(_in_a_process, order, stop), stop=stop, notice=log.error).run()


def _in_a_process(order: Order, stop: Stop, _: int, tell: Callable[[Numbers], None]) -> Numbers:
    return Worker(order, stop, tell).run()


def _named(name: str | None) -> Destination | None:
    if name is None:
        return None
    with told_apart():
        found = Destination.objects.select_related("standing").filter(name=name).first()
    if found is None:
        raise usage("--destination: there is none of this name")
    try:
        connector(found.kind)
    except UnknownKind:
        raise failure("no connector of this kind is installed") from None
    return found


def _ids(only: Destination | None) -> list[int]:
    return [only.pk] if only is not None else list(Destination.objects.values_list("pk", flat=True))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
