"""Tokens of programs: 256 random bits, shown once, recognised by their hash afterwards."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import OperationalError, transaction
from django.utils import timezone

from sync.access import audit
from sync.models import Token
from sync.models.bulk import instant, is_postgresql, select
from sync.terms import to_instant

#: What a token begins with, so that people and scanners of leaked secrets know what they found.
MARK = "proca_"
_SHOWN = len(MARK) + 6
#: Nobody needs it finer, and a write a request would be dear.
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    WRITE = "write"
    INGEST = "ingest"
    ADMIN = "admin"


#: What else a scope allows.
_INCLUDED = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.INGEST: frozenset({Scope.INGEST}),
    Scope.ADMIN: frozenset({Scope.READ, Scope.WRITE, Scope.ADMIN}),
}


#: Asked at every request, so not by way of a model.
_GOOD = (
    "SELECT id, org, CAST(scopes AS text), expires_at, last_used_at FROM sync_token"
    " WHERE digest = %s AND revoked_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a token that was good when the request came."""

    token_id: int
    org: int | None
    scopes: frozenset[Scope]

    #: What Django and DRF ask of a user.
    is_authenticated = True
    is_active = True

    def may(self, scope: Scope) -> bool:
        """Tell whether this is within the token's scopes."""
        return scope in self.scopes

    def sees(self, org: int | None) -> bool:
        """Tell whether what belongs to an organisation may be shown; what belongs to none may."""
        return self.org is None or org is None or org == self.org

    @property
    def name(self) -> str:
        """How the audit calls it."""
        return f"token {self.token_id}"


def issue(
    name: str, scopes: Iterable[Scope], *, org: int | None, actor: str, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """Make a token; its text is returned here and kept nowhere."""
    text = MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = Token.objects.create(
            name=name,
            prefix=text[:_SHOWN],
            digest=digest(text),
            scopes=sorted(set(map(str, scopes))),
            org=org,
            created_at=timezone.now(),
            expires_at=expires_at,
        )
        audit.record(actor, "created", "token", token.pk)
    return token, text


def revoke(token: Token, *, actor: str) -> bool:
    """End a token at once; false where it had ended before."""
    with transaction.atomic():
        ended = Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
        if ended:
            audit.record(actor, "revoked", "token", token.pk)
    return bool(ended)


def caller(text: str) -> Caller | None:
    """Return who a token is; None for one that is unknown, over or revoked."""
    found = select(_GOOD, [digest(text)])
    if not found:
        return None
    now = timezone.now()
    token_id, org, scopes, expires_at, used_at = found[0]
    expires, used = instant(expires_at), instant(used_at)
    if expires is not None and expires <= to_instant(now):
        return None
    if used is None or used < to_instant(now - _USE_IS_NOTED_EVERY):
        _note_use(token_id, now)
    allowed = [_INCLUDED[Scope(scope)] for scope in json.loads(scopes) if scope in set(Scope)]
    return Caller(token_id, org, frozenset().union(*allowed))


def digest(text: str) -> str:
    """Return what recognises a token. It has too much chance in it to be guessed, so no slow hash is needed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _note_use(token_id: int, now: datetime) -> None:
    """Note when it was used last, unless somebody else writes: SQLite would wait for them."""
    used = Token.objects.filter(pk=token_id)
    if is_postgresql():
        used.update(last_used_at=now)
        return
    [(patience,)] = select("PRAGMA busy_timeout")
    select("PRAGMA busy_timeout = 0")
    try:
        used.update(last_used_at=now)
    except OperationalError:
        return
    finally:
        select(f"PRAGMA busy_timeout = {int(patience)}")
