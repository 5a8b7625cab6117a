"""Limits hold over processes, and a window ends."""

import time_machine

from sync.access import limits
from sync.access.limits import Limit, Shares


def test_two_processes_together_stay_within_a_limit(store_database):
    limit = Limit("requests", most=100, seconds=60, share=10)
    one, other = Shares(), Shares()

    with time_machine.travel(1_800_000_000, tick=False):
        used = sum(shares.use(limit, "token 1") for _ in range(100) for shares in (one, other))

        assert used == 100
        assert one.use(limit, "token 2")
    with time_machine.travel(1_800_000_060, tick=False):
        assert one.use(limit, "token 1")


def test_attempts_are_counted_until_the_window_ends(store_database):
    limit = Limit("login", most=3, seconds=900)

    with time_machine.travel(1_800_000_000, tick=False):
        assert [limits.count(limit, "anne") for _ in range(3)] == [1, 2, 3]
        assert limits.is_over(limit, "anne")
        assert not limits.is_over(limit, "berta")
    with time_machine.travel(1_800_000_900, tick=False):
        assert not limits.is_over(limit, "anne")


def test_attempts_name_nobody(store_database):
    limits.count(Limit("login", most=3, seconds=900), "anne@example.org")

    assert "anne" not in str(store_database.query("SELECT * FROM sync_attempts"))
