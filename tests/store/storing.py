"""Messages into the store as the consumer gives them, and what a batch costs the database."""

from collections import Counter
from contextlib import contextmanager

import psycopg
from django.db import connection

from sync.intake.sources import Raw
from sync.intake.take import take
from tests.builders import KEYS, an_action, an_email_status, changed, wire
from tests.rules.fold import NOW


def take_in(*bodies, reader=7, keys=KEYS):
    """Store these messages in one batch; return what became of each."""
    return take([raw(body, reader) for body in bodies], keys, now=NOW)


def raw(body, reader=7):
    return Raw(body=body if isinstance(body, bytes) else wire(body), queue=f"cus.{reader}.deliver", reader=reader)


def contact_of(number):
    return {"email": f"p{number}@example.org", "contactRef": f"ref-{number}"}


def action_of(who, number, **changes):
    """An action by its number, of a person by theirs."""
    return changed(an_action(actionId=number, contact=contact_of(who)), changes)


def event_of(who, number, status="double_opt_in", **changes):
    return changed(an_email_status(status, actionId=number, supporter={"contact": contact_of(who)}), changes)


def joining(one, other, number):
    """An action with the email of one person and the contactRef of another."""
    keys = {"email": contact_of(one)["email"], "contactRef": contact_of(other)["contactRef"]}
    return an_action(actionId=number, contact=keys)


@contextmanager
def statements(monkeypatch):
    """Counts what is sent to the database by its first words, COPY too."""
    seen: Counter[str] = Counter()
    copy = psycopg.Cursor.copy

    def counted(execute, sql, params, many, context):
        seen[" ".join(sql.split()[:3])] += 1
        return execute(sql, params, many, context)

    def counted_copy(self, statement, *more, **named):
        seen[" ".join(str(statement).split()[:2])] += 1
        return copy(self, statement, *more, **named)

    with monkeypatch.context() as patch, connection.execute_wrapper(counted):
        patch.setattr(psycopg.Cursor, "copy", counted_copy)
        yield seen


def sequences(database):
    """How far every sequence of ids has come."""
    if database.vendor == "sqlite":
        return dict(database.query("SELECT name, seq FROM sqlite_sequence"))
    return dict(database.query("SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"))
