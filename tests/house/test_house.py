"""The house rules run on every file, and each proves itself on an example that must fail."""

import re
import statistics
import subprocess
import sys
from ast import AsyncFunctionDef, FunctionDef, parse, walk
from pathlib import Path

import pytest
from importlinter.configuration import configure

from tests.house import checks

PRODUCT = [*checks.python_files(), *checks.python_files(below=checks.ROOT / "proca_crm")]
EVERYTHING = [
    *PRODUCT,
    *checks.python_files(below=checks.ROOT / "tests"),
    *checks.python_files(below=checks.ROOT / "bench"),
]


def complaints(check, files, *arguments) -> list[str]:
    """Everything a check has to say about these files."""
    return [
        f"{path.relative_to(checks.ROOT)}: {text}"
        for path in files
        for text in check(path.read_text(encoding="utf-8"), *arguments)
    ]


# --- Arrows ------------------------------------------------------------------------------------------


def test_a_room_imports_only_what_stands_below_it():
    done = _lint_imports(checks.ROOT)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("proca/bad.py", "from sync.rules import facts", "layers"),
        ("proca/bad.py", "import django", "pure"),
        ("rules/bad.py", "def later():\n    import psycopg", "pure"),
        ("models/bad.py", "from sync.store import arrivals", "layers"),
        ("cellar/__init__.py", "", "layers"),
        ("admin/bad.py", "from sync.store import rows", "faces"),
        ("connectors/bad.py", "from sync.rules import facts", "connectors"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path, room, line, contract):
    house = _copy_of_the_house(tmp_path)
    bad = house / "sync" / room
    targets = (
        "store/__init__.py",
        "store/rows.py",
        "store/arrivals.py",
        "rules/__init__.py",
        "rules/facts.py",
    )
    for path in (bad, bad.parent / "__init__.py", *(house / "sync" / target for target in targets)):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    bad.write_text(f'"""Bad."""\n{line}\n')

    done = _lint_imports(house, "--contract", contract)

    assert done.returncode == 1, done.stdout + done.stderr


