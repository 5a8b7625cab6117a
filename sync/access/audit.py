"""What people and programs did, as a line of ids and words that may be kept for ever."""

from __future__ import annotations

from django.utils import timezone

from sync.models import AuditEntry


def record(actor: str, action: str, object_name: str, object_id: int | None = None, note: str = "") -> None:
    """Keep that `actor` (`token 3`, `user 1`, `command`) did something. `note` holds names of fields, never values."""
    AuditEntry.objects.create(
        at=timezone.now(), actor=actor, action=action, object=object_name, object_id=object_id, note=note
    )
