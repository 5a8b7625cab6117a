"""Empty, migrated databases of both kinds: files and clusters for commands, a connection for this process.

Everything is copied from one migrated template a run, so a database costs milliseconds, and tests commit
for real: what a second connection, a trigger or `on_commit` sees is what it sees in production.
"""

import contextlib
import functools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from psycopg import sql

from proca_crm.databases import parse_database
from tests.environment import environment_for_tests
from tests.servers import FOLDER, Postgres, locked, shared

ROOT = Path(__file__).resolve().parent.parent
VENDORS = ("postgresql", "sqlite")
TEMPLATE = "proca_template"


@dataclass(frozen=True, slots=True)
class Database:
    """A database and how to reach it."""

    vendor: str
    url: str

    @contextlib.contextmanager
    def connect(self) -> Iterator[Any]:
        """A connection of its own (psycopg or sqlite3), in autocommit."""
        if self.vendor == "postgresql":
            with psycopg.connect(self.url, autocommit=True) as connection:
                yield connection
        else:
            plain = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            with contextlib.closing(plain):
                yield plain

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix("sqlite:///"))

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of one statement; `%s` for parameters, whatever the database."""
        if self.vendor == "sqlite":
            statement = statement.replace("%s", "?")
        with self.connect() as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row."""
        return self.query(statement, parameters)[0][0]


@dataclass(slots=True)
class InProcess:
    """The database that this process's Django uses now (fixture `store_database`)."""

    database: Database
    empty: Callable[[], None] = field(repr=False)

    @property
    def vendor(self) -> str:
        """postgresql or sqlite."""
        return self.database.vendor

    @property
    def url(self) -> str:
        """For a command that works on the same database."""
        return self.database.url

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows, read over another connection: only what is committed."""
        return self.database.query(statement, parameters)


def migrated_template(vendor: str) -> Database:
    """The run's template; the first process that asks migrates it."""
    folder = Path(os.environ[FOLDER])
    ready = folder / f"template-{vendor}.ready"
    with locked(folder / f"template-{vendor}.lock"):
        template = _template(vendor, folder)
        if not ready.exists():
            _prepare(template)
            _migrate(template)
            ready.touch()
    return template


