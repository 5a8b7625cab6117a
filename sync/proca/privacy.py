"""What a message says about consent, in both versions. A value that must be guessed is refused."""

from __future__ import annotations

from typing import Any

from sync.proca.shapes import Code, Privacy
from sync.proca.values import boolean, is_empty, moment
from sync.proca.wire import Refused
from sync.terms import ConsentKind, Instant

#: Words of Proca's that are no news about anybody.
_NO_NEWS = frozenset({"none", "active"})
_KINDS = {kind.value.replace("_", ""): kind.value for kind in ConsentKind}


def read_privacy(holder: dict[str, Any], where: str, *, version_1: bool = False) -> Privacy:
    """Return the privacy part of a message (or of an event's `supporter`) at the path `where`."""
    privacy = holder.get("privacy")
    where += "privacy"
    if is_empty(privacy):
        return Privacy()
    if type(privacy) is not dict:
        raise Refused(Code.WRONG_TYPE, where)
    where += "."
    # Version 1 sends the object only with consent in this action, and null otherwise.
    if version_1 and not ("optIn" in privacy or "withConsent" in privacy):
        opt_in, with_consent = boolean(privacy, "communication", where), True
    else:
        opt_in, with_consent = boolean(privacy, "optIn", where), bool(boolean(privacy, "withConsent", where))
    return Privacy(
        opt_in=opt_in,
        given_at=moment(privacy, "givenAt", where),
        with_consent=with_consent,
        email_status=_email_status(privacy.get("emailStatus"), where),
        email_status_changed_at=_changed_at(privacy, where),
    )


def _email_status(value: Any, where: str) -> str | None:
    """Return the status as `Privacy` holds it."""
    if value is None:
        return None
    if type(value) is not str:
        raise Refused(Code.WRONG_TYPE, where + "emailStatus")
    word = value.strip().lower().replace("_", "")
    if not word or word in _NO_NEWS:
        return None
    return _KINDS.get(word, value)


def _changed_at(privacy: dict[str, Any], where: str) -> Instant | None:
    """Return when the status changed; the documentation spells the key without its last letter."""
    changed_at = moment(privacy, "emailStatusChanged", where)
    return moment(privacy, "emailStatusChange", where) if changed_at is None else changed_at
