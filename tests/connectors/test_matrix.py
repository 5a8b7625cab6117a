"""The matrix in the docs says what the connectors declare."""

from dataclasses import replace

from sync.connectors.contract import Feature
from sync.connectors.webhook import connector
from tests.connectors.matrix import PAGE, built_in, matrix


def test_the_page_is_what_the_connectors_declare():
    assert PAGE.read_text(encoding="utf-8") == matrix(built_in()), "python -m tests.connectors.matrix writes it"


def test_another_declaration_is_another_page():
    assert matrix([connector]) != matrix([replace(connector, features=connector.features - {Feature.ERASE})])


def test_every_kind_has_its_page():
    for one in built_in():
        name = {"webhook": "connectors", "file": "connectors"}.get(one.kind, one.kind.replace("_", "-"))
        assert (PAGE.parent / f"{name}.md").exists(), f"docs/{name}.md"
