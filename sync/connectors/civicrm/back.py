"""What happened in CiviCRM since a time: who left a group or all mail, whose address bounced. It has no webhooks.

A sweep reads three tables one after the other, page by page, from a little before the last sweep began; its clock is
that of CiviCRM. What we did to groups ourselves bears our mark and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sync.connectors.civicrm.api import Call, Row, ask, get, moment, zone_of
from sync.connectors.civicrm.there import TRACKING, clock_trouble, group_of, is_our_stop
from sync.connectors.contract import Context, Misconfigured, Outcome, Polled, Report
from sync.terms import ConsentKind

PAGE = 500
#: What was being written while the last sweep read is read again.
_OVERLAP = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a sweep is: it began at `until` and reads from `since` on; `after` is the last id of the table `step`."""

    since: str
    until: str = ""
    step: int = 0
    after: int = 0


class _Step(NamedTuple):
    """A table of a sweep: what is asked of it, and what its rows say."""

    call: Callable[[Mapping[str, Any], _Cursor], Call]
    read: Callable[[Context, Sequence[Row], ZoneInfo], Sequence[Report] | Outcome]


def poll(context: Context, text: str | None) -> Polled | Outcome:
    """Return the next page of what happened; without a cursor begin now."""
    zone = zone_of(context.settings)
    if zone is None:
        return Misconfigured(message="the time zone is unknown")
    cursor = _read(text)
    if cursor is None or not cursor.until:
        now = _now(context, zone)
        if not isinstance(now, str):
            return now
        if cursor is None:
            return Polled(reports=(), cursor=_text(_Cursor(since=_before(now))))
        cursor = replace(cursor, until=now)
    step = _STEPS[cursor.step]
    (rows,) = ask(context, [step.call(context.settings, cursor)], read_only=True)
    if not isinstance(rows, list):
        return rows
    reports = step.read(context, rows, zone) if rows else ()
    if not isinstance(reports, Sequence):
        return reports
    following = _following(cursor, rows)
    return Polled(reports=tuple(reports), cursor=_text(following), more=bool(following.until))


def _following(cursor: _Cursor, rows: Sequence[Row]) -> _Cursor:
    if len(rows) == PAGE:
        return replace(cursor, after=int(rows[-1]["id"]))
    if cursor.step + 1 < len(_STEPS):
        return replace(cursor, step=cursor.step + 1, after=0)
    return _Cursor(since=_before(cursor.until))


def _now(context: Context, zone: ZoneInfo) -> str | Outcome:
    me = ["id", "=", "user_contact_id"]
    (rows,) = ask(context, [get("Contact", ["NOW() AS now"], me, limit=1)], read_only=True)
    if not isinstance(rows, list):
        return rows
    if len(rows) != 1:
        return Misconfigured(message="CiviCRM does not know the key: nobody is logged in")
    now = rows[0].get("now")
    if trouble := clock_trouble(now, zone, context.now()):
        return Misconfigured(message=trouble)
    return str(now)


def _before(wall: str) -> str:
    return str(datetime.fromisoformat(wall) - _OVERLAP)


def _read(text: str | None) -> _Cursor | None:
    try:
        return _Cursor(**json.loads(text)) if text else None
    except (ValueError, TypeError):
        # Of another version of ours: begin again.
        return None


def _text(cursor: _Cursor) -> str:
    return json.dumps(asdict(cursor))


# --- Groups ------------------------------------------------------------------------------------------


def _history(_: Mapping[str, Any], cursor: _Cursor) -> Call:
    fields = ["contact_id", "group_id", "status", "date", "tracking"]
    since = ["date", ">=", cursor.since]
    return get("SubscriptionHistory", [*fields], since, ["id", ">", cursor.after], limit=PAGE)


def _from_history(context: Context, rows: Sequence[Row], zone: ZoneInfo) -> Sequence[Report] | Outcome:
    theirs = [one for one in rows if one.get("tracking") != TRACKING]
    ours = _where_we_put(context, theirs)
    if not isinstance(ours, set):
        return ours
    group = group_of(context.settings)
    told = [
        (one, kind)
        for one in theirs
        if (kind := _KINDS.get(one["status"])) is not None and _is_about_mail(one, group, ours, kind)
    ]
    emails = _emails(context, [int(one["contact_id"]) for one, _ in told])
    if not isinstance(emails, dict):
        return emails
    return [_report(kind, f"history-{one['id']}", one, moment(one["date"], zone), emails) for one, kind in told]