def _lint_imports(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    command = [program, "--no-cache", "--no-logo", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _copy_of_the_house(folder: Path) -> Path:
    for path in [
        *checks.python_files(),
        checks.ROOT / "pyproject.toml",
        *Path(__file__).parent.glob("c*.py"),
    ]:
        copy = folder / path.relative_to(checks.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    for package in ("tests", "tests/house"):
        (folder / package / "__init__.py").touch()
    return folder


# --- Owners ------------------------------------------------------------------------------------------


def test_only_the_store_writes_what_the_rules_speak_of():
    others = [path for path in checks.python_files() if not _in_room(path, "store")]

    assert complaints(checks.foreign_writes, others, checks.OWNED_BY_STORE) == []


def test_only_the_change_log_writes_changes():
    others = [path for path in checks.python_files() if not _in_room(path, "changes")]

    assert complaints(checks.foreign_writes, others, checks.OWNED_BY_CHANGES) == []


def test_only_push_writes_destinations_and_deliveries():
    others = [path for path in checks.python_files() if not _in_room(path, "push")]

    assert complaints(checks.foreign_writes, others, checks.OWNED_BY_PUSH) == []


def test_only_the_access_room_writes_tokens_and_the_audit():
    others = [path for path in checks.python_files() if not _in_room(path, "access")]

    assert complaints(checks.foreign_writes, others, checks.OWNED_BY_ACCESS) == []


@pytest.mark.parametrize(
    "bad",
    [
        "Supporter.objects.filter(pk=1).update(email=None)",
        "Contact.objects.bulk_create([])",
        "Supporter(pk=1).save()",
        "models.Org.objects.acreate() if Org.objects.acreate() else 0",
        "SQL = 'UPDATE sync_supporter SET email = NULL'",
        'SQL = """\\nINSERT INTO "sync_action" VALUES (1)"""',
    ],
)
def test_a_foreign_write_is_found(bad):
    assert checks.foreign_writes(bad, checks.OWNED_BY_STORE)
    assert not checks.foreign_writes("Supporter.objects.filter(pk=1).values(); x.update(y)", checks.OWNED_BY_STORE)


def test_every_table_has_an_owner():
    from django.apps import apps

    known = checks.OWNED_BY_STORE | checks.OWNED_BY_CHANGES | checks.OWNED_BY_ACCESS | checks.OWNED_BY_PUSH

    assert {model.__name__ for model in apps.get_app_config("sync").get_models()} == known


def _in_room(path: Path, room: str) -> bool:
    return checks.ROOMS / room in path.parents


# --- Sizes -------------------------------------------------------------------------------------------


def test_functions_fit_on_a_screen():
    assert complaints(checks.long_functions, [*EVERYTHING, checks.ROOT / "run"]) == []


def test_half_of_the_functions_are_short():
    functions = [
        checks.lines_of(node)
        for path in PRODUCT
        for node in walk(parse(path.read_text(encoding="utf-8")))
        if isinstance(node, FunctionDef | AsyncFunctionDef)
    ]

    assert statistics.median(functions) < 10


def test_files_need_no_table_of_contents():
    assert complaints(checks.long_file, [*PRODUCT, checks.ROOT / "run"]) == []


def test_what_is_too_long_is_found():
    long = "def f():\n" + "    x = 1\n" * checks.LONGEST_FUNCTION

    assert checks.long_functions(long) == ["f has 61 lines"]
    assert checks.long_file("\n" * 401) == ["401 lines"]


# --- No clock ----------------------------------------------------------------------------------------


def test_the_core_does_not_ask_what_time_it_is():
    core = [
        *checks.python_files(below=checks.ROOMS / "rules"),
        *checks.python_files(below=checks.ROOMS / "proca"),
    ]

    assert core
    assert complaints(checks.clocks, core) == []


@pytest.mark.parametrize(
    "bad",
    ["datetime.now(UTC)", "datetime.datetime.now()", "date.today()", "time.time()", "from time import time"],
)
def test_a_clock_is_found(bad):
    assert checks.clocks(bad)
    assert not checks.clocks("datetime.fromtimestamp(0, UTC)")


# --- No value in exceptions and logs -----------------------------------------------------------------


def test_exceptions_and_logs_tell_no_values():
    assert complaints(checks.told_values, PRODUCT) == []


@pytest.mark.parametrize(
    "bad",
    [
        'raise ValueError(f"unknown {email}")',
        'raise Unreadable(f"bad {message.contact.email!r}")',
        'logger.info("stored %s", supporter.first_name)',
        'log.warning("stored", email=person.email)',
        'logging.error(f"broken: {body}")',
        'self._log.info("x", ref=contact_ref)',
    ],
)
def test_a_told_value_is_found(bad):
    assert checks.told_values(bad)
    assert not checks.told_values('logger.info("stored", supporter=supporter.id)\nraise ValueError(f"{code}")')


# --- Words -------------------------------------------------------------------------------------------


def test_every_room_says_what_it_is_for():
    assert [f"{room.name}: {text}" for room in checks.rooms() for text in checks.undocumented_room(room)] == []


def test_a_silent_room_is_found(tmp_path):
    assert checks.undocumented_room(tmp_path) == ["no __init__.py"]
    (tmp_path / "__init__.py").write_text("x = 1\n")

    assert checks.undocumented_room(tmp_path) == ["no docstring in __init__.py"]


def test_nothing_is_left_for_later():
    assert complaints(checks.leftovers, [*EVERYTHING, checks.ROOT / "run"]) == []
    assert checks.leftovers("x = 1  # TO" + "DO: more")


def test_the_tools_know_the_arrows_of_the_house():
    configure()
    text = (checks.ROOT / "pyproject.toml").read_text()

    assert text.count("[[tool.importlinter.contracts]]") == 4
    assert "exhaustive = true" in text


def test_every_test_that_the_promises_name_is_there():
    promises = (checks.ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\S+\.py)::(test_\w+)`", promises)

    assert len(named) > 40
    missing = [f"{path}::{name}" for path, name in named if not _is_there(checks.ROOT / "tests" / path, name)]
    assert missing == []


def _is_there(path: Path, test: str) -> bool:
    return path.exists() and f"def {test}(" in path.read_text(encoding="utf-8")
