"""The OpenAPI document is true: every answer, also to nonsense, is one that it describes."""

from __future__ import annotations

import re
from io import StringIO

import pytest
import schemathesis
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from proca_crm.wsgi import application
from sync.api.problems import KINDS
from tests.api.conftest import anne
from tests.builders import a_campaign_update

TYPES = {kind.type for kind in KINDS}
quickly = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def test_the_document_is_valid_and_complete():
    text = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=text)

    assert "openapi: 3.1" in text.getvalue()


def test_the_page_of_the_document_loads_nothing_from_elsewhere():
    page = Client().get("/api/v1/docs/")
    script = Client().get("/api/v1/docs/?script=")

    text = page.content.decode() + script.content.decode()
    assert page.status_code == script.status_code == 200
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    assert loaded
    assert all(address.startswith(("/static/", "/api/")) or address == "?script=" for address in loaded), loaded
    assert Client().get(next(one for one in loaded if one.endswith(".js"))).status_code == 200
    assert Client().get("/api/v1/schema/").status_code == 200


@pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)
def test_no_request_gets_an_answer_that_the_document_does_not_describe(api, received):
    received(anne(1), anne(2), a_campaign_update())
    received(anne(1, actionId=3, contact={"contactRef": f"ref{2:040d}"}), b"no json")
    tokens = [api("admin").token, api("ingest", org=7).token]
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)
    for result in schema.get_all_operations():
        operation = result.ok()
        _try(operation, tokens["/proca/" in operation.path])


def _try(operation, token: str) -> None:
    from hypothesis import given

    @quickly
    @given(case=operation.as_strategy())
    def trial(case) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code < 500, (operation.label, answer.status_code, answer.text)
        if answer.status_code >= 400:
            problem = answer.json()
            assert answer.headers["content-type"] == ["application/problem+json"], operation.label
            assert problem["type"] in TYPES
            assert problem["status"] == answer.status_code
        # Who may what has trials of its own: this one always sends a good token. And a document cannot say everything
        # that is refused: who nobody is, or which fields do not go together.
        case.validate_response(answer, excluded_checks=[ignored_auth, positive_data_acceptance])

    trial()
