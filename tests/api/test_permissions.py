"""No address is reachable without its scope: the matrix is made of the addresses that there are."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern

from sync.access.tokens import Scope
from sync.api.endpoint import Endpoint
from sync.api.urls import urlpatterns
from tests.api.conftest import anne

ALLOWED = {
    Scope.READ: {"read", "write", "admin"},
    Scope.WRITE: {"write", "admin"},
    Scope.ADMIN: {"admin"},
    Scope.INGEST: {"ingest"},
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: Whoever may know how to ask may ask how: the document of the API, and its page.
OPEN = {"schema/", "docs/"}


def addresses() -> list[tuple[str, type[Endpoint]]]:
    """Every address with an id put in, and its view; what CRMs call has secrets of its own, and trials of its own."""
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
        route = str(pattern.pattern)
        if route not in OPEN and view is not None:
            found.append((re.sub(r"<\w+:\w+>", "999999999", route), view))
    return found


def test_every_address_is_one_of_ours_and_says_what_it_needs():
    for route, view in addresses():
        assert issubclass(view, Endpoint), route
        handled = {method for method in METHODS if hasattr(view, method.lower()) and method != "OPTIONS"}
        assert handled <= set(view.scopes), route
        assert view.operation, route


@pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)
def test_nothing_is_reached_without_its_scope(api):
    clients = {scope: api(scope, org=7).client for scope in ("read", "write", "admin", "ingest")}
    anybody, wrong = Client(), Client(headers={"authorization": "Bearer proca_wrong"})
    for route, view in addresses():
        for method in METHODS:
            told = [
                one.generic(method, f"/api/v1/{route}", b"{}", content_type="application/json")
                for one in (anybody, wrong)
            ]
            assert [answer.status_code for answer in told] == [401, 401], (method, route)
            for scope, client in clients.items():
                answer = client.generic(method, f"/api/v1/{route}", b"{}", content_type="application/json")
                needed = view.scopes.get(method) if hasattr(view, method.lower()) else None
                if needed is None:
                    assert answer.status_code in (403, 405), (method, route, scope)
                elif scope in ALLOWED[needed]:
                    assert answer.status_code not in (401, 403, 405, 500), (method, route, scope)
                else:
                    assert answer.status_code == 403, (method, route, scope)
                if answer.status_code >= 400:
                    assert answer["Content-Type"] == "application/problem+json", (method, route, scope)


def test_the_interfaces_scopes_are_these():
    scopes = {route: view.scopes for route, view in addresses()}

    assert scopes["supporters/search/"] == {"POST": Scope.READ}
    assert scopes["supporters/999999999/"] | {"HEAD": Scope.READ} == {
        "GET": Scope.READ, "HEAD": Scope.READ, "PATCH": Scope.WRITE, "DELETE": Scope.ADMIN,
    }  # fmt: skip
    assert scopes["supporters/999999999/export/"]["GET"] == Scope.ADMIN
    assert scopes["quarantine/"]["GET"] == Scope.ADMIN
    assert scopes["quarantine/999999999/retry/"]["POST"] == Scope.ADMIN
    assert scopes["consents/"]["POST"] == Scope.WRITE
    assert scopes["subscriptions/999999999/"]["PATCH"] == Scope.WRITE
    assert scopes["proca/messages/"] == scopes["proca/lookup/"] == {"POST": Scope.INGEST}


def test_a_session_of_the_desk_opens_nothing(store_database):
    user = get_user_model().objects.create_superuser("anne", password="x")
    desk = Client()
    desk.force_login(user)

    answer = desk.get("/api/v1/supporters/")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_opens_nothing(api, store_database):
    from sync.access import tokens
    from sync.models import Token

    reader = api("read")
    assert reader.get("orgs/").status_code == 200

    tokens.revoke(Token.objects.get(), actor="test")

    assert reader.get("orgs/").status_code == 401


def test_wrong_tokens_are_counted_and_a_good_one_is_never_held_up(api, monkeypatch):
    from dataclasses import replace

    from sync.api import auth

    monkeypatch.setattr(auth, "WRONG_TOKENS", replace(auth.WRONG_TOKENS, most=3))
    wrong = Client(headers={"authorization": "Bearer wrong"})

    answers = [wrong.get("/api/v1/orgs/") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert int(answers[-1]["Retry-After"]) > 0
    assert api("read").get("orgs/").status_code == 200


def test_a_loop_gone_wild_is_slowed_down_and_proca_is_not(api, monkeypatch):
    from dataclasses import replace

    from sync.api import endpoint

    monkeypatch.setattr(endpoint, "REQUESTS", replace(endpoint.REQUESTS, name="few", most=5, share=5))
    reader, ingest = api("read"), api("ingest", org=7)

    answers = [reader.get("orgs/") for _ in range(8)]

    assert [answer.status_code for answer in answers].count(429) >= 1
    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) > 0
    assert {ingest.post("proca/lookup/", {}).status_code for _ in range(8)} == {200}


def test_what_looks_like_sql_finds_nobody(api, received):
    received(anne(1))
    reader = api("read")

    for text in ("' OR 1=1 --", '"; DROP TABLE sync_supporter; --', "%", "_", "${7*7}", "{{7*7}}", "../..", "％"):
        for name in ("email", "contact_ref", "country", "campaign", "search"):
            assert reader.results("supporters/", **{name: text}) == [], (name, text)
        assert reader.post("supporters/search/", {"email": text}).json()["results"] == []
    assert len(reader.results("supporters/")) == 1


def test_an_unknown_address_is_a_problem_too(api):
    for answer in (api("read").get("nothing/"), api("read").get("supporters/abc/"), Client().get("/api/v2/")):
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert "json" not in Client().get("/nothing/")["Content-Type"]


def test_another_content_type_is_refused(api):
    writer = api("write")

    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = writer.client.post("/api/v1/consents/", b"kind=unsub", content_type=kind)
        assert (answer.status_code, answer["Content-Type"]) == (415, "application/problem+json")


def test_a_failure_of_ours_is_a_problem_that_tells_nothing(api, received, monkeypatch, caplog):
    from sync.api import lists

    def broken(*_arguments):
        raise RuntimeError("anne1@example.org")

    received(anne(1))
    monkeypatch.setattr(lists, "page", broken)
    reader = api("read")
    reader.client.raise_request_exception = False

    answer = reader.get("supporters/")

    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "example.org" not in answer.content.decode()
