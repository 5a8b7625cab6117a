"""Whether a connection works, in our words: as whom, what there is to choose from, or what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sync.connectors.answers import no_answer
from sync.connectors.contract import (
    Checked,
    Connector,
    Misconfigured,
    NoAnswer,
    Outcome,
    RateLimited,
    Rejected,
    Request,
    Response,
)
from sync.models import Destination, DestinationState
from sync.push import destinations, mapping, pace
from sync.push.http import Client
from sync.push.registry import connector
from sync.sealing import Unsealable


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`says` is one line; `found` what people may choose, by name: [{"id", "title"}]; `status` the last HTTP status."""

    works: bool
    says: str
    found: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    status: int | None = None


#: Somebody waits for the page.
_SECONDS = 25.0


class _Watching:
    """A client that keeps to the rate and remembers the last status: it is told, the body never."""

    def __init__(self, destination: Destination, kind: Connector) -> None:
        self._destination, self._kind = destination, kind
        self._client = Client(self._before_each, within=_SECONDS)
        self.status: int | None = None

    def _before_each(self) -> None:
        pace.wait(self._destination, self._kind, most=self._client.left)

    def send(self, request: Request) -> Response:
        """Send a request."""
        response = self._client.send(request)
        self.status = response.status
        return response

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def check(destination: Destination) -> Result:
    """Ask the CRM, and keep what was found for people to choose from."""
    kind = connector(destination.kind)
    client = _Watching(destination, kind)
    try:
        mapped = frozenset(one.target for one in mapping.of(destination.mapping, kind))
        context = destinations.context(destination, kind, client, {}, dry_run=True, mapped=mapped)
        answer = kind.check(context)
    except NoAnswer as trouble:
        answer = no_answer(trouble)
    except Unsealable:
        return Result(works=False, says=destinations.SEALED)
    except Exception as error:  # noqa: BLE001 - a connector's fault is told, and its words are not
        return Result(works=False, says=f"the connector failed: {type(error).__name__}", status=client.status)
    finally:
        client.close()
    if not isinstance(answer, Checked):
        return Result(works=False, says=in_words(answer), status=client.status)
    found = {name: [{"id": one.id, "title": one.title} for one in choices] for name, choices in answer.found.items()}
    DestinationState.objects.filter(pk=destination.pk).update(found=found)
    return Result(
        works=not answer.problems, says=answer.identity, found=found, problems=answer.problems, status=client.status
    )


def in_words(answer: Outcome) -> str:
    """Return what an answer that is no success says to whoever asked."""
    if isinstance(answer, Misconfigured):
        return answer.message
    if isinstance(answer, RateLimited):
        return "the CRM asks for less: try again later"
    if isinstance(answer, Rejected):
        return f"refused ({answer.code})"
    return f"no answer that helps: {getattr(answer, 'reason', 'try again')}"


def as_record(result: Result) -> dict[str, Any]:
    """Return a result as a record."""
    return {
        "works": result.works,
        "detail": result.says,
        "status": result.status,
        "found": result.found,
        "problems": list(result.problems),
    }
