"""How Action Network is asked (OSDI, HAL in JSON), and what its answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sync.connectors.answers import Answer, Failed, Means, outcome
from sync.connectors.contract import Context, Outcome, Request, Response, json_request
from sync.terms import ConsentKind

BASE = "https://actionnetwork.org/api/v2"
#: More people than these are not given at once.
PAGE = 25
_PREFIX = "action_network:"
_DOCS = "https://actionnetwork.org/docs/v2/"

ANSWERS = (
    Answer(status=403, means=Means.MISCONFIGURED, says="check the key; the group must be a partner", source=_DOCS),
    Answer(status=404, means=Means.MISCONFIGURED, says="there is no such form or petition", source=_DOCS),
    Answer(status=429, means=Means.RATE_LIMITED, source=_DOCS),
)
#: What the status of an address says; only `subscribed` is mailed.
STOPS = {
    "unsubscribed": ConsentKind.UNSUB,
    "bouncing": ConsentKind.BOUNCE,
    "previous bounce": ConsentKind.BOUNCE,
    "spam complaint": ConsentKind.SPAM,
    "previous spam complaint": ConsentKind.SPAM,
}


def base(context: Context) -> str:
    """Where the API is."""
    return str(context.settings.get("url") or BASE).rstrip("/")


def request(context: Context, method: str, path: str, body: Any = None) -> Request:
    """Return a request; the key goes in a header."""
    headers, url = {"osdi-api-token": context.settings["key"]}, base(context) + path
    if method == "GET":
        return Request(method=method, url=url, headers=headers, read_only=True)
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
    return outcome(ANSWERS, response, context.now(), text=str(said(response).get("error") or ""))


def resource(context: Context, response: Response) -> dict[str, Any]:
    """Return a resource that an answer shows: it has an identifier of Action Network's own."""
    found = said(response) if response.is_success else {}
    if not own_id(found):
        raise Failed(refusal(context, response))
    return found


def own_id(found: dict[str, Any]) -> str:
    """The identifier of Action Network's own, without its prefix."""
    given = found.get("identifiers")
    names = [str(one) for one in given] if isinstance(given, list) else []
    return next((one.removeprefix(_PREFIX) for one in names if one.startswith(_PREFIX)), "")


def page_of(context: Context, path: str, query: dict[str, str], name: str) -> list[dict[str, Any]]:
    """Return one page of a collection."""
    response = send(context, "GET", f"{path}?{urlencode(query)}")
    embedded = said(response).get("_embedded") if response.status == 200 else None
    if not isinstance(embedded, dict) or not isinstance(embedded.get(name), list):
        raise Failed(refusal(context, response))
    return list(embedded[name])


def all_of(context: Context, path: str, name: str) -> Iterator[dict[str, Any]]:
    """Yield a whole collection, page by page."""
    number = 1
    while True:
        found = page_of(context, path, {"page": str(number), "per_page": str(PAGE)}, name)
        yield from found
        if len(found) < PAGE:
            return
        number += 1


def person_by_id(context: Context, remote_id: str) -> dict[str, Any] | None:
    """Return a person, None where there is none."""
    response = send(context, "GET", f"/people/{remote_id}")
    if response.status == 404 and said(response).get("error"):
        return None
    return resource(context, response)


def person_by_email(context: Context, email: str) -> dict[str, Any] | None:
    """Return a person by the address, None where there is none."""
    # Single quotes are doubled, as everywhere in OData.
    wanted = "email_address eq '" + email.replace("'", "''") + "'"
    found = page_of(context, "/people", {"filter": wanted}, "osdi:people")
    return next((one for one in found if own_id(one) and address_in(one)[0].lower() == email.lower()), None)


def address_in(person: dict[str, Any]) -> tuple[str, str]:
    """Return the address of a person and its status."""
    given = [one for one in person.get("email_addresses") or () if isinstance(one, dict)]
    given.sort(key=lambda one: not one.get("primary"))
    return (str(given[0].get("address") or ""), str(given[0].get("status") or "")) if given else ("", "")


def moment(value: Any) -> datetime | None:
    """Read a time of Action Network's; all are in UTC."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
