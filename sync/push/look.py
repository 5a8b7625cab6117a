"""How people of the audience stand in the CRM itself, before anything is sent: who is new, known, stopped there.

A large audience is asked about in part, in places all over it, and no longer than somebody waits for a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync.connectors.answers import no_answer
from sync.connectors.contract import Connector, Item, NoAnswer, Request, Response, Seen
from sync.models import Destination, Supporter
from sync.push import audience, destinations, pace, preview
from sync.push.checking import in_words
from sync.push.http import Client
from sync.sealing import Unsealable

#: Of so many people at most, from so many places of the audience.
PEOPLE = 200
_PLACES = 10
_SECONDS = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """`asked` of the `audience`: not there yet (`new`), there (`known`), and of these not mailed there (`stopped`).

    `trouble` says in one line why not all were asked who were to be; empty where they were.
    """

    audience: int
    asked: int = 0
    new: int = 0
    known: int = 0
    stopped: int = 0
    trouble: str = ""


class _ReadOnly:
    """A client that asks, keeps to the rate, and changes nothing."""

    def __init__(self, destination: Destination, kind: Connector) -> None:
        self._destination, self._kind = destination, kind
        self._client = Client(self._before_each, within=_SECONDS)

    def _before_each(self) -> None:
        pace.wait(self._destination, self._kind, most=self._client.left)

    def send(self, request: Request) -> Response:
        """Send what only reads."""
        if not request.read_only and request.method not in ("GET", "HEAD"):
            raise NoAnswer("nothing is changed in a preview", lasting=True)
        return self._client.send(request)

    @property
    def is_in_time(self) -> bool:
        """Whether there is time to ask more."""
        return self._client.left > 0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def there(destination: Destination, kind: Connector, size: int) -> There | None:
    """Ask the CRM about an audience of this size; None for a kind that cannot read."""
    if kind.look is None:
        return None
    if unchosen := destinations.unchosen(destination, kind):
        return There(audience=size, trouble=", ".join(unchosen.values()))
    client = _ReadOnly(destination, kind)
    try:
        people = preview.items(destination, kind, sample(destination, size))
        seen, trouble = _seen(destination, kind, client, people)
    except Unsealable:
        return There(audience=size, trouble=destinations.SEALED)
    finally:
        client.close()
    known = [one for one in seen if one.remote_id is not None]
    return There(
        audience=size,
        asked=len(seen),
        new=len(seen) - len(known),
        known=len(known),
        stopped=sum(one.is_stopped for one in known),
        trouble=trouble,
    )


def _seen(
    destination: Destination, kind: Connector, client: _ReadOnly, items: Sequence[Item]
) -> tuple[list[Seen], str]:
    """Return how those stand who could be asked about in time, and what was in the way of more."""
    context = destinations.context(destination, kind, client, {}, dry_run=True)
    assert kind.look is not None
    seen: list[Seen] = []
    try:
        for one in kind.look(context, items):
            if not isinstance(one, Seen):
                return seen, in_words(one)
            seen.append(one)
    except NoAnswer as trouble:
        # That the time is over is no trouble: some could be asked about.
        return seen, "" if seen and not client.is_in_time else in_words(no_answer(trouble))
    except Exception as error:  # noqa: BLE001 - a connector's fault is told, and its words are not
        return seen, f"the connector failed: {type(error).__name__}"
    return seen, ""


def sample(destination: Destination, size: int) -> list[int]:
    """Return the ids of everybody in an audience of this size, or of some all over it where it is large."""
    members = audience.members(destination).order_by("pk")
    ids = members.values_list("pk", flat=True)
    if size <= PEOPLE:
        return list(ids[:PEOPLE])
    last = Supporter.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    found: dict[int, None] = {}
    for place in range(_PLACES):
        found |= dict.fromkeys(ids.filter(pk__gt=last * place // _PLACES)[: PEOPLE // _PLACES])
    return list(found)
