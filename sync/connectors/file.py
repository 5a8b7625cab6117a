"""Files below EXPORT_DIR that grow by a line for each change: NDJSON with the messages of a webhook, or CSV.

    NAME.ndjson                              every message
    NAME.supporters.csv, NAME.actions.csv    one line for each, the columns stable, the header once

A line may come again after a crash, with the same `push_id`. Who is to be forgotten gets a line that says so; the lines
from before are the operator's to delete.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

from sync.connectors.contract import (
    Checked,
    Connector,
    Context,
    Delivered,
    Feature,
    FindsBy,
    Item,
    Misconfigured,
    Outcome,
    Request,
    Setting,
    SettingType,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PERSON = (
    "push_id",
    "type",
    "at",
    "id",
    "merged_ids",
    "status",
    "status_changed_at",
    "subscription_email",
    "email",
    "email_status",
    "first_name",
    "last_name",
    "phone",
    "birth_date",
    "street",
    "street_number",
    "postcode",
    "locality",
    "region",
    "country",
    "area",
    "language",
    "contact_refs",
    "other_emails",
    "action_count",
    "first_action_at",
    "last_action_at",
)
_ACTION = (
    "push_id",
    "at",
    "supporter",
    "subscription_status",
    "action_id",
    "action_type",
    "created_at",
    "campaign_name",
    "org",
    "testing",
    "custom_fields",
    "donation",
    "tracking",
)


class _Line(NamedTuple):
    """One line: of a person or of an action, as a record with a column for each of its keys."""

    about: str
    record: Mapping[str, Any]


def _lines(context: Context, item: Item) -> Iterator[_Line]:
    at = context.now().astimezone(UTC).isoformat().replace("+00:00", "Z")
    merged = list(item.merged_ids)
    if item.erase:
        erased = {"push_id": item.push_id, "type": "supporter.erased", "at": at, "id": item.supporter}
        yield _Line("supporters", erased | {"merged_ids": merged})
        return
    subscription = item.subscription or {}
    if item.is_due:
        shown = {
            "status": subscription.get("status"),
            "status_changed_at": subscription.get("status_changed_at"),
            "subscription_email": subscription.get("email"),
        }
        changed = {"push_id": item.push_id, "type": "supporter.changed", "at": at, "merged_ids": merged}
        yield _Line("supporters", changed | shown | dict(item.record))
    for action in item.actions:
        told = {"type": "action.recorded", "at": at, "supporter": item.supporter}
        told |= {"push_id": f"{context.destination}-action-{action.key}"}
        yield _Line("actions", dict(action.record) | told | {"subscription_status": subscription.get("status")})


# --- Writing -----------------------------------------------------------------------------------------


def _push(context: Context, items: Sequence[Item]) -> Sequence[Outcome]:
    if isinstance(folder := _folder(context), Misconfigured):
        return [folder] * len(items)
    lines = [line for item in items for line in _lines(context, item)]
    try:
        _write(context, folder, lines)
    except OSError as error:
        return [Misconfigured(message=f"the file cannot be written: {error.strerror}")] * len(items)
    return [Delivered(actions_done=tuple(action.key for action in item.actions)) for item in items]


def _folder(context: Context) -> Path | Misconfigured:
    if context.folder is None:
        return Misconfigured(message="EXPORT_DIR is not set")
    if not context.folder.is_dir():
        return Misconfigured(message="EXPORT_DIR is no folder")
    return context.folder


def _write(context: Context, folder: Path, lines: Sequence[_Line]) -> None:
    name = context.settings["name"]
    if context.settings["format"] == "ndjson":
        _append(folder / f"{name}.ndjson", "", "".join(_json(line.record) for line in lines))
        return
    for about, columns in (("supporters", _PERSON), ("actions", _ACTION)):
        rows = [_row(context, line.record, columns) for line in lines if line.about == about]
        if rows:
            _append(folder / f"{name}.{about}.csv", _csv([list(columns)]), _csv(rows))


def _row(context: Context, record: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    # One line of the file for each row: what a crash has torn is found by its end.
    return [" ".join(context.cell(record.get(column)).splitlines()) for column in columns]


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _append(path: Path, header: str, text: str) -> None:
    """Append and see it on the disk. A line that a crash has torn is taken back first: it comes again."""
    with _locked(path) as descriptor:
        size = _whole(descriptor)
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        data = ((header if size == 0 else "") + text).encode()
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _whole(descriptor: int) -> int:
    """Return the size up to the end of the last whole line."""
    size = os.fstat(descriptor).st_size
    step = 65_536
    while size:
        first = max(size - step, 0)
        block = os.pread(descriptor, size - first, first)
        if (end := block.rfind(b"\n")) >= 0:
            return first + end + 1
        size = first
    return 0


# --- The rest ----------------------------------------------------------------------------------------


def _check(context: Context) -> Checked | Outcome:
    folder = _folder(context)
    if isinstance(folder, Misconfigured):
        return folder
    if not os.access(folder, os.W_OK):
        return Misconfigured(message="EXPORT_DIR cannot be written to")
    return Checked(identity="the folder can be written to")


def _preview(context: Context, item: Item) -> Sequence[Request]:
    content = "".join(_json(line.record) for line in _lines(context, item))
    return [Request(method="APPEND", url=f"file:{context.settings['name']}", content=content.encode())]


def _faults(settings: Mapping[str, Any]) -> dict[str, str]:
    name = settings.get("name") or ""
    return {} if _NAME.fullmatch(name) else {"name": "letters, digits, dots, dashes and underscores, no path"}


connector = Connector(
    kind="file",
    title="File (CSV or NDJSON)",
    summary="Lines for each change, in files below EXPORT_DIR that other programs pick up.",
    settings=(
        Setting(key="name", title="Name", place=True, help="Of the file, without a path; it lies below EXPORT_DIR."),
        Setting(
            key="format", title="Format", type=SettingType.CHOICE, choices=("csv", "ndjson"), default="csv", place=True
        ),
    ),
    features=frozenset(
        {
            Feature.CONTACTS,
            Feature.SUBSCRIPTIONS,
            Feature.ACTIONS,
            Feature.DONATIONS,
            Feature.CAMPAIGNS,
            Feature.ERASE,
        }
    ),
    push=_push,
    check=_check,
    preview=_preview,
    faults=_faults,
    finds_by=FindsBy.OUR_ID,
    batch_size=500,
)
