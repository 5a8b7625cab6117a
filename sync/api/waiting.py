"""Clients that wait for a change, without a thread or a database connection each; and answers that must not be late.

    client ──▶ the view says "nothing new, newest is N" ──▶ hold the answer here ──▶ something newer? ask the view again
                                                                │ time is up, or the client hung up
                                                                ▼
                                                          the held answer

All who wait in a process share one look at the newest change, a few times a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from sync.changes import feed
from sync.store.errors import Away, told_apart

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Ask = Callable[[Callable[[], Any]], Awaitable[Any]]

#: What the view finds in the request's environment: an answer may be held, and it is asked again.
CAN_WAIT, ASKED_AGAIN = "sync.can_wait", "sync.asked_again"
#: What the view puts on an answer that is to be held: the newest change it knows of, and for how long.
HOLD = b"x-hold"

_CHANGES = "/api/v1/changes/"
_LOOKUP = "/api/v1/proca/lookup"
#: Proca gives up after 2 seconds, and then holds somebody's action back.
_LOOKUP_SECONDS = 1.6
_PAUSE = 0.2


@dataclass
class _Held:
    """An answer in hand instead of on its way."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        """Stand in for `send`."""
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    def hold(self) -> tuple[int, float] | None:
        """Return the newest change that the view knew of, and for how long to wait; None to let go at once."""
        for name, value in self.start.get("headers", ()):
            if name == HOLD:
                newest, seconds = value.decode().split()
                return int(newest), float(seconds)
        return None

    async def pass_on(self, send: Send) -> None:
        """Send it."""
        headers = [(name, value) for name, value in self.start["headers"] if name != HOLD]
        await send({**self.start, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Waiting:
    """Stands before the application."""

    def __init__(self, app: App, *, ask: Ask) -> None:
        self._app = app
        self._newest = _Newest(ask)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if path == _CHANGES and scope.get("method") == "GET":
            await self._changes(scope, receive, send)
        elif path.rstrip("/") == _LOOKUP:
            await self._lookup(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _changes(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_hung_up(receive))
        try:
            held = await self._held_answer(scope, gone)
        finally:
            gone.cancel()
        if held is not None:
            await held.pass_on(send)

    async def _held_answer(self, scope: Scope, gone: asyncio.Future[Any]) -> _Held | None:
        """Ask until there is something to say or time is up; None when the client hung up."""
        until: float | None = None
        while True:
            held = await self._ask(scope, again=until is not None)
            hold = held.hold()
            if hold is None:
                return held
            newest, seconds = hold
            until = until or time.monotonic() + seconds
            if (left := until - time.monotonic()) <= 0:
                return held
            waiting: asyncio.Future[Any] = asyncio.ensure_future(self._newest.beyond(newest, left))
            await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                waiting.cancel()
                return None
            if not waiting.result():
                return held

    async def _ask(self, scope: Scope, *, again: bool) -> _Held:
        held = _Held()
        asked = {**scope, "environ": {CAN_WAIT: True, ASKED_AGAIN: again}}
        await self._app(asked, _nothing_more(), held.take)
        return held

    async def _lookup(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = _Held()
        try:
            await asyncio.wait_for(self._app(scope, receive, held.take), _LOOKUP_SECONDS)
        except TimeoutError:
            held = _Held(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"application/json"), (b"content-length", b"2")],
                },
                b"{}",
            )
        await held.pass_on(send)


class _Newest:
    """The newest change, looked at by one task for everybody who waits."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._task: asyncio.Task[None] | None = None

    async def beyond(self, known: int, seconds: float) -> bool:
        """Wait until there is a change newer than this one; false when there was none in time."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[woken] = known
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            await asyncio.wait_for(woken, seconds)
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(woken, None)
        return True

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(_PAUSE)
            try:
                newest = await self._ask(_newest_id)
            except Away:
                # The held answers are still true; whoever comes next is told.
                continue
            for woken, known in list(self._waiting.items()):
                # Another newest than the one known: larger, or smaller after a restore.
                if newest != known and not woken.done():
                    woken.set_result(None)


def _newest_id() -> int:
    with told_apart():
        return feed.newest_id()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _nothing_more() -> Receive:
    """Return a `receive` for a request without a body, whose client stays."""
    told = False

    async def receive() -> Message:
        nonlocal told
        if not told:
            told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive
