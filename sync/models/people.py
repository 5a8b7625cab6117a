"""Supporters, and the contacts they are made of."""

from __future__ import annotations

from django.db import models

from sync.models.fields import CodePointTextField, ExactJSONField


class Supporter(models.Model):
    """A person: what is shown of a connected component of contacts (rules 2 and 3). Every column is derived."""

    email = CodePointTextField(null=True)
    email_status = models.TextField(null=True)
    email_status_changed_at = models.DateTimeField(null=True)
    first_name = models.TextField(null=True)
    last_name = models.TextField(null=True)
    phone = models.TextField(null=True)
    birth_date = models.TextField(null=True)
    street = models.TextField(null=True)
    street_number = models.TextField(null=True)
    postcode = models.TextField(null=True)
    locality = models.TextField(null=True)
    region = models.TextField(null=True)
    country = models.TextField(null=True)
    area = models.TextField(null=True)
    language = models.TextField(null=True)
    extra = ExactJSONField(default=dict)
    contact_refs = ExactJSONField(default=list)
    other_emails = ExactJSONField(default=list)
    details_given_at = models.DateTimeField(null=True)
    first_action_at = models.DateTimeField(null=True)
    last_action_at = models.DateTimeField(null=True)
    action_count = models.IntegerField(default=0)
    #: Family and first name, folded by ourselves and cut: searched by prefix, alike on both databases.
    search_key = CodePointTextField(default="", editable=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["updated_at", "id"], name="supporter_updated"),
            models.Index(fields=["search_key"], name="supporter_search"),
        )

    def __str__(self) -> str:
        # An id and nothing else: this text goes into the admin's log, which an erasure does not reach.
        return f"supporter {self.pk}"


class Contact(models.Model):
    """A pair (email key, contactRef) as messages gave it, with all that they said of it; no key is an empty text.

    `said` is the fold over the messages (`rules.contacts.Said`). `supporter` is null where a shared email alone speaks
    of nobody. `home` is the id of the supporter that this contact founded, so that an undone merge finds it again.
    """

    email = CodePointTextField(default="", blank=True)
    ref = CodePointTextField(default="", blank=True)
    supporter = models.ForeignKey(Supporter, models.DO_NOTHING, null=True, db_constraint=False, related_name="contacts")
    home = models.BigIntegerField(null=True)
    said = ExactJSONField(default=dict)
    #: Whether an erasure mark is on one of its keys: a later mark on a hash of its group must find it.
    marked = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["email", "ref"], name="contact_pair"),)
        indexes = (
            models.Index(fields=["ref"], name="contact_ref", condition=~models.Q(ref="")),
            models.Index(fields=["id"], name="contact_marked", condition=models.Q(marked=True)),
        )

    def __str__(self) -> str:
        return f"contact {self.pk}"


class FormerSupporter(models.Model):
    """An id that is no supporter any more: merged into another one, or erased (then `into` is null)."""

    id = models.BigIntegerField(primary_key=True)
    into = models.ForeignKey(
        Supporter, models.DO_NOTHING, null=True, db_constraint=False, related_name="former_supporters"
    )
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"former supporter {self.pk}"
