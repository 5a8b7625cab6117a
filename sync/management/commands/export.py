"""Everything of one kind as a file, CSV or NDJSON."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from sync.management.one_line import OneLineCommand, usage
from sync.management.outfile import whole_file
from sync.read.export import FORMATS, lines
from sync.read.filters import FILTERS, BadFilter, filtered
from sync.read.records import KINDS

_NAMES = tuple(dict.fromkeys(name for filters in FILTERS.values() for name in filters))


class Command(OneLineCommand):
    """`export supporters|actions|subscriptions|consents|campaigns`."""

    help = (
        "Writes all records of one kind, or those that fit every filter, as the API shows them, with names beside "
        "the ids. A file is there when it is whole, and only its owner may read it. What is exported is yours to "
        "delete when somebody asks to be forgotten."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what, how, where to, and the filters of all kinds."""
        parser.add_argument("kind", choices=tuple(KINDS), metavar="|".join(KINDS))
        parser.add_argument("--format", choices=FORMATS, default="csv", help="csv (default) or ndjson")
        parser.add_argument("--output", default="-", metavar="FILE", help="default: stdout")
        filters = parser.add_argument_group("filters, as in the API")
        for name in _NAMES:
            kinds = ", ".join(kind for kind, known in FILTERS.items() if name in known)
            filters.add_argument(*_spellings(name), dest=f"filter_{name}", metavar="TEXT", help=f"of {kinds}")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write the records; a stream that ends early ends with an error."""
        kind = KINDS[options["kind"]]
        asked = {name: text for name in _NAMES if (text := options[f"filter_{name}"]) is not None}
        try:
            rows = filtered(kind, asked)
        except BadFilter as bad:
            raise usage(f"--{_spellings(bad.name)[0].strip('-')}: {bad.reason}") from None
        with closing(lines(kind, rows, options["format"])) as records:
            if options["output"] == "-":
                self._stream(records)
            else:
                with whole_file(Path(options["output"])) as file:
                    file.writelines(records)

    def _stream(self, records: Iterable[str]) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Whatever the terminal speaks: a file with half of the names would be worse.
            sys.stdout.reconfigure(encoding="utf-8")
        for line in records:
            self.stdout.write(line, ending="")
        self.stdout.flush()


def _spellings(name: str) -> tuple[str, ...]:
    """An option as options are written, and as the API writes it."""
    return tuple(dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")))
