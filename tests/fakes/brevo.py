"""Brevo in memory. What it checks and how it answers, each with its source:

- Every request fits what Brevo's own client can send (`described/brevo.json`).
- `api-key` in a header; 401 `unauthorized` otherwise (https://developers.brevo.com/docs/getting-started).
- Errors are `{code, message}`, sometimes with `metadata` (https://developers.brevo.com/changelog/2024/10/16).
- A contact is addressed by its number, or by the address with `identifierType`
  (https://developers.brevo.com/reference/get-contact-info); 404 `document_not_found` for nobody
  (https://github.com/PipedreamHQ/pipedream/issues/11927).
- POST makes a contact: `email`, `attributes`, `listIds` (numbers), `emailBlacklisted`, `updateEnabled`; 201 with the
  `id`, 204 where it was there and may be updated (https://developers.brevo.com/reference/create-contact); where it may
  not, 400 with `duplicate_identifiers` (https://github.com/PipedreamHQ/pipedream/issues/15034).
- PUT changes a contact, 204, the address by the attribute EMAIL; a taken one is 400 with the code `invalid_parameter`
  (https://github.com/pass-culture/pass-culture-main/pull/22628), a taken number alike, under either code
  (https://github.com/betagouv/mon-service-securise/pull/2788).
- Whoever gets another address is taken off the blocklist; that `emailBlacklisted` in the same call is stronger is not
  said, so here it is not (https://developers.brevo.com/reference/update-contact).
- An attribute that the account does not have is dropped; one of another type is refused
  (https://developers.brevo.com/docs/synchronise-contact-lists).
- DELETE of a contact, 204 (https://developers.brevo.com/reference/delete-contact).
- Lists come 50 at once, contacts 1,000 (https://developers.brevo.com/reference/get-lists, …/get-contacts).
- An event has a name of letters, digits, `-` and `_`, and `identifiers`, 204
  (https://developers.brevo.com/reference/create-event).
- Too fast: 429 with `x-sib-ratelimit-reset` in seconds (https://developers.brevo.com/docs/limit-headers).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from sync.connectors.contract import Request, Response
from tests.fakes.described import Description

DESCRIBED = Description("brevo")
KEY = "xkeysib-0123456789"
ATTRIBUTES = {"FIRSTNAME": "text", "LASTNAME": "text", "SMS": "text", "BORN": "date", "SIGNED": "float"}
LISTS = {4: "News", 5: "Bees", **{number: f"List {number}" for number in range(100, 155)}}
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
_NEW = frozenset({"email", "ext_id", "attributes", "listIds", "emailBlacklisted", "smsBlacklisted", "updateEnabled"})
_CHANGED = frozenset({"attributes", "listIds", "unlinkListIds", "emailBlacklisted", "smsBlacklisted", "ext_id"})


class Brevo:
    """The service. `contacts` by number."""

    settings: ClassVar = {"key": KEY, "list": "4", "hook_secret": "a-secret-of-a-hook"}
    reads_bodies = True

    def __init__(self) -> None:
        self.contacts: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        #: Under which code a taken identifier is refused.
        self.code = "duplicate_parameter"

    # What trials ask.

    @property
    def people(self) -> Mapping[str, str]:
        """Everybody; mailed is who is in a list and not on the blocklist."""
        return {
            one["email"]: "subscribed" if one["listIds"] and not one["emailBlacklisted"] else "other"
            for one in self.contacts.values()
        }

    def stop(self, email: str, at: datetime) -> None:
        """Somebody unsubscribes by the link in a mail."""
        one = self.contact(email)
        one |= {"emailBlacklisted": True, "modifiedAt": at.isoformat()}
        one["statistics"]["unsubscriptions"]["userUnsubscription"] = [{"eventTime": at.isoformat()}]

    def refuse(self, email: str) -> None:
        """Take no such address."""
        self.refused.add(email)

    def contact(self, email: str) -> dict[str, Any]:
        """A contact by the address."""
        return next(one for one in self.contacts.values() if one["email"] == email)

    # Answering.

    def send(self, request: Request) -> Response:
        """Answer a request."""
        parts = urlsplit(request.url)
        assert parts.netloc == "api.brevo.com"
        return self.answer(request.method, parts.path, parts.query, request.headers, request.content)

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Answer a request that came this way or that."""
        DESCRIBED.check(method, path.removeprefix("/v3"), query, content)
        if headers.get("api-key") != KEY:
            return refusal(401, "unauthorized", "Key not found")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        body = json.loads(content) if content else {}
        if any(one in unquote(path) or one == body.get("email") for one in self.refused):
            return refusal(400, "invalid_parameter", f"Invalid email address {next(iter(self.refused))}")
        for wanted, pattern, answer in _ROUTES:
            found = re.fullmatch("/v3" + pattern, path)
            if found and wanted == method:
                return answer(self, *map(unquote, found.groups()), asked, body)
        return refusal(404, "document_not_found", "no such route")

    def account(self, _: Any, __: Any) -> Response:
        return said(200, {"email": "office@example.net", "companyName": "Bees for All"})

    def lists(self, asked: Mapping[str, str], _: Any) -> Response:
        limit, offset = int(asked["limit"]), int(asked["offset"])
        assert limit <= 50
        rows = [{"id": number, "name": name} for number, name in LISTS.items()]
        return said(200, {"lists": rows[offset : offset + limit], "count": len(rows)})

    def attributes(self, _: Any, __: Any) -> Response:
        rows = [{"name": name, "category": "normal", "type": kind} for name, kind in ATTRIBUTES.items()]
        return said(200, {"attributes": rows})

    def changed(self, asked: Mapping[str, str], _: Any) -> Response:
        limit, offset = int(asked["limit"]), int(asked["offset"])
        assert limit <= 1000
        assert asked["sort"] == "asc"
        since = datetime.fromisoformat(asked["modifiedSince"])
        rows = [one for _, one in sorted(self.contacts.items()) if datetime.fromisoformat(one["modifiedAt"]) >= since]
        shown = [{name: one[name] for name in one if name != "statistics"} for one in rows[offset : offset + limit]]
        return said(200, {"contacts": shown, "count": len(rows)})

    def _find(self, who: str, asked: Mapping[str, str]) -> dict[str, Any] | None:
        kind = asked["identifierType"]
        assert kind in ("contact_id", "email_id")
        if kind == "contact_id":
            return self.contacts.get(int(who))
        return next((one for one in self.contacts.values() if one["email"].lower() == who.lower()), None)

    def get(self, who: str, asked: Mapping[str, str], _: Any) -> Response:
        one = self._find(who, asked)
        return said(200, one) if one is not None else nobody()

    def make(self, _: Any, body: dict[str, Any]) -> Response:
        assert set(body) <= _NEW, set(body)
        assert body.get("emailBlacklisted") is not False, "never said of somebody new"
        there = self._find(body["email"], {"identifierType": "email_id"})
        if there is not None and not body.get("updateEnabled"):
            return self._taken("email")
        if fault := self._fault(body, there):
            return fault
        number = there["id"] if there else len(self.contacts) + 1 + max(self.contacts, default=0)
        self._write(self.contacts.setdefault(number, empty(number, body["email"])), body)
        return Response(status=204) if there else said(201, {"id": number})

    def change(self, who: str, asked: Mapping[str, str], body: dict[str, Any]) -> Response:
        assert set(body) <= _CHANGED, set(body)
        one = self._find(who, asked)
        if one is None:
            return nobody()
        if fault := self._fault(body, one):
            return fault
        self._write(one, body)
        return Response(status=204)

    def _fault(self, body: dict[str, Any], there: dict[str, Any] | None) -> Response | None:
        wrong = [one for one in body.get("listIds", ()) if one not in LISTS]
        if wrong:
            return refusal(400, "invalid_parameter", f"List ID(s) {wrong} does not exist")
        given, others = body.get("attributes", {}), [one for one in self.contacts.values() if one is not there]
        if phone := given.get("SMS"):
            if not re.fullmatch(r"(\+|00)\d{8,15}", phone):
                return refusal(400, "invalid_parameter", "Invalid phone number")
            if any(one["attributes"].get("SMS") == phone for one in others):
                return self._taken("SMS")
        if any(one["email"] == given.get("EMAIL") for one in others):
            return self._taken("email")
        for name, value in given.items():
            if value != "" and not fits(ATTRIBUTES.get(name), value):
                return refusal(400, "invalid_parameter", f"{name} should be {ATTRIBUTES[name]}")
        return None

    def _taken(self, what: str) -> Response:
        words = f"Unable to update contact, {what} is already associated with another Contact"
        return refusal(400, self.code, words, metadata={"duplicate_identifiers": [what]})

    def _write(self, one: dict[str, Any], body: dict[str, Any]) -> None:
        given = body.get("attributes", {})
        gets_another = given.get("EMAIL", one["email"]) != one["email"]
        one["email"] = given.get("EMAIL", one["email"])
        one["attributes"] |= {name: value for name, value in given.items() if name in ATTRIBUTES}
        one["listIds"] = sorted({*one["listIds"], *body.get("listIds", ())} - {*body.get("unlinkListIds", ())})
        one["listUnsubscribed"] = [
            number for number in one["listUnsubscribed"] if number not in body.get("listIds", ())
        ]
        one["emailBlacklisted"] = not gets_another and body.get("emailBlacklisted", one["emailBlacklisted"])
        one |= {"modifiedAt": NOW.isoformat()}

    def forget(self, who: str, asked: Mapping[str, str], _: Any) -> Response:
        one = self._find(who, asked)
        if one is None:
            return nobody()
        del self.contacts[one["id"]]
        return Response(status=204)

    def event(self, _: Any, body: dict[str, Any]) -> Response:
        assert set(body) <= {"event_name", "event_date", "identifiers", "event_properties", "contact_properties"}
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", body["event_name"])
        assert isinstance(body["identifiers"]["contact_id"], int)
        self.events.append(body)
        return Response(status=204)


_ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("GET", "/account", Brevo.account),
    ("GET", "/contacts/lists", Brevo.lists),
    ("GET", "/contacts/attributes", Brevo.attributes),
    ("GET", "/contacts", Brevo.changed),
    ("POST", "/contacts", Brevo.make),
    ("POST", "/events", Brevo.event),
    ("GET", r"/contacts/([^/]+)", Brevo.get),
    ("PUT", r"/contacts/([^/]+)", Brevo.change),
    ("DELETE", r"/contacts/([^/]+)", Brevo.forget),
)


def empty(number: int, email: str) -> dict[str, Any]:
    """A contact of whom nothing is known."""
    return {
        "id": number,
        "email": email,
        "emailBlacklisted": False,
        "listIds": [],
        "listUnsubscribed": [],
        "attributes": {},
        "statistics": {"unsubscriptions": {"userUnsubscription": [], "adminUnsubscription": []}},
    }


def fits(kind: str | None, value: Any) -> bool:
    """Whether an attribute of this type takes a value; one that is not there is dropped."""
    match kind:
        case "date":
            return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None
        case "float":
            return isinstance(value, int | float)
        case "text":
            return isinstance(value, str)
    return True


def said(status: int, body: Any) -> Response:
    """An answer with JSON."""
    return Response(status=status, headers={"content-type": "application/json"}, content=json.dumps(body).encode())


def refusal(status: int, code: str, message: str, **more: Any) -> Response:
    """An error."""
    return said(status, {"code": code, "message": message, **more})


def nobody() -> Response:
    """No such contact."""
    return refusal(404, "document_not_found", "Contact does not exist")
