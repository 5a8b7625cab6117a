"""Two column types that behave alike on PostgreSQL and SQLite."""

from __future__ import annotations

import json
from typing import Any

from django.db import models


class CodePointTextField(models.TextField):
    """Text that is compared and sorted by code points on both databases (`COLLATE "C"` on PostgreSQL)."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


class ExactJSONField(models.Field):
    """JSON that comes back exactly as it was stored.

    `jsonb` turns 1e22 into an integer and forgets 1.0 in places, and then a repeated message would look like news; the
    `json` type of PostgreSQL and text on SQLite keep the very text. SQL still reads into it with `->` on PostgreSQL.
    """

    def db_type(self, connection: Any) -> str:
        return "json" if connection.vendor == "postgresql" else "text"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return json.loads(value) if isinstance(value, str | bytes) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Read the very text, also of a JSON string, which the driver would unpack."""
        return (f"{sql}::text" if compiler.connection.vendor == "postgresql" else sql), params

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s::json" if connection.vendor == "postgresql" else "%s"

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj), ensure_ascii=False)

    def formfield(self, **kwargs: Any) -> Any:
        from django.forms import JSONField

        return super().formfield(form_class=JSONField, **kwargs)
