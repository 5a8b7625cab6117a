"""HTTP as a connector sees it: requests and answers as values, and one way to send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request as bytes; `read_only` ones are sent in a dry run too."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    read_only: bool = False

    def __repr__(self) -> str:
        # An address or a key may stand in each part of it.
        return f"Request({self.method})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP answer, read to its end (or to the limit of what is read). Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def json(self) -> Any:
        """Return the body as JSON, None where it is none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.content.decode("utf-8", "replace")

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx. Alone it proves nothing: read the body too."""
        return 200 <= self.status < 300

    def __repr__(self) -> str:
        # Vendors echo emails.
        return f"Response({self.status})"


class NoAnswer(Exception):
    """No answer came: a time-out, a refused connection, a bad certificate. `reason` is a code without any value.

    `lasting` says that people must do something (certificate, address not allowed). After a request that may have
    arrived, look the person up before creating again.
    """

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.lasting = reason, lasting


class Http(Protocol):
    """The shared client: no redirects, bounded bodies, private addresses refused, limits kept."""

    def send(self, request: Request) -> Response:
        """Send a request; raises `NoAnswer`."""
        ...


def json_request(method: str, url: str, body: Any, headers: Mapping[str, str] | None = None) -> Request:
    """Return a request with a JSON body."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Request(
        method=method, url=url, headers={"content-type": "application/json", **(headers or {})}, content=content
    )


def form_request(method: str, url: str, values: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Request:
    """Return a request with a form as its body."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    return Request(method=method, url=url, headers=form | dict(headers or {}), content=urlencode(values).encode())