_KINDS = {"Removed": ConsentKind.UNSUB, "Deleted": ConsentKind.UNSUB, "Added": ConsentKind.OPT_IN}


def _is_about_mail(row: Row, group: int, ours: set[tuple[int, int]], kind: ConsentKind) -> bool:
    """Whoever left all mail, or a group that is ours or that we had put them into; only ours tells of a consent."""
    left = int(row.get("group_id") or 0)
    if kind is ConsentKind.OPT_IN:
        return left != 0 and left == group
    return left in (0, group) or (int(row["contact_id"]), left) in ours


def _where_we_put(context: Context, rows: Sequence[Row]) -> set[tuple[int, int]] | Outcome:
    ids = sorted({int(one["contact_id"]) for one in rows if one.get("group_id")})
    if not ids:
        return set()
    where = (["contact_id", "IN", ids], ["tracking", "=", TRACKING], ["status", "=", "Added"])
    (found,) = ask(context, [get("SubscriptionHistory", ["contact_id", "group_id"], *where)], read_only=True)
    if not isinstance(found, list):
        return found
    return {(int(one["contact_id"]), int(one["group_id"])) for one in found if one.get("group_id")}


# --- Addresses on hold -------------------------------------------------------------------------------


def _holds(_: Mapping[str, Any], cursor: _Cursor) -> Call:
    held, since = ["on_hold", ">", 0], ["hold_date", ">=", cursor.since]
    fields = ["contact_id", "email", "on_hold", "hold_date"]
    return get("Email", [*fields], held, since, ["contact_id", "IS NOT NULL"], ["id", ">", cursor.after], limit=PAGE)


def _from_holds(_: Context, rows: Sequence[Row], zone: ZoneInfo) -> Sequence[Report]:
    return [
        _report(
            ConsentKind.BOUNCE if int(one["on_hold"]) == 1 else ConsentKind.UNSUB,
            f"hold-{one['id']}-{one['hold_date']}",
            one,
            moment(one["hold_date"], zone),
            {int(one["contact_id"]): one["email"]},
        )
        for one in rows
    ]


# --- Contacts that want no mail ----------------------------------------------------------------------


def _opted_out(_: Mapping[str, Any], cursor: _Cursor) -> Call:
    either = ["OR", [["is_opt_out", "=", True], ["do_not_email", "=", True]]]
    since = ["modified_date", ">=", cursor.since]
    alive = ["is_deleted", "=", False]
    return get("Contact", ["email_primary.email"], either, since, alive, ["id", ">", cursor.after], limit=PAGE)


def _from_opted_out(context: Context, rows: Sequence[Row], _: ZoneInfo) -> Sequence[Report] | Outcome:
    ours = _stopped_by_us(context, [int(one["id"]) for one in rows])
    if not isinstance(ours, set):
        return ours
    # Since when, they do not say: it is news only where something else was told last.
    return [
        _report(
            ConsentKind.UNSUB,
            f"contact-{one['id']}",
            {"contact_id": one["id"]},
            None,
            {int(one["id"]): one.get("email_primary.email")},
        )
        for one in rows
        if int(one["id"]) not in ours
    ]


def _stopped_by_us(context: Context, ids: Sequence[int]) -> set[int] | Outcome:
    """Return those whose last line says that we stopped them: it may be a former contact of somebody subscribed."""
    fields, where = ["contact_id", "status", "tracking"], ["contact_id", "IN", list(ids)]
    (rows,) = ask(context, [get("SubscriptionHistory", fields, where)], read_only=True)
    if not isinstance(rows, list):
        return rows
    last = {int(one["contact_id"]): one for one in rows}
    return {who for who, line in last.items() if is_our_stop(line)}


# History first: it knows since when somebody wants no mail.
_STEPS = (_Step(_history, _from_history), _Step(_holds, _from_holds), _Step(_opted_out, _from_opted_out))


def _emails(context: Context, ids: Sequence[int]) -> dict[int, str | None] | Outcome:
    if not ids:
        return {}
    where = ["id", "IN", sorted(set(ids))]
    (rows,) = ask(context, [get("Contact", ["email_primary.email"], where)], read_only=True)
    if not isinstance(rows, list):
        return rows
    return {int(one["id"]): one.get("email_primary.email") for one in rows}


def _report(kind: ConsentKind, key: str, row: Row, at: datetime | None, emails: Mapping[int, str | None]) -> Report:
    contact = int(row["contact_id"])
    return Report(kind=kind, key=key, at=at, remote_id=str(contact), email=emails.get(contact))
