"""`./run`: what it makes, what it says when it cannot, and the demo from end to end."""

import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import ROOT
from tests.project import run_manage


@pytest.fixture
def run(tmp_path):
    """The script as a module, for a project in an empty folder."""
    loader = importlib.machinery.SourceFileLoader("run_script", str(ROOT / "run"))
    spec = importlib.util.spec_from_loader("run_script", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    module.ROOT = tmp_path
    module.VENV = tmp_path / ".venv"
    module.PYTHON = module.VENV / "bin" / "python"
    module.STAMP = module.VENV / "installed.json"
    return module


def start(*arguments, cwd=ROOT, env=None, timeout=120):
    """`./run` as a person calls it."""
    return subprocess.run(
        [sys.executable, str(cwd / "run"), *arguments],
        cwd="/",
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


# --- Usage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--fast"], ["lint", "x"]])
def test_wrong_usage_is_exit_code_2(arguments):
    done = start(*arguments)

    assert done.returncode == 2
    assert "usage: ./run" in done.stderr


def test_help_names_the_commands():
    done = start("--help")

    assert done.returncode == 0
    assert all(word in done.stdout for word in ("demo", "test", "bench", "lint"))


def test_it_needs_only_the_standard_library():
    without_packages = [sys.executable, "-I", "-S", str(ROOT / "run"), "--help"]

    assert subprocess.run(without_packages, capture_output=True, check=False).returncode == 0


# --- What it makes -----------------------------------------------------------------------------------


def test_env_gets_new_secrets_for_its_owner_only(run, tmp_path):
    run.write_env(tmp_path / ".env")
    run.write_env(tmp_path / "other")

    lines = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert sorted(lines) == ["FIELD_ENCRYPTION_KEY", "HASH_KEY", "SECRET_KEY"]
    assert all(len(value) >= 50 for value in lines.values())
    assert len(set(lines.values())) == 3
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert (tmp_path / ".env").read_text() != (tmp_path / "other").read_text()


def test_an_env_that_is_there_is_left_alone(run, tmp_path):
    (tmp_path / ".env").write_text("SECRET_KEY=mine\n")

    run.write_env(tmp_path / ".env")

    assert (tmp_path / ".env").read_text() == "SECRET_KEY=mine\n"


def test_requirements_are_installed_once_and_again_when_they_change(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in run.DEVELOPMENT:
        (tmp_path / name).write_text("")
    calls = []
    monkeypatch.setattr(run, "call", lambda command, _env: calls.append(command) or 0)
    monkeypatch.setattr(run, "works", lambda _python: True)
    run.VENV.mkdir()

    run.prepare(run.DEVELOPMENT)
    run.prepare(run.DEVELOPMENT)
    run.prepare(run.RUNTIME)
    assert len(calls) == 1
    assert "--require-hashes" in calls[0]

    (tmp_path / "requirements.txt").write_text("# newer\n")
    run.prepare(run.RUNTIME)
    run.prepare(run.DEVELOPMENT)
    assert [call[-1] for call in calls] == [
        "requirements-dev.txt",
        "requirements.txt",
        "requirements-dev.txt",
    ]


def test_without_venv_and_virtualenv_it_says_what_to_install(run, monkeypatch, capsys):
    monkeypatch.setattr(run.sys, "executable", "/bin/false")
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(SystemExit) as ended:
        run.make_venv()

    assert ended.value.code == 2
    assert "apt-get install python3-venv" in capsys.readouterr().err


def test_half_an_environment_is_not_taken_for_one(run):
    (run.VENV / "bin").mkdir(parents=True)
    run.PYTHON.symlink_to("/nowhere/python")

    assert not run.works(run.PYTHON)


# --- Packages of the distribution --------------------------------------------------------------------


def test_the_packages_of_this_machine_are_found(run):
    assert list(run.missing_packages()) == []


def test_without_apt_it_says_what_to_install(run, monkeypatch, capsys):
    monkeypatch.setattr(run, "PACKAGES", {"chromium": ("/nowhere/chromium",)})
    monkeypatch.setattr(run.shutil, "which", lambda _name: None)

    with pytest.raises(SystemExit) as ended:
        run.install_packages()

    assert ended.value.code == 2
    assert "apt-get install chromium" in capsys.readouterr().err


def test_without_root_and_sudo_it_says_what_to_install(run, monkeypatch, capsys):
    monkeypatch.setattr(run, "PACKAGES", {"chromium": ("/nowhere/chromium",)})
    monkeypatch.setattr(run, "as_root", lambda: None)

    with pytest.raises(SystemExit) as ended:
        run.install_packages()

    assert ended.value.code == 2
    assert "as root: apt-get install chromium" in capsys.readouterr().err


def test_missing_packages_are_installed_and_named(run, tmp_path, monkeypatch, capsys):
    program = tmp_path / "chromium"
    monkeypatch.setattr(run, "PACKAGES", {"chromium": (str(program),), "openssl": ("/usr/bin/openssl",)})
    monkeypatch.setattr(run, "as_root", lambda: ["sudo"])
    calls = []
    monkeypatch.setattr(run, "call", lambda command, _env: calls.append(command) or program.touch())

    run.install_packages()

    assert calls[1][:3] == ["sudo", "apt-get", "install"]
    assert calls[1][-1] == "chromium"
    assert "installing from the distribution: chromium" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["-n", "3"]),
        (["tests/rules", "-k", "x"], ["-n", "3"]),
        (["-n0"], []),
        (["--pdb"], []),
        (["-n", "4"], []),
    ],
)
def test_two_workers_unless_somebody_wants_otherwise(run, given, expected):
    assert run.workers(given) == expected


# --- Demo --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_demo_runs_twice_and_gives_a_new_password_each_time(tmp_path):
    clone = _clone(tmp_path)

    first, second = start("demo", "--no-serve", cwd=clone), start("demo", "--no-serve", cwd=clone)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    passwords = [re.search(r"password: (\S+)", done.stdout) for done in (first, second)]
    assert all(passwords)
    assert passwords[0][1] != passwords[1][1]
    assert "http://127.0.0.1:8000/admin/" in first.stdout
    assert stat.S_IMODE((clone / ".env").stat().st_mode) == 0o600
    stored, again = (_summary(done.stdout) for done in (first, second))
    assert stored["stored"] > 0
    assert stored["quarantined"] > 0
    assert (again["stored"], again["received"]) == (0, stored["received"])


def _summary(output):
    return json.loads(next(line for line in output.splitlines() if line.startswith('{"received"')))


def _clone(folder: Path) -> Path:
    """The files of the project without what is not committed, with this environment instead of a new one."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    clone = folder / "clone"
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    return clone


def test_manage_py_test_hands_over_to_pytest():
    done = run_manage("test", "tests.proca_crm.test_settings", "-k", "healthz")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
