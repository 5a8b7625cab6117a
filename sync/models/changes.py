"""The change log."""

from __future__ import annotations

from django.db import models

from sync.models.fields import ExactJSONField


class Change(models.Model):
    """That something changed, never what it says: whoever reads it gets the state of now. Ids are in commit order."""

    kind = models.TextField()
    object = models.TextField()
    object_id = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    data = ExactJSONField(default=dict)
    origin = models.TextField(default="")

    def __str__(self) -> str:
        return f"change {self.pk}"
