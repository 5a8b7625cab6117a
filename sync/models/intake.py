"""What came in: counts, notices, and messages that could not be stored."""

from __future__ import annotations

from django.db import models

from sync.models.fields import ExactJSONField


class QuarantinedMessage(models.Model):
    """A message that could not be stored, with everything needed to try again."""

    digest = models.TextField(unique=True)
    body = models.BinaryField()
    headers = ExactJSONField(default=dict)
    queue = models.TextField(default="")
    reader = models.BigIntegerField(null=True)
    code = models.TextField()
    where = models.TextField(default="")
    attempts = models.IntegerField(default=1)
    received_at = models.DateTimeField()
    last_attempt_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"quarantined message {self.pk}"


class Notice(models.Model):
    """A message that changes nobody and that people should see: system messages, confirmations, unknown kinds."""

    digest = models.TextField(unique=True)
    kind = models.TextField()
    reader = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    payload = ExactJSONField(default=dict)

    def __str__(self) -> str:
        return f"notice {self.pk}"


class IntakeCount(models.Model):
    """How many messages of a source ended how on a day (UTC), and when the last one came."""

    day = models.DateField()
    source = models.TextField()
    verdict = models.TextField()
    number = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["day", "source", "verdict"], name="intake_count_once"),)

    def __str__(self) -> str:
        return f"intake count {self.pk}"


class Installation(models.Model):
    """What this database remembers of its installation: secrets that hashes were written with, events that came."""

    name = models.TextField(primary_key=True)
    value = models.TextField()

    def __str__(self) -> str:
        return self.name
