"""How a running command tells where it stands."""

import io
import time

import pytest
from rich.console import Console
from rich.live import Live

from sync.management.progress import Lines, LiveLine, Rate, Silence, progress


def test_the_live_line_says_what_an_operator_asks():
    out = io.StringIO()
    with Live(console=Console(file=out, force_terminal=True, width=100), auto_refresh=False) as live:
        LiveLine(live)({"received": 12_345, "now_depth": 678, "quarantined": 2})

    assert "12,345 received" in out.getvalue()
    assert "678 waiting" in out.getvalue()
    assert "2 quarantined" in out.getvalue()


def test_a_line_each_half_minute_in_which_something_happened(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lines = Lines()

    for second in range(120):
        now[0] = float(second)
        lines({"received": min(second * 10, 450)})

    assert caplog.text.count("'event': 'progress'") == 2


@pytest.mark.parametrize(("wanted", "kind"), [(False, Silence), (None, Lines), (True, Lines)])
def test_without_a_terminal_there_is_nothing_to_redraw(wanted, kind):
    with progress(wanted) as show:
        assert isinstance(show, kind)


def test_the_rate_is_that_of_the_last_seconds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    rate = Rate()

    for second in range(1, 100):
        now[0] = float(second)
        last = rate(1_000_000 if second > 50 else second)

    assert last == 0
