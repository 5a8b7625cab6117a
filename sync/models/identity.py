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

    class Meta:
        constraints = (models.UniqueConstraint(fields=["a", "b", "kind"], name="link_once"),)
        indexes = (models.Index(fields=["b"], name="link_b"),)

    def __str__(self) -> str:
        return f"link {self.pk}"


class SharedEmail(models.Model):
    """An email that several people share, as an operator says; `history` is a list of [Instant, shared]."""

    email_hash = models.TextField(unique=True)
    email = CodePointTextField(default="")
    history = ExactJSONField(default=list)

    def __str__(self) -> str:
        return f"shared email {self.pk}"


class MarkGroup(models.Model):
    """Keys that erasure marks have reached together (rule 7).

    `marks` is a list of [Instant, [hashes that it was given for]]; `spam` lists the organisations that had a complaint
    at or before the newest mark.
    """

    marks = ExactJSONField(default=list)
    spam = ExactJSONField(default=list)

    def __str__(self) -> str:
        return f"erasure {self.pk}"


class Mark(models.Model):
    """The keyed hash of an erased person's key."""

    key_hash = models.TextField(unique=True)
    group = models.ForeignKey(MarkGroup, models.DO_NOTHING, db_constraint=False, related_name="keys")

    def __str__(self) -> str:
        return f"mark {self.pk}"
