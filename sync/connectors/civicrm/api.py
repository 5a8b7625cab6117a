"""APIv4 as it is spoken: several calls in one request, a result for each, and what its errors mean.

Every error of CiviCRM itself is a JSON object, mostly with the status 500; an error of its server is a page. Without
the permission `view debug output` the object hides the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.connectors.answers import Answer, Means, outcome
from sync.connectors.contract import Context, Misconfigured, Outcome, Partial, Request, Response, Retry, form_request

PATH = "civicrm/ajax/api4"
_PAGE = "https://github.com/civicrm/civicrm-core/blob/master/CRM/Api4/Page/AJAX.php"
_SEEN = "seen on 6.18"
#: The code of an error that CiviCRM itself tells, in JSON.
TOLD = "told"

ANSWERS = (
    Answer(
        status=403,
        code=TOLD,
        text="ACL check failed",
        means=Means.REJECTED,
        source="https://github.com/civicrm/civicrm-core/blob/master/Civi/Api4/Generic/AbstractSaveAction.php",
        says="the key may not change this contact",
    ),
    Answer(status=403, means=Means.MISCONFIGURED, source=_PAGE, says="the key lacks a permission"),
    Answer(
        status=400,
        code=TOLD,
        text="SECURITY ALERT",
        means=Means.MISCONFIGURED,
        source=_PAGE,
        says="the header X-Requested-With does not arrive",
    ),
    Answer(status=404, means=Means.MISCONFIGURED, source=_SEEN, says="there is no APIv4 at this address"),
    Answer(status=405, means=Means.MISCONFIGURED, source=_PAGE, says="something turns POST into GET on the way"),
    Answer(
        status=500,
        code=TOLD,
        text=r"API \(.*\) does not exist",
        means=Means.MISCONFIGURED,
        source=_SEEN,
        says="this CiviCRM has not got that entity: is its component switched on?",
    ),
    Answer(
        status=500,
        code=TOLD,
        text="(unknown|invalid) (api )?field",
        means=Means.MISCONFIGURED,
        source=_SEEN,
        says="a field of the mapping does not exist there",
    ),
    Answer(
        status=500,
        code=TOLD,
        text="already exists|deadlock|lock wait",
        means=Means.RETRY,
        source=_SEEN,
        says="somebody else was writing the same",
    ),
    Answer(
        status=500,
        code=TOLD,
        text="DB Error",
        means=Means.RETRY,
        source=_SEEN,
        says="unreadable_500: a database error of CiviCRM, it does not say which",
    ),
    Answer(
        status=500,
        code=TOLD,
        text="your request was not completed",
        means=Means.RETRY,
        source=_PAGE,
        says="unreadable_500: CiviCRM hides the reason; the permission view debug output shows it",
    ),
    Answer(status=500, code=TOLD, means=Means.REJECTED, source=_SEEN),
)

Row = dict[str, Any]


class Call(NamedTuple):
    """One call of the API."""

    entity: str
    action: str
    params: Mapping[str, Any]


def get(entity: str, select: Sequence[str], *where: Any, order: str = "id", limit: int = 0) -> Call:
    """Return a call that reads, the id among the rest; without a limit it reads all."""
    return Call(
        entity, "get", {"select": ["id", *select], "where": list(where), "orderBy": {order: "ASC"}, "limit": limit}
    )


def save(entity: str, record: Mapping[str, Any], *match: str, **more: Any) -> Call:
    """Return a call that writes one record; `match` names the fields by which it is found again."""
    return Call(entity, "save", {"records": [dict(record)], **({"match": list(match)} if match else {}), **more})


# --- Asking ------------------------------------------------------------------------------------------


def requests(context: Context, calls: Sequence[Call], *, read_only: bool = False) -> list[Request]:
    """Return what is sent for these calls: one request, or one for each where a firewall wants them so."""
    if context.settings.get("one_by_one"):
        return [
            _request(context, f"/{one.entity}/{one.action}", {"params": _text(one.params)}, read_only) for one in calls
        ]
    return [_request(context, "", {"calls": _text([list(one) for one in calls])}, read_only)]


def _request(context: Context, path: str, form: Mapping[str, str], read_only: bool) -> Request:
    settings = context.settings
    base = settings["url"].rstrip("/")
    base = base if PATH in base else f"{base}/{PATH}"
    headers = {"x-civi-auth": f"Bearer {settings['key']}", "x-requested-with": "XMLHttpRequest"}
    if settings.get("site_key"):
        headers["x-civi-key"] = settings["site_key"]
    return replace(form_request("POST", base + path, form, headers), read_only=read_only)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def ask(context: Context, calls: Sequence[Call], *, read_only: bool = False) -> list[list[Row] | Outcome]:
    """Return for each call its rows, or what its failure means."""
    if not calls:
        return []
    sent = requests(context, calls, read_only=read_only)
    now = context.now()
    if len(sent) == 1 and not context.settings.get("one_by_one"):
        return _bundle(context.http.send(sent[0]), calls, now)
    return [_one(call, context.http.send(request), now, single=True) for call, request in zip(calls, sent, strict=True)]


def _bundle(response: Response, calls: Sequence[Call], now: datetime) -> list[list[Row] | Outcome]:
    body = response.json()
    # Where every call failed the status is that of the first, and the list is there all the same.
    if isinstance(body, list) and len(body) == len(calls):
        return [_one(call, response, now, entry) for call, entry in zip(calls, body, strict=True)]
    return [_failure(calls[0], response, body, now)] * len(calls)


def _one(
    call: Call, response: Response, now: datetime, entry: Any = None, *, single: bool = False
) -> list[Row] | Outcome:
    body = response.json() if single else entry
    values = body.get("values") if isinstance(body, dict) else None
    if response.is_success and isinstance(values, list):
        return [one for one in values if isinstance(one, dict)]
    return _failure(call, response, body, now)


def _failure(call: Call, response: Response, body: Any, now: datetime) -> Outcome:
    text = body.get("error_message") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return outcome(ANSWERS, response, now)
    # Beside a call that succeeded, one that failed comes with 200 and tells its own status, or none.
    status = body.get("status")
    if not isinstance(status, int) or status < 400:
        status = 500 if response.is_success else response.status
    told = outcome(ANSWERS, replace(response, status=status), now, code=TOLD, text=text)
    if isinstance(told, Misconfigured):
        return Misconfigured(message=f"{told.message} ({call.entity}.{call.action})")
    return told


def is_page(answer: Outcome) -> bool:
    """Tell whether a page with the status 500 came instead of an answer: one record may have stopped the server."""
    core = answer.rest if isinstance(answer, Partial) else answer
    return isinstance(core, Retry) and core.reason == "500"


# --- Times -------------------------------------------------------------------------------------------


def zone_of(settings: Mapping[str, Any]) -> ZoneInfo | None:
    """Return the time zone that the CRM writes its times in; None where there is no such one."""
    try:
        return ZoneInfo(settings.get("timezone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def moment(text: Any, zone: ZoneInfo) -> datetime | None:
    """Return a time of theirs; of an hour that came twice the later one, since a stop is not to seem older."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone, fold=1).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def wall(at: datetime, zone: ZoneInfo) -> str:
    """Return a time as they write it."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
