"""Rows as records: the names and forms that the API, exports and destinations share, said once.

A record is a flat dict in a fixed order. Beside the ids of other things stand names, so that an export stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Model, OuterRef, QuerySet, Subquery

from sync.models import Action, Campaign, Consent, Subscription, Supporter
from sync.terms import DETAILS

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: its table, its fields as (name, where they are read from), and those that only exports add.

    A field is read from the column of its own name where nothing else is said.
    """

    name: str
    model: type[Model]
    fields: dict[str, str]
    beside: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of an exported record, in order."""
        return (*self.fields, *self.beside)


def _own(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


_SUPPORTER = {"supporter_email": "supporter__email", "supporter_contact_refs": "supporter__contact_refs"}
_ORG = {"org_name": "org__name"}
_CAMPAIGN = {"campaign_name": "campaign__name"}

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "supporters",
            Supporter,
            _own(
                "id",
                "email",
                "email_status",
                "email_status_changed_at",
                *DETAILS,
                "language",
                "extra",
                "contact_refs",
                "other_emails",
                "details_given_at",
                "first_action_at",
                "last_action_at",
                "action_count",
                "created_at",
                "updated_at",
            ),
            {},
        ),
        Kind(
            "actions",
            Action,
            _own("id", "action_id")
            | {"supporter": "supporter_id", "campaign": "campaign_id", "action_page": "action_page_id", "org": "org_id"}
            | _own(
                "action_type",
                "stage",
                "testing",
                "created_at",
                "custom_fields",
                "donation",
                "dupe_rank",
                "with_consent",
                "opt_in",
                "tracking",
            ),
            _SUPPORTER | _CAMPAIGN | _ORG,
        ),
        Kind(
            "subscriptions",
            Subscription,
            {"id": "id", "supporter": "supporter_id", "org": "org_id"}
            | _own("status", "email", "status_changed_at", "source"),
            _SUPPORTER | _ORG,
        ),
        Kind(
            "consents",
            Consent,
            {"id": "id", "supporter": "supporter_id", "org": "org_id"}
            | _own("kind", "email", "occurred_at", "recorded_at", "source")
            | _own("destination", "action_id", "counts", "note"),
            _SUPPORTER | _ORG,
        ),
        Kind(
            "campaigns",
            Campaign,
            _own("id", "proca_id", "name", "title", "external_id", "contact_schema", "config") | {"org": "org_id"},
            _ORG,
        ),
    )
}

_TRACKING = ("source", "medium", "campaign", "content", "location")
_DONATION = ("amount", "currency", "frequency_unit", "schema")
#: What a field holds that is stored with only those parts that were said.
_PARTS = {"tracking": _TRACKING, "donation": _DONATION}


def records(kind: Kind, rows: QuerySet[Any], *, chunk_size: int = 2000) -> Iterator[Record]:
    """Return these rows as exported records, in the order of their ids, a chunk in memory at a time."""
    paths = kind.fields | kind.beside
    # Ordered by the key itself: pages and cursors of the database need no sort.
    found = rows.order_by("pk").values_list(*(_value(kind.model, path) for path in paths.values()))
    for values in found.iterator(chunk_size=chunk_size):
        yield {name: shown(name, value) for name, value in zip(paths, values, strict=True)}


def _value(model: type[Model], path: str) -> F | Subquery:
    """A column, or one of what a row points to; a row whose counterpart is missing must not be missing itself."""
    name, _, column = path.partition("__")
    pointer = model._meta.get_field(name)
    if not column or pointer.null:
        return F(path)
    # Where a column is never null Django joins so that the row would be left out.
    target: Any = pointer.related_model
    return Subquery(target._default_manager.filter(pk=OuterRef(f"{name}_id")).values(column))


def shown(name: str, value: Any) -> Any:
    """Return one value in the form in which a record shows it."""
    if isinstance(value, datetime):
        return time_text(value)
    if value is not None and name in _PARTS:
        return {part: value.get(part) for part in _PARTS[name]}
    return value


def time_text(moment: datetime) -> str:
    """Return a time as ISO 8601 in UTC; a fraction only where there is one."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
