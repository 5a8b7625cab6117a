"""`manage.py` in this process, on the database of `store_database`: a tenth of the time of a process of its own."""

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import django

import manage
from sync.intake.sources import Raw
from sync.intake.take import take
from sync.proca.encryption import KeyStore

NOW = 1_800_000_000_000_000


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, answers: str | None = None) -> Done:
    """Run a command to its end. `answers` are what a person types at a terminal; without them there is none."""
    out, error = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
        patch.object(sys, "argv", ["manage.py", *arguments]),
        patch.object(sys, "stdin", _Terminal(answers)),
        # It is set up already; once more, and loggers would be as loud as before the commands quieted them.
        patch.object(django, "setup"),
    ):
        code = _exit_code(manage.main)
    return Done(code, out.getvalue(), error.getvalue())


class _Terminal(io.StringIO):
    def __init__(self, answers: str | None) -> None:
        super().__init__(answers)
        self._is_there = answers is not None

    def isatty(self) -> bool:
        return self._is_there


def _exit_code(work: Callable[[], Any]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def stored(*messages: bytes, reader: int = 7, keys: KeyStore | None = None) -> None:
    """Store messages as the queue does."""
    raws = [Raw(body=message, queue=f"cus.{reader}.deliver", reader=reader) for message in messages]
    take(raws, keys or KeyStore.empty(), now=NOW)
