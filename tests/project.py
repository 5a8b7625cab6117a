"""Runs `manage.py` as a person would: another process, settings in its environment, one database."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.databases import ROOT, Database
from tests.environment import environment_for_tests


def run_manage(
    *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120, **more: Any
) -> subprocess.CompletedProcess[str]:
    """`manage.py` with these arguments, to its end. `env` goes on top of the tests' settings."""
    return subprocess.run(
        _command(arguments),
        env=_environment(env),
        cwd=more.pop("cwd", ROOT),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **({"stdin": subprocess.DEVNULL} if "input" not in more else {}),
        **more,
    )


def start_manage(*arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
    """The same, left running: whoever starts it ends it."""
    return subprocess.Popen(
        _command(arguments),
        env=_environment(env),
        cwd=ROOT,
        text=True,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more,
    )


@dataclass(slots=True)
class Project:
    """The project as installed for one test: settings and a fresh database."""

    database: Database
    env: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def manage(
        self, *arguments: str, env: Mapping[str, str] | None = None, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return run_manage(*arguments, env=self.env | dict(env or {}), **more)

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        """Starts a command and leaves it running; it is killed at the end of the test if it still does."""
        process = start_manage(*arguments, env=self.env | dict(env or {}), **more)
        self.running.append(process)
        return process

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows from its database; `%s` for parameters."""
        return self.database.query(statement, parameters)

    def value(self, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
        """The first column of the first row."""
        return self.database.value(statement, parameters)

    def close(self) -> None:
        """Ends what still runs."""
        for process in self.running:
            process.kill()
            process.communicate()


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    return (
        dict(os.environ)
        | environment_for_tests()
        | {"DJANGO_SETTINGS_MODULE": "proca_crm.settings", "PYTHONUNBUFFERED": "1"}
        | dict(env or {})
    )
