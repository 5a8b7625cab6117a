"""Files by the rules of the contract: lines that stay whole, cells that nothing runs, nobody else's folder."""

import csv
import json
import stat
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar

import pytest

from sync.connectors.conformance import TRIALS, Subject
from sync.connectors.contract import Checked, Context, Delivered, Item, Misconfigured, Request, Response
from sync.connectors.file import connector
from sync.read import csvguard
from tests.connectors.test_webhook import NOW


class Folder:
    """A folder; nothing is sent anywhere."""

    settings: ClassVar = {"name": "supporters", "format": "ndjson"}
    reads_bodies = False
    speaks_http = False
    people = None

    def __init__(self):
        self.folder = Path(mkdtemp(dir=Folder.parent))

    def send(self, request: Request) -> Response:
        raise AssertionError("a file asks nobody")


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
def test_it_conforms(trial, tmp_path):
    Folder.parent = tmp_path

    trial(Subject(connector=connector, fake=Folder))


def a_context(folder, **settings):
    return Context(
        destination=1,
        settings={"name": "people", "format": "csv"} | settings,
        http=Folder,
        now=lambda: NOW,
        folder=folder,
        cell=csvguard.cell,
    )


def a_person(number, **record):
    return Item(
        push_id=f"1-{number}-1",
        supporter=number,
        record={"id": number, "email": f"p{number}@example.org", **record},
        subscription={"status": "subscribed"},
    )


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_header_stands_once_and_the_columns_stay(tmp_path):
    connector.push(a_context(tmp_path), [a_person(1)])
    connector.push(a_context(tmp_path), [a_person(2), a_person(3)])

    rows = rows_of(tmp_path / "people.supporters.csv")
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert {row["status"] for row in rows} == {"subscribed"}


def test_a_cell_that_a_spreadsheet_would_run_is_led_by_an_apostrophe(tmp_path):
    connector.push(a_context(tmp_path), [a_person(1, first_name="=1+1", phone="+33612345678")])

    (row,) = rows_of(tmp_path / "people.supporters.csv")
    assert row["first_name"] == "'=1+1"
    assert row["phone"] == "+33612345678"


def test_a_line_that_a_crash_has_torn_is_taken_back(tmp_path):
    path = tmp_path / "people.ndjson"
    path.write_text('{"id": 1}\n{"id": 2, "em')

    connector.push(a_context(tmp_path, format="ndjson"), [a_person(2)])

    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [1, 2]


def test_nobody_else_may_read_it(tmp_path):
    connector.push(a_context(tmp_path, format="ndjson"), [a_person(1)])

    assert stat.S_IMODE((tmp_path / "people.ndjson").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["../people", "/etc/passwd", "a/b", ".hidden", "", "people\n"])
def test_a_name_is_no_path(name):
    assert "name" in connector.faults({"name": name})


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "people.ndjson").symlink_to(tmp_path / "elsewhere")

    (outcome,) = connector.push(a_context(tmp_path, format="ndjson"), [a_person(1)])

    assert isinstance(outcome, Misconfigured)
    assert (tmp_path / "elsewhere").read_text() == ""


def test_without_a_folder_for_exports_there_are_no_file_destinations():
    (outcome,) = connector.push(a_context(None), [a_person(1)])

    assert outcome == Misconfigured(message="EXPORT_DIR is not set")
    assert connector.check(a_context(None)) == outcome


def test_with_one_it_works(tmp_path):
    assert isinstance(connector.check(a_context(tmp_path)), Checked)
    (outcome,) = connector.push(a_context(tmp_path), [a_person(1)])
    assert isinstance(outcome, Delivered)
