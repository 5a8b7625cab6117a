"""What the one door says when something cannot be done, as the problem that the client gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sync.api.problems import CHANGED_MEANWHILE, CONFLICT, ERASED, NOT_FOUND, Problem, invalid
from sync.store.errors import told_apart
from sync.store.whom import NotPossible

_REASONS = {
    "nobody": "there is nobody with this id",
    "invalid": "not a value that can be kept",
    "unknown": "there is no such field, or it cannot be changed",
    "required": "is needed",
    "ahead": "lies more than 5 minutes ahead",
    "not_a_stop": "nobody has this key yet, and then only a stop can be kept",
}


@contextmanager
def answered(*, subject: str = "") -> Iterator[None]:
    """Turn `NotPossible` into a problem. `subject` is the field that names whom it is about, empty for the address."""
    try:
        with told_apart():
            yield
    except NotPossible as reason:
        raise _problem(reason, subject) from None


def _problem(reason: NotPossible, subject: str) -> Problem:
    if reason.code == "erased":
        return Problem(ERASED, "Forget this person where you keep them")
    if reason.code == "taken":
        detail = "Somebody else has this email: merge by hand instead"
        return Problem(CONFLICT, detail, errors={reason.field: ["somebody else has it"]})
    if reason.code == "changed":
        return Problem(CHANGED_MEANWHILE, "Read it again, and then change it")
    if reason.code == "nobody" and not subject:
        return Problem(NOT_FOUND, "Look at the address and the id")
    return invalid({reason.field or subject or "body": [_REASONS.get(reason.code, "is not possible")]})
