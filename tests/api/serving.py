"""The web server as the README starts it, on a free port."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.databases import ROOT
from tests.project import Project


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and a client of it without a token."""

    port: int
    process: subprocess.Popen[str]

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str = "") -> httpx2.Client:
        """A client with a token, or with none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Nothing is encrypted here, and reading certificates for each client is slow.
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=0)
        return httpx2.Client(
            base_url=self.address, headers=headers, trust_env=False, timeout=60, verify=False, limits=limits
        )


def readme_command() -> list[str]:
    """What stands after ExecStart for the web server."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"ExecStart=\S+/(gunicorn [^`]*)`", text)
    assert found, "the README names no command for the web server"
    return shlex.split(found[1])


@contextmanager
def served(project: Project, **env: str) -> Iterator[Server]:
    """The README's server on the project's database, until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program, *arguments = readme_command()
    arguments[arguments.index("--bind") + 1] = f"127.0.0.1:{port}"
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / program), *arguments],
        cwd=ROOT,
        env=project.env | {"PATH": "/usr/bin:/bin"} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait(port, process)
        yield Server(port, process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(f"the server ended: {process.communicate()[1][-2000:]}")
        try:
            if (
                httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=5, verify=False).status_code
                == 200
            ):
                return
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
