"""Mailchimp in memory. What it checks and how it answers, each with its source:

- Every request fits the description that Mailchimp publishes (`described/mailchimp.json`).
- Basic authentication with the key as password; 401 `API Key Invalid` otherwise
  (https://mailchimp.com/developer/marketing/docs/fundamentals/#authenticate).
- Errors are problem documents: `type`, `title`, `status`, `detail`, `instance`
  (https://mailchimp.com/developer/marketing/docs/errors/).
- PUT of a member needs `email_address` and `status_if_new`; unknown fields, and `tags`, are not taken
  (https://mailchimp.com/developer/marketing/api/list-members/add-or-update-list-member/; tags seen to be ignored).
- The id of a member is the MD5 of the address in small letters (same page).
- `status` of somebody unsubscribed by themselves: only `pending` is taken, else 400 `Member In Compliance State`
  (https://github.com/ibericode/mailchimp-for-wordpress/issues/798).
- An address deleted for good: 400 `Forgotten Email Not Subscribed` (https://mailchimp.com/help/delete-contacts/).
- Merge fields have types; a value that does not fit: 400 `Invalid Resource` with `errors`
  (https://mailchimp.com/developer/marketing/docs/merge-fields/).
- POST of a list: at most 500 members, each with `email_address` and `status`; 200 with `new_members`,
  `updated_members` and `errors`; with `update_existing` false whoever is there is an error `ERROR_CONTACT_EXISTS`
  (https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/).
- Tags: `name` and `status` `active` or `inactive`, 204
  (https://mailchimp.com/developer/marketing/api/list-member-tags/add-or-remove-member-tags/).
- Events: `name` of 2 to 30 characters, properties are texts, 204
  (https://mailchimp.com/developer/marketing/api/list-member-events/add-event/).
- `actions/delete-permanent` by POST, 204, 404 for nobody
  (https://mailchimp.com/developer/marketing/api/list-members/delete-list-member-permanent/).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from sync.connectors.contract import Request, Response
from tests.fakes.described import Description

DESCRIBED = Description("mailchimp")
KEY = "0123456789abcdef0123456789abcdef-us9"
LIST = "a1b2c3d4e5"
OTHER_LIST = "f6a7b8c9d0"
STATUSES = frozenset({"subscribed", "unsubscribed", "cleaned", "pending", "transactional"})
FIELDS = {
    "FNAME": {"type": "text"},
    "LNAME": {"type": "text"},
    "PHONE": {"type": "phone", "options": {"phone_format": "none"}},
    "BIRTHDAY": {"type": "birthday", "options": {"date_format": "MM/DD"}},
    "ZIPCODE": {"type": "zip"},
    "TOPIC": {"type": "dropdown", "options": {"choices": ["Water", "Bees"]}},
    "HOME": {"type": "address"},
}
_MEMBER = frozenset(
    {
        *("email_address", "status_if_new", "status", "email_type", "merge_fields", "interests", "language", "vip"),
        *("location", "marketing_permissions", "ip_signup", "timestamp_signup", "ip_opt", "timestamp_opt"),
    }
)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Mailchimp:
    """The service. `members` by audience and hash; `gone` are hashes deleted for good; `mails` who was asked again."""

    settings: ClassVar = {"key": KEY, "list": LIST, "hook_secret": "a-secret-in-an-address"}
    reads_bodies = True

    def __init__(self) -> None:
        self.members: dict[str, dict[str, dict[str, Any]]] = {LIST: {}, OTHER_LIST: {}}
        self.gone: set[str] = set()
        self.refused: set[str] = set()
        self.mails: list[str] = []
        self.calls: list[tuple[str, str]] = []

    # What trials ask.

    @property
    def people(self) -> Mapping[str, str]:
        """Everybody in any audience; mailed as soon as one mails them."""
        found: dict[str, str] = {}
        for members in self.members.values():
            for one in members.values():
                if found.get(one["email_address"]) != "subscribed":
                    found[one["email_address"]] = one["status"]
        return found

    def stop(self, email: str, at: datetime) -> None:
        """Somebody unsubscribes by the link in a mail."""
        for members in self.members.values():
            if one := members.get(_hash(email)):
                one |= {"status": "unsubscribed", "last_changed": at.isoformat(), "by_themselves": True}

    def refuse(self, email: str) -> None:
        """Take an address for a fake."""
        self.refused.add(email)

    def member(self, email: str, audience: str = LIST) -> dict[str, Any] | None:
        """A member by the address."""
        return self.members[audience].get(_hash(email))

    # Answering.

    def send(self, request: Request) -> Response:
        """Answer a request."""
        parts = urlsplit(request.url)
        assert parts.scheme == "https"
        assert parts.netloc == "us9.api.mailchimp.com"
        return self.answer(request.method, parts.path, parts.query, request.headers, request.content)

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Answer a request that came this way or that."""
        assert path.startswith("/3.0/")
        path = path.removeprefix("/3.0")
        DESCRIBED.check(method, path, query, content)
        login = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        if login.partition(":")[2] != KEY:
            return problem(401, "API Key Invalid", "Your API key may be invalid")
        self.calls.append((method, path))
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        body = json.loads(content) if content else None
        for pattern, wanted, answer in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and wanted == method:
                return answer(self, *found.groups(), asked, body)
        return problem(405 if method == "PUT" else 404, "Resource Not Found", "nothing here")

    def _audience(self, audience: str) -> dict[str, dict[str, Any]] | None:
        return self.members.get(audience)

    def root(self, _: Any, __: Any) -> Response:
        return said(200, {"account_id": "77", "account_name": "Bees for All"})

    def lists(self, _: Any, __: Any) -> Response:
        return said(200, {"lists": [{"id": LIST, "name": "News"}, {"id": OTHER_LIST, "name": "Bees"}]})

    def fields(self, audience: str, _: Any, __: Any) -> Response:
        if audience not in self.members:
            return missing()
        return said(200, {"merge_fields": [{"tag": tag, "name": tag.title(), **one} for tag, one in FIELDS.items()]})

    def batch(self, audience: str, asked: Mapping[str, str], body: Any) -> Response:
        if audience not in self.members:
            return missing()
        assert set(body) <= {"members", "update_existing"}
        assert 0 < len(body["members"]) <= 500
        answer: dict[str, Any] = {"new_members": [], "updated_members": [], "errors": []}
        for one in body["members"]:
            assert "status" in one
            assert set(one) <= _MEMBER - {"status_if_new"}
            email = one["email_address"]
            if _hash(email) in self.members[audience] and not body.get("update_existing"):
                answer["errors"].append(error(email, "ERROR_CONTACT_EXISTS"))
            elif self._fault(one, None):
                answer["errors"].append(error(email, "ERROR_GENERIC"))
            else:
                answer["new_members"].append(self._write(audience, _hash(email), one, one["status"]))
        return said(200, answer | {"error_count": len(answer["errors"])})

    def get(self, audience: str, who: str, _: Any, __: Any) -> Response:
        one = self.members.get(audience, {}).get(who)
        return said(200, one) if one is not None else missing()

    def put(self, audience: str, who: str, asked: Mapping[str, str], body: Any) -> Response:
        if audience not in self.members:
            return missing()
        assert {"email_address", "status_if_new"} <= set(body) <= _MEMBER, set(body)
        assert _hash(body["email_address"]) == who
        assert asked.get("skip_merge_validation") == "true"
        return self._written(audience, who, body)

    def patch(self, audience: str, who: str, _: Any, body: Any) -> Response:
        if self.members.get(audience, {}).get(who) is None:
            return missing()
        assert set(body) <= _MEMBER - {"status_if_new"}
        if "email_address" in body and _hash(body["email_address"]) in self.members[audience]:
            return problem(400, "Member Exists", f"{body['email_address']} is already a list member.")
        return self._written(audience, who, body)

    def _written(self, audience: str, who: str, body: dict[str, Any]) -> Response:
        there = self.members[audience].get(who)
        if fault := self._fault(body, there):
            return fault
        first = body.get("status_if_new") if there is None else None
        return said(200, self._write(audience, who, body, body.get("status") or first))

    def _fault(self, body: dict[str, Any], there: dict[str, Any] | None) -> Response | None:
        email = body.get("email_address") or (there or {}).get("email_address", "")
        if email in self.refused:
            return problem(400, "Invalid Resource", f"{email} looks fake or invalid.")
        if there is None and _hash(email) in self.gone:
            return problem(400, "Forgotten Email Not Subscribed", f"{email} was permanently deleted")
        status = body.get("status")
        assert status is None or status in STATUSES
        if there and there.get("by_themselves") and status not in (None, "pending", "unsubscribed"):
            return problem(400, "Member In Compliance State", f"{email} is in a compliance state due to unsubscribe")
        for tag, value in body.get("merge_fields", {}).items():
            if tag in FIELDS and not fits(FIELDS[tag], value):
                return problem(400, "Invalid Resource", "merge fields were invalid", errors=[{"field": tag}])
        return None

    def _write(self, audience: str, who: str, body: dict[str, Any], status: str | None) -> dict[str, Any]:
        members = self.members[audience]
        there = members.pop(who, None) or {"merge_fields": {}, "tags": {}, "events": [], "language": ""}
        there.setdefault("source", "API - Generic")
        if status == "pending":
            self.mails.append(body["email_address"])
        there["merge_fields"] |= {tag: one for tag, one in body.get("merge_fields", {}).items() if tag in FIELDS}
        email = body.get("email_address") or there["email_address"]
        there |= {"email_address": email, "id": _hash(email), "last_changed": NOW.isoformat()}
        there |= {"status": status} if status else {}
        there |= {"language": body["language"]} if "language" in body else {}
        members[_hash(email)] = there
        return there

    def tag(self, audience: str, who: str, _: Any, body: Any) -> Response:
        one = self.members[audience].get(who)
        if one is None:
            return missing()
        for tag in body["tags"]:
            assert set(tag) == {"name", "status"}
            assert tag["status"] in ("active", "inactive")
            one["tags"][tag["name"]] = tag["status"]
        return Response(status=204)

    def events(self, audience: str, who: str, _: Any, __: Any) -> Response:
        return said(200, {"events": self.members[audience][who]["events"]})

    def add_event(self, audience: str, who: str, _: Any, body: Any) -> Response:
        assert 2 <= len(body["name"]) <= 30
        assert set(body) <= {"name", "properties", "is_syncing", "occurred_at"}
        assert all(isinstance(one, str) for one in body["properties"].values())
        self.members[audience][who]["events"].append(body)
        return Response(status=204)

    def forget(self, audience: str, who: str, _: Any, __: Any) -> Response:
        if self.members[audience].pop(who, None) is None:
            return missing()
        self.gone.add(who)
        return Response(status=204)

    def changed(self, audience: str, asked: Mapping[str, str], _: Any) -> Response:
        assert asked["sort_field"] == "last_changed"
        assert int(asked["count"]) <= 1000
        since = datetime.fromisoformat(asked["since_last_changed"])
        found = [one for one in self.members[audience].values() if datetime.fromisoformat(one["last_changed"]) > since]
        found.sort(key=lambda one: one["last_changed"])
        first = int(asked["offset"])
        return said(200, {"members": found[first : first + int(asked["count"])]})


