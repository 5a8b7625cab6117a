"""N worker processes, one stop, one summary; and for a single one the same: a stop, a thread aside.

parent ──fork──▶ worker 1..N        SIGTERM or SIGINT to the parent ──▶ SIGTERM to every worker
   ▲                │ a line of JSON each second, and a last one
   └──── pipe ──────┘ without its last line a worker died: that is said, and it is started again
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import FrameType
from typing import Any, Generic, TypeVar

T = TypeVar("T")
#: What a worker counts. Names that begin with `now_` tell how things stand; they go with the worker.
Numbers = dict[str, float]

_SLICE = 0.1
_BACKOFF = (1.0, 30.0)
_ENDING = (signal.SIGTERM, signal.SIGINT)
#: How long workers are waited for once one of them cannot go on; longer than a batch in hand may take.
_PATIENCE = 60.0


class Stop:
    """Whether somebody asked this process to end.

    A worker ends with its `parent`: nobody needs an orphan. Who was started by a shell does not.
    """

    def __init__(self) -> None:
        self.parent: int | None = None
        self.by_signal = False
        self.since: float | None = None

    @property
    def asked(self) -> bool:
        """True once it is time to finish."""
        if self.since is None and (self.by_signal or self._is_orphan()):
            self.since = time.monotonic()
        return self.since is not None

    def _is_orphan(self) -> bool:
        return self.parent is not None and os.getppid() != self.parent

    @property
    def seconds(self) -> float:
        """How long ago it was asked."""
        return time.monotonic() - self.since if self.asked and self.since is not None else 0.0

    def ask(self) -> None:
        """End as soon as what is in hand is done."""
        self.by_signal = True

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond a stop; True when asked to."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
        return self.asked

    @contextmanager
    def on_signals(self) -> Iterator[Stop]:
        """Listen to SIGTERM and SIGINT for as long as this lasts."""

        def heard(number: int, _frame: FrameType | None) -> None:
            # Only a flag: a lock taken here could be held by the very code that was interrupted.
            self.by_signal = True
            if number == signal.SIGINT:
                # Whoever presses Ctrl-C a second time does not want to wait.
                signal.signal(signal.SIGINT, signal.default_int_handler)

        before = {number: signal.signal(number, heard) for number in _ENDING}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(slots=True)
class Task(Generic[T]):
    """A call that runs aside."""

    call: Callable[[], T]
    over: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    answer: T | None = None

    def run(self) -> None:
        """Keep what comes of it, for the thread that waits."""
        try:
            self.answer = self.call()
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self.error = error
        finally:
            self.over.set()

    def result(self) -> T:
        """Return or raise what came of it."""
        if self.error is not None:
            raise self.error
        return self.answer  # type: ignore[return-value]


class Aside:
    """One thread that may block (on a database) while this one goes on hearing signals.

    It is not waited for at the end of the process: what hangs there must not hang everybody.
    """

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def start(self, call: Callable[[], T]) -> Task[T]:
        """Run a call after those started before."""
        task = Task(call)
        self._tasks.put(task)
        return task

    def close(self, seconds: float) -> None:
        """End the thread; one that hangs is left behind."""
        self._tasks.put(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.run()


@dataclass(slots=True)
class _Child:
    """A worker as its parent sees it."""

    number: int
    pid: int
    pipe: int
    unread: bytes = b""
    numbers: Numbers = field(default_factory=dict)
    ended: bool = False
    failure: str | None = None


#: What a worker does: gets its number, and a function that tells the parent where it stands.
Work = Callable[[int, Callable[[Numbers], None]], Numbers]


class Failed(Exception):
    """A worker ended with an error that its colleagues would meet as well."""


class Workers:
    """Runs N processes of the same work until all have ended, or one says that it cannot.

    Fork them before any thread or connection exists. `notice` is told about workers that died.
    """

    def __init__(self, count: int, work: Work, *, stop: Stop, notice: Callable[..., None]) -> None:
        self._count = count
        self._work = work
        self._stop = stop
        self._notice = notice
        self._children: dict[int, _Child] = {}
        self._due: list[tuple[float, int]] = []
        self._deaths = 0
        self._past: Numbers = {}
        self._selector = selectors.DefaultSelector()

    def run(self, each_second: Callable[[Numbers], None] = lambda numbers: None) -> Numbers:
        """Return the sum of what all workers counted."""
        try:
            for number in range(self._count):
                self._fork(number)
            self._watch(each_second)
        finally:
            self._end()
        return self.numbers()

    def numbers(self) -> Numbers:
        """Return what was counted until now, by the living and the dead."""
        total = dict(self._past)
        for child in self._children.values():
            _add(total, child.numbers)
        return total

    def _watch(self, each_second: Callable[[Numbers], None]) -> None:
        told, shown = False, time.monotonic()
        while self._children or self._due:
            if self._stop.asked and not told:
                told = True
                self._due.clear()
                self._signal(signal.SIGTERM)
            if self._due and self._due[0][0] <= time.monotonic():
                self._fork(self._due.pop(0)[1])
            for key, _ in self._selector.select(_SLICE):
                self._read(key.data)
            if time.monotonic() - shown >= 1:
                shown = time.monotonic()
                each_second(self.numbers())

    def _read(self, child: _Child) -> None:
        block = os.read(child.pipe, 65536)
        *lines, child.unread = (child.unread + block).split(b"\n")
        for line in lines:
            said = json.loads(line)
            child.ended = child.ended or "end" in said
            child.failure = said.get("failure")
            child.numbers = said.get("numbers", child.numbers)
        if not block:
            self._buried(child)

    def _buried(self, child: _Child) -> None:
        """A worker is gone: as it should, with a failure that stops all, or unexpectedly."""
        self._selector.unregister(child.pipe)
        os.close(child.pipe)
        status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
        del self._children[child.pid]
        _add(self._past, {name: n for name, n in child.numbers.items() if not name.startswith("now_")})
        if child.failure is not None:
            raise Failed(child.failure)
        if child.ended or self._stop.asked:
            return
        self._deaths += 1
        pause = min(_BACKOFF[0] * 2 ** (self._deaths - 1), _BACKOFF[1])
        self._notice("worker_died", worker=child.number, exit_code=status, again_in=pause)
        self._due.append((time.monotonic() + pause, child.number))
        self._due.sort()

    def _fork(self, number: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        read, write = os.pipe()
        parent = os.getpid()
        # Python forgets what signals came in a child's first moments: they wait until it can hear them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        pid = os.fork()
        if pid == 0:
            os.close(read)
            # The same Stop goes on here: no signal is lost between the fork and the first line of work.
            self._stop.parent = parent
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            self._be_worker(number, write)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        os.close(write)
        child = _Child(number, pid, read)
        self._children[pid] = child
        self._selector.register(read, selectors.EVENT_READ, child)

    def _be_worker(self, number: int, pipe: int) -> None:
        """Live and die as a worker; never returns to what the parent was doing."""
        code = 1
        try:
            last = _worked(self._work, number, lambda numbers: _tell(pipe, {"numbers": numbers}))
            _tell(pipe, last)
            code = 0
        except OSError:
            # The parent is gone: nobody to tell.
            pass
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _signal(self, number: int) -> None:
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self) -> None:
        """After a failure of one: the others finish what they have in hand; one that hangs is ended."""
        self._stop.ask()
        self._signal(signal.SIGTERM)
        until = time.monotonic() + _PATIENCE
        while self._children:
            if time.monotonic() > until:
                self._signal(signal.SIGKILL)
            for child in list(self._children.values()):
                if os.waitpid(child.pid, os.WNOHANG)[0]:
                    os.close(child.pipe)
                    del self._children[child.pid]
            time.sleep(_SLICE / 10)
        self._selector.close()


def _worked(work: Work, number: int, tell: Callable[[Numbers], None]) -> dict[str, Any]:
    """Return the last line of a worker. An error that it can put in words is everybody's failure."""
    try:
        return {"end": True, "numbers": work(number, tell)}
    except Failed as failed:
        return {"end": True, "failure": str(failed)}


def _tell(pipe: int, said: dict[str, Any]) -> None:
    os.write(pipe, json.dumps(said).encode() + b"\n")


def _add(total: Numbers, more: Numbers) -> None:
    for name, number in more.items():
        total[name] = total.get(name, 0) + number
