"""Stops that an organisation already has, before anything is pushed to anybody."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from sync.intake.sources import origin_of
from sync.management.one_line import OneLineCommand, failure, usage
from sync.management.table import BadTable, table
from sync.models import Org
from sync.store.stops import COLUMNS, NEEDED, Imported, NotAStop, Stop, stop_of, write_stops

_AT_ONCE = 500
_AHEAD = 5 * 60 * 1_000_000


class Command(OneLineCommand):
    """`import_consents FILE`."""

    help = (
        "Reads stops (unsub, spam, bounce, blocked, inactive) from a CSV file whose first line names its columns: "
        "email or contact_ref, kind, occurred_at, org, note. Without an org a stop applies to all of them. A stop for "
        "somebody unknown waits for that person. Rows that are no stops are named by line and refused, the rest is "
        "imported, and the exit code is 1. It can be repeated: what is there already is not added twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file and the dry run."""
        parser.add_argument("file", type=Path, metavar="FILE", help="CSV in UTF-8, with commas, semicolons or tabs")
        parser.add_argument("--dry-run", action="store_true", help="everything but the commit")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import what is a stop, name what is none, and sum up in JSON."""
        self._refused, self._broken, done = 0, "", Imported()
        stops = self._stops(options["file"])
        while batch := list(islice(stops, _AT_ONCE)):
            done += write_stops(batch, dry_run=options["dry_run"])
        summary = {"imported": done.new, "repeated": done.repeated, "refused": self._refused, "waiting": done.waiting}
        self.stdout.write(json.dumps(summary))
        if self._broken:
            raise failure(f"{self._broken}; what stands above is imported, the rest is not")
        if self._refused:
            raise failure(f"{self._refused} rows are no stops, and were refused")

    def _stops(self, path: Path) -> Iterator[Stop]:
        orgs, latest = _known_orgs(), time.time_ns() // 1000 + _AHEAD
        try:
            for line, row in table(path, COLUMNS, NEEDED):
                try:
                    yield stop_of(row, orgs=orgs, latest=latest)
                except NotAStop as reason:
                    self._refused += 1
                    self.tell(f"line {line}: {reason}")
        except BadTable as bad:
            if bad.line == 1:
                raise usage(str(bad)) from None
            self._broken = str(bad)
        except OSError as error:
            raise usage(f"the file cannot be read ({error.strerror})") from None


def _known_orgs() -> set[int]:
    """Organisations that are here already, and those whose messages will be read here."""
    readers = {origin_of(queue, settings.PROCA_ORG).reader for queue in settings.PROCA_QUEUES}
    orgs = {*Org.objects.values_list("pk", flat=True), *readers, settings.PROCA_ORG}
    return {org for org in orgs if org is not None}
