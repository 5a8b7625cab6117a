"""Messages that could not be stored: look at them, try them again, throw them away."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from sync.intake.keys import load_keys
from sync.intake.retry import retry
from sync.intake.sources import NotKept
from sync.management.one_line import OneLineCommand, failure, usage
from sync.models import QuarantinedMessage
from sync.store.quarantine import discard

_COLUMNS = ("id", "received", "queue", "reader", "code", "where", "attempts")
#: SQLite takes no larger number as an id, and says so with a traceback.
_LARGEST_ID = 2**63 - 1


class Command(OneLineCommand):
    """`quarantine list|show ID|retry [ID…|--all]|discard ID`."""

    help = "Messages that could not be stored. The list holds no personal data; `show` prints what came."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the four things to do."""
        what = parser.add_subparsers(dest="what", required=True, metavar="list|show|retry|discard")
        what.add_parser("list", help="a line for each message")
        show = what.add_parser("show", help="one message as it came, on stdout")
        show.add_argument("id", type=_id)
        again = what.add_parser("retry", help="try to store messages again; exit code 1 when some still cannot be")
        again.add_argument("ids", type=_id, nargs="*", metavar="ID")
        again.add_argument("--all", action="store_true", help="all of them")
        gone = what.add_parser("discard", help="throw a message away for good")
        gone.add_argument("id", type=_id)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one of them."""
        actions: dict[str, Callable[..., None]] = {
            "list": self._list,
            "show": self._show,
            "retry": self._retry,
            "discard": self._discard,
        }
        try:
            actions[options["what"]](options)
        except NotKept as not_kept:
            raise failure(str(not_kept)) from None

    def _list(self, _options: dict[str, Any]) -> None:
        self.stdout.write("\t".join(_COLUMNS))
        # The body stays in the database: it is large, and nobody's business here.
        rows = QuarantinedMessage.objects.order_by("pk").defer("body", "headers").iterator()
        for row in rows:
            reader = "-" if row.reader is None else row.reader
            received = row.received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            values = (row.pk, received, row.queue, reader, row.code, row.where or "-", row.attempts)
            self.stdout.write("\t".join(map(str, values)))

    def _show(self, options: dict[str, Any]) -> None:
        row = _row(options["id"])
        about = {
            "id": row.pk,
            "received_at": row.received_at.isoformat(),
            "last_attempt_at": row.last_attempt_at.isoformat(),
            "not_before": row.not_before and row.not_before.isoformat(),
            "queue": row.queue,
            "reader": row.reader,
            "code": row.code,
            "where": row.where,
            "attempts": row.attempts,
            "headers": row.headers,
        }
        # On stderr, so that stdout is the message and nothing else, byte for byte.
        self.stderr.write(json.dumps(about, indent=2, ensure_ascii=False), self.style.NOTICE)
        self.stdout.flush()
        _write_bytes(self.stdout, bytes(row.body))

    def _retry(self, options: dict[str, Any]) -> None:
        ids = options["ids"]
        if bool(ids) == options["all"]:
            raise usage("retry: name the messages, or --all")
        if options["all"]:
            ids = list(QuarantinedMessage.objects.values_list("pk", flat=True))
        else:
            for one in ids:
                _row(one)
        done = retry(ids, load_keys(), now=time.time_ns() // 1000)
        self.stdout.write(f"{done.stored} stored, {done.kept} still in quarantine")
        if done.kept:
            sys.exit(1)

    def _discard(self, options: dict[str, Any]) -> None:
        row = _row(options["id"])
        discard([row.pk])
        self.stdout.write(f"message {options['id']} is gone")


def _row(pk: int) -> QuarantinedMessage:
    try:
        return QuarantinedMessage.objects.get(pk=pk)
    except QuarantinedMessage.DoesNotExist:
        raise failure(f"there is no message {pk} in quarantine") from None


def _write_bytes(stdout: Any, body: bytes) -> None:
    """Write a body as it is, also one that is no text."""
    stream = getattr(stdout, "_out", stdout)
    if hasattr(stream, "buffer"):
        stream.buffer.write(body + b"\n")
        stream.buffer.flush()
    else:
        stream.write(body.decode("utf-8", "backslashreplace") + "\n")


def _id(text: str) -> int:
    number = int(text)
    if not 0 < number <= _LARGEST_ID:
        raise ValueError
    return number