_WHO = r"/lists/(\w+)/members/([0-9a-f]{32})"
_ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("/", "GET", Mailchimp.root),
    ("/lists", "GET", Mailchimp.lists),
    (r"/lists/(\w+)/merge-fields", "GET", Mailchimp.fields),
    (r"/lists/(\w+)", "POST", Mailchimp.batch),
    (r"/lists/(\w+)/members", "GET", Mailchimp.changed),
    (_WHO, "GET", Mailchimp.get),
    (_WHO, "PUT", Mailchimp.put),
    (_WHO, "PATCH", Mailchimp.patch),
    (_WHO + "/tags", "POST", Mailchimp.tag),
    (_WHO + "/events", "GET", Mailchimp.events),
    (_WHO + "/events", "POST", Mailchimp.add_event),
    (_WHO + "/actions/delete-permanent", "POST", Mailchimp.forget),
)


def fits(field: Mapping[str, Any], value: Any) -> bool:
    """Whether a merge field of this type takes a value."""
    if value == "":
        return True
    match field["type"]:
        case "birthday":
            return re.fullmatch(r"(0[1-9]|1[0-2])/([0-2]\d|3[01])", value) is not None
        case "zip":
            return re.fullmatch(r"\d{5}", value) is not None
        case "dropdown":
            return value in field["options"]["choices"]
        case "address":
            return isinstance(value, dict) and {"addr1", "city", "state", "zip"} <= set(value)
    return isinstance(value, str) and len(value) <= 255


def said(status: int, body: Any) -> Response:
    """An answer with JSON."""
    return Response(status=status, headers={"content-type": "application/json"}, content=json.dumps(body).encode())


def problem(status: int, title: str, detail: str, **more: Any) -> Response:
    """A problem document."""
    return said(status, {"type": "about:blank", "title": title, "status": status, "detail": detail, **more})


def missing() -> Response:
    """Nobody, or no such audience."""
    return problem(404, "Resource Not Found", "The requested resource could not be found.")


def error(email: str, code: str) -> dict[str, str]:
    """One member that a batch did not take."""
    return {"email_address": email, "error": f"{email} was not added", "error_code": code}


def _hash(email: str) -> str:
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()
