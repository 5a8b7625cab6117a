"""What a trial of a connector works with: a fake of the CRM, what stands between, and the items of one person."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sync.connectors.contract import Connector, Context, Field, Item, NoAnswer, Outcome, Request, Response, Retry
from sync.terms import Status

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
_MAY_BE_MAILED = "subscribed"


class Fake(Protocol):
    """A CRM in memory, as strict as the real one.

    `settings` are right ones. `people` maps the address of every contact to `subscribed` or to another word for each
    that is not mailed. `stop` is what a person does there. `refuse` lets every request about an address fail for good,
    with an error that quotes it. `reads_bodies` is false where any 2xx is a success. A receiver that holds no people
    has `people` None.
    """

    settings: Mapping[str, Any]
    reads_bodies: bool

    def send(self, request: Request) -> Response:
        """Answer a request."""
        ...

    @property
    def people(self) -> Mapping[str, str] | None:
        """Everybody there."""
        ...

    def stop(self, email: str, at: datetime) -> None:
        """Unsubscribe somebody there."""
        ...

    def refuse(self, email: str) -> None:
        """Refuse everything about an address."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A connector and the fake that it is tried against; `values` are mapped fields that the CRM has."""

    connector: Connector
    fake: Callable[[], Any]
    values: Mapping[str, Any] = field(default_factory=dict)


class _Between:
    """Stands between connector and fake."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake
        self.requests: list[Request] = []
        self.answers: list[Response] = []
        self.loses_answers = False
        #: Another fake of the same kind: its next answer to a writing with several results loses the last one, and
        #: what was asked for is not done.
        self.shadow: Fake | None = None

    def send(self, request: Request) -> Response:
        """Answer with trouble, where some is left; pass the request on otherwise."""
        self.requests.append(request)
        if self.answers:
            # The last one goes on for ever.
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writes = not request.read_only and request.method not in ("GET", "HEAD")
        if self.shadow is not None and writes:
            said = self.shadow.send(request)
            if (cut := _without_last(said.json())) is not None:
                self.shadow = None
                return replace(said, content=json.dumps(cut).encode())
        response = self._fake.send(request)
        if self.loses_answers and writes:
            raise NoAnswer("timeout")
        return response


def _without_last(answer: Any) -> Any:
    """An answer whose first list lost its last entry; None where there are no several results in it."""
    if isinstance(answer, list) and len(answer) > 1:
        return answer[:-1]
    for name, value in answer.items() if isinstance(answer, dict) else ():
        if (cut := _without_last(value)) is not None:
            return answer | {name: cut}
    return None


class Trying:
    """One connector, one fresh fake, and what a trial does with them."""

    def __init__(self, subject: Subject) -> None:
        self.connector, self.fake = subject.connector, subject.fake()
        self.between = _Between(self.fake)
        self.noted: list[str] = []
        self.values = subject.values
        self.context = Context(
            destination=1,
            settings={**{one.key: one.default for one in subject.connector.settings}, **self.fake.settings},
            http=self.between,
            now=lambda: NOW,
            note=lambda code, **ids: self.noted.append(f"{code} {ids}"),
            folder=getattr(self.fake, "folder", None),
        )

    def push(self, *items: Item) -> list[Outcome]:
        """Push as the engine does: a call that fails is tried again item by item."""
        found: list[Outcome] = []
        try:
            for outcome in self.connector.push(self.context, items):
                # One by one: what came before a failure is kept.
                found.append(outcome)  # noqa: PERF402
        except NoAnswer as trouble:
            return [*found, *[Retry(reason=trouble.reason)] * (len(items) - len(found))]
        except Exception as error:
            if len(items) == 1:
                raise AssertionError(f"one item alone must get an outcome, not {type(error).__name__}") from error
            return [*found, *(one for item in items[len(found) :] for one in self.push(item))]
        return found

    def person(self, name: str, number: int, **more: Any) -> Item:
        """Somebody who may be mailed."""
        email = f"{name}@example.org"
        whole: dict[str, Any] = {
            "push_id": f"1-{number}-1",
            "supporter": number,
            "email": email,
            "mailed": email,
            "fields": tuple(Field(name=key, value=value) for key, value in self.values.items()),
            "status": Status.SUBSCRIBED,
            "status_since": NOW - timedelta(days=10),
            "consented_at": NOW - timedelta(days=10),
            "consent_newer_than_remote": True,
            "record": {"id": number, "email": email},
            "subscription": {"status": str(more.get("status", Status.SUBSCRIBED))},
            **more,
        }
        return Item(**whole)

    @property
    def holds_people(self) -> bool:
        """Whether the fake can say who is there."""
        return self.fake.people is not None

    def subscribed(self) -> list[str]:
        """Addresses that the CRM mails."""
        return sorted(email for email, status in self.fake.people.items() if status == _MAY_BE_MAILED)
