"""CiviCRM, by its APIv4 over REST: contacts, a newsletter group, activities, campaigns, tags.

Not for extensions of CiviCRM that take whole submissions; what it says is what docs/civicrm.md tells campaigners.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sync.connectors.civicrm.api import ANSWERS, zone_of
from sync.connectors.civicrm.back import poll
from sync.connectors.civicrm.check import check
from sync.connectors.civicrm.push import look, preview, push
from sync.connectors.contract import Connector, Feature, FindsBy, Mapped, Mode, Setting, SettingType

__all__ = ["connector"]

_SETTINGS = (
    Setting(
        key="url",
        title="Address of the site",
        type=SettingType.URL,
        place=True,
        help="As https://crm.example.org. Where APIv4 lies elsewhere: the whole address up to civicrm/ajax/api4.",
    ),
    Setting(key="key", title="API key", secret=True, help="Of a contact that is there for this alone."),
    Setting(
        key="site_key",
        title="Site key",
        secret=True,
        required=False,
        help="Where the site asks for it beside the API key (AuthX guard).",
    ),
    Setting(
        key="group",
        title="Newsletter group",
        type=SettingType.FOUND,
        among="groups",
        required=False,
        help="To choose from once the connection was checked. Who is subscribed is a member of it. No smart group.",
    ),
    Setting(
        key="activity_type",
        title="Activity type",
        type=SettingType.FOUND,
        among="activity_types",
        required=False,
        help="For what people did, unless there is an activity type called like the type of the action.",
    ),
    Setting(
        key="timezone",
        title="Time zone of CiviCRM",
        default="UTC",
        help="As Europe/Paris. CiviCRM tells times without a zone; they decide which of two words is the newer.",
    ),
    Setting(
        key="opt_out",
        title="Who unsubscribes gets no bulk mail at all",
        type=SettingType.FLAG,
        required=False,
        default=True,
        help="If not, they leave the groups that they were put into, and no other one.",
    ),
    Setting(
        key="campaigns",
        title="Make campaigns",
        type=SettingType.FLAG,
        required=False,
        default=True,
        help="Needs the component CiviCampaign.",
    ),
    Setting(
        key="prefix",
        title="Prefix of external identifiers",
        default="proca",
        place=True,
        help="Another one for each installation that writes to the same CiviCRM.",
    ),
    Setting(
        key="one_by_one",
        title="One call in a request",
        type=SettingType.FLAG,
        required=False,
        default=False,
        help="Slower; where a firewall refuses several calls in one request.",
    ),
)

_MAPPING = tuple(
    Mapped(source=source, target=target)
    for source, target in (
        ("first_name", "first_name"),
        ("last_name", "last_name"),
        ("birth_date", "birth_date"),
        ("language", "preferred_language"),
        ("phone", "phone_primary.phone"),
        ("street", "address_primary.street_address"),
        ("street_number", "street_number"),
        ("postcode", "address_primary.postal_code"),
        ("locality", "address_primary.city"),
        ("country", "address_primary.country_id:abbr"),
    )
)


def _faults(settings: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if zone_of(settings) is None:
        found["timezone"] = "a time zone as Europe/Paris"
    for key in ("group", "activity_type"):
        if not str(settings.get(key) or "0").isdigit():
            found[key] = "the number of one that is there"
    prefix = str(settings.get("prefix") or "")
    if not prefix.isascii() or not prefix.replace("-", "").replace("_", "").isalnum() or len(prefix) > 32:
        found["prefix"] = "at most 32 letters, digits, dashes and underscores"
    return found


connector = Connector(
    kind="civicrm",
    title="CiviCRM",
    summary="Contacts, a newsletter group, activities, campaigns and tags, by APIv4.",
    settings=_SETTINGS,
    features=frozenset(
        {
            Feature.CONTACTS,
            Feature.SUBSCRIPTIONS,
            Feature.TAGS,
            Feature.ACTIONS,
            Feature.CAMPAIGNS,
            Feature.ERASE,
            Feature.INBOUND_POLL,
        }
    ),
    push=push,
    check=check,
    preview=preview,
    look=look,
    poll=poll,
    faults=_faults,
    answers=ANSWERS,
    finds_by=FindsBy.EMAIL,
    # Fifty people in one call cost it as much as nine single ones, and a request of more may take longer than we wait.
    batch_size=25,
    concurrency=2,
    poll_every=timedelta(minutes=5),
    mapping=_MAPPING,
    modes=frozenset(Mode),
)
