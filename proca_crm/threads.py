"""Django as an ASGI application on a fixed number of threads.

A thread for each request, as Django's own handler has it, is a database connection for each request. Here a few threads
keep one each, requests wait for a free one, and whoever waits without working (see `sync.api.waiting`) has none.
Streams are read in their thread, so that a cursor on the server stays where it is, at the speed of the client.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import unquote_to_bytes

from django.db import close_old_connections

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
T = TypeVar("T")

#: Bodies above this wait in a nameless file.
_IN_MEMORY = 1024 * 1024
#: How long a stream waits for a client that does not read.
_PATIENCE = 60


class Gone(Exception):
    """The client hung up, or reads nothing any more."""


class Threads:
    """Runs a WSGI application for gunicorn's asgi worker."""

    def __init__(self, application: Wsgi, *, threads: int, largest_body: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        body = await self._body(scope, receive)
        exchange = _Exchange(_environ(scope, body), send, asyncio.get_running_loop())
        watch = asyncio.ensure_future(_hung_up(receive, exchange))
        try:
            await self._in_thread(partial(exchange.run, self._application))
            await exchange.finish()
        except Gone:
            return
        finally:
            exchange.leave()
            watch.cancel()
            body.close()

    async def call(self, function: Callable[[], T]) -> T:
        """Run something that asks the database, in one of the threads."""
        return await self._in_thread(partial(_with_connection, function))

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    async def _body(self, scope: Scope, receive: Receive) -> BinaryIO:
        """Read the body. Of one that is too large nothing is kept: Django refuses it by its length."""
        kept = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 - closed by the caller
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size <= self._largest_body:
                kept.write(chunk)
            more = message.get("more_body", False)
        scope["body_length"] = size
        kept.seek(0)
        return kept


@dataclass(eq=False)
class _Exchange:
    """One request in its thread: what it answers, at once or as a stream."""

    environ: dict[str, Any]
    send: Send
    loop: asyncio.AbstractEventLoop
    gone: threading.Event = field(default_factory=threading.Event)
    start: Message = field(default_factory=dict)
    body: bytes = b""
    streamed: bool = False
    telling: Future[None] | None = None

    def run(self, application: Wsgi) -> None:
        """Call the application; a stream is sent from here, chunk by chunk."""
        answer = application(self.environ, self._start_response)
        try:
            if getattr(answer, "streaming", False):
                self._stream(answer)
            else:
                self.body = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    async def finish(self) -> None:
        """Send what was not streamed."""
        if self.streamed:
            await self.send({"type": "http.response.body", "body": b""})
            return
        await self.send(self.start)
        await self.send({"type": "http.response.body", "body": self.body})

    def _start_response(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.start = {"type": "http.response.start", "status": int(status[:3]), "headers": encoded}

    def _stream(self, chunks: Iterable[bytes]) -> None:
        self.streamed = True
        self._tell(self.start)
        for chunk in chunks:
            self._tell({"type": "http.response.body", "body": chunk, "more_body": True})

    def _tell(self, message: Message) -> None:
        if self.gone.is_set():
            raise Gone
        self.telling = asyncio.run_coroutine_threadsafe(self._sent(message), self.loop)
        if self.gone.is_set():
            self.telling.cancel()
        try:
            self.telling.result(_PATIENCE)
        except (TimeoutError, CancelledError):
            self.telling.cancel()
            raise Gone from None

    def leave(self) -> None:
        """Tell the thread that the client is gone: gunicorn itself never ends a `send` that waits for a reader."""
        self.gone.set()
        if self.telling is not None:
            self.telling.cancel()

    async def _sent(self, message: Message) -> None:
        await self.send(message)


async def _hung_up(receive: Receive, exchange: _Exchange) -> None:
    """After the body, the next message is that the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    exchange.leave()


def _with_connection(function: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()


def _environ(scope: Scope, body: BinaryIO) -> dict[str, Any]:
    """Return what WSGI knows of a request. `scope["environ"]` is added by whoever stands in between."""
    host, port = scope.get("server") or ("localhost", 80)
    path = unquote_to_bytes(scope.get("raw_path") or scope["path"].encode())
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/" + scope.get("http_version", "1.1"),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        # Not the scope's: gunicorn believes X-Forwarded-Proto of any local client, and here TRUST_PROXY decides.
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1"))
    if "CONTENT_LENGTH" not in environ and scope["body_length"]:
        environ["CONTENT_LENGTH"] = str(scope["body_length"])
    environ.update(scope.get("environ", {}))
    return environ


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
    if key in environ and key.startswith("HTTP_"):
        value = environ[key] + ("; " if name == "COOKIE" else ",") + value
    environ[key] = value
