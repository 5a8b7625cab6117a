"""An HTTP server on a free loopback port whose answers are Python: a CRM, as far as a connector can tell."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it arrived; names of headers in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `slow` drips its body over so many seconds; `reset` hangs up instead, after the request was read."""

    status: int = 200
    body: bytes | str | dict | list = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    slow: float = 0.0
    reset: bool = False

    def content(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, dict | list):
            return json.dumps(self.body).encode()
        return self.body.encode() if isinstance(self.body, str) else self.body


#: What answers a request; None: the next one is asked.
Answerer = Callable[[Call], Reply | None]


class Server:
    """The server. `trouble` are answers that come first, one for each request, whatever it is."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.trouble: deque[Reply | Answerer] = deque()
        self.violations: list[str] = []
        self._lock = threading.Lock()
        self._http = _Quiet(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def violation(self, rule: str) -> None:
        """A request broke a documented rule: the test fails at its end."""
        self.violations.append(rule)

    def reply(self, call: Call) -> Reply:
        """One at a time, as a CRM with one database would."""
        with self._lock:
            self.calls.append(call)
            while self.trouble:
                first = self.trouble.popleft()
                found = first(call) if callable(first) else first
                if found is not None:
                    return found
            return self.answer(call) or Reply(404)

    @contextmanager
    def running(self) -> Iterator[Server]:
        """For as long as this lasts; broken rules are told at the end."""
        self._thread.start()
        try:
            yield self
            assert self.violations == []
        finally:
            self._http.shutdown()
            self._http.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            body = self.rfile.read(length)
            reply = server.reply(Call(self.command, parts.path, query, headers, body))
            if reply.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.connection.close()
                self.close_connection = True
                return
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            content = reply.content()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if reply.slow:
                for index in range(len(content)):
                    self.wfile.write(content[index : index + 1])
                    self.wfile.flush()
                    time.sleep(reply.slow / max(len(content), 1))
            elif self.command != "HEAD":
                self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        setattr(Handler, f"do_{method}", Handler._answer)
    return Handler
