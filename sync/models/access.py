"""Who may come in: tokens of programs, how often somebody asked, and what people and programs did."""

from __future__ import annotations

from django.db import models

from sync.models.fields import ExactJSONField


class Token(models.Model):
    """A program's way in. The token itself is shown once; `digest` recognises it, `prefix` tells it apart."""

    name = models.TextField()
    prefix = models.TextField(editable=False)
    digest = models.TextField(unique=True, editable=False)
    scopes = ExactJSONField(default=list)
    #: Whose subscriptions, consents and destinations it sees; all of them where there is none.
    org = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"token {self.pk}"


class Attempts(models.Model):
    """How often something was tried within a window of time; `what` holds a hash where it would name somebody."""

    what = models.TextField(unique=True)
    period = models.BigIntegerField()
    number = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "attempts"

    def __str__(self) -> str:
        return f"attempts {self.pk}"


class AuditEntry(models.Model):
    """What a person or a program did to settings, destinations, tokens or people: ids and words, no details."""

    at = models.DateTimeField()
    actor = models.TextField()
    action = models.TextField()
    object = models.TextField()
    object_id = models.BigIntegerField(null=True)
    note = models.TextField(default="", blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=["object", "object_id"], name="audit_object"),)

    def __str__(self) -> str:
        return f"audit entry {self.pk}"
