"""What follows from an outcome: for the row, and for the destination's circuit. Pure: the time is an argument.

closed ──5 failures in a row──▶ open: state failing, nothing before blocked_until
  ▲                              │ the pause is over
  └──────── success ──── one probe ──── failure ──▶ open, twice as long, at most an hour
                                 │
failing for three days, or misconfigured ──▶ paused, until somebody resumes it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce

from sync.connectors.contract import (
    Delivered,
    Misconfigured,
    Outcome,
    Partial,
    RateLimited,
    Rejected,
    Retry,
    TooLarge,
)

#: When an item is tried again: about three days in all, then it is given up.
SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
LONGEST_AFTER = timedelta(days=1)
#: An answer that nobody can read is asked for once more, then taken for a refusal.
UNREADABLE = "unreadable_"
#: After so many failures in a row the circuit opens; the pause begins with the first and doubles up to the second.
FAILURES = 5
PAUSES = (timedelta(seconds=30), timedelta(hours=1))
GIVES_UP_AFTER = timedelta(days=3)
_RATE_PAUSES = (timedelta(seconds=60), timedelta(hours=1))
_TOO_OFTEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a row: `state`, when it is due again (null: not before it changes), what people read."""

    state: str
    due_at: datetime | None = None
    error: str = ""
    person_done: bool = False
    costs_attempt: bool = True

    @property
    def is_over(self) -> bool:
        """Whether nothing more is tried by itself."""
        return self.due_at is None


def decide(outcome: Outcome, attempts: int, now: datetime, spread: float) -> Decision:
    """Decide about an item after its nth attempt; `spread`, 0 to 1, keeps those that failed together apart."""
    match outcome:
        case Delivered():
            return Decision(state="delivered", person_done=True, error=outcome.note)
        case Partial():
            return replace(decide(outcome.rest, attempts, now, spread), person_done=outcome.person_done)
        case Rejected():
            return Decision(state="rejected", error=_told(outcome.code, outcome.message))
        case TooLarge():
            return Decision(state="rejected", error="too large")
        case RateLimited():
            return Decision(state="waiting", due_at=now, error=outcome.reason, costs_attempt=False)
        case Misconfigured():
            return Decision(state="waiting", due_at=now, error=outcome.message, costs_attempt=False)
        case Retry():
            return _later(outcome, attempts, now, spread)


def _later(retry: Retry, attempts: int, now: datetime, spread: float) -> Decision:
    unreadable = retry.reason.startswith(UNREADABLE)
    if attempts > len(SCHEDULE) or (unreadable and attempts > 1):
        return Decision(state="rejected", error=_told("gave up", retry.reason))
    pause = SCHEDULE[max(attempts, 1) - 1]
    # Between the pause and a quarter more.
    pause += pause * 0.25 * spread
    if retry.after is not None:
        # Somebody who says when is not asked before.
        pause = min(max(pause if attempts > 1 else timedelta(0), retry.after), LONGEST_AFTER)
    return Decision(state="waiting", due_at=now + pause, error=retry.reason)


def _told(code: str, message: str) -> str:
    return f"{code}: {message}" if message else code


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """How a destination stands."""

    state: str = "active"
    reason: str = ""
    since: datetime
    failures: int = 0
    failing_since: datetime | None = None
    blocked_until: datetime | None = None
    limited: int = 0

    @property
    def probes(self) -> bool:
        """Whether only one item is tried, to find out."""
        return self.failures >= FAILURES


def after(circuit: Circuit, outcomes: Sequence[Outcome], now: datetime) -> Circuit:
    """Return how a destination stands after a batch."""
    return reduce(lambda so_far, one: _after_one(so_far, one, now), map(_core, outcomes), circuit)


def _core(outcome: Outcome) -> Outcome:
    return outcome.rest if isinstance(outcome, Partial) else outcome


def _after_one(circuit: Circuit, outcome: Outcome, now: datetime) -> Circuit:
    match outcome:
        case Misconfigured():
            return paused(circuit, outcome.message, now)
        case RateLimited():
            return _limited(circuit, outcome, now)
        case Retry(of_destination=True):
            return _failed(circuit, outcome, now)
        case Delivered() | Rejected():
            return _works(circuit, now)
    return circuit


def paused(circuit: Circuit, reason: str, now: datetime) -> Circuit:
    """Return a circuit that only a person closes again."""
    if circuit.state == "paused":
        return circuit
    return replace(circuit, state="paused", reason=reason, since=now, blocked_until=None)


def _limited(circuit: Circuit, outcome: RateLimited, now: datetime) -> Circuit:
    """Wait as long as the CRM says, else a minute, and twice as long each time in a row; people see it from the third.

    A proxy whose CRM is gone says the same for ever, so this too is given up after days.
    """
    if circuit.state == "paused":
        return circuit
    since = circuit.failing_since or now
    if now - since > GIVES_UP_AFTER:
        return paused(circuit, f"no success for three days: {outcome.reason}", now)
    own = min(_RATE_PAUSES[0] * 2 ** min(circuit.limited, 10), _RATE_PAUSES[1])
    wait = own if outcome.after is None else min(outcome.after, LONGEST_AFTER)
    until = _latest(circuit.blocked_until, now + wait)
    circuit = replace(circuit, limited=circuit.limited + 1, failing_since=since, blocked_until=until)
    if circuit.limited < _TOO_OFTEN or circuit.state == "failing":
        return circuit
    return replace(circuit, state="failing", reason="it asks to be sent less, again and again", since=now)


def _failed(circuit: Circuit, outcome: Retry, now: datetime) -> Circuit:
    if circuit.state == "paused":
        return circuit
    failures, since = circuit.failures + 1, circuit.failing_since or now
    circuit = replace(circuit, failures=failures, failing_since=since)
    if failures < FAILURES:
        return circuit
    if now - since > GIVES_UP_AFTER:
        return paused(circuit, f"no success for three days: {outcome.reason}", now)
    pause = min(PAUSES[0] * 2 ** min(failures - FAILURES, 10), PAUSES[1])
    began = circuit.since if circuit.state == "failing" else now
    until = now + max(pause, min(outcome.after or timedelta(0), LONGEST_AFTER))
    return replace(circuit, state="failing", reason=outcome.reason, since=began, blocked_until=until)


def _works(circuit: Circuit, now: datetime) -> Circuit:
    if circuit.state == "failing":
        circuit = replace(circuit, state="active", reason="", since=now, blocked_until=None)
    return replace(circuit, failures=0, failing_since=None, limited=0)


def _latest(*moments: datetime | None) -> datetime | None:
    return max((one for one in moments if one is not None), default=None)


def counted(decisions: Iterable[Decision]) -> dict[str, int]:
    """Return how many of these ended how, by the words of the summary."""
    counts = {"delivered": 0, "failed": 0}
    for one in decisions:
        if one.state == "delivered":
            counts["delivered"] += 1
        elif one.costs_attempt:
            counts["failed"] += 1
    return counts
