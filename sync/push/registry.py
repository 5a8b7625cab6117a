"""Which kinds of destinations there are: ours, and those that other packages bring by the entry point of this group.

[project.entry-points."proca_crm.connectors"]
pigeon = "proca_pigeon:connector"
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

import structlog

from sync.connectors.contract import Connector

log = structlog.get_logger(__name__)

GROUP = "proca_crm.connectors"
#: Each module of `sync.connectors` that holds a `connector`.
BUILT_IN = ("webhook", "file", "civicrm", "mailchimp", "brevo", "action_network")


class UnknownKind(LookupError):
    """No connector of this kind is installed."""


@cache
def connectors() -> dict[str, Connector]:
    """Return every connector by its kind. One from elsewhere that does not load is told in the log and left out."""
    found = {one.kind: one for one in map(_built_in, BUILT_IN) if one is not None}
    for entry in entry_points(group=GROUP):
        one = _from_elsewhere(entry.name, entry.load)
        if one is not None and one.kind not in found:
            found[one.kind] = one
    return found


def connector(kind: str) -> Connector:
    """Return a connector, or raise `UnknownKind`."""
    try:
        return connectors()[kind]
    except KeyError:
        raise UnknownKind(kind) from None


def _built_in(name: str) -> Connector | None:
    try:
        module = import_module(f"sync.connectors.{name}")
    except ModuleNotFoundError:
        return None
    value: Connector | None = getattr(module, "connector", None)
    return value


def _from_elsewhere(name: str, load: object) -> Connector | None:
    try:
        value = load()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - another's package must not stop every push
        log.error("connector_not_loaded", connector=name, error=type(error).__name__)  # noqa: TRY400
        return None
    return value if isinstance(value, Connector) else None
