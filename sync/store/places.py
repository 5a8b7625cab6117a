"""Campaigns, pages and organisations: read what a batch touches, write what is newer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db import models

from sync.models import ActionPage, Campaign, Org, bulk
from sync.models.bulk import among, listed, select
from sync.rules.facts import Facts
from sync.rules.kept import Kept
from sync.rules.newest import canonical, given

Place = tuple[str, int]

_decode = msgspec.json.Decoder().decode
#: Fields by table; those of `_REFERENCES` hold Proca's id of another place.
_FIELDS: dict[str, tuple[str, ...]] = {
    "campaign": ("name", "title", "external_id", "contact_schema", "config", "org"),
    "page": ("name", "locale", "campaign", "org"),
    "org": ("name", "title"),
}
_JSON = frozenset({"external_id", "config"})
_MODELS: dict[str, type[models.Model]] = {"campaign": Campaign, "page": ActionPage, "org": Org}
_SQL = {
    "campaign": "SELECT id, proca_id, name, title, CAST(external_id AS text), contact_schema, CAST(config AS text),"
    " org_id, CAST(given AS text) FROM sync_campaign WHERE ",
    "page": "SELECT p.id, p.proca_id, p.name, p.locale, c.proca_id, p.org_id, CAST(p.given AS text)"
    " FROM sync_actionpage p LEFT JOIN sync_campaign c ON c.id = p.campaign_id WHERE ",
    "org": "SELECT id, id, name, title, CAST(given AS text) FROM sync_org WHERE ",
}
_KEY = {"campaign": "proca_id", "page": "p.proca_id", "org": "id"}


@dataclass(slots=True)
class ChangedPlaces:
    """Ids of rows that are new or changed, by table, and pages whose locale is another one now."""

    ids: dict[str, list[int]] = field(default_factory=dict)
    pages_of_other_locale: list[int] = field(default_factory=list)


def read_places(kept: Kept, facts: Sequence[Facts]) -> dict[Place, int]:
    """Read the places that the facts and the actions read so far name; return the ids of their rows."""
    wanted: dict[str, set[int]] = {"campaign": set(), "page": set(), "org": set()}
    for one in facts:
        for place in one.places:
            wanted[place.table].add(place.id)
    for told in kept.actions.values():
        for name, table in (("campaign", "campaign"), ("action_page", "page"), ("org", "org")):
            if (place_id := told.fields.get(name)) is not None:
                wanted[table].add(place_id)
    ids = _read(kept, "page", wanted["page"])
    pages = (kept.places[place].get("campaign") for place in ids)
    wanted["campaign"].update(campaign[4] for campaign in pages if campaign is not None)
    return ids | _read(kept, "campaign", wanted["campaign"]) | _read(kept, "org", wanted["org"])


def _read(kept: Kept, table: str, places: set[int]) -> dict[Place, int]:
    ids: dict[Place, int] = {}
    if not places:
        return ids
    for row in select(_SQL[table] + among(_KEY[table], "bigint"), [listed(places)]):
        when = _decode(row[-1])
        fields = {}
        for name, value in zip(_FIELDS[table], row[2:-1], strict=True):
            if name in when:
                at, action_id = when[name]
                fields[name] = given(at, action_id, _decode(value) if name in _JSON else value)
        kept.places[table, row[1]] = fields
        ids[table, row[1]] = row[0]
    return ids


def write_places(kept: Kept, ids: dict[Place, int]) -> ChangedPlaces:
    """Write the places that facts touched, and add the ids of new ones to `ids`."""
    changed = ChangedPlaces()
    for table in ("org", "campaign", "page"):
        touched = sorted(place for place in kept.touched_places if place[0] == table)
        new = [place for place in touched if place not in ids]
        numbers = [place[1] for place in new] if table == "org" else bulk.draw(_MODELS[table], len(new))
        ids |= dict(zip(new, numbers, strict=True))
        columns = [f"{name}_id" if name in ("campaign", "org") else name for name in _FIELDS[table]]
        before = _locales(ids, touched) if table == "page" else {}
        bulk.update(
            _MODELS[table],
            [*columns, "given"],
            [(*_row(kept, ids, place), ids[place]) for place in touched if place not in new],
        )
        keys = ["id"] if table == "org" else ["id", "proca_id"]
        bulk.insert(
            _MODELS[table],
            [*keys, *columns, "given"],
            [(*_keys(table, ids, place), *_row(kept, ids, place)) for place in new],
        )
        changed.ids[table] = [ids[place] for place in touched]
        changed.pages_of_other_locale += [
            ids[place] for place in touched if place in before and before[place] != _value(kept, place, "locale")
        ]
    return changed


def _locales(ids: dict[Place, int], touched: list[Place]) -> dict[Place, Any]:
    """The locales that known pages have so far."""
    by_id = {ids[place]: place for place in touched if place in ids}
    rows = select(f"SELECT id, locale FROM sync_actionpage WHERE {among('id', 'bigint')}", [listed(by_id)])
    return {by_id[row_id]: locale for row_id, locale in rows}


def _keys(table: str, ids: dict[Place, int], place: Place) -> tuple[int, ...]:
    return (ids[place],) if table == "org" else (ids[place], place[1])


def _value(kept: Kept, place: Place, name: str) -> Any:
    known = kept.places[place].get(name)
    return None if known is None else known[4]


def _row(kept: Kept, ids: dict[Place, int], place: Place) -> tuple[Any, ...]:
    values: list[Any] = []
    for name in _FIELDS[place[0]]:
        value = _value(kept, place, name)
        if name == "campaign" and value is not None:
            value = ids.get(("campaign", value))
        elif name in _JSON and value is not None:
            value = canonical(value)
        values.append(value)
    when = {name: [known[0], known[1]] for name, known in sorted(kept.places[place].items())}
    return (*values, canonical(when))
