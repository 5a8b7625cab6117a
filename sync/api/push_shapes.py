"""The shapes of destinations and deliveries, for the OpenAPI document."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.serializers import Serializer

from sync.api.shapes import Anything, Object, Text, Texts, Time


class Audience(Serializer):
    """Who is sent first; whoever was ever sent stays followed."""

    who = serializers.ChoiceField(choices=["subscribed", "consented", "everyone"], required=False)
    campaigns = Texts(required=False)
    action_types = Texts(required=False)
    countries = Texts(required=False)


class MappedLine(Serializer):
    """A field of ours into one of the CRM's."""

    source = serializers.CharField()  # type: ignore[assignment]
    target = serializers.CharField()
    mode = serializers.ChoiceField(choices=["overwrite", "only_if_new", "only_if_empty", "append"], required=False)


class DestinationShape(Serializer):
    """Where changes go. `settings` is null without the scope admin; of a secret it says `set` or null."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    org = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["paused", "active", "failing"])
    state_reason = Text()
    settings = Object(allow_null=True)
    audience = Audience()
    testing = serializers.BooleanField()
    actions = serializers.BooleanField()
    consent_source = serializers.BooleanField()
    on_bounce = serializers.ChoiceField(choices=["stop", "delete"])
    mapping = MappedLine(many=True, allow_null=True)
    tags = Texts()
    language = Text()
    batch_size = serializers.IntegerField(allow_null=True)
    rate_limit = serializers.FloatField(allow_null=True)


class DestinationIn(Serializer):
    """What can be said of a destination."""

    name = serializers.CharField(required=False)
    kind = serializers.CharField(required=False)
    org = serializers.IntegerField(required=False)
    state = serializers.ChoiceField(choices=["paused", "active"], required=False)
    settings = Object(required=False)
    audience = Audience(required=False)
    testing = serializers.BooleanField(required=False)
    actions = serializers.BooleanField(required=False)
    consent_source = serializers.BooleanField(required=False)
    on_bounce = serializers.ChoiceField(choices=["stop", "delete"], required=False)
    mapping = MappedLine(many=True, allow_null=True, required=False)
    tags = Texts(required=False)
    language = Text(required=False)
    batch_size = serializers.IntegerField(allow_null=True, required=False)
    rate_limit = serializers.FloatField(allow_null=True, required=False)


class CheckShape(Serializer):
    """Whether a destination works, and what it has to choose from."""

    works = serializers.BooleanField()
    detail = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    found = Object()
    problems = serializers.ListField(child=serializers.CharField())


class ProgressShape(Serializer):
    """How far a filling or a resync is, in ids of supporters."""

    running = serializers.BooleanField()
    done = serializers.IntegerField(allow_null=True)
    total = serializers.IntegerField(allow_null=True)


class ToldShape(Serializer):
    """What a destination was told of a person."""

    destination = serializers.IntegerField()
    name = serializers.CharField()
    told = serializers.BooleanField()
    told_at = Time(allow_null=True)
    status = Text()
    why_not = Text()


class ToldListShape(Serializer):
    """Every destination."""

    results = ToldShape(many=True)


class DeliveryShape(Serializer):
    """What a destination was, or is to be, told."""

    id = serializers.IntegerField()
    destination = serializers.IntegerField()
    supporter = serializers.IntegerField(allow_null=True)
    action = serializers.IntegerField(allow_null=True)
    kind = serializers.ChoiceField(choices=["person", "action", "erasure"])
    state = serializers.ChoiceField(choices=["waiting", "delivered", "rejected", "skipped"])
    attempts = serializers.IntegerField()
    next_attempt_at = Time(allow_null=True)
    error = Anything(allow_null=True, help_text="status and code, and the CRM's words without the person's values")
    created_at = Time()
    delivered_at = Time(allow_null=True)


class RetriedDeliveryShape(Serializer):
    """Whether there was something to try again."""

    retried = serializers.BooleanField()
