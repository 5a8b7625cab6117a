"""`export` as a person runs it."""

import csv
import io
import json
import os
import re
import resource
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.commands.filling import many_supporters
from tests.commands.here import run, stored
from tests.intake.messages import an_action

BIG = 19933688932870350000
HEADER_OF_SUBSCRIPTIONS = [
    *("id", "supporter", "org", "status", "email", "status_changed_at", "source"),
    *("supporter_email", "supporter_contact_refs", "org_name"),
]


@pytest.fixture
def filled(store_database) -> None:
    """Two people: Anna, who donated, and one who did not opt in."""
    anna = an_action(
        actionId=1,
        action={
            "actionType": "donate",
            "customFields": {"number": BIG, "formula": "=1+1"},
            "createdAt": "2026-05-12T14:21:53Z",
            "testing": False,
            "donation": {"amount": 1500, "currency": "EUR", "frequencyUnit": "one_off"},
        },
    )
    zoe = an_action(
        actionId=2,
        campaign={"name": "other", "title": "Other", "externalId": None, "contactSchema": "basic"},
        campaignId=4,
        contact={
            "contactRef": "ref-2",
            "email": "zoë@example.org",
            "firstName": "=cmd",
            "lastName": 'Zoë, "Z"',
            "phone": "+33612345678",
            "postcode": "01234",
            "area": "FR",
            "country": "FR",
        },
        privacy={"optIn": False, "givenAt": "2026-05-12T14:21:53Z", "withConsent": True},
    )
    stored(anna, zoe)


def exported(*arguments) -> list[dict[str, Any]]:
    done = run("export", *arguments, "--format", "ndjson")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# --- What comes out ----------------------------------------------------------------------------------


def test_every_kind_stands_alone(filled):
    (donation, _) = exported("actions")
    assert (donation["supporter_email"], donation["campaign_name"], donation["org_name"]) == (
        "anna1@example.org",
        "campaign",
        "org",
    )
    assert donation["custom_fields"] == {"formula": "=1+1", "number": BIG}
    assert donation["donation"] == {"amount": 1500, "currency": "EUR", "frequency_unit": "one_off", "schema": None}
    assert [one["email"] for one in exported("supporters")] == ["anna1@example.org", "zoë@example.org"]
    assert [one["status"] for one in exported("subscriptions")] == ["subscribed", "none"]
    assert [(one["kind"], one["counts"]) for one in exported("consents")] == [
        ("opt_in", None),
        ("opt_out", None),
    ]
    assert [one["name"] for one in exported("campaigns")] == ["campaign", "other"]


def test_a_spreadsheet_gets_numbers_and_runs_no_formula(filled):
    done = run("export", "supporters")
    (_, zoe) = csv.DictReader(io.StringIO(done.stdout))
    assert (zoe["first_name"], zoe["last_name"]) == ("'=cmd", 'Zoë, "Z"')
    assert (zoe["phone"], zoe["postcode"]) == ("+33612345678", "01234")

    done = run("export", "actions")
    (donation, other) = csv.DictReader(io.StringIO(done.stdout))
    assert (donation["donation_amount"], donation["donation_currency"]) == ("15.00", "EUR")
    assert json.loads(donation["custom_fields"])["number"] == BIG
    assert other["donation_amount"] == ""


def test_an_empty_table_is_its_header(store_database):
    done = run("export", "subscriptions", "--format", "csv")

    assert done.returncode == 0
    assert done.stdout == ",".join(HEADER_OF_SUBSCRIPTIONS) + "\r\n"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_output_is_utf8_whatever_the_terminal_speaks(project):
    many_supporters(project, 1)

    done = project.manage("export", "supporters", env={"PYTHONIOENCODING": "ascii"})

    assert done.returncode == 0, done.stderr
    assert "Zoë" in done.stdout


