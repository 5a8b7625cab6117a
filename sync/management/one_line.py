"""What our commands have in common: whatever goes wrong is one line on stderr, without a value that somebody gave."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sync.store.errors import Away, Refused, told_apart

_UNKNOWN = "unrecognized arguments: "


class OneLineCommand(BaseCommand):
    """A command that answers trouble with one line: 1 for what failed, 2 for what was asked for wrongly."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser that wants options in full: `--stat` must not be taken for `--status`."""
        parser = super().create_parser(prog_name, subcommand, allow_abbrev=False, **kwargs)
        parser.error = partial(_wrong_usage, parser)  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run, with what the database, the disk and the reader of the output can do wrong put into words."""
        try:
            with told_apart(), _stopped_like_by_hand():
                return super().execute(*args, **options)
        except Away as away:
            raise failure(f"the database is away ({away.reason})") from None
        except Refused as refused:
            raise failure(f"the database refuses this ({refused.code})") from None
        except BrokenPipeError:
            _drop_output()
            raise failure("whoever reads the output has closed it") from None
        except OSError as error:
            raise failure(error.strerror or type(error).__name__) from None
        except KeyboardInterrupt:
            raise failure("interrupted") from None

    def tell(self, text: str) -> None:
        """Say something to the person beside the results, which stdout is for."""
        self.stderr.write(text, lambda plain: plain)


def usage(problem: str) -> CommandError:
    """Return the error for something that was asked for wrongly."""
    return CommandError(problem, returncode=2)


def failure(problem: str) -> CommandError:
    """Return the error for something that did not work."""
    return CommandError(problem)


@contextlib.contextmanager
def _stopped_like_by_hand() -> Iterator[None]:
    """Let SIGTERM raise as Ctrl-C does, so that nothing half done is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wrong_usage(parser: CommandParser, message: str) -> NoReturn:
    if message.startswith(_UNKNOWN):
        message = "unknown: " + _names(message.removeprefix(_UNKNOWN))
    if not parser.called_from_command_line:
        raise usage(message)
    parser.exit(2, f"{parser.prog}: {message} (see --help)\n")


def _names(arguments: str) -> str:
    """Return the names of options alone: their values may be somebody's address."""
    words = [word.partition("=")[0] for word in arguments.split() if word.startswith("-")]
    return ", ".join(words) or "an argument too many"


def _drop_output() -> None:
    """Let what is still in the buffer go nowhere, or the interpreter complains of it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
