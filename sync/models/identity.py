"""What people added about who is who: links by hand, shared emails, erasure marks."""

from __future__ import annotations

from django.db import models

from sync.models.fields import CodePointTextField, ExactJSONField


class Link(models.Model):
    """Two contacts that people linked: by a merge by hand, or by an edit that gave an email a new one.

    `a` and `b` are pairs as in `Voice`, the smaller first. `history` is a list of [Instant, what] in time order.
    """

    kind = models.TextField()
    a = CodePointTextField()
    b = CodePointTextField()
    history = ExactJSONField(default=list)
    #: Whether one of its keys is known under its hash too: what comes to that hash must find the link.
    marked = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["a", "b", "kind"], name="link_once"),)
        indexes = (
            models.Index(fields=["b"], name="link_b"),
            models.Index(fields=["id"], name="link_marked", condition=models.Q(marked=True)),
        )

    def __str__(self) -> str:
        return f"link {self.pk}"


class SharedEmail(models.Model):
    """An email that several people share, as an operator says; `history` is a list of [Instant, shared]."""

    email_hash = models.TextField(unique=True)
    email = CodePointTextField(default="")
    history = ExactJSONField(default=list)

    def __str__(self) -> str:
        return f"shared email {self.pk}"


class Erasure(models.Model):
    """An erasure mark (rule 7): its time as an Instant, and what it remembers of complaints.

    `spam` is a list of [organisation or 0, hash of a key, Instant of the oldest complaint that was removed].
    """

    at = models.BigIntegerField()
    spam = ExactJSONField(default=list)

    def __str__(self) -> str:
        return f"erasure {self.pk}"


class Mark(models.Model):
    """The keyed hash of a key that an erasure has reached."""

    key_hash = models.TextField()
    erasure = models.ForeignKey(Erasure, models.DO_NOTHING, db_constraint=False, related_name="keys")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["key_hash", "erasure"], name="mark_once"),)

    def __str__(self) -> str:
        return f"mark {self.pk}"
