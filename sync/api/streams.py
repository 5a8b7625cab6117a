"""Whole lists as streams: in pieces, and only so many at once.

A stream keeps a thread, a database connection and a transaction until its client has read it, and clients may read as
slowly as they like. Where all threads send streams nobody else is answered, so each process keeps some free.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator

from sync.api.problems import BUSY, Problem

#: Half of the threads of a process (`proca_crm.asgi`).
AT_ONCE = 2
#: A stream goes out in pieces of about this size: a line at a time is slow to send.
_PIECE = 64 * 1024
_RETRY_AFTER = 30
_free = threading.BoundedSemaphore(AT_ONCE)


class Stream:
    """The pieces of a list. Takes a place, or refuses with a problem, and gives it back once it is closed."""

    def __init__(self, texts: Generator[str, None, None]) -> None:
        if not _free.acquire(blocking=False):
            raise Problem(BUSY, "Others are reading whole lists", headers={"Retry-After": str(_RETRY_AFTER)})
        self._texts = texts
        self._pieces = _pieces(texts)
        self._closing = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            # Read to its end, or broken: nothing more comes, whether or not somebody closes it.
            self.close()
            raise

    def close(self) -> None:
        """End it, read or not, begun or not."""
        if self._closing.acquire(blocking=False):
            try:
                self._texts.close()
            finally:
                _free.release()


def _pieces(texts: Iterable[str]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= _PIECE:
            yield "".join(held).encode("utf-8", "backslashreplace")
            held, size = [], 0
    yield "".join(held).encode("utf-8", "backslashreplace")
