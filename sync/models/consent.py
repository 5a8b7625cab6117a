"""The consent ledger and what follows from it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Coalesce

from sync.models.fields import CodePointTextField, ExactJSONField
from sync.models.people import Supporter
from sync.models.places import Org


class Consent(models.Model):
    """An entry of the ledger: who said what of whom, when (rule 4). An entry without an org speaks of all."""

    supporter = models.ForeignKey(
        Supporter, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="consents"
    )
    org = models.ForeignKey(Org, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    kind = models.TextField()
    email = CodePointTextField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    source = models.TextField()
    destination = models.TextField(null=True)
    action_id = models.BigIntegerField(null=True)
    counts = models.BooleanField(null=True)
    note = models.TextField(null=True)

    class Meta:
        verbose_name = "consent entry"
        verbose_name_plural = "consent entries"
        constraints = (
            models.UniqueConstraint(
                "supporter",
                Coalesce("org", models.Value(0, output_field=models.BigIntegerField())),
                "kind",
                "occurred_at",
                Coalesce("email", models.Value("", output_field=CodePointTextField())),
                name="consent_once",
            ),
        )

    def __str__(self) -> str:
        return f"consent entry {self.pk}"


class Subscription(models.Model):
    """Whether an organisation may mail a supporter, and at which address."""

    supporter = models.ForeignKey(
        Supporter, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="subscriptions"
    )
    org = models.ForeignKey(Org, models.DO_NOTHING, db_constraint=False, db_index=False)
    status = models.TextField()
    email = CodePointTextField(null=True)
    status_changed_at = models.DateTimeField(null=True)
    source = models.TextField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["supporter", "org"], name="subscription_once"),)
        indexes = (models.Index(fields=["org", "status", "id"], name="subscription_org"),)

    def __str__(self) -> str:
        return f"subscription {self.pk}"


class WaitingEntries(models.Model):
    """Entries about keys that nobody has yet, or that were erased: kept under keyed hashes until somebody has them."""

    email_hash = models.TextField(default="", blank=True)
    ref_hash = models.TextField(default="", blank=True)
    entries = ExactJSONField(default=list)
    #: The oldest details (an Instant) that an erased pair was given with, while its keys are not one group.
    oldest = models.BigIntegerField(null=True)
    #: Ids of the supporters who have one of the keys or show an entry: nothing leads from a hash back to them.
    supporters = ExactJSONField(default=list)
    #: Whether an entry names another email than the key that it waits under, in clear or as a hash.
    names_email = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "waiting entries"
        constraints = (models.UniqueConstraint(fields=["email_hash", "ref_hash"], name="waiting_pair"),)
        indexes = (
            models.Index(fields=["ref_hash"], name="waiting_ref", condition=~models.Q(ref_hash="")),
            models.Index(fields=["id"], name="waiting_naming", condition=models.Q(names_email=True)),
        )

    def __str__(self) -> str:
        return f"waiting entries {self.pk}"
