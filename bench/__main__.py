"""Starts private servers and runs the benchmarks: `./run bench [NAME …]`, one table.

`main()` of each `bench_*.py` finds the servers with `tests.servers.shared`, PostgreSQL with fsync on, and
returns rows as dicts; their keys are the columns.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import django
from rich.console import Console
from rich.table import Table

from tests.environment import use_test_environment
from tests.servers import DURABLE, folder_of_this_run


def main(wanted: list[str]) -> int:
    """Runs the benchmarks whose names were given, or all."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    if unknown := set(wanted) - {name.removeprefix("bench_") for name in names}:
        print(f"no such benchmark: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    use_test_environment()
    os.environ["DJANGO_SETTINGS_MODULE"] = "proca_crm.settings"
    django.setup()
    with folder_of_this_run(**{DURABLE: "yes"}):
        for name in names:
            if not wanted or name.removeprefix("bench_") in wanted:
                _print(name, importlib.import_module(f"bench.{name}").main())
    return 0


def _print(name: str, rows: list[dict[str, Any]]) -> None:
    table = Table(title=name.removeprefix("bench_"), title_justify="left")
    for number, column in enumerate(rows[0] if rows else ()):
        # The headers may wrap, the names of the rows do not.
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right", no_wrap=not number)
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console(width=None if sys.stdout.isatty() else 132).print(table)


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
