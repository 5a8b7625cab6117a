"""Destinations as people configure them: checked against what their kind declares, secrets sealed, states changed.

The desk, the API and the command come through here; nothing else writes a destination.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from sync.access import audit
from sync.changes import feed
from sync.connectors.contract import Connector, Context, Http, Setting, SettingType
from sync.models import Delivery, Destination, DestinationState, Reported
from sync.push import audience, filling, mapping
from sync.push.addresses import sealer
from sync.push.registry import UnknownKind, connector, connectors
from sync.read import csvguard
from sync.sealing import Unsealable

#: What a secret looks like to whoever asks, and what they send back to leave it as it is.
SET = "set"
_PLAIN = ("testing", "actions", "consent_source", "on_bounce", "tags", "language")
#: What people read where the secrets cannot be opened.
SEALED = (
    "its secrets cannot be opened, for FIELD_ENCRYPTION_KEY is not the one they were sealed with: "
    "add that one behind the new one, or type the secrets again"
)
FIELDS = ("name", "kind", "org", "settings", "audience", "mapping", "batch_size", "rate_limit", "state", *_PLAIN)


class Invalid(ValueError):
    """What was given is no destination; `errors` says of each field what is wrong with it, without any value."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(sorted(errors)))
        self.errors = dict(errors)


# --- Settings ----------------------------------------------------------------------------------------


def secrets_of(destination: Destination) -> dict[str, Any]:
    """Return the secret settings in clear."""
    if not destination.secrets:
        return {}
    opened: dict[str, Any] = json.loads(sealer().open(destination.secrets))
    return opened


def settings_of(destination: Destination, kind: Connector) -> dict[str, Any]:
    """Return all settings in clear, with the defaults of the kind."""
    defaults = {one.key: one.default for one in kind.settings}
    return {**defaults, **destination.settings, **secrets_of(destination)}


def shown_settings(destination: Destination, kind: Connector) -> dict[str, Any]:
    """Return the settings as everybody may see them: of a secret only whether it is there."""
    held = _held(destination)
    return {
        one.key: (SET if held.get(one.key) else None) if one.secret else destination.settings.get(one.key, one.default)
        for one in kind.settings
    }


def context(destination: Destination, kind: Connector, http: Http, cache: dict[str, Any], **more: Any) -> Context:
    """Return what a connector is given beside items."""
    return Context(
        destination=destination.pk,
        settings=settings_of(destination, kind),
        http=http,
        now=timezone.now,
        cache=cache,
        folder=settings.EXPORT_DIR,
        cell=csvguard.cell,
        **more,
    )


# --- Making and changing -----------------------------------------------------------------------------


def create(values: Mapping[str, Any], actor: str) -> Destination:
    """Make a destination; raises `Invalid`. It is paused unless `state` says otherwise."""
    try:
        kind = connector(str(values.get("kind", "")))
    except UnknownKind:
        raise Invalid({"kind": "there is no such kind"}) from None
    destination = Destination(kind=kind.kind)
    with transaction.atomic():
        _apply(destination, kind, {"state": "paused", "settings": {}, **values}, is_new=True)
        destination.save()
        DestinationState.objects.create(destination=destination, since=timezone.now())
        audit.record(actor, "create", "destination", destination.pk)
        if values.get("state", "paused") == "active":
            resume(destination, actor)
    return destination


def change(destination: Destination, values: Mapping[str, Any], actor: str) -> Destination:
    """Change fields of a destination, those given alone; raises `Invalid`."""
    kind = connector(destination.kind)
    before = (destination.audience, destination.testing)
    with transaction.atomic():
        _apply(destination, kind, values, is_new=False)
        destination.save()
        if DestinationState.objects.filter(pk=destination.pk).exclude(state="paused").exists():
            _refuse_unchosen(destination)
        audit.record(actor, "change", "destination", destination.pk, ", ".join(sorted(values)))
        if (destination.audience, destination.testing) != before and _has_begun(destination):
            filling.begin(destination.pk, everybody=False)
        if "state" in values:
            (resume if values["state"] == "active" else pause)(destination, actor)
    return destination


def remove(destination: Destination, actor: str) -> None:
    """Delete a destination and what is known of its deliveries; what the CRM holds stays there."""
    pause(destination, actor)
    rows = Delivery.objects.filter(destination_id=destination.pk)
    while ids := list(rows.values_list("pk", flat=True)[:5_000]):
        Delivery.objects.filter(pk__in=ids).delete()
    with transaction.atomic():
        Reported.objects.filter(destination_id=destination.pk).delete()
        DestinationState.objects.filter(pk=destination.pk).delete()
        audit.record(actor, "delete", "destination", destination.pk)
        destination.delete()


