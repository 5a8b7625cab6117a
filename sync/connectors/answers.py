"""What answers mean: a table for each vendor before the usual reading; what matches no row is never success.

Answer(status=400, text="compliance state", means=Means.STOPPED, remote=ConsentKind.UNSUB, source="https://…")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from sync.connectors.contract import (
    Context,
    Delivered,
    Item,
    Misconfigured,
    NoAnswer,
    Outcome,
    Partial,
    RateLimited,
    Rejected,
    RemoteState,
    Response,
    Retry,
    Seen,
    TooLarge,
)
from sync.terms import ConsentKind

#: Nobody is told to wait for longer than this, whatever a header says.
LONGEST_WAIT = timedelta(days=1)


class Means(StrEnum):
    """What an answer means for an item."""

    DELIVERED = "delivered"
    RETRY = "retry"
    #: Passing trouble of the whole CRM.
    AWAY = "away"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    #: Refused because the person has left there.
    STOPPED = "stopped"
    TOO_LARGE = "too_large"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One row: a status (or the first and last of several), perhaps the vendor's code and a pattern in its text.

    `says` is what people read, in our words; `source` where the vendor documents it, or how it was seen.
    """

    status: int | tuple[int, int]
    means: Means
    source: str
    code: str = ""
    text: str = ""
    says: str = ""
    remote: ConsentKind | None = None
    after: timedelta | None = None

    def matches(self, status: int, code: str, text: str) -> bool:
        """Tell whether this row is about an answer."""
        first, last = self.status if isinstance(self.status, tuple) else (self.status, self.status)
        if not first <= status <= last or (self.code and self.code != code):
            return False
        return not self.text or re.search(self.text, text, re.IGNORECASE) is not None


_HTTP = "RFC 9110"

#: The usual reading, after a connector's own rows. 2xx is not among them: a body must be read to know.
USUAL = (
    Answer(
        status=(300, 399), means=Means.MISCONFIGURED, source=_HTTP, says="answers with a redirect; check the address"
    ),
    Answer(status=401, means=Means.MISCONFIGURED, source=_HTTP, says="check the key"),
    Answer(status=403, means=Means.MISCONFIGURED, source=_HTTP, says="the key has no permission for this"),
    Answer(status=407, means=Means.MISCONFIGURED, source=_HTTP, says="a proxy asks for a login"),
    Answer(status=408, means=Means.RETRY, source=_HTTP),
    Answer(status=410, means=Means.MISCONFIGURED, source="Standard Webhooks", says="the receiver is gone for good"),
    Answer(status=413, means=Means.TOO_LARGE, source=_HTTP),
    Answer(status=423, means=Means.RETRY, source=_HTTP),
    Answer(status=425, means=Means.RETRY, source="RFC 8470"),
    Answer(status=429, means=Means.RATE_LIMITED, source="RFC 6585"),
    Answer(status=(400, 499), means=Means.REJECTED, source=_HTTP),
    Answer(status=(500, 599), means=Means.AWAY, source=_HTTP),
)


def outcome(answers: Sequence[Answer], response: Response, now: datetime, *, code: str = "", text: str = "") -> Outcome:
    """Return what an answer means, given the vendor's code and text in it.

    A 2xx that reaches the end of the table was not understood: it is tried once more, then rejected by the engine.
    """
    row = next((one for one in (*answers, *USUAL) if one.matches(response.status, code, text)), None)
    if row is None:
        return Retry(reason=f"unreadable_{response.status}")
    return _OUTCOMES[row.means](row, response, now, code or str(response.status), text)


def _remote(row: Answer) -> RemoteState | None:
    return None if row.remote is None else RemoteState(kind=row.remote)


def _says(row: Answer, response: Response) -> str:
    words = row.says or "refused"
    target = response.headers.get("location", "") if 300 <= response.status < 400 else ""
    host = re.match(r"https?://([A-Za-z0-9.:-]+)", target)
    return f"{response.status}: {words}" + (f" (it points to {host[1]})" if host else "")


