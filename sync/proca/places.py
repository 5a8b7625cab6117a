"""Campaign, page and org that a message names, with the fields it gives of each."""

from __future__ import annotations

from typing import Any

from sync.proca.shapes import Places
from sync.proca.values import identifier, integer, is_empty, object_at, text


def read_places(message: dict[str, Any]) -> Places:
    """Return the places of an action, an event about a supporter, or a system message."""
    campaign, page, org = (
        object_at(message, "campaign"),
        object_at(message, "actionPage"),
        object_at(message, "org"),
    )
    return Places(
        campaign_id=_id(message, "campaignId", campaign, "campaign.id"),
        page_id=_id(message, "actionPageId", page, "actionPage.id"),
        org_id=_id(message, "orgId", org, "org.id"),
        campaign=_campaign(campaign),
        page=_texts(page, "name", "locale"),
        org=_texts(org, "name", "title"),
    )


def read_campaign_places(message: dict[str, Any]) -> Places:
    """Return the places of a `campaign_updated` event: the org owns the campaign, and `config` is given."""
    campaign = object_at(message, "campaign")
    inner, beside = object_at(campaign, "org"), object_at(message, "org")
    fields = _campaign(campaign)
    if not is_empty(campaign.get("config")):
        fields["config"] = campaign["config"]
    return Places(
        campaign_id=_id(message, "campaignId", campaign, "campaign.id"),
        org_id=_id(message, "orgId", beside, "org.id") or identifier(inner.get("id"), "campaign.org.id"),
        campaign=fields,
        org=_texts(beside, "name", "title") | _texts(inner, "name", "title"),
    )


def _id(message: dict[str, Any], key: str, repeated_in: dict[str, Any], where: str) -> int | None:
    """Return an id, else its copy inside the object that it belongs to."""
    number = identifier(message.get(key), key)
    return identifier(repeated_in.get("id"), where) if number is None else number


def _campaign(campaign: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that every message gives of a campaign."""
    fields: dict[str, Any] = _texts(campaign, "name", "title")
    external_id = integer(campaign.get("externalId"))
    if external_id is not None:
        fields["external_id"] = external_id
    schema = text(campaign.get("contactSchema"))
    if schema:
        fields["contact_schema"] = schema
    return fields


def _texts(holder: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return the non-empty texts under these keys."""
    return {key: value for key in keys if (value := text(holder.get(key))) is not None}
