"""The form of a destination, built from what its kind declares; secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from sync.models import Destination, Org
from sync.push import audience, destinations
from sync.push.registry import connector

_SETTING = "setting_"
_WHO = {
    "subscribed": "who is subscribed",
    "consented": "who asked for mail, confirmed or not",
    "everyone": "everyone",
}
_LISTS = ("campaigns", "action_types", "countries")
_MODES = ("overwrite", "only_if_new", "only_if_empty", "append")
_MAPPING_HELP = (
    "A line for each field: first_name -> FNAME, perhaps with a mode behind it (overwrite, only_if_new, only_if_empty, "
    "append). first_action. and last_action. lead fields of actions. Empty: the kind's own."
)


class DestinationForm(forms.Form):
    """Everything that people say of a destination."""

    name = forms.CharField(widget=UnfoldAdminTextInputWidget, max_length=200)
    org = forms.ChoiceField(label="Organisation", widget=UnfoldAdminSelectWidget)
    who = forms.ChoiceField(
        label="Who is sent",
        choices=list(_WHO.items()),
        widget=UnfoldAdminSelectWidget,
        help_text="Whoever was sent once stays followed: stops, changed addresses and erasures reach them.",
    )
    campaigns = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Names, comma separated; empty: all."
    )
    action_types = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Such as petition, donate; empty: all."
    )
    countries = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Such as FR, DE; empty: all."
    )
    actions = forms.BooleanField(
        label="Send what people did", required=False, initial=True, widget=UnfoldBooleanSwitchWidget
    )
    testing = forms.BooleanField(
        label="For trying out",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Gets testing people and actions too.",
    )
    consent_source = forms.BooleanField(
        label="People give consent there",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="What it reports as subscribed is a new opt-in.",
    )
    on_bounce = forms.ChoiceField(
        label="When an address does not work",
        choices=[("stop", "stop mail there"), ("delete", "delete the contact there")],
        widget=UnfoldAdminSelectWidget,
    )
    mapping = forms.CharField(
        label="Fields", required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}), help_text=_MAPPING_HELP
    )
    tags = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Comma separated; everybody sent gets them."
    )
    language = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Sent where a person has none."
    )
    batch_size = forms.IntegerField(required=False, min_value=1, widget=UnfoldAdminIntegerFieldWidget)
    rate_limit = forms.FloatField(
        label="Requests a second",
        required=False,
        min_value=0.1,
        widget=UnfoldAdminTextInputWidget,
        help_text="Below the kind's own limit.",
    )

    def __init__(self, kind: str, data: Any = None, destination: Destination | None = None) -> None:
        super().__init__(data, initial=_initial(destination) if destination is not None else None)
        self._kind = connector(kind)
        self._destination = destination
        orgs = Org.objects.order_by("pk").defer("given")[:500]
        field = self.fields["org"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(one.pk), f"{one} ({one.pk})") for one in orgs]
        self._add_settings()

    def _add_settings(self) -> None:
        held = destinations.shown_settings(self._destination, self._kind) if self._destination is not None else {}
        found = self._destination.standing.found if self._destination is not None else {}
        rest = dict(self.fields)
        self.fields.clear()
        for name in ("name", "org"):
            self.fields[name] = rest.pop(name)
        for one in self._kind.settings:
            self.fields[_SETTING + one.key] = _setting(one, held.get(one.key, one.default), found.get(one.among, ()))
        self.fields.update(rest)
        if self._kind.batch_size == 1:
            del self.fields["batch_size"]

    def values(self) -> dict[str, Any]:
        """Return what was given, as `push.destinations` takes it; raises ValueError for a mapping that is none."""
        given = self.cleaned_data
        return {
            "name": given["name"],
            "org": int(given["org"]),
            "settings": self._settings(given),
            "audience": {"who": given["who"], **{name: _words(given[name]) for name in _LISTS}},
            **{name: given[name] for name in ("actions", "testing", "consent_source", "on_bounce")},
            "mapping": mapping_of(given["mapping"]),
            "tags": _words(given["tags"]),
            "language": given["language"] or None,
            "batch_size": given.get("batch_size"),
            "rate_limit": given["rate_limit"],
        }

    def _settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """An empty secret is one that nobody typed: it stays."""
        found = {one.key: given.get(_SETTING + one.key) for one in self._kind.settings}
        return {
            one.key: found[one.key] for one in self._kind.settings if not (one.secret and found[one.key] in (None, ""))
        }

    def refuse(self, errors: Mapping[str, str]) -> None:
        """Show what was wrong beside the fields."""
        for name, words in errors.items():
            field = _SETTING + name.removeprefix("settings.") if name.startswith("settings.") else name
            field = "who" if field == "audience" else field
            self.add_error(field if field in self.fields else None, words[:1].upper() + words[1:] + ".")


def _setting(setting: Any, held: Any, found: Any) -> forms.Field:
    # A secret that is there may stay unsaid; what a check finds is chosen after it.
    is_needed = setting.required and setting.type not in ("flag", "found") and not (setting.secret and held)
    about: dict[str, Any] = {"label": setting.title, "help_text": setting.help, "required": is_needed}
    if setting.secret:
        words = "It is set; leave this empty to keep it." if held else setting.help
        return forms.CharField(
            **about | {"help_text": words}, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
        )
    if setting.type == "flag":
        return forms.BooleanField(**about, initial=held, widget=UnfoldBooleanSwitchWidget)
    if setting.type == "number":
        return forms.FloatField(**about, initial=held, widget=UnfoldAdminTextInputWidget)
    choices = [(one, one) for one in setting.choices]
    if setting.type == "found" and found:
        choices = [("", "–"), *((one["id"], one["title"]) for one in found)]
        if held and held not in {one["id"] for one in found}:
            choices.append((held, held))
    if choices:
        return forms.ChoiceField(**about, initial=held, choices=choices, widget=UnfoldAdminSelectWidget)
    return forms.CharField(**about, initial=held, widget=UnfoldAdminTextInputWidget)


def _initial(destination: Destination) -> dict[str, Any]:
    whole = {**audience.DEFAULT, **destination.audience}
    return {
        "name": destination.name,
        "org": str(destination.org_id),
        "who": whole["who"],
        **{name: ", ".join(whole[name]) for name in _LISTS},
        "actions": destination.actions,
        "testing": destination.testing,
        "consent_source": destination.consent_source,
        "on_bounce": destination.on_bounce,
        "mapping": mapping_text(destination.mapping),
        "tags": ", ".join(destination.tags),
        "language": destination.language or "",
        "batch_size": destination.batch_size,
        "rate_limit": destination.rate_limit,
    }


def mapping_text(lines: list[dict[str, str]] | None) -> str:
    """Return a mapping as people edit it."""
    return "\n".join(
        f"{line['source']} -> {line['target']}"
        + (f" {line['mode']}" if line.get("mode", "overwrite") != "overwrite" else "")
        for line in lines or ()
    )


def mapping_of(text: str) -> list[dict[str, str]] | None:
    """Return a mapping as it is kept; None for none of its own."""
    lines = [_line(line) for line in text.splitlines() if line.strip()]
    return lines or None


def _line(text: str) -> dict[str, str]:
    source, arrow, target = (part.strip() for part in text.partition("->"))
    if not arrow or not source or not target:
        raise ValueError("each line is: a field of ours -> a field of the CRM's")
    *words, last = target.split()
    if words and last in _MODES:
        return {"source": source, "target": " ".join(words), "mode": last}
    return {"source": source, "target": target}


def _words(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
