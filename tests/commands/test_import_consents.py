"""`import_consents` as a person runs it."""

import json

import pytest

from sync.models import Consent, Subscription, Supporter
from sync.terms import to_datetime
from tests.commands.here import run, stored
from tests.intake.messages import an_action

AT = "2026-06-01T10:00:00Z"


@pytest.fixture
def file(tmp_path):
    """Writes lines into a file and returns its path."""

    def write(*lines, encoding="utf-8"):
        path = tmp_path / "stops.csv"
        path.write_bytes("\n".join(lines).encode(encoding))
        return str(path)

    return write


def summary(done):
    return json.loads(done.stdout)


def statuses():
    return list(Subscription.objects.order_by("pk").values_list("email", "status"))


def test_stops_are_entries_of_the_ledger(store_database, file):
    stored(*(an_action(actionId=number) for number in (1, 2, 3)))

    done = run(
        "import_consents",
        file(
            "email,contact_ref,kind,occurred_at,org,note",
            f"Anna1@Example.org ,,unsub,{AT},7,from the old list",
            f",ref-2,SPAM,{AT},7,",
            f"anna3@example.org,,bounce,{AT},,",
        ),
    )

    assert done.returncode == 0, done.stderr
    assert summary(done) == {"imported": 3, "repeated": 0, "refused": 0, "waiting": 0}
    assert statuses() == [
        ("anna1@example.org", "unsubscribed"),
        ("anna2@example.org", "complained"),
        ("anna3@example.org", "bounced"),
    ]
    (entry,) = Consent.objects.filter(kind="unsub")
    assert (entry.source, entry.note, entry.org_id, entry.email) == (
        "import",
        "from the old list",
        7,
        "anna1@example.org",
    )
    assert (entry.occurred_at, entry.destination, entry.action_id) == (to_datetime(1780308000000000), None, None)
    assert Consent.objects.get(kind="bounce").org_id is None


def test_a_second_import_adds_nothing(store_database, file):
    stored(an_action())
    path = file("email;kind;occurred_at", f"anna1@example.org;unsub;{AT}")
    run("import_consents", path)

    done = run("import_consents", path)

    assert (done.returncode, summary(done)) == (0, {"imported": 0, "repeated": 1, "refused": 0, "waiting": 0})
    assert Consent.objects.filter(kind="unsub").count() == 1


def test_a_stop_waits_for_somebody_who_comes_later(store_database, file, settings):
    settings.PROCA_ORG = 7
    done = run("import_consents", file("email\tkind\toccurred_at\torg", f"anna1@example.org\tunsub\t{AT}\t7"))
    assert summary(done)["waiting"] == 1
    assert Supporter.objects.count() == 0
    assert not any(b"anna1" in str(row).encode() for row in store_database.query("SELECT * FROM sync_waitingentries"))

    stored(an_action())

    assert statuses() == [("anna1@example.org", "unsubscribed")]


def test_a_row_with_two_keys_speaks_of_both(store_database, file):
    stored(an_action(actionId=1), an_action(actionId=2))

    run("import_consents", file("email,contact_ref,kind,occurred_at", f"anna1@example.org,ref-2,unsub,{AT}"))

    assert {status for _, status in statuses()} == {"unsubscribed"}


def test_what_is_no_stop_is_named_by_line_and_the_rest_imported(store_database, file):
    stored(an_action())

    done = run(
        "import_consents",
        file(
            "email,contact_ref,kind,occurred_at,org,note",
            f"anna1@example.org,,opt_in,{AT},,",
            f"anna1@example.org,,unsub,{AT},,fine",
            "",
            f",,unsub,{AT},,",
            f"anna1@,,unsub,{AT},,",
            f",null,unsub,{AT},,",
            f",ref-1,bounce,{AT},,",
            f"anna1@example.org,,unsub,{AT},99,",
            f"anna1@example.org,,unsub,{AT},Anna,",
            "anna1@example.org,,unsub,,,",
            "anna1@example.org,,unsub,31/12/2025,,",
            "anna1@example.org,,unsub,2999-01-01,,",
            f"anna1@example.org,,unsub,{AT},,too,many",
            f"{'x' * 3000}@example.org,,unsub,{AT},,",
            '"anna1@example.org","","spam","2026-06-02","","two',
            'lines"',
            "anna1@example.org,,unsub",
        ),
    )

    assert done.returncode == 1
    assert summary(done) == {"imported": 2, "repeated": 0, "refused": 13, "waiting": 0}
    lines = [line.partition(": ")[0] for line in done.stderr.splitlines()]
    assert lines == [f"line {n}" for n in (2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18)] + ["CommandError"]
    assert "anna" not in done.stderr.lower()
    assert statuses() == [("anna1@example.org", "complained")]


def test_a_dry_run_says_the_same_and_stores_nothing(store_database, file):
    stored(an_action())

    done = run("import_consents", "--dry-run", file("email,kind,occurred_at", f"anna1@example.org,unsub,{AT}"))

    assert (done.returncode, summary(done)["imported"]) == (0, 1)
    assert statuses() == [("anna1@example.org", "subscribed")]


def test_what_spreadsheets_write_is_read(store_database, file):
    stored(an_action())

    done = run(
        "import_consents",
        file('"Email";"Kind";"Occurred_at"', f'"anna1@example.org";"unsub";"{AT}"', encoding="utf-8-sig"),
    )

    assert summary(done)["imported"] == 1


@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_bytes_that_are_no_text_spoil_their_own_row(store_database, file):
    stored(an_action())
    path = file("email,kind,occurred_at,note", f"anna1@example.org,unsub,{AT},caf\xe9", encoding="latin-1")

    done = run("import_consents", path)

    assert done.returncode == 1
    assert done.stderr.startswith("line 2: note: ")


@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_a_quotation_mark_that_never_ends_stops_the_import_there(store_database, file):
    stored(an_action())

    done = run(
        "import_consents",
        file(
            "email,kind,occurred_at,note", f"anna1@example.org,unsub,{AT},fine", f'anna1@example.org,spam,{AT},"never'
        ),
    )

    assert done.returncode == 1
    assert "line 3" in done.stderr
    assert summary(done)["imported"] == 1


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("email,kind,occurred_at,organisation", "column 4"),
        ("anna1@example.org,unsub", "column 1"),
        ("email,email,kind,occurred_at", "twice"),
        ("", "kind"),
        ("email,kind", "occurred_at"),
    ],
)
@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_a_first_line_that_names_no_columns_is_wrong_usage(store_database, file, header, says):
    done = run("import_consents", file(header, f"anna1@example.org,unsub,{AT},7"))

    assert done.returncode == 2
    assert says in done.stderr
    assert "anna" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_a_missing_file_is_wrong_usage(store_database):
    assert run("import_consents", "/nowhere.csv").returncode == 2
