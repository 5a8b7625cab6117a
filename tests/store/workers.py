"""Writers that are processes of their own, each with its own connection."""

import multiprocessing
import traceback
from contextlib import contextmanager, suppress

from django.db import connections

_FORK = multiprocessing.get_context("fork")


class Worker:
    """A process that makes one call. `hear()` waits for its next word; the call gets `say` as its last argument."""

    def __init__(self, call, arguments):
        self._ours, theirs = _FORK.Pipe()
        self.process = _FORK.Process(target=_work, args=(theirs, call, arguments), daemon=True)
        self.process.start()
        theirs.close()

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_at_work(self):
        return self.process.is_alive()

    def hear(self):
        assert self._ours.poll(60), "the worker says nothing"
        return self._ours.recv()

    def end(self):
        """Wait for its end; what it raised is said in the test."""
        self.process.join(120)
        words = []
        with suppress(EOFError):
            while self._ours.poll():
                words.append(self._ours.recv())
        assert self.process.exitcode == 0, words


@contextmanager
def working(*calls):
    """Start a worker for each (call, *arguments); they are gone afterwards."""
    connections.close_all()
    workers = [Worker(call, arguments) for call, *arguments in calls]
    try:
        yield workers
    finally:
        for one in workers:
            one.process.kill()
            one.process.join()


def _work(pipe, call, arguments):
    try:
        call(*arguments, pipe.send)
    except BaseException:
        pipe.send(traceback.format_exc())
        raise
    finally:
        connections.close_all()
