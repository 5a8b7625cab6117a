"""The shapes of what goes out and comes in, for the OpenAPI document. They describe; `sync.read.records` makes them."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import Serializer

from sync.api.problems import KINDS
from sync.changes.feed import KINDS as CHANGES
from sync.terms import DETAILS, ConsentKind, Policy, Source, Status


@extend_schema_field({})
class Anything(serializers.Field):
    """Any JSON."""


@extend_schema_field({"type": "object", "additionalProperties": True})
class Object(serializers.Field):
    """A JSON object whose keys are not ours to say."""


@extend_schema_field({"type": "string", "format": "date-time"})
class Time(serializers.Field):
    """A time in ISO 8601, UTC."""


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class Texts(serializers.Field):
    """Texts in the order of their code points."""


#: For the settings of the document, which name this set.
CONSENT_KINDS = [(str(kind), str(kind)) for kind in ConsentKind]


class Text(serializers.CharField):
    """A text, or null where nobody said one."""

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_null=True, **more)


def _id(**more: Any) -> serializers.IntegerField:
    return serializers.IntegerField(**more)


def _word(words: Any, **more: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=[str(word) for word in words], **more)


class Details(Serializer):
    """What can be edited of a supporter."""


for _name in ("email", *DETAILS):
    Details._declared_fields[_name] = Text(required=False)


class SupporterShape(Serializer):
    """A person."""

    id = _id()
    email = Text()
    email_status = Text()
    email_status_changed_at = Time(allow_null=True)


for _name in (*DETAILS, "language"):
    SupporterShape._declared_fields[_name] = Text()
for _name, _field in {
    "extra": Object(),
    "contact_refs": Texts(),
    "other_emails": Texts(),
    "details_given_at": Time(allow_null=True),
    "first_action_at": Time(allow_null=True),
    "last_action_at": Time(allow_null=True),
    "action_count": _id(),
    "created_at": Time(),
    "updated_at": Time(),
}.items():
    SupporterShape._declared_fields[_name] = _field


class Donation(Serializer):
    """What was given, in the currency's smallest unit."""

    amount = Anything()
    currency = Anything()
    frequency_unit = Anything()
    schema = Anything()


class Tracking(Serializer):
    """Where the person came from."""

    source = Anything()  # type: ignore[assignment]
    medium = Anything()
    campaign = Anything()
    content = Anything()
    location = Anything()


class ActionShape(Serializer):
    """What a person did."""

    id = _id()
    action_id = _id(help_text="Proca's number")
    supporter = _id(allow_null=True)
    campaign = _id(allow_null=True)
    action_page = _id(allow_null=True)
    org = _id(allow_null=True, help_text="owner of the page")
    action_type = serializers.CharField()
    stage = Text()
    testing = serializers.BooleanField()
    created_at = Time()
    custom_fields = Object()
    donation = Donation(allow_null=True)
    dupe_rank = _id(allow_null=True)
    with_consent = serializers.BooleanField()
    opt_in = serializers.BooleanField(allow_null=True)
    tracking = Tracking(allow_null=True)


class CampaignShape(Serializer):
    """A campaign of Proca."""

    id = _id()
    proca_id = _id()
    name = Text()
    title = Text()
    external_id = Anything(allow_null=True)
    contact_schema = Text()
    config = Anything(allow_null=True)
    org = _id(allow_null=True)


class ActionPageShape(Serializer):
    """A page with a form."""

    id = _id()
    proca_id = _id()
    name = Text()
    locale = Text()
    campaign = _id(allow_null=True)
    org = _id(allow_null=True)


class OrgShape(Serializer):
    """An organisation; its id is Proca's number of it."""

    id = _id()
    proca_id = _id()
    name = Text()
    title = Text()
    policy = _word(Policy)


class SubscriptionShape(Serializer):
    """Whether an organisation may mail a person, and where."""

    id = _id()
    supporter = _id()
    org = _id()
    status = _word(Status)
    email = Text()
    status_changed_at = Time(allow_null=True)
    source = _word(Source, allow_null=True)  # type: ignore[assignment]


class ConsentShape(Serializer):
    """A line of the ledger."""

    id = _id()
    supporter = _id()
    org = _id(allow_null=True)
    kind = _word(ConsentKind)
    email = Text()
    occurred_at = Time()
    recorded_at = Time()
    source = _word(Source)  # type: ignore[assignment]
    destination = Text()
    action_id = _id(allow_null=True)
    counts = serializers.BooleanField(allow_null=True)
    note = Text()


class KeyIn(Serializer):
    """Whom to look for; one of the two."""

    email = serializers.CharField(required=False)
    contact_ref = serializers.CharField(required=False)


class StatusIn(Serializer):
    """What a CRM reports of somebody's subscription."""

    status = _word((Status.UNSUBSCRIBED, Status.SUBSCRIBED, Status.BOUNCED))
    occurred_at = Time(required=False, help_text="now, where it is not said")
    reason = serializers.CharField(required=False, help_text="needed for subscribed")


class ConsentIn(Serializer):
    """An entry for the ledger; one of supporter, email and contact_ref."""

    supporter = _id(required=False)
    email = serializers.CharField(required=False)
    contact_ref = serializers.CharField(required=False)
    org = _id(required=False, allow_null=True)
    kind = _word(ConsentKind)
    occurred_at = Time(required=False)
    reason = serializers.CharField(required=False)


class AddedConsent(ConsentShape):
    """The entry; one for a key that nobody has yet waits for them, and has no id and no supporter."""

    id = _id(allow_null=True)
    supporter = _id(allow_null=True)
    recorded_at = Time(allow_null=True)


class ChangeShape(Serializer):
    """A change: that it happened, and to what."""

    id = _id()
    kind = serializers.CharField(help_text=", ".join(CHANGES) + "; others may come")
    object = Anything(help_text="what kind of thing; with expand=1 the thing as it is now, null when it is gone")
    object_id = _id()
    occurred_at = Time()
    data = Object()  # type: ignore[assignment]


class ChangesShape(Serializer):
    """Changes in the order of their commits."""

    results = ChangeShape(many=True)
    next_after = serializers.CharField()


class QuarantinedShape(Serializer):
    """A message that could not be stored, without what it says."""

    id = _id()
    code = serializers.CharField()
    where = serializers.CharField()
    queue = serializers.CharField()
    reader = _id(allow_null=True)
    attempts = _id()
    received_at = Time()
    last_attempt_at = Time()
    not_before = Time(allow_null=True)


class RetriedShape(Serializer):
    """What became of a message that was tried again."""

    stored = serializers.BooleanField()


class EventShape(Serializer):
    """Something that happened to a person."""

    at = Time()
    kind = serializers.CharField()
    object = Object()


class TakenShape(Serializer):
    """What became of one message."""

    result = _word(("stored", "updated", "duplicate", "event", "quarantined"))


class ResultsShape(Serializer):
    """What became of each message, in order."""

    results = TakenShape(many=True)


class ProblemShape(Serializer):
    """RFC 9457."""

    type = _word([kind.type for kind in KINDS])
    title = serializers.CharField()
    status = _id()
    detail = serializers.CharField()
    errors = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))  # type: ignore[assignment]


@cache
def page_of(shape: type[Serializer]) -> type[Serializer]:
    """Return the shape of a page of a list."""
    return type(
        "PageOf" + shape.__name__.removesuffix("Shape"),
        (Serializer,),
        {
            "__doc__": "A page of a list.",
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": shape(many=True),
        },
    )
