"""How Mailchimp is asked, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from sync.connectors.answers import Answer, Failed, Means, outcome
from sync.connectors.contract import Context, Item, Outcome, Request, Response, json_request
from sync.terms import ConsentKind

_ERRORS = "https://mailchimp.com/developer/marketing/docs/errors/"
COMPLIANCE = "Member In Compliance State"

ANSWERS = (
    Answer(
        status=400,
        code=COMPLIANCE,
        means=Means.STOPPED,
        remote=ConsentKind.UNSUB,
        says="has left there; only they themselves can come back",
        source="https://github.com/ibericode/mailchimp-for-wordpress/issues/798",
    ),
    Answer(
        status=400,
        code="Forgotten Email Not Subscribed",
        means=Means.REJECTED,
        says="was deleted there for good; only they themselves can come back",
        source="https://mailchimp.com/help/delete-contacts/",
    ),
    Answer(
        status=403,
        text="^$",
        means=Means.RATE_LIMITED,
        source="https://mailchimp.com/developer/marketing/docs/fundamentals/#api-limits",
    ),
    Answer(status=404, means=Means.MISCONFIGURED, says="there is no such audience", source=_ERRORS),
    Answer(status=429, means=Means.RATE_LIMITED, source=_ERRORS),
)


class Place(NamedTuple):
    """A member: the audience and the hash of the address."""

    audience: str
    hash: str

    def __str__(self) -> str:
        return f"{self.audience}/{self.hash}"

    @property
    def path(self) -> str:
        return f"/lists/{self.audience}/members/{self.hash}"


# --- Asking ------------------------------------------------------------------------------------------


def _base(settings: Mapping[str, Any]) -> str:
    return (settings.get("url") or f"https://{settings['key'].rpartition('-')[2]}.api.mailchimp.com/3.0").rstrip("/")


def request(context: Context, method: str, path: str, body: Any = None) -> Request:
    login = base64.b64encode(f"proca-crm:{context.settings['key']}".encode()).decode()
    headers, url = {"authorization": f"Basic {login}"}, _base(context.settings) + path
    if method == "GET":
        return Request(method=method, url=url, headers=headers, read_only=True)
    if body is None:
        return Request(method=method, url=url, headers=headers)
    return json_request(method, url, body, headers)


def send(context: Context, method: str, path: str, body: Any = None) -> Response:
    return context.http.send(request(context, method, path, body))


def refusal(context: Context, response: Response) -> Outcome:
    said = response.json()
    said = said if isinstance(said, dict) else {}
    return outcome(
        ANSWERS, response, context.now(), code=str(said.get("title") or ""), text=str(said.get("detail") or said or "")
    )


def asked(context: Context, path: str, key: str) -> dict[str, Any]:
    """Return what a GET answers, an object with this key in it."""
    response = send(context, "GET", path)
    said = response.json() if response.status == 200 else None
    if not isinstance(said, dict) or key not in said:
        raise Failed(refusal(context, response))
    return said


def member(context: Context, place: Place) -> dict[str, Any] | None:
    response = send(context, "GET", place.path)
    if response.status == 404 and response.json() is not None:
        return None
    return is_member(context, response)


def is_member(context: Context, response: Response) -> dict[str, Any]:
    said = response.json() if response.status == 200 else None
    if not isinstance(said, dict) or not said.get("id") or not said.get("status"):
        raise Failed(refusal(context, response))
    return said


def done(context: Context, response: Response) -> None:
    if response.status != 204:
        raise Failed(refusal(context, response))


def hashed(email: str) -> str:
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def known_places(item: Item) -> list[Place]:
    """Everywhere the person was told to, by the remote id."""
    return [Place(*one.split("/", 1)) for one in (item.remote_id or "").split() if "/" in one]
