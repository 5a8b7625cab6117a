"""Items through a connector, one outcome for each: halves where a call fails without a known culprit.

What a connector yields before it fails is kept. It is asked for no more than the circuit allows: after the fifth
failure in a row, a refusal for all, or a stop, the rest goes back untried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import structlog

from sync.connectors.answers import no_answer
from sync.connectors.contract import Connector, Context, Item, NoAnswer, Outcome, Retry, TooLarge

log = structlog.get_logger(__name__)


class Sent(NamedTuple):
    """What became of an item; `counts` is false where it tells no more of the destination than the one before."""

    place: int
    outcome: Outcome
    counts: bool


class Withdrawn(Exception):
    """Some of what is being sent may not be sent any more: erased, merged, or another worker's by now."""

    def __init__(self, places: frozenset[int]) -> None:
        super().__init__("withdrawn")
        self.places = places


class _Halve(Exception):
    """The batch is too large for the CRM."""


class Sender:
    """Sends one batch of one destination. `sent` tells how many requests went out so far."""

    def __init__(self, connector: Connector, context: Context, sent: Callable[[], int]) -> None:
        self._connector, self._context, self._sent = connector, context, sent
        self._withdrawn: set[int] = set()
        #: Places of what was handed to the connector: some of it may have arrived, whatever came of it.
        self.tried: set[int] = set()

    def send(self, items: Sequence[Item], size: int) -> Iterator[Sent]:
        """Yield what became of each item, but of those that were withdrawn."""
        whole = list(enumerate(items))
        parts = deque(whole[first : first + size] for first in range(0, len(whole), size))
        while parts:
            part = [one for one in parts.popleft() if one[0] not in self._withdrawn]
            if part:
                yield from self._part(part, parts)

    def _part(self, part: list[tuple[int, Item]], parts: deque[list[tuple[int, Item]]]) -> Iterator[Sent]:
        done, before = 0, -1
        self.tried |= {place for place, _ in part}
        try:
            for (place, _), outcome in zip(part, self._outcomes(part), strict=False):
                requests = self._sent()
                yield Sent(place, outcome, counts=requests != before or not requests)
                done, before = done + 1, requests
        except Withdrawn as withdrawn:
            self._withdrawn |= withdrawn.places
            parts.appendleft(part[done:])
            return
        except NoAnswer as trouble:
            yield from _all(part[done:], no_answer(trouble))
            return
        except _Halve:
            self._halve(part[done:], parts)
            return
        except Exception as error:  # noqa: BLE001 - a connector's fault, or one bad record: find which
            if len(part) - done > 1:
                self._halve(part[done:], parts)
                return
            reason = f"unexpected {type(error).__name__}"
            log.error("connector_failed", destination=self._context.destination, error=type(error).__name__)  # noqa: TRY400
            yield from _all(part[done:], Retry(reason=reason))
            return
        yield from _all(part[done:], Retry(reason="unreadable_: no result for it"))

    def _outcomes(self, part: list[tuple[int, Item]]) -> Iterator[Outcome]:
        for outcome in self._connector.push(self._context, [item for _, item in part]):
            if isinstance(outcome, TooLarge) and len(part) > 1:
                raise _Halve
            yield outcome

    @staticmethod
    def _halve(rest: list[tuple[int, Item]], parts: deque[list[tuple[int, Item]]]) -> None:
        middle = len(rest) // 2
        parts.extendleft([rest[middle:], rest[:middle]])


def _all(rest: list[tuple[int, Item]], outcome: Outcome) -> Iterator[Sent]:
    for number, (place, _) in enumerate(rest):
        yield Sent(place, outcome, counts=number == 0)
