"""How Brevo is asked, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sync.connectors.answers import Answer, Failed, Means, outcome
from sync.connectors.contract import Context, Outcome, Request, Response, json_request

BASE = "https://api.brevo.com/v3"
_ERRORS = "https://developers.brevo.com/docs/how-it-works#error-codes"

ANSWERS = (
    Answer(
        status=401,
        text="ip address",
        means=Means.MISCONFIGURED,
        says="allow this server's address at Brevo (Security, Authorised IPs)",
        source="https://help.brevo.com/hc/en-us/articles/5740111262610",
    ),
    Answer(status=400, text=r"\blist", means=Means.MISCONFIGURED, says="there is no such list", source=_ERRORS),
    Answer(status=402, means=Means.MISCONFIGURED, says="the account has no credits or plan for this", source=_ERRORS),
    Answer(status=429, means=Means.RATE_LIMITED, source="https://developers.brevo.com/docs/limit-headers"),
)


def request(context: Context, method: str, path: str, body: Any = None) -> Request:
    """Return a request; the key goes in a header."""
    url = (context.settings.get("url") or BASE).rstrip("/") + path
    headers = {"api-key": context.settings["key"], "accept": "application/json"}
    if method == "GET":
        return Request(method=method, url=url, headers=headers, read_only=True)
    if body is None:
        return Request(method=method, url=url, headers=headers)
    return json_request(method, url, body, headers)


def send(context: Context, method: str, path: str, body: Any = None) -> Response:
    """Send a request."""
    return context.http.send(request(context, method, path, body))


def said(response: Response) -> dict[str, Any]:
    """The object in an answer, empty where there is none."""
    body = response.json()
    return body if isinstance(body, dict) else {}


def refusal(context: Context, response: Response) -> Outcome:
    """Return what an answer means that is not what was asked for."""
    # Brevo says in a header of its own how many seconds are left.
    wait = response.headers.get("x-sib-ratelimit-reset", "")
    if wait and "retry-after" not in response.headers:
        response = replace(response, headers={**response.headers, "retry-after": wait})
    words = said(response)
    return outcome(
        ANSWERS,
        response,
        context.now(),
        code=str(words.get("code") or ""),
        text=str(words.get("message") or ""),
    )


def asked(context: Context, path: str, key: str) -> dict[str, Any]:
    """Return what a GET answers, an object with this key in it."""
    response = send(context, "GET", path)
    found = said(response) if response.status == 200 else {}
    if key not in found:
        raise Failed(refusal(context, response))
    return found


def is_nobody(response: Response) -> bool:
    """Whether an answer says that there is no such contact; a page of somebody else's does not."""
    return response.status == 404 and said(response).get("code") == "document_not_found"


def by_id(remote_id: str) -> str:
    """The path of a contact by Brevo's number."""
    return f"/contacts/{quote(remote_id, safe='')}?identifierType=contact_id"


def by_email(email: str) -> str:
    """The path of a contact by the address."""
    return f"/contacts/{quote(email, safe='')}?identifierType=email_id"


def contact(context: Context, path: str) -> dict[str, Any] | None:
    """Return a contact, None where there is none."""
    response = send(context, "GET", path)
    if is_nobody(response):
        return None
    found = said(response) if response.status == 200 else {}
    if not found.get("id") or "emailBlacklisted" not in found:
        raise Failed(refusal(context, response))
    return found


def moment(value: Any) -> datetime | None:
    """Read a time of Brevo's: ISO 8601, or seconds since 1970."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def attributes(context: Context) -> Mapping[str, Any]:
    """Return the attributes of the account with their types, asked for once."""
    if "attributes" not in context.cache:
        found = asked(context, "/contacts/attributes", "attributes")["attributes"]
        context.cache["attributes"] = {one["name"]: one for one in found}
    types: Mapping[str, Any] = context.cache["attributes"]
    return types
