"""Action Network in memory. It publishes no description of its API for programs: the documentation is prose, and the
API names its own resources by HAL links only (https://actionnetwork.org/docs/v2/). So the fields that its pages list
are written down here. What it checks and how it answers, each with its source:

- `OSDI-API-Token` in a header; 403 with `error` otherwise (https://actionnetwork.org/docs/v2/).
- The person signup helper, POST of people, takes `person`, `add_tags`, `remove_tags`; it matches by address. Who is new
  is subscribed unless a status is given; who is known keeps theirs unless one is given; nothing but `subscribed` and
  `unsubscribed` is taken (https://actionnetwork.org/docs/v2/person_signup_helper).
- A tag that is not there is ignored (same page); POST of tags makes one (https://actionnetwork.org/docs/v2/tags).
- PUT of a person changes what is given (https://actionnetwork.org/docs/v2/people).
- Collections come 25 at once, below `_embedded`, in no useful order (https://actionnetwork.org/docs/v2/people).
- `filter` is OData: `eq` and `gt`, text in single quotes, doubled inside (https://actionnetwork.org/docs/v2/).
- Submissions and signatures need a link to the person, their identifiers are unique in all of Action Network, and a
  person submits a form once (https://actionnetwork.org/docs/v2/submissions).
- People cannot be deleted (https://actionnetwork.org/docs/v2/people, "Scenario: Deleting").
- A status of a phone is never copied from the address: the fake takes none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

from sync.connectors.contract import Request, Response

KEY = "a-key-of-a-group"
FORM, PETITION = (str(uuid5(UUID(int=0), name)) for name in ("form", "petition"))
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
_PERSON = frozenset(
    {
        *("identifiers", "family_name", "given_name", "postal_addresses", "email_addresses", "phone_numbers"),
        *("languages_spoken", "custom_fields"),
    }
)
#: What a submission or signature may hold (…/submissions, …/signatures).
_SUBMISSION = frozenset(
    {
        *("identifiers", "created_date", "triggers", "_links", "action_network:referrer_data", "person", "comments"),
        *("add_tags", "remove_tags"),
    }
)


class ActionNetwork:
    """The service. `activists` by identifier; `takes_new_addresses` false: a PUT leaves the address as it was."""

    settings: ClassVar = {"key": KEY, "form": f"forms/{FORM}"}
    reads_bodies = True

    def __init__(self) -> None:
        self.activists: dict[str, dict[str, Any]] = {}
        self.tags = {"old"}
        self.submissions: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        self.takes_new_addresses = True
        self.now: Callable[[], datetime] = lambda: NOW

    # What trials ask.

    @property
    def people(self) -> Mapping[str, str]:
        """Everybody, with the status of their address."""
        return {address(one)["address"]: address(one)["status"] for one in self.activists.values()}

    def stop(self, email: str, at: datetime) -> None:
        """Somebody unsubscribes by the link in a mail."""
        one = self.activist(email)
        address(one)["status"] = "unsubscribed"
        one["modified_date"] = text(at)

    def refuse(self, email: str) -> None:
        """Take no such address."""
        self.refused.add(email)

    def activist(self, email: str) -> dict[str, Any]:
        """A person by the address."""
        return next(one for one in self.activists.values() if address(one)["address"] == email)

    # Answering.

    def send(self, request: Request) -> Response:
        """Answer a request."""
        parts = urlsplit(request.url)
        assert parts.netloc == "actionnetwork.org"
        return self.answer(request.method, parts.path, parts.query, request.headers, request.content)

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Answer a request that came this way or that."""
        if headers.get("osdi-api-token") != KEY:
            return error(403, "API Key invalid or not present")
        asked = {name: values[0] for name, values in parse_qs(query, strict_parsing=bool(query)).items()}
        assert set(asked) <= {"filter", "page", "per_page"}, set(asked)
        assert bool(content) == (method in ("POST", "PUT"))
        body = json.loads(content) if content else {}
        if refused := next((one for one in self.refused if one in json.dumps([asked, body])), None):
            return error(400, f"{refused} is no address")
        for wanted, pattern, answer in _ROUTES:
            found = re.fullmatch("/api/v2" + pattern, path)
            if found and wanted == method:
                return answer(self, *found.groups(), asked, body)
        return error(404, "Couldn't find it")

    def list_people(self, asked: Mapping[str, str], _: Any) -> Response:
        rows = list(self.activists.values())
        if "filter" in asked:
            field, operator, wanted = re.fullmatch(r"(\w+) (eq|gt) '((?:[^']|'')*)'", asked["filter"]).groups()
            wanted = wanted.replace("''", "'")
            if (field, operator) == ("email_address", "eq"):
                rows = [one for one in rows if address(one)["address"] == wanted]
            else:
                assert (field, operator) == ("modified_date", "gt")
                rows = [one for one in rows if one["modified_date"] > wanted]
        return page("osdi:people", rows, asked)

    def get(self, who: str, _: Any, __: Any) -> Response:
        one = self.activists.get(who)
        return said(one) if one is not None else error(404, "Couldn't find person")

    def helper(self, _: Any, body: dict[str, Any]) -> Response:
        assert set(body) <= {"person", "add_tags", "remove_tags"}
        person = body["person"]
        assert set(person) <= _PERSON
        check(person)
        email = person["email_addresses"][0]["address"]
        there = next((one for one in self.activists.values() if address(one)["address"] == email), None)
        if there is None:
            number = str(uuid5(UUID(int=len(self.activists) + 1), email))
            there = self.activists[number] = empty(number, email)
        self._write(there, person)
        there["tags"] |= {one for one in body.get("add_tags", ()) if one in self.tags}
        there["tags"] -= set(body.get("remove_tags", ()))
        return said(there)

    def put(self, who: str, _: Any, person: dict[str, Any]) -> Response:
        assert set(person) <= _PERSON
        check(person)
        one = self.activists.get(who)
        if one is None:
            return error(404, "Couldn't find person")
        self._write(one, person)
        return said(one)

    def _write(self, one: dict[str, Any], person: dict[str, Any]) -> None:
        for given in person.get("email_addresses", ()):
            address(one)["status"] = given.get("status", address(one)["status"])
            if self.takes_new_addresses:
                address(one)["address"] = given["address"]
        one["custom_fields"] |= person.get("custom_fields", {})
        one |= {name: value for name, value in person.items() if name not in ("email_addresses", "custom_fields")}
        one["modified_date"] = text(self.now())

    def list_tags(self, asked: Mapping[str, str], _: Any) -> Response:
        return page("osdi:tags", [{"name": one, **identified(one)} for one in sorted(self.tags)], asked)

    def make_tag(self, _: Any, body: dict[str, Any]) -> Response:
        assert set(body) == {"name"}
        self.tags.add(body["name"])
        return said({"name": body["name"], **identified(body["name"])})

    def list_forms(self, asked: Mapping[str, str], _: Any) -> Response:
        form = {"identifiers": [f"action_network:{FORM}"], "title": "Proca"}
        return page("osdi:forms", [form | {"action_network:sponsor": {"title": "Bees for All"}}], asked)

    def list_petitions(self, asked: Mapping[str, str], _: Any) -> Response:
        return page("osdi:petitions", [{"identifiers": [f"action_network:{PETITION}"], "title": "Bees"}], asked)

    def submit(self, kind: str, form: str, _: str, __: Any, body: dict[str, Any]) -> Response:
        if (kind, form) not in (("forms", FORM), ("petitions", PETITION)):
            return error(404, "Couldn't find it")
        assert set(body) <= _SUBMISSION, set(body)
        assert body["triggers"] == {"autoresponse": {"enabled": False}}, "a redelivery would mail people again"
        who = body["_links"]["osdi:person"]["href"].rpartition("/")[2]
        assert who in self.activists
        there = next((one for one in self.submissions if (one["form"], one["who"]) == (form, who)), None)
        if there is None and any(set(one["identifiers"]) & set(body["identifiers"]) for one in self.submissions):
            return error(400, "identifier is already taken")
        if there is None:
            there = {**body, "form": form, "who": who}
            self.submissions.append(there)
        return said({"identifiers": [f"action_network:{uuid5(UUID(form), who)}", *body["identifiers"]]})


_ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("GET", "/people", ActionNetwork.list_people),
    ("POST", "/people", ActionNetwork.helper),
    ("GET", "/people/([^/]+)", ActionNetwork.get),
    ("PUT", "/people/([^/]+)", ActionNetwork.put),
    ("GET", "/tags", ActionNetwork.list_tags),
    ("POST", "/tags", ActionNetwork.make_tag),
    ("GET", "/forms", ActionNetwork.list_forms),
    ("GET", "/petitions", ActionNetwork.list_petitions),
    ("POST", "/(forms)/([^/]+)/(submissions)", ActionNetwork.submit),
    ("POST", "/(petitions)/([^/]+)/(signatures)", ActionNetwork.submit),
)


def check(person: Mapping[str, Any]) -> None:
    """What the vendor's page on people says of each part."""
    for one in person.get("email_addresses", ()):
        assert set(one) <= {"primary", "address", "status"}
        assert one.get("status", "subscribed") in ("subscribed", "unsubscribed")
    for one in person.get("postal_addresses", ()):
        assert set(one) <= {"primary", "address_lines", "locality", "region", "postal_code", "country"}
    for one in person.get("phone_numbers", ()):
        assert set(one) <= {"primary", "number", "number_type"}
    assert all(isinstance(one, str) for one in person.get("custom_fields", {}).values())


def empty(number: str, email: str) -> dict[str, Any]:
    """Somebody new, subscribed as the vendor does."""
    return {
        "identifiers": [f"action_network:{number}"],
        "email_addresses": [{"primary": True, "address": email, "status": "subscribed"}],
        "custom_fields": {},
        "tags": set(),
    }


def address(one: dict[str, Any]) -> dict[str, Any]:
    """The address of a person."""
    found: dict[str, Any] = one["email_addresses"][0]
    return found


def identified(name: str) -> dict[str, Any]:
    """An identifier made from a name."""
    return {"identifiers": [f"action_network:{uuid5(UUID(int=0), name)}"]}


def text(when: datetime) -> str:
    """A time as the vendor writes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def page(name: str, rows: list[dict[str, Any]], asked: Mapping[str, str]) -> Response:
    """One page of a collection."""
    size, number = int(asked.get("per_page", 25)), int(asked.get("page", 1))
    assert size <= 25
    return said({"page": number, "_embedded": {name: rows[(number - 1) * size : number * size]}})


def said(body: Any) -> Response:
    """An answer with JSON."""
    content = json.dumps(body, default=sorted).encode()
    return Response(status=200, headers={"content-type": "application/hal+json"}, content=content)


def error(status: int, words: str) -> Response:
    """An error."""
    return Response(status=status, content=json.dumps({"error": words}).encode())
