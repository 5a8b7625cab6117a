"""What a database error means, said once: passing, or lasting. The driver's words quote rows, so they go no further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DataError, Error, IntegrityError, InterfaceError, NotSupportedError, OperationalError

#: Classes of SQLSTATE that say that the same will work later: connection, resources, operator, locks, deadlocks.
_PASSING = ("08", "25", "40", "53", "55", "57", "58")
#: Tables or columns that are not there: the migrations are behind, and nothing is wrong with the message.
_MIGRATIONS = ("42P01", "42703", "3F000", "3D000", "28000", "28P01")


class Away(Exception):
    """The database does not take anything right now; the same will work later. `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(Exception):
    """The database does not take this, now or later. `code` holds SQLSTATE and constraint, never a value."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def told_apart() -> Iterator[None]:
    """Turn what the database raises into `Away` or `Refused`; what is neither is left as it is."""
    try:
        yield
    except Error as error:
        raise _meaning(error) from None


def _meaning(error: Error) -> Exception:
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    if state.startswith(_PASSING) or state in _MIGRATIONS:
        return Away(state)
    if isinstance(error, OperationalError | InterfaceError):
        return Away(state or _sqlite_name(cause))
    if isinstance(error, DataError | IntegrityError | NotSupportedError) or state:
        return Refused(_code(state, cause))
    return error


def _sqlite_name(cause: BaseException | None) -> str:
    return str(getattr(cause, "sqlite_errorname", "connection"))


def _code(state: str, cause: BaseException | None) -> str:
    diagnosis = getattr(cause, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None)
    return ":".join(part for part in (state or _sqlite_name(cause), constraint) if part)