def _apply(destination: Destination, kind: Connector, values: Mapping[str, Any], *, is_new: bool) -> None:
    errors = {name: "unknown field" for name in values if name not in FIELDS}
    for name, read in _READERS.items():
        if name in values or (is_new and name in ("name", "org", "settings")):
            try:
                read(destination, kind, values.get(name))
            except Invalid as invalid:
                errors |= invalid.errors
            except ValueError as error:
                errors[name] = str(error)
    if not is_new and values.get("kind", destination.kind) != destination.kind:
        errors["kind"] = "cannot be changed: make a new destination"
    if errors:
        raise Invalid(errors)
    for name in _PLAIN:
        if name in values:
            setattr(destination, name, values[name])


def _name(destination: Destination, _: Connector, value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise ValueError("a text of at most 200 characters")
    if Destination.objects.filter(name=value.strip()).exclude(pk=destination.pk).exists():
        raise ValueError("there is a destination of this name")
    destination.name = value.strip()


def _org(destination: Destination, _: Connector, value: Any) -> None:
    number = getattr(value, "pk", value)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**63:
        raise ValueError("the number of an organisation")
    destination.org_id = number


def _audience(destination: Destination, _: Connector, value: Any) -> None:
    destination.audience = audience.checked(value)


def _mapping(destination: Destination, kind: Connector, value: Any) -> None:
    if value is not None:
        mapping.checked(value, kind.modes)
    destination.mapping = value


def _batch_size(destination: Destination, kind: Connector, value: Any) -> None:
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= kind.batch_size
    ):
        raise ValueError(f"a whole number from 1 to {kind.batch_size}")
    destination.batch_size = value


def _rate_limit(destination: Destination, _: Connector, value: Any) -> None:
    # Slower than this, the lease of a batch would be over before its turn comes.
    if value is not None and not (is_number(value) and 0.1 <= value <= 10_000):
        raise ValueError("requests a second, at least 0.1")
    destination.rate_limit = value


