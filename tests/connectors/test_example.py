"""The worked example of docs/connectors.md: a package of somebody else's, installed, found, and by the rules."""

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from sync.connectors.conformance import TRIALS, Subject
from sync.connectors.contract import Delivered
from tests.databases import ROOT
from tests.environment import environment_for_tests
from tests.fakes.pigeon import Pigeon

EXAMPLE = ROOT / "docs" / "examples" / "proca_pigeon"


@pytest.fixture(scope="module")
def pigeon():
    spec = importlib.util.spec_from_file_location("proca_pigeon", EXAMPLE / "proca_pigeon.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.connector


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
def test_it_conforms(trial, pigeon):
    trial(Subject(connector=pigeon, fake=Pigeon, values={"name": "Anne"}))


@pytest.mark.parametrize(
    ("name", "broken", "caught"),
    [
        ("_may_lift", lambda item, stop: True, "a_newer_stop_there_stays_too"),
        ("_may_lift", lambda item, stop: True, "a_stop_there_stays"),
        ("_stop", lambda there: None, "a_stop_there_stays"),
        ("_forget", lambda context, item: Delivered(), "somebody_erased_is_gone"),
        ("_meaning", lambda context, response: Delivered(), "a_web_page_is_no_success"),
        ("_meaning", lambda context, response: Delivered(), "passing_trouble_is_tried_again"),
        ("_meaning", lambda context, response: Delivered(), "one_bad_record_holds_up_nobody"),
    ],
)
def test_a_connector_that_breaks_a_rule_is_caught(pigeon, monkeypatch, name, broken, caught):
    module = pigeon.check.__globals__
    monkeypatch.setitem(module, name, broken)
    trial = next(one for one in TRIALS if one.__name__ == caught)

    with pytest.raises(AssertionError):
        trial(Subject(connector=pigeon, fake=Pigeon))


def a_wheel(folder: Path) -> Path:
    """The example as its pyproject.toml says, without asking a package index for a build backend."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    ((group, entries),) = project["entry-points"].items()
    about = f"{name}-{version}.dist-info"
    lines = [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    files = {
        "proca_pigeon.py": (EXAMPLE / "proca_pigeon.py").read_text(),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "\n".join(lines) + "\n",
        f"{about}/RECORD": "",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in files.items():
            wheel.writestr(inside, text)
    return path


def test_it_is_installed_and_found(tmp_path):
    wheel, target = a_wheel(tmp_path), tmp_path / "installed"
    with zipfile.ZipFile(wheel) as package:
        package.extractall(target)
    environment = os.environ | environment_for_tests() | {"PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    program = (
        "import django, json, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'proca_crm.settings'; django.setup();"
        "from sync.push.registry import connectors; print(json.dumps(sorted(connectors())))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    found = json.loads(done.stdout)
    assert {"webhook", "file", "pigeon"} <= set(found)


def test_one_that_does_not_load_stops_nobody(tmp_path):
    about = tmp_path / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[proca_crm.connectors]\nbroken = there_is_no_such_module:connector\n")
    environment = os.environ | environment_for_tests() | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    program = (
        "import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'proca_crm.settings'; django.setup();"
        "from sync.push.registry import connectors; print(sorted(connectors()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "webhook" in done.stdout
    assert "connector_not_loaded" in done.stderr
