"""Where changes go: destinations, how each stands, and what it was told of whom."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from sync.models.actions import Action
from sync.models.fields import ExactJSONField
from sync.models.places import Org


class Destination(models.Model):
    """A CRM that is told, as people configured it. How it stands is in `DestinationState`, which only push writes.

    `secrets` is the sealed JSON of the secret settings. Where `mapping` is null, the kind's own holds.
    """

    name = models.TextField(unique=True)
    kind = models.TextField()
    org = models.ForeignKey(Org, models.DO_NOTHING, db_constraint=False, related_name="destinations")
    settings = ExactJSONField(default=dict)
    secrets = models.TextField(default="", blank=True, editable=False)
    audience = ExactJSONField(default=dict)
    testing = models.BooleanField(default=False, help_text="For trying out: gets testing people and actions too.")
    actions = models.BooleanField(default=True, help_text="Send actions beside people.")
    consent_source = models.BooleanField(
        default=False, help_text="People give consent there: what it reports as subscribed is a new opt-in."
    )
    on_bounce = models.TextField(
        default="stop",
        choices=[("stop", "stop mail"), ("delete", "delete the contact")],
        help_text="What becomes of a contact there whose address does not work.",
    )
    mapping = ExactJSONField(null=True)
    tags = ExactJSONField(default=list)
    language = models.TextField(null=True, blank=True, help_text="Sent where a person has none.")
    batch_size = models.IntegerField(null=True, blank=True)
    rate_limit = models.FloatField(null=True, blank=True, help_text="Requests a second, below the kind's own limit.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class DestinationState(models.Model):
    """How a destination stands. In the database, so that all workers see the same and a kill forgets nothing.

    `position` is the cursor in the change feed, null until it is first switched on. While `filling_after` is not null,
    people are being queued in the order of their ids up to `filling_until`. The circuit: `failures` in a row since
    `failing_since`, refusals as too fast in a row (`limited`), nothing is sent before `blocked_until`.
    """

    destination = models.OneToOneField(
        Destination, models.CASCADE, primary_key=True, db_constraint=False, related_name="standing"
    )
    state = models.TextField(
        default="paused", choices=[("paused", "paused"), ("active", "active"), ("failing", "failing")]
    )
    reason = models.TextField(default="", blank=True)
    since = models.DateTimeField()
    position = models.TextField(null=True)
    filling_after = models.BigIntegerField(null=True)
    filling_until = models.BigIntegerField(default=0)
    filling_everybody = models.BooleanField(default=False)
    failures = models.IntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    blocked_until = models.DateTimeField(null=True)
    limited = models.IntegerField(default=0)
    next_slot_at = models.DateTimeField(null=True)
    poll_cursor = models.TextField(null=True)
    poll_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    #: What the last check found to choose from, and as whom it got in.
    found = ExactJSONField(default=dict)

    class Meta:
        verbose_name = "state of a destination"

    def __str__(self) -> str:
        return f"state of destination {self.pk}"


class Delivery(models.Model):
    """What a destination was, or is to be, told: of a person (`person`), of an action, or to forget (`erasure`).

    A person's row is due while `due_at` is not null; `wanted` is the newest change it is due for, `told` the one told
    last (0: nothing was ever sent, -1: it was tried, and nobody knows whether it arrived). It carries its waiting
    actions along. Who holds `lease` may send until `lease_until`. No foreign key to supporters: a row outlives who it
    speaks of. `told_email` is sealed, and there only where a CRM gave no id.
    """

    destination = models.ForeignKey(
        Destination, models.CASCADE, db_constraint=False, db_index=False, related_name="deliveries"
    )
    kind = models.TextField(choices=[("person", "person"), ("action", "action"), ("erasure", "erasure")])
    supporter_id = models.BigIntegerField()
    action = models.ForeignKey(Action, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    state = models.TextField(
        default="waiting",
        choices=[
            ("waiting", "waiting"),
            ("delivered", "delivered"),
            ("rejected", "rejected"),
            ("skipped", "skipped"),
        ],
    )
    wanted = models.BigIntegerField(default=0)
    told = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    lease = models.TextField(default="")
    lease_until = models.DateTimeField(null=True)
    error = models.TextField(default="")
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    remote_id = models.TextField(null=True)
    #: Remote ids of people merged into this one.
    remote_others = ExactJSONField(default=list)
    told_status = models.TextField(null=True)
    told_email = models.TextField(default="")
    told_tags = ExactJSONField(default=list)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = (
            models.UniqueConstraint(
                fields=["destination", "supporter_id"], condition=~Q(kind="action"), name="delivery_person"
            ),
            models.UniqueConstraint(
                fields=["action", "destination"], condition=Q(kind="action"), name="delivery_action"
            ),
        )
        indexes = (
            models.Index(
                fields=["destination", "due_at", "id"],
                name="delivery_due",
                condition=Q(due_at__isnull=False) & ~Q(kind="action"),
            ),
            models.Index(
                fields=["destination", "supporter_id"],
                name="delivery_waiting_action",
                condition=Q(kind="action", state__in=["waiting", "skipped"]),
            ),
            models.Index(fields=["supporter_id"], name="delivery_supporter"),
            models.Index(
                fields=["destination", "remote_id"], name="delivery_remote", condition=Q(remote_id__isnull=False)
            ),
            models.Index(fields=["destination", "id"], name="delivery_rejected", condition=Q(state="rejected")),
        )

    def __str__(self) -> str:
        return f"delivery {self.pk}"


class Reported(models.Model):
    """What a destination said last of a person's mail: a report without a time is news only where it differs.

    `who` is a supporter's id, or the keyed hash of an address that nobody has.
    """

    destination = models.ForeignKey(Destination, models.CASCADE, db_constraint=False, db_index=False)
    who = models.TextField()
    said = models.TextField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = "report"
        constraints = (models.UniqueConstraint(fields=["destination", "who"], name="reported_once"),)

    def __str__(self) -> str:
        return f"report {self.pk}"
