"""Runs a program and measures it: its own CPU and memory, and the CPU that both servers spent on it."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.databases import ROOT, Database
from tests.environment import environment_for_tests
from tests.servers import Postgres, RabbitMQ, Server, shared

PYTHON = sys.executable
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of one program. CPU in seconds; memory is that of the largest of its processes."""

    said: dict[str, Any]
    cpu: float
    database_cpu: float
    broker_cpu: float
    peak_mb: float

    @property
    def seconds(self) -> float:
        """How long it worked by its own clock: without the start of Python or Node."""
        return float(self.said["seconds"])


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> Ran:
    """Runs a program, whose last line is JSON."""
    # What the database still had to write down before is not its fault.
    Database("postgresql", shared(Postgres).url("postgres")).query("CHECKPOINT")
    servers = (shared(Postgres), shared(RabbitMQ))
    before = [_cpu_of_server(server) for server in servers]
    said, cpu, peak = _run(command, environment or {})
    spent = [_cpu_of_server(server) - earlier for server, earlier in zip(servers, before, strict=True)]
    return Ran(said, cpu, spent[0], spent[1], peak)


def _run(command: Sequence[str], environment: dict[str, str]) -> tuple[dict[str, Any], float, float]:
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command,
            env=os.environ
            | environment_for_tests()
            | {"DJANGO_SETTINGS_MODULE": "proca_crm.settings", "LOG_LEVEL": "WARNING"}
            | environment,
            cwd=ROOT,
            stdout=out,
        )
        peak = 0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak = max([peak, *map(_peak_of, [process.pid, *_children(process.pid)])])
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        out.seek(0)
        lines = out.read().splitlines()
    if process.returncode or not lines:
        raise RuntimeError(f"{' '.join(command[:3])} … ended with {process.returncode}")
    return json.loads(lines[-1]), ended[2].ru_utime + ended[2].ru_stime, peak / 1024


def _cpu_of_server(server: Server) -> float:
    """Seconds of all its processes, those that have ended included: who started them has inherited their times."""
    return sum(map(_cpu_of, [pid := server.state["pid"], *_descendants(pid)]))


def _cpu_of(pid: int) -> float:
    """Seconds of a process and of its children that have ended."""
    with contextlib.suppress(OSError):
        # The name, in brackets, may hold blanks. After it: state, and from the twelfth on utime, stime, cutime, cstime.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


def _descendants(pid: int) -> list[int]:
    children = _children(pid)
    return children + [further for child in children for further in _descendants(child)]


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def _peak_of(pid: int) -> int:
    """How many kB a process ever had in memory. What `wait4` says would include the benchmark that started it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def say(text: str) -> None:
    """A line beside the tables, with how busy the machine is."""
    print(f"{time.strftime('%H:%M:%S')} load {os.getloadavg()[0]:.1f}  {text}", file=sys.stderr, flush=True)