# --- Filters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "filters", "found"),
    [
        ("supporters", ["--email", "Anna1@example.org "], 1),
        ("supporters", ["--contact-ref", "ref-2"], 1),
        ("supporters", ["--contact_ref", "ref-2"], 1),
        ("supporters", ["--country", "FR"], 2),
        ("supporters", ["--campaign", "other"], 1),
        ("supporters", ["--status", "subscribed", "--org", "7"], 1),
        ("supporters", ["--status", "subscribed", "--org", "8"], 0),
        ("supporters", ["--updated-since", "2100-01-01T00:00:00+02:00"], 0),
        ("supporters", ["--search", "zo"], 1),
        ("supporters", ["--email", ""], 0),
        ("actions", ["--campaign", "other"], 1),
        ("actions", ["--action-type", "donate"], 1),
        ("actions", ["--testing", "true"], 0),
        ("actions", ["--created-since", "2026-05-12T14:21:53Z", "--created-before", "2026-05-12T14:21:54Z"], 2),
        ("subscriptions", ["--status", "none"], 1),
        ("consents", ["--kind", "opt_out"], 1),
        ("consents", ["--occurred-since", "2026-05-13"], 0),
    ],
)
@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_filters_are_those_of_the_api(filled, kind, filters, found):
    assert len(exported(kind, *filters)) == found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["supporters", "--emial", "anna@example.org"], "--emial"),
        (["supporters", "--emial=anna@example.org"], "--emial"),
        (["supporters", "--stat", "none"], "--stat"),
        (["supporters", "--testing", "true"], "testing"),
        (["actions", "--testing", "yes"], "testing"),
        (["actions", "--created-since", "anna@example.org"], "created-since"),
        (["actions", "--created-since", "9999-12-31T24:00:00Z"], "created-since"),
        (["subscriptions", "--status", "anna@example.org"], "status"),
        (["subscriptions", "--org", "9" * 5000], "org"),
        (["campaigns", "--country", "FR"], "country"),
        (["supporters", "--output", "/nowhere/at/all.csv"], "folder"),
        (["supporters", "--output", "/"], "folder"),
        (["people"], "people"),
        ([], "required"),
    ],
)
@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_wrong_usage_is_one_line_that_names_what_is_wrong(store_database, arguments, says):
    done = run("export", *arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert "anna" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- Files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_a_file_is_there_for_its_owner_alone(filled, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("yesterday's")
    path.chmod(0o644)

    done = run("export", "supporters", "--output", str(path))

    assert (done.returncode, done.stdout) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_a_link_stays_a_link_and_a_device_a_device(filled, tmp_path):
    path, link = tmp_path / "people.csv", tmp_path / "link.csv"
    link.symlink_to(path)

    assert run("export", "supporters", "--output", str(link)).returncode == 0
    assert run("export", "supporters", "--output", "/dev/null").returncode == 0

    assert link.is_symlink()
    assert len(path.read_text().splitlines()) == 3
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# --- Cut short ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_full_disk_leaves_the_old_file_and_says_so(project, tmp_path):
    many_supporters(project, 3000)
    path = tmp_path / "people.csv"
    path.write_text("yesterday's")

    done = project.manage("export", "supporters", "--output", str(path), preexec_fn=a_small_disk)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert path.read_text() == "yesterday's"
    assert list(tmp_path.glob(".people*")) == []


def a_small_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_full_stdout_is_an_error(project):
    many_supporters(project, 3000)

    done = project.manage("export", "supporters", preexec_fn=a_full_stdout)

    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def a_full_stdout() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_reader_that_closes_the_pipe_is_an_error(project):
    many_supporters(project, 3000)
    process = project.start("export", "supporters")
    assert process.stdout.readline().startswith("id,")
    process.stdout.close()

    assert process.wait(60) == 1
    (line,) = process.stderr.read().splitlines()
    assert "closed" in line


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_database_that_goes_away_is_an_error(project):
    many_supporters(project, 12_000)
    process = project.start("export", "supporters", "--format", "ndjson")
    process.stdout.readline()

    project.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )
    out, error = process.communicate(timeout=60)

    assert process.returncode == 1
    assert len(out.splitlines()) < 11_999
    assert "database" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_stop_leaves_nothing_behind(project, tmp_path):
    many_supporters(project, 15_000)
    process = project.start("export", "supporters", "--output", str(tmp_path / "people.csv"))
    while not list(tmp_path.glob(".people*")):
        assert process.poll() is None

    process.terminate()

    assert process.wait(60) == 1
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_table(project, tmp_path):
    many_supporters(project, 1000)
    small = peak_memory(project, tmp_path)
    project.query("DELETE FROM sync_supporter")
    many_supporters(project, 15_000)

    large = peak_memory(project, tmp_path)

    assert len((tmp_path / "people.ndjson").read_text().splitlines()) == 15_000
    assert large - small < 8_000


def peak_memory(project, folder) -> int:
    """The kilobytes that an export had at most. (What `wait` tells counts those of the test too, before `exec`.)"""
    path = str(folder / "people.ndjson")
    process = project.start("export", "supporters", "--format", "ndjson", "--output", path)
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = int(found[1]) if (found := re.search(r"VmHWM:\s+(\d+) kB", status)) else peak
        time.sleep(0.05)
    assert process.returncode == 0
    return peak
