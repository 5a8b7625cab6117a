"""Several worker processes as one: one stop, one summary, and a death that somebody notices."""

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest

from sync import processes
from sync.processes import Aside, Failed, Stop, Workers
from tests.databases import ROOT
from tests.servers import alive, wait_until


def workers(count, work, stop=None, notice=lambda event, **more: None) -> Any:
    return Workers(count, work, stop=stop or Stop(), notice=notice)


def test_what_all_workers_counted_is_added_up():
    def work(number, tell):
        tell({"received": 1, "now_depth": 5})
        return {"received": 10 + number}

    assert workers(3, work).run() == {"received": 33}


def test_a_worker_tells_where_it_stands():
    seen: list[Any] = []

    def work(number, tell):
        tell({"received": 4, "now_depth": 9})
        time.sleep(1.5)
        return {"received": 5}

    workers(2, work).run(seen.append)

    assert {"received": 8, "now_depth": 18} in seen


def test_a_worker_that_dies_is_noticed_and_replaced(tmp_path):
    first = tmp_path / "first"
    noticed = []

    def work(number, tell):
        tell({"received": 3, "now_depth": 7})
        if not first.exists():
            first.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"received": 4}

    numbers = workers(1, work, notice=lambda event, **more: noticed.append((event, more))).run()

    assert numbers == {"received": 7}
    ((event, more),) = noticed
    assert (event, more["exit_code"]) == ("worker_died", -signal.SIGKILL)


def test_what_one_worker_cannot_do_ends_all(tmp_path):
    def work(number, tell):
        if number == 1:
            raise Failed("the queue does not exist")
        while not stop.asked:
            time.sleep(0.01)
        (tmp_path / f"stopped-{number}").touch()
        return {}

    with Stop().on_signals() as stop, pytest.raises(Failed, match="the queue does not exist"):
        workers(3, work, stop).run()

    assert {path.name for path in tmp_path.iterdir()} == {"stopped-0", "stopped-2"}


PROGRAM = r"""
    import json, os, sys, time
    from sync.processes import Stop, Workers

    def work(number, tell):
        os.write(1, b"%d\n" % os.getpid())
        while not stop.asked:
            tell({"received": 1})
            time.sleep(0.05)
        return {"received": 1, "ended": 1}

    with Stop().on_signals() as stop:
        numbers = Workers(3, work, stop=stop, notice=lambda event, **more: print(event, flush=True)).run()
    print(json.dumps(numbers), flush=True)
"""


@pytest.fixture
def program() -> Any:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def pids_of(program, count=3) -> Any:
    return [int(program.stdout.readline()) for _ in range(count)]


def test_a_worker_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(processes, "_PATIENCE", 0.3)

    def work(number, tell):
        if number == 1:
            raise Failed("the queue does not exist")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        return {}

    begun = time.monotonic()
    with pytest.raises(Failed, match="the queue does not exist"):
        workers(2, work).run()

    assert time.monotonic() - begun < 30


def test_who_was_started_by_hand_goes_on_when_the_shell_is_gone(tmp_path):
    program = f"""
        import os, pathlib, time
        from sync.processes import Stop
        stop, shell, here = Stop(), os.getppid(), pathlib.Path({str(tmp_path)!r})
        (here / "ready").touch()
        while os.getppid() == shell:
            time.sleep(0.01)
        (here / "asked").write_text(str(stop.asked))
    """
    command = f"{sys.executable} -c {shlex.quote(textwrap.dedent(program))} &"

    subprocess.run(["sh", "-c", f"{command} until [ -e {tmp_path}/ready ]; do sleep 0.1; done"], cwd=ROOT, check=True)

    wait_until((tmp_path / "asked").exists, "its word", 20)
    assert wait_until((tmp_path / "asked").read_text, "its word", 5) == "False"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_stops_all(program, number):
    pids = pids_of(program)

    program.send_signal(number)
    out, _ = program.communicate(timeout=10)

    assert json.loads(out.splitlines()[-1]) == {"received": 3, "ended": 3}
    assert program.returncode == 0
    assert not any(map(alive, pids))


def test_workers_do_not_outlive_their_parent(program):
    pids = pids_of(program)

    program.kill()

    wait_until(lambda: not any(map(alive, pids)), "the end of all workers", 10)


def test_a_killed_worker_is_followed_by_another(program):
    pids = pids_of(program)

    os.kill(pids[0], signal.SIGKILL)

    assert program.stdout.readline() == "worker_died\n"
    (another,) = pids_of(program, 1)
    assert another not in pids
    program.terminate()
    assert json.loads(program.communicate(timeout=10)[0].splitlines()[-1])["ended"] == 3


def test_a_stop_is_heard_while_waiting():
    stop = Stop()
    stop.ask()
    begun = time.monotonic()

    assert stop.wait(60)
    assert time.monotonic() - begun < 1


def test_a_call_aside_gives_back_what_it_raised():
    aside = Aside("test")

    task = aside.start(lambda: 1 / 0)
    task.over.wait(5)

    with pytest.raises(ZeroDivisionError):
        task.result()
    assert aside.start(lambda: 5).over.wait(5)
    aside.close(1)
