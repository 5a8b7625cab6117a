"""Reading and writing many rows with one statement, on both databases.

PostgreSQL takes arrays and COPY, SQLite a JSON list and executemany; this is the one file where they differ. Times are
Instants on our side, and JSON columns are canonical text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models

from sync.models.copying import text_of
from sync.terms import Instant, to_datetime, to_instant

Row = tuple[Any, ...]


def is_postgresql() -> bool:
    """Tell which of the two databases this is."""
    return connection.vendor == "postgresql"


def among(column: str, kind: str = "text") -> str:
    """Return the condition that a column is one of a list, which `listed` passes as one parameter."""
    if is_postgresql():
        return f"{column} = ANY(%s::{kind}[])"
    return f"{column} IN (SELECT value FROM json_each(%s))"


def naming(column: str) -> str:
    """Return the condition that the text of a JSON column holds one of a list of texts, which `listed` passes."""
    if is_postgresql():
        return (
            "EXISTS (SELECT 1 FROM unnest(%s::text[]) AS one (value)"
            f" WHERE strpos(CAST({column} AS text), one.value) > 0)"
        )
    return f"EXISTS (SELECT 1 FROM json_each(%s) AS one WHERE instr({column}, one.value) > 0)"


def listed(values: Iterable[Any]) -> Any:
    """Return a list as the parameter that `among` takes."""
    return _array(values) if is_postgresql() else json.dumps(list(values))


def _array(values: Iterable[Any]) -> str:
    """Return PostgreSQL's text form of an array: a tenth of what the driver needs for a list, value by value."""
    values = list(values)
    kinds = set(map(type, values))
    if kinds <= {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str}:
        # All at once, with the one sign between them that no text of PostgreSQL's can hold.
        together = "\0".join(values)
        if together.count("\0") == len(values) - 1:
            return '{"' + _escaped(together).replace("\0", '","') + '"}'
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + _escaped(value) + '"'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    return str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def select(sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """Return all rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def execute(sql: str, parameters: Sequence[Any] = ()) -> int:
    """Run a statement and return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def instant(value: Any) -> Instant | None:
    """Return a time that was read as an Instant."""
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def moment(at: Instant) -> Any:
    """Return a time as the parameter that a column of times is compared with."""
    return connection.ops.adapt_datetimefield_value(to_datetime(at))


def truth(value: Any) -> bool | None:
    """Return a truth value that was read; SQLite gives numbers."""
    return None if value is None else bool(value)


def draw(model: type[models.Model], number: int) -> list[int]:
    """Return so many new ids. Only rows that will really be written draw one, so a replay burns none."""
    if not number:
        return []
    table = model._meta.db_table
    if is_postgresql():
        # Materialized, so that the sequence's name is looked up once and not for each id.
        name = f"SELECT CAST(pg_get_serial_sequence('{table}', 'id') AS regclass) AS name"
        ids = f"WITH sequence AS MATERIALIZED ({name}) SELECT nextval(name) FROM sequence, generate_series(1, %s)"
        return [row[0] for row in select(ids, [number])]
    last = select("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
    first = (last[0][0] if last else 0) + 1
    return list(range(first, first + number))


def insert(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows that are known to be new."""
    if not rows:
        return
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if is_postgresql():
            # COPY is not among what Django wraps: its errors would be nobody's that `errors` knows.
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                copy.write(text_of([_field(model, name) for name in columns], rows))
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", list(_converted(model, columns, rows))
            )


def update(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write columns of rows by id; the id comes last in each row."""
    if not rows:
        return
    table = model._meta.db_table
    converted = list(_converted(model, [*columns, "id"], rows))
    with connection.cursor() as cursor:
        if is_postgresql():
            arrays = [_array(column) for column in zip(*converted, strict=True)]
            cursor.execute(_update_sql(model, table, columns), arrays)
        else:
            names = ", ".join(f'"{name}" = %s' for name in columns)
            cursor.executemany(f"UPDATE {table} SET {names} WHERE id = %s", converted)


def _update_sql(model: type[models.Model], table: str, columns: Sequence[str]) -> str:
    kinds = _kinds(model)
    names = [*columns, "id"]
    arrays = ", ".join(f"%s::{'text' if kinds[name] == 'json' else kinds[name]}[]" for name in names)
    cast = {name: f'new."{name}"' + ("::json" if kinds[name] == "json" else "") for name in names}
    assignments = ", ".join(f'"{name}" = {cast[name]}' for name in columns)
    fields = ", ".join(f'"{name}"' for name in names)
    return f"UPDATE {table} AS old SET {assignments} FROM unnest({arrays}) AS new ({fields}) WHERE old.id = new.id"


def delete(model: type[models.Model], ids: Iterable[int]) -> None:
    """Delete rows by id."""
    ids = list(ids)
    if ids:
        execute(f"DELETE FROM {model._meta.db_table} WHERE {among('id', 'bigint')}", [listed(ids)])


def _kinds(model: type[models.Model]) -> dict[str, str]:
    return {
        str(field.column): str(field.db_type(connection)).replace("integer", "bigint").split(" ")[0]
        if "timestamp" not in str(field.db_type(connection))
        else "timestamptz"
        for field in model._meta.concrete_fields
    }


def _converted(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row]) -> Iterator[Row]:
    """Turn Instants into what the driver takes, for the columns that hold times."""
    times = [index for index, name in enumerate(columns) if isinstance(_field(model, name), models.DateTimeField)]
    if not times:
        yield from rows
        return
    adapt = connection.ops.adapt_datetimefield_value
    for row in rows:
        changed = list(row)
        for index in times:
            if row[index] is not None:
                changed[index] = adapt(to_datetime(row[index]))
        yield tuple(changed)


def _field(model: type[models.Model], column: str) -> models.Field[Any, Any]:
    return next(field for field in model._meta.concrete_fields if field.column == column)
