"""What supporters did."""

from __future__ import annotations

from django.db import models

from sync.models.fields import CodePointTextField, ExactJSONField
from sync.models.people import Contact, Supporter
from sync.models.places import ActionPage, Campaign, Org


class Action(models.Model):
    """One action, whoever reads it (rule 8). No foreign-key constraints: their deferred checks cost most."""

    action_id = models.BigIntegerField(unique=True)
    supporter = models.ForeignKey(Supporter, models.DO_NOTHING, null=True, db_constraint=False, related_name="actions")
    contact = models.ForeignKey(Contact, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    campaign = models.ForeignKey(Campaign, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    action_page = models.ForeignKey(ActionPage, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    org = models.ForeignKey(Org, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    action_type = models.TextField()
    stage = models.TextField(null=True)
    testing = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    custom_fields = ExactJSONField(default=dict)
    donation = ExactJSONField(null=True)
    dupe_rank = models.BigIntegerField(null=True)
    with_consent = models.BooleanField(default=False)
    opt_in = models.BooleanField(null=True)
    tracking = ExactJSONField(null=True)
    #: What the fold needs beside the columns: readers, what earlier stages said, whether it was erased.
    said = ExactJSONField(default=dict, editable=False)

    class Meta:
        indexes = (
            models.Index(fields=["campaign", "created_at"], name="action_campaign"),
            models.Index(fields=["created_at"], name="action_created"),
            # Actions of a shared email that is nobody's.
            models.Index(
                fields=["contact"],
                name="action_nobody",
                condition=models.Q(supporter__isnull=True, contact__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"action {self.action_id}"


class Voice(models.Model):
    """A contact that spoke of an action beside the one whom the action belongs to.

    Rare: an action told with two contacts, an event that names an action before it comes or of another contact, an
    erased one. `pair` is the contact's pair in clear, or as keyed hashes once it was erased; `details_at` the oldest
    details (an Instant) that a message of the action gave with it, null where an event only named the action.
    """

    action_id = models.BigIntegerField()
    pair = CodePointTextField()
    details_at = models.BigIntegerField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["action_id", "pair"], name="voice_once"),)
        indexes = (models.Index(fields=["pair"], name="voice_pair"),)

    def __str__(self) -> str:
        return f"voice {self.pk}"
