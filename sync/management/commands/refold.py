"""Everything derived, computed again from what is kept."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from sync.management.one_line import OneLineCommand, failure, usage
from sync.models import Org
from sync.store.refold import Refolded, refold

_SECONDS_BETWEEN_LINES = 10


class Command(OneLineCommand):
    """`refold [--org N] [--check]`."""

    help = (
        "Computes everything that is derived (details shown, statuses, counts, whose action is whose) again from "
        "what is kept, in batches; the consumer can go on meanwhile. The last line is a summary in JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--org", type=int, metavar="N", help="only whom this organisation knows")
        parser.add_argument("--check", action="store_true", help="only count differences; exit 1 when there are any")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Refold, and tell what differed."""
        org, check = options["org"], options["check"]
        if org is not None and not Org.objects.filter(pk=org).exists():
            raise usage("--org: there is no such organisation here")
        started = time.monotonic()
        done = refold(org=org, check=check, report=_Lines(self.tell))
        summary = {"looked_at": done.contacts, "differences": done.total, **done.differences}
        self.stdout.write(json.dumps(summary | {"seconds": round(time.monotonic() - started, 3)}))
        if check and done.total:
            raise failure(f"{done.total} rows are not what follows from what is kept: run refold without --check")


class _Lines:
    """Says from time to time, to a person, how far it is."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def __call__(self, so_far: Refolded) -> None:
        """Tell, when it is time and somebody looks."""
        if sys.stderr.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
            self._tell(f"{so_far.contacts:,} contacts, {so_far.total:,} differences")
