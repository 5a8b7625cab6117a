"""`manage.py test` for those who type it: hands over to pytest, which has the suite."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Pytest:
    """What Django asks of a test runner, and no more."""

    def __init__(self, *, verbosity: int = 1, failfast: bool = False, pattern: str | None = None, **_: Any) -> None:
        self.options = {0: ["-q"], 1: []}.get(verbosity, ["-v"]) + (["-x"] if failfast else [])
        self.options += ["-k", pattern] if pattern else []

    @classmethod
    def add_arguments(cls, parser: Any) -> None:
        """Adds `-k`, as pytest has it."""
        parser.add_argument("-k", dest="pattern", help="only tests whose name matches")

    def run_tests(self, labels: list[str]) -> int:
        """Runs files, folders or dotted modules; the number of failures is not known, only whether."""
        if not find_spec("pytest"):
            print(
                "pytest is not installed: pip install --require-hashes -r requirements-dev.txt",
                file=sys.stderr,
            )
            raise SystemExit(2)
        command = [sys.executable, "-m", "pytest", *self.options, *map(_as_path, labels)]
        # The suite has settings of its own.
        environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _as_path(label: str) -> str:
    if "/" in label or label.endswith(".py"):
        return label
    path = label.replace(".", "/")
    return path if (ROOT / path).is_dir() else f"{path}.py"