_Maker = Callable[[Answer, Response, datetime, str, str], Outcome]
_OUTCOMES: dict[Means, _Maker] = {
    Means.DELIVERED: lambda row, *_: Delivered(remote=_remote(row)),
    Means.RETRY: lambda row, response, now, code, _: Retry(
        reason=row.says or code, after=row.after or retry_after(response.headers, now)
    ),
    Means.AWAY: lambda row, response, now, code, _: Retry(
        reason=row.says or code, after=row.after or retry_after(response.headers, now), of_destination=True
    ),
    Means.RATE_LIMITED: lambda row, response, now, *_: RateLimited(
        after=row.after or retry_after(response.headers, now)
    ),
    Means.REJECTED: lambda row, _, __, code, text: Rejected(code=code, message=row.says or text, remote=_remote(row)),
    Means.STOPPED: lambda row, *_: Delivered(changed=False, remote=_remote(row), note=row.says),
    Means.TOO_LARGE: lambda *_: TooLarge(),
    Means.MISCONFIGURED: lambda row, response, *_: Misconfigured(message=_says(row, response)),
}


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Read `Retry-After`: seconds, a date, a list (its largest); at least nothing, at most a day; None for rubbish."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    waits = [wait for wait in _waits(text, now) if wait is not None]
    if not waits:
        return None
    return min(max(*waits, timedelta(0)), LONGEST_WAIT)


def _waits(text: str, now: datetime) -> Iterator[timedelta | None]:
    parts = [part.strip() for part in text.split(",")]
    if all(re.fullmatch(r"[+-]?\d+(\.\d+)?", part) for part in parts):
        for part in parts:
            yield timedelta(seconds=min(float(part[:20]), LONGEST_WAIT.total_seconds()))
        return
    yield _until(text, now)


def _until(text: str, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now


def one_by_one(push_one: Callable[[Context, Item], Outcome]) -> Callable[[Context, Sequence[Item]], Iterator[Outcome]]:
    """Return a `push` for a CRM that takes one person at a time; no answer for one does not hold up the next."""

    def push(context: Context, items: Sequence[Item]) -> Iterator[Outcome]:
        for item in items:
            try:
                yield push_one(context, item)
            except NoAnswer as trouble:
                yield no_answer(trouble)

    return push


def not_there(context: Context, fields: Iterable[str]) -> tuple[str, ...]:
    """Return the problem, if it is one, that the mapping writes to fields which a CRM with these fields has not got."""
    missing = sorted(context.mapped.difference(fields))
    return (f"the mapping names fields that are not there: {', '.join(missing)}",) if missing else ()


def look_one_by_one(
    look: Callable[[Context, Item], Seen],
) -> Callable[[Context, Sequence[Item]], Iterator[Seen | Outcome]]:
    """Return a `look` for a CRM that is asked about one person at a time; it ends with the first that fails."""

    def looked(context: Context, items: Sequence[Item]) -> Iterator[Seen | Outcome]:
        for item in items:
            try:
                yield look(context, item)
            except Failed as failed:
                yield failed.outcome
                return

    return looked


def no_answer(trouble: NoAnswer) -> Outcome:
    """Return what it means that no answer came."""
    if trouble.lasting:
        return Misconfigured(message=trouble.reason)
    return Retry(reason=trouble.reason, of_destination=True)


class Failed(Exception):
    """An answer that ends what is done for a person."""

    def __init__(self, what: Outcome) -> None:
        super().__init__("failed")
        self.outcome = what


def with_actions(person: Delivered, told: Iterator[str]) -> Outcome:
    """Return a person with the keys of the actions that are told of them; what came before a failure is kept."""
    done: list[str] = []
    try:
        for key in told:
            done.append(key)  # noqa: PERF402 - what came before a failure is kept
    except (Failed, NoAnswer) as trouble:
        return partly(trouble, person, tuple(done))
    return replace(person, actions_done=tuple(done))


def partly(
    trouble: Failed | NoAnswer, person: Delivered, done: tuple[str, ...] = (), *, person_done: bool = True
) -> Outcome:
    """Return what a failure leaves: what is done of a person, and what is to be tried again."""
    rest = trouble.outcome if isinstance(trouble, Failed) else no_answer(trouble)
    if not isinstance(rest, Retry | RateLimited | Rejected | Misconfigured):
        return rest
    return Partial(
        rest=rest, person_done=person_done, remote_id=person.remote_id, actions_done=done, remote=person.remote
    )
