"""How often something may be tried, counted in the database, so that every process counts the same.

A window is a whole number of minutes since 1970. Frequent callers take a share at a time: one write for many requests.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass

from sync.models.bulk import execute, select

_TAKE = (
    "INSERT INTO sync_attempts (what, period, number) VALUES (%s, %s, %s)"
    " ON CONFLICT (what) DO UPDATE SET number = CASE WHEN sync_attempts.period = excluded.period"
    " THEN sync_attempts.number + excluded.number ELSE excluded.number END, period = excluded.period"
    " RETURNING number"
)
_READ = "SELECT number FROM sync_attempts WHERE what = %s AND period = %s"
_FORGET = "DELETE FROM sync_attempts WHERE what = %s"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` in `seconds`, counted `share` at a time."""

    name: str
    most: int
    seconds: int
    share: int = 1

    def window(self, now: float) -> int:
        """Return the number of the window that a time lies in."""
        return int(now) // self.seconds

    def seconds_left(self, now: float) -> int:
        """Return how long the window still lasts."""
        return self.seconds - int(now) % self.seconds

    def of(self, whom: str) -> str:
        """Return what is counted for somebody, as a hash: it may be an address or a user's name."""
        return self.name + ":" + hashlib.sha256(whom.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def count(limit: Limit, whom: str) -> int:
    """Count one attempt, and return how many there were in this window."""
    return _take(limit.of(whom), limit.window(time.time()), 1)


def is_over(limit: Limit, whom: str) -> bool:
    """Tell whether somebody has used up a limit, without counting."""
    rows = select(_READ, [limit.of(whom), limit.window(time.time())])
    return bool(rows) and int(rows[0][0]) >= limit.most


def clear(limit: Limit, whom: str) -> None:
    """Forget the attempts of somebody who turned out to be right."""
    execute(_FORGET, [limit.of(whom)])


class Shares:
    """What this process may still use of limits it has taken shares of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[int, int]] = {}

    def use(self, limit: Limit, whom: str) -> bool:
        """Use one; false where none is left in this window."""
        what, window = limit.of(whom), limit.window(time.time())
        with self._lock:
            known, left = self._left.get(what, (window, 0))
            if known == window and left:
                self._left[what] = (window, left - 1)
                return True
        if _take(what, window, limit.share) > limit.most:
            return False
        with self._lock:
            known, left = self._left.get(what, (window, 0))
            self._left[what] = (window, (left if known == window else 0) + limit.share - 1)
        return True


def _take(what: str, window: int, number: int) -> int:
    return int(select(_TAKE, [what, window, number])[0][0])