@contextlib.contextmanager
def copy_of_template(vendor: str) -> Iterator[Database]:
    """An empty, migrated database that is gone afterwards."""
    template = migrated_template(vendor)
    name = f"proca_{uuid.uuid4().hex[:12]}"
    if vendor == "sqlite":
        path = template.path.with_name(f"{name}.sqlite3")
        shutil.copy(template.path, path)
        try:
            yield Database(vendor, f"sqlite:///{path}")
        finally:
            for left in path.parent.glob(f"{name}.sqlite3*"):
                left.unlink(missing_ok=True)
    else:
        server = shared(Postgres)
        _maintain(server, "CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE)
        try:
            yield Database(vendor, server.url(name))
        finally:
            _maintain(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@contextlib.contextmanager
def django_uses(database: Database) -> Iterator[InProcess]:
    """Points Django's default connection at this database, in this thread and in new ones."""
    settings = connections.configure_settings({"default": parse_database(database.url, ROOT)})["default"]
    # Connections end with the test, not a minute later.
    settings["CONN_MAX_AGE"] = 0
    before = connections.settings["default"]
    _switch_to(settings)
    try:
        yield InProcess(database, _emptier(database))
    finally:
        _switch_to(before)


def _switch_to(settings: dict[str, Any]) -> None:
    connections["default"].close()
    connections.settings["default"] = settings
    del connections["default"]
    # Remembers ids of the other database.
    ContentType.objects.clear_cache()


def _template(vendor: str, folder: Path) -> Database:
    if vendor == "sqlite":
        return Database(vendor, f"sqlite:///{folder}/template.sqlite3")
    return Database(vendor, shared(Postgres).url(TEMPLATE))


def _prepare(template: Database) -> None:
    if template.vendor == "sqlite":
        template.path.unlink(missing_ok=True)
    else:
        server = shared(Postgres)
        _maintain(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", TEMPLATE)
        _maintain(server, "CREATE DATABASE {}", TEMPLATE)


def _migrate(template: Database) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
    environment = os.environ | environment_for_tests() | {"DATABASE_URL": template.url}
    environment["DJANGO_SETTINGS_MODULE"] = "proca_crm.settings"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"migrate failed on {template.vendor}:\n{done.stdout}{done.stderr}")
    if template.vendor == "sqlite":
        with template.connect() as connection:
            # Everything into the one file that gets copied.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _maintain(server: Postgres, statement: str, *names: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _emptier(database: Database) -> Callable[[], None]:
    template = migrated_template(database.vendor)
    if database.vendor == "sqlite":
        return lambda: _restore_sqlite(template)
    return _PostgresEmptier(template, database).empty


def _restore_sqlite(template: Database) -> None:
    connection = connections["default"]
    connection.ensure_connection()
    with template.connect() as source:
        source.backup(connection.connection)
    ContentType.objects.clear_cache()


class _PostgresEmptier:
    """Deletes every row but what the migrations had written. Much quicker than TRUNCATE, which makes new files."""

    def __init__(self, template: Database, database: Database) -> None:
        self.database = database
        self.fresh = _fresh(template)

    def empty(self) -> None:
        connections["default"].close()
        with self.database.connect() as connection:
            connection.execute("SET lock_timeout = '2s'; SET session_replication_role = replica")
            try:
                self._empty(connection)
            except psycopg.errors.LockNotAvailable:
                # A thread or a command of the test was left in a transaction.
                connection.execute(_END_OTHERS)
                self._empty(connection)
        ContentType.objects.clear_cache()

    def _empty(self, connection: Any) -> None:
        with connection.transaction():
            connection.execute(self.fresh.remove)
            # What was deleted still takes room, and time to read over.
            for (name,) in connection.execute(_LARGE, [list(self.fresh.migrated)]).fetchall():
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(name)))
            for name, rows in self.fresh.migrated.items():
                if _copy_out(connection, name) != rows:
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
                    _copy_in(connection, name, rows)
            connection.execute(_SEQUENCES_AS_AT_FIRST, [json.dumps(self.fresh.sequences)])


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What is in a database that was just migrated, and the statements that remove all else."""

    remove: sql.Composed
    migrated: dict[str, bytes]
    sequences: dict[str, int]


@functools.cache
def _fresh(template: Database) -> _Fresh:
    with template.connect() as connection:
        tables = [name for (name,) in connection.execute(_TABLES).fetchall()]
        copied = {name: _copy_out(connection, name) for name in tables}
        sequences = dict(connection.execute(_SEQUENCES).fetchall())
    migrated = {name: rows for name, rows in copied.items() if rows}
    # Whoever still writes is waited for: what they commit later would be there in the next test.
    lock = sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(sql.SQL(", ").join(map(sql.Identifier, tables)))
    deletes = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in tables if name not in migrated]
    return _Fresh(sql.SQL("; ").join([lock, *deletes]), migrated, sequences)


_TABLES = """
    SELECT tablename FROM pg_tables WHERE schemaname = 'public'
"""
_LARGE = """
    SELECT relname FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 262144
       AND relname <> ALL(%s)
"""
_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SEQUENCES = """
    SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
"""
_SEQUENCES_AS_AT_FIRST = """
    SELECT setval(quote_ident(sequencename)::regclass, coalesce(first.value::bigint, 1), first.value IS NOT NULL)
      FROM pg_sequences LEFT JOIN json_each_text(%s) AS first (name, value) ON name = sequencename
     WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


def _copy_out(connection: Any, name: str) -> bytes:
    statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(name))
    with connection.cursor().copy(statement) as rows:
        return b"".join(bytes(block) for block in rows)


def _copy_in(connection: Any, name: str, rows: bytes) -> None:
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as target:
        target.write(rows)
