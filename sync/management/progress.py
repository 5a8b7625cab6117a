"""How a running command tells where it stands: one live line on a terminal, elsewhere a log line at times."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from rich.console import Console
from rich.live import Live
from rich.text import Text

from sync.processes import Numbers

log = structlog.get_logger(__name__)

_SECONDS_BETWEEN_LINES = 30.0
#: The rate is that of the last seconds, not of the whole run.
_SECONDS_OF_RATE = 10.0


class Silence:
    """Tells nothing."""

    def __call__(self, numbers: Numbers) -> None:
        """Forget it."""


class Lines:
    """A log line each half minute in which something happened."""

    def __init__(self) -> None:
        self._rate = Rate()
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._told: float = 0

    def __call__(self, numbers: Numbers) -> None:
        """Tell, when it is time and there is news."""
        rate = self._rate(numbers.get("received", 0))
        if time.monotonic() < self._next or numbers.get("received", 0) == self._told:
            return
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._told = numbers.get("received", 0)
        waiting = numbers.get("now_depth")
        log.info(
            "progress",
            received=int(self._told),
            a_second=round(rate),
            waiting=None if waiting is None else int(waiting),
            quarantined=int(numbers.get("quarantined", 0)),
        )


class LiveLine:
    """One line that changes in place."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._rate = Rate()

    def __call__(self, numbers: Numbers) -> None:
        """Show the numbers of this second."""
        rate = self._rate(numbers.get("received", 0))
        parts = [f"{numbers.get('received', 0):,.0f} received", f"{rate:,.0f}/s"]
        if "now_depth" in numbers:
            parts.append(f"{numbers['now_depth']:,.0f} waiting")
        line = Text("  ".join(parts), style="bold")
        quarantined = numbers.get("quarantined", 0)
        line.append(f"  {quarantined:,.0f} quarantined", style="bold red" if quarantined else "dim")
        self._live.update(line, refresh=True)


class Rate:
    """Messages a second, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque([(time.monotonic(), 0)])

    def __call__(self, received: float) -> float:
        """Return the rate now that so many were received."""
        now = time.monotonic()
        self._seen.append((now, received))
        while len(self._seen) > 2 and now - self._seen[0][0] > _SECONDS_OF_RATE:
            self._seen.popleft()
        since, before = self._seen[0]
        return (received - before) / (now - since) if now > since else 0.0


@contextmanager
def progress(wanted: bool | None) -> Iterator[Silence | Lines | LiveLine]:
    """Choose how to tell: as `wanted`, and where nobody said, live on a terminal and by lines elsewhere."""
    if wanted is False:
        yield Silence()
    elif sys.stderr.isatty():
        with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
            yield LiveLine(live)
    else:
        yield Lines()
