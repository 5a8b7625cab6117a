"""What is stored, in the shape that the oracle gives: no generated ids, sorted by what is shown."""

from sync.models import Action, ActionPage, Campaign, Consent, Org, Subscription, Supporter
from sync.terms import DETAILS
from tests.oracle.words import canonical


def time(moment):
    """A time as the oracle writes it."""
    return moment and moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def state(policies=None, default_policy="opt_in") -> dict:
    """The whole database."""
    supporters = {one.pk: supporter(one) for one in Supporter.objects.all()}
    for one in Subscription.objects.order_by("org_id"):
        supporters[one.supporter_id]["subscriptions"].append(subscription(one))
    for one in Consent.objects.all():
        supporters[one.supporter_id]["consents"].append(consent(one))
    actions = list(Action.objects.select_related("campaign", "action_page"))
    for one in actions:
        if one.supporter_id is not None:
            supporters[one.supporter_id]["actions"].append(one.action_id)
    for one in supporters.values():
        one["consents"].sort(key=canonical)
        one["actions"].sort()
    contacts = contacts_of_supporters()
    return {
        "supporters": sorted(supporters.values(), key=canonical),
        "actions": {one.action_id: action(one, contacts) for one in sorted(actions, key=lambda one: one.action_id)},
        "campaigns": {one.proca_id: campaign(one) for one in Campaign.objects.order_by("proca_id")},
        "action_pages": {one.proca_id: page(one) for one in ActionPage.objects.order_by("proca_id")},
        "orgs": {one.pk: org(one, policies or {}, default_policy) for one in Org.objects.order_by("pk")},
    }


def contacts_of_supporters():
    """The contacts of each supporter that messages gave."""
    from sync.models import Contact

    found: dict = {}
    for one in Contact.objects.exclude(supporter=None):
        if one.said["t"][0] is not None:
            found.setdefault(one.supporter_id, []).append([one.email or None, one.ref or None])
    return {key: sorted(pairs, key=canonical) for key, pairs in found.items()}


def supporter(one: Supporter) -> dict:
    return {
        "email": one.email,
        "email_status": one.email_status,
        "email_status_changed_at": time(one.email_status_changed_at),
        **{name: getattr(one, name) for name in DETAILS},
        "language": one.language,
        "extra": one.extra,
        "contact_refs": one.contact_refs,
        "other_emails": one.other_emails,
        "details_given_at": time(one.details_given_at),
        "first_action_at": time(one.first_action_at),
        "last_action_at": time(one.last_action_at),
        "action_count": one.action_count,
        "subscriptions": [],
        "consents": [],
        "actions": [],
    }


def subscription(one: Subscription) -> dict:
    return {
        "org": one.org_id,
        "status": one.status,
        "email": one.email,
        "status_changed_at": time(one.status_changed_at),
        "source": one.source,
    }


def consent(one: Consent) -> dict:
    return {
        "org": one.org_id,
        "kind": one.kind,
        "email": one.email,
        "occurred_at": time(one.occurred_at),
        "source": one.source,
        "destination": one.destination or "",
        "action_id": one.action_id,
        "counts": one.counts,
        "note": one.note or "",
    }


def action(one: Action, contacts: dict) -> dict:
    return {
        "stage": one.stage,
        "testing": one.testing,
        "created_at": time(one.created_at),
        "custom_fields": one.custom_fields,
        "donation": one.donation,
        "dupe_rank": one.dupe_rank,
        "with_consent": one.with_consent,
        "opt_in": one.opt_in,
        "tracking": one.tracking,
        "action_type": one.action_type,
        "campaign": one.campaign and one.campaign.proca_id,
        "action_page": one.action_page and one.action_page.proca_id,
        "org": one.org_id,
        "supporter": contacts.get(one.supporter_id),
    }


def campaign(one: Campaign) -> dict:
    names = ("name", "title", "external_id", "contact_schema", "config")
    return {name: getattr(one, name) for name in names} | {"org": one.org_id}


def page(one: ActionPage) -> dict:
    return {
        "name": one.name,
        "locale": one.locale,
        "campaign": one.campaign and one.campaign.proca_id,
        "org": one.org_id,
    }


def org(one: Org, policies: dict, default_policy: str) -> dict:
    return {"name": one.name, "title": one.title, "policy": policies.get(one.pk, default_policy)}
