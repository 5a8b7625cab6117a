"""Messages from files: one message, an array, one a line; plain or `.gz`; folders of these; stdin.

    path ──▶ (file, reader), all known before the first message ──▶ a thread reads ahead ──▶ batches

What stands in a file goes on as the very bytes it was written in: decoding and encoding again would change
numbers.
A line that is no JSON is a message too, and ends in quarantine.
"""

from __future__ import annotations

import gzip
import math
import re
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote

import msgspec

from sync.intake.dump import is_dumped
from sync.intake.sources import Batch, Raw, Result, names_its_reader, origin_of
from sync.processes import Task

SOURCE = "file"
STDIN = "-"

_MESSAGES = re.compile(r".+\.(json|ndjson|jsonl)(\.gz)?", re.IGNORECASE)
_ONE_MESSAGE = re.compile(r".+\.json(\.gz)?", re.IGNORECASE)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"


class NoReader(ValueError):
    """Nothing says which organisation a file is read for."""


@dataclass(frozen=True, slots=True)
class File:
    """One file, who reads it (null: a dump of a `system.…` queue), and whether it is one message."""

    path: str
    reader: int | None
    one_message: bool = False


class Unreadable(Exception):
    """A file that cannot be read to its end; the text says why."""


# --- Which files -------------------------------------------------------------------------------------------


def files_of(paths: Iterable[str], *, org: int | None, fallback: int | None) -> list[File]:
    """Return all files that these paths name, folders with everything in them, in a stable order.

    The reader is `org`, else what the name of the folder says that a dump wrote, else `fallback`. Raises
    `NoReader` and FileNotFoundError.
    """
    return [_file(path, org, fallback) for given in paths for path in _paths(given)]


def _paths(given: str) -> Iterator[str]:
    if given == STDIN:
        yield given
        return
    path = Path(given)
    if not path.exists():
        raise FileNotFoundError(given)
    if path.is_dir():
        files = (one for one in sorted(path.rglob("*")) if _MESSAGES.fullmatch(one.name))
        yield from (str(one) for one in files if one.is_file())
    else:
        yield given


def _file(path: str, org: int | None, fallback: int | None) -> File:
    # The folder may be the current one, whose name does not stand in the path.
    folder = unquote(Path(path).resolve().parent.name) if path != STDIN else ""
    dumped = names_its_reader(folder)
    one_message = is_dumped(Path(path).name) or (dumped and bool(_ONE_MESSAGE.fullmatch(Path(path).name)))
    if org is None and dumped:
        return File(path, origin_of(folder, None).reader, one_message)
    reader = org if org is not None else fallback
    if reader is None:
        raise NoReader
    return File(path, reader, one_message)


# --- What stands in a file ---------------------------------------------------------------------------------


def bodies(file: File) -> Iterator[bytes]:
    """Return the messages of one file; raises `Unreadable` where it ends before its end."""
    try:
        with _opened(file.path) as stream:
            if file.one_message:
                yield stream.read()
            else:
                yield from _messages(stream)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Unreadable("cut short or damaged (gzip)") from None
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from None


def _opened(path: str) -> BinaryIO:
    if path == STDIN:
        # Not sys.stdin.buffer: a thread that still reads from it at the end of the process would abort it.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    if path.lower().endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return Path(path).open("rb")


def _messages(stream: BinaryIO) -> Iterator[bytes]:
    """Tell by its beginning what a file is. Of one message a line, no more than one line is in memory."""
    lines = _lines(stream)
    first = next(lines, None)
    if first is None:
        return
    if first.lstrip(_BLANK).startswith(b"["):
        yield from _array(first, stream)
        return
    if _is_json(first):
        yield from chain([first], lines)
        return
    # Either a message over several lines, of which none is JSON by itself, or a bad line among good ones.
    second = next(lines, None)
    if second is None or _is_json(second):
        yield from (line for line in chain([first, second], lines) if line is not None)
        return
    rest = list(lines)
    whole = b"\n".join([first, second, *rest])
    yield from [whole] if _is_json(whole) else [first, second, *rest]


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Return lines without their ends, and no blank ones; the first begins with what it says."""
    first = stream.readline().removeprefix(_BOM).lstrip(_BLANK)
    for line in chain([first], iter(stream.readline, b"")):
        if not line.isspace() and (text := line.rstrip(b"\r\n")):
            yield text


def _array(first: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Return the elements of an array, as they are written."""
    try:
        for element in _ARRAY.decode(first + b"\n" + stream.read()):
            yield bytes(element)
    except (msgspec.MsgspecError, RecursionError):
        raise Unreadable("an array that is cut short or no JSON") from None


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


# --- Batches -----------------------------------------------------------------------------------------------


class FileSource:
    """Reads ahead in a thread, at most two batches, so that a silent pipe deafens nobody."""

    patience = math.inf
    depth: int | None = None

    def __init__(self, files: Sequence[File], batch_size: int, batch_wait: float) -> None:
        self._troubles: list[str] = []
        self._files = files
        self._size = batch_size
        self._wait = batch_wait
        self._changed = threading.Condition()
        self._buffer: deque[Raw] = deque()
        self._closing = False
        self._task: Task[None] = Task(self._read)
        threading.Thread(target=self._task.run, name="files", daemon=True).start()

    @property
    def troubles(self) -> Sequence[str]:
        """Which files could not be read to their end."""
        return self._troubles

    @property
    def finished(self) -> bool:
        """Whether everything was read and handed out."""
        return self._task.over.is_set() and self._task.error is None and not self._buffer

    def next(self, wait: float, most: int) -> Batch | None:
        """Return a full batch, or after a while what there is."""
        size = min(self._size, most)
        until = time.monotonic() + wait
        patience = min(wait, self._wait)
        with self._changed:
            self._changed.wait_for(lambda: len(self._buffer) >= size or self._task.over.is_set(), patience)
            if not self._buffer:
                self._changed.wait_for(lambda: self._buffer or self._task.over.is_set(), until - time.monotonic())
            if self._task.error is not None:
                self._task.result()
            taken = [self._buffer.popleft() for _ in range(min(size, len(self._buffer)))]
            self._changed.notify_all()
        return Batch(tuple(taken)) if taken else None

    def holds(self, batch: Batch) -> bool:
        """A file waits as long as it must."""
        return True

    def settle(self, batch: Batch, results: Sequence[Result]) -> None:
        """Files want to know nothing."""

    def release(self) -> None:
        """Nobody else can read on."""

    def resume(self) -> None:
        """It never let go."""

    def close(self) -> None:
        """Stop reading ahead."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            for file in self._files:
                self._read_file(file)
        finally:
            with self._changed:
                self._changed.notify_all()

    def _read_file(self, file: File) -> None:
        try:
            for body in bodies(file):
                if not self._room():
                    return
                self._buffer.append(Raw(body=body, queue=SOURCE, reader=file.reader))
                if len(self._buffer) in (1, self._size):
                    with self._changed:
                        self._changed.notify_all()
        except Unreadable as reason:
            self._troubles.append(f"{file.path}: {reason}; what was read of it was taken")

    def _room(self) -> bool:
        """Wait until there is room; false when nobody wants more."""
        if len(self._buffer) >= 2 * self._size:
            with self._changed:
                self._changed.wait_for(lambda: len(self._buffer) < 2 * self._size or self._closing)
        return not self._closing