def _tags(_: Destination, __: Connector, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError("a list of texts")


def _on_bounce(_: Destination, __: Connector, value: Any) -> None:
    if value not in ("stop", "delete"):
        raise ValueError("stop or delete")


def _flag(_: Destination, __: Connector, value: Any) -> None:
    if value is not True and value is not False:
        raise ValueError("true or false")


def _state(_: Destination, __: Connector, value: Any) -> None:
    if value not in ("paused", "active"):
        raise ValueError("paused or active")


def _settings(destination: Destination, kind: Connector, given: Any) -> None:
    """Lay given settings over those that are there. A change of the place needs the secrets again."""
    if not isinstance(given, Mapping):
        raise Invalid({"settings": "must be an object"})
    declared = {one.key: one for one in kind.settings}
    errors = {f"settings.{key}": "unknown setting" for key in given if key not in declared}
    held, plain = _held(destination), dict(destination.settings)
    fresh = {key: value for key, value in given.items() if key in declared and not _is_unchanged(declared[key], value)}
    for key, value in fresh.items():
        try:
            (held if declared[key].secret else plain)[key] = checked_setting(declared[key], value)
        except ValueError as error:
            errors[f"settings.{key}"] = str(error)
    whole = {**{one.key: one.default for one in kind.settings}, **plain, **held}
    for one in kind.settings:
        # What a check finds is chosen after it, and before it is switched on.
        if one.required and one.type is not SettingType.FOUND and whole.get(one.key) in (None, ""):
            errors.setdefault(f"settings.{one.key}", "is required")
    moved = [one.key for one in kind.settings if one.place and _is_moved(one, destination.settings, plain)]
    if moved and destination.secrets:
        missing = [one.key for one in kind.settings if one.secret and whole.get(one.key) and one.key not in fresh]
        errors |= {f"settings.{key}": "is needed again, since the place has changed" for key in missing}
    if not errors and kind.faults is not None:
        errors = {f"settings.{key}": words for key, words in kind.faults(whole).items()}
    if errors:
        raise Invalid(errors)
    destination.settings = plain
    destination.secrets = sealer().seal(json.dumps(held)) if held else ""


def _is_moved(setting: Setting, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whoever chooses for the first time moves nothing."""
    is_first = setting.type is SettingType.FOUND and before.get(setting.key) in (None, "")
    return not is_first and now.get(setting.key) != before.get(setting.key)


def unchosen(destination: Destination, kind: Connector) -> dict[str, str]:
    """Return what is still to be chosen among what a check finds, as the errors of a form."""
    found = [one for one in kind.settings if one.required and one.type is SettingType.FOUND]
    empty = [one for one in found if destination.settings.get(one.key) in (None, "")]
    return {
        f"settings.{one.key}": f"{one.title}: choose one first; check the connection to see what there is"
        for one in empty
    }


def _held(destination: Destination) -> dict[str, Any]:
    """The secrets, none where they were sealed with a key that is not there any more: they are typed again."""
    try:
        return secrets_of(destination)
    except Unsealable:
        return {}


def _is_unchanged(setting: Setting, value: Any) -> bool:
    return setting.secret and value == SET


def checked_setting(setting: Setting, value: Any) -> Any:
    """Return one setting as it is kept; raises ValueError with words that quote nothing."""
    if value is None or value == "":
        return setting.default
    match setting.type:
        case SettingType.FLAG:
            if value is not True and value is not False:
                raise ValueError("true or false")
        case SettingType.NUMBER:
            if not is_number(value):
                raise ValueError("a number")
        case SettingType.URL:
            _check_url(value)
        case SettingType.CHOICE if value not in setting.choices:
            raise ValueError(f"one of {', '.join(setting.choices)}")
        case _ if not isinstance(value, str):
            raise ValueError("a text")
    return value.strip() if isinstance(value, str) else value


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_url(value: Any) -> None:
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    else:
        if parts.username or parts.password:
            raise ValueError("an address without a login in it")
    if not is_address:
        raise ValueError("an address that begins with https:// or http://")


_READERS = {
    "name": _name,
    "org": _org,
    "settings": _settings,
    "audience": _audience,
    "mapping": _mapping,
    "batch_size": _batch_size,
    "rate_limit": _rate_limit,
    "tags": _tags,
    "on_bounce": _on_bounce,
    "testing": _flag,
    "actions": _flag,
    "consent_source": _flag,
    "state": _state,
}

# --- States ------------------------------------------------------------------------------------------


def _has_begun(destination: Destination) -> bool:
    return DestinationState.objects.filter(pk=destination.pk, position__isnull=False).exists()


def pause(destination: Destination, actor: str, reason: str = "") -> None:
    """Send nothing until it is resumed; what changes meanwhile is queued."""
    rows = DestinationState.objects.filter(pk=destination.pk).exclude(state="paused")
    if rows.update(state="paused", reason=reason, since=timezone.now(), blocked_until=None):
        audit.record(actor, "pause", "destination", destination.pk)


def resume(destination: Destination, actor: str) -> None:
    """Send. The first time everybody in the audience is queued, and changes are followed from here on.

    Raises `Invalid` where something is still to be chosen.
    """
    _refuse_unchosen(destination)
    with transaction.atomic():
        standing = DestinationState.objects.select_for_update().get(pk=destination.pk)
        is_first = standing.position is None
        if is_first:
            standing.position = str(feed.newest_id())
        standing.state, standing.reason, standing.since = "active", "", timezone.now()
        standing.failures, standing.failing_since, standing.blocked_until, standing.limited = 0, None, None, 0
        standing.save()
        audit.record(actor, "resume", "destination", destination.pk)
        if is_first:
            filling.begin(destination.pk, everybody=False)


def _refuse_unchosen(destination: Destination) -> None:
    kind = connectors().get(destination.kind)
    if kind is not None and (errors := unchosen(destination, kind)):
        raise Invalid(errors)


def resync(destination: Destination, actor: str) -> None:
    """Queue the state of everybody again, beside the daily flow. What people did is not told again."""
    with transaction.atomic():
        if _has_begun(destination):
            filling.begin(destination.pk, everybody=True)
        audit.record(actor, "resync", "destination", destination.pk)


def retry(deliveries: list[int], actor: str) -> int:
    """Try rejected deliveries again; return how many there were."""
    now = timezone.now()
    with transaction.atomic():
        rows = Delivery.objects.filter(pk__in=deliveries, state="rejected")
        actions = list(rows.filter(kind="action").values_list("destination_id", "supporter_id"))
        number = rows.exclude(kind="action").update(state="waiting", due_at=now, attempts=0)
        number += rows.filter(kind="action").update(state="waiting", attempts=0)
        for destination_id, supporter in set(actions):
            Delivery.objects.filter(
                destination_id=destination_id, supporter_id=supporter, kind="person", due_at=None
            ).update(due_at=now, state="waiting", attempts=0)
        if number:
            audit.record(actor, "retry", "delivery", note=f"{number} deliveries")
    return number
