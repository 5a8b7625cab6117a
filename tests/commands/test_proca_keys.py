"""`proca_keys` as a person runs it."""

import json
import stat
from pathlib import Path

import pytest

from sync.intake.keys import load_keys
from tests.builders import KEYS, OTHER_KEYS
from tests.commands.here import run

HALVES = {public: one["private"] for store in (KEYS, OTHER_KEYS) for public, one in json.loads(store.to_text()).items()}
(OURS,), (OTHER,) = KEYS.public_keys, OTHER_KEYS.public_keys


@pytest.fixture
def path(tmp_path, settings) -> Path:
    """Where PROCA_KEYS says that the keys are; nothing is there yet."""
    settings.PROCA_KEYS = str(tmp_path / "keys.json")
    return tmp_path / "keys.json"


def rows(done):
    return [line.split("\t") for line in done.stdout.splitlines()[1:]]


def tells_nothing_private(done):
    return not any(half in done.stdout + done.stderr for half in HALVES.values())


def test_a_new_pair_is_in_the_file_and_only_its_public_half_is_told(path):
    done = run("proca_keys", "generate")

    assert done.returncode == 0, done.stderr
    (public,) = load_keys().public_keys
    assert done.stdout == public + "\n"
    assert json.loads(path.read_text())[public]["private"] not in done.stdout + done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_pair_joins_the_old_ones(path):
    path.write_text(KEYS.to_text())

    run("proca_keys", "generate")

    assert load_keys().public_keys[0] == OURS
    assert len(load_keys()) == 2


def test_the_list_shows_public_halves_and_expiry(path):
    key = {"private": HALVES[OURS], "name": "autumn\n2026", "expiredAt": "2026-09-01T00:00:00Z"}
    path.write_text(json.dumps({OURS: key, OTHER: {"private": HALVES[OTHER]}}))

    done = run("proca_keys", "list")

    assert done.returncode == 0
    assert rows(done) == [[OURS, "yes", "2026-09-01T00:00:00Z", "autumn 2026"], [OTHER, "yes", "-", "-"]]
    assert tells_nothing_private(done)


def test_a_key_that_opens_nothing_is_shown_as_such(path):
    path.write_text(json.dumps({OURS: {"private": HALVES[OURS]}, OTHER: {"private": ""}}))

    done = run("proca_keys", "list")

    assert done.returncode == 1
    assert [row[1] for row in rows(done)] == ["yes", "missing"]


def test_swapped_halves_are_not_printed(path):
    path.write_text(json.dumps({HALVES[OURS]: {"private": OURS}}))

    done = run("proca_keys", "list")

    assert done.returncode == 1
    assert rows(done) == [["(key 1)", "does not fit", "-", "-"]]
    assert tells_nothing_private(done)


def test_no_keys_are_no_error(settings):
    settings.PROCA_KEYS = ""

    assert run("proca_keys", "list").stdout == "public\tprivate\texpires\tname\n"


def test_keys_in_the_setting_itself_are_listed(settings):
    settings.PROCA_KEYS = KEYS.to_text()

    assert [row[0] for row in rows(run("proca_keys", "list"))] == [OURS]


ONE = {"id": 5, "name": "summer", "public": OTHER, "private": HALVES[OTHER], "expired": True, "expiredAt": None}


@pytest.mark.parametrize(
    "content",
    [
        {OTHER: {"private": HALVES[OTHER]}},
        ONE,
        [ONE],
        {"keys": [ONE]},
        {"data": {"generateKey": ONE}},
        {OTHER: {"private": HALVES[OTHER]}, OURS: {"private": HALVES[OURS]}},
    ],
    ids=["store", "key", "list", "keys", "answer", "known too"],
)
def test_what_proca_exports_is_imported(path, tmp_path, content):
    path.write_text(KEYS.to_text())
    (tmp_path / "more.json").write_text(json.dumps(content))

    done = run("proca_keys", "import", str(tmp_path / "more.json"))

    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 new, 2 in all\n"
    assert set(load_keys().public_keys) == {OURS, OTHER}
    assert tells_nothing_private(done)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_name_and_expiry_come_along(path, tmp_path):
    (tmp_path / "more.json").write_text(json.dumps(ONE))

    run("proca_keys", "import", str(tmp_path / "more.json"))

    assert rows(run("proca_keys", "list")) == [[OTHER, "yes", "expired", "summer"]]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({OTHER: {"private": HALVES[OURS]}}, 1),
        ([{"public": OTHER}], 1),
        ({"people": [1, 2]}, 2),
        ("not json at all", 2),
    ],
)
def test_what_is_no_key_changes_nothing(path, tmp_path, content, code):
    path.write_text(KEYS.to_text())
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "more.json").write_text(text)

    done = run("proca_keys", "import", str(tmp_path / "more.json"))

    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert path.read_text() == KEYS.to_text()
    assert tells_nothing_private(done)


@pytest.mark.parametrize("arguments", [["generate", "x"], ["import"], ["list", "x"], ["delete"], [], ["import", "/no"]])
def test_wrong_usage_is_one_line(path, arguments):
    done = run("proca_keys", *arguments)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("setting", ["", KEYS.to_text()])
def test_without_a_file_there_is_nowhere_to_write_to(settings, setting):
    settings.PROCA_KEYS = setting

    done = run("proca_keys", "generate")

    assert done.returncode == 2
    assert "PROCA_KEYS" in done.stderr
    assert tells_nothing_private(done)


def test_a_store_that_cannot_be_read_is_left_alone(path):
    path.write_text("{broken")

    done = run("proca_keys", "generate")

    assert done.returncode == 2
    assert path.read_text() == "{broken"
