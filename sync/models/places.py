"""Where actions happen: organisations, campaigns and action pages of Proca."""

from __future__ import annotations

from django.db import models

from sync.models.fields import ExactJSONField
from sync.terms import Policy


class Org(models.Model):
    """An organisation; its id is Proca's number of it."""

    id = models.BigIntegerField(primary_key=True)
    name = models.TextField(null=True)
    title = models.TextField(null=True)
    policy = models.TextField(
        null=True,
        choices=[(policy.value, policy.value) for policy in Policy],
        help_text="Whether an opt-in subscribes at once or waits for the click in the mail; empty: the default.",
    )
    given = ExactJSONField(default=dict, editable=False)
    #: While subscriptions are being folded again after a change of policy: the supporter up to whom that is done.
    folded_to = models.BigIntegerField(null=True, editable=False)

    class Meta:
        verbose_name = "organisation"

    def __str__(self) -> str:
        return self.title or self.name or f"organisation {self.pk}"

    @property
    def proca_id(self) -> int:
        return self.pk


class Campaign(models.Model):
    """A campaign of Proca; `config` comes from `campaign_updated` events."""

    proca_id = models.BigIntegerField(unique=True)
    name = models.TextField(null=True)
    title = models.TextField(null=True)
    external_id = ExactJSONField(null=True)
    contact_schema = models.TextField(null=True)
    config = ExactJSONField(null=True)
    org = models.ForeignKey(Org, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    given = ExactJSONField(default=dict, editable=False)

    def __str__(self) -> str:
        return self.title or self.name or f"campaign {self.proca_id}"


class ActionPage(models.Model):
    """A page with a form or a widget, of one organisation and one campaign."""

    proca_id = models.BigIntegerField(unique=True)
    name = models.TextField(null=True)
    locale = models.TextField(null=True)
    campaign = models.ForeignKey(Campaign, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    org = models.ForeignKey(Org, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    given = ExactJSONField(default=dict, editable=False)

    def __str__(self) -> str:
        return self.name or f"action page {self.proca_id}"
