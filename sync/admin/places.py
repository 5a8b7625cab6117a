"""Where actions happen: organisations, campaigns, action pages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin

from sync.admin.base import ReadOnly, column
from sync.admin.filters import OfCampaign, OfOrg
from sync.admin.values import link
from sync.models import ActionPage, Campaign, Org


@admin.register(Org)
class Orgs(ReadOnly):
    """Organisations of Proca: ours, and those whose pages we got people from."""

    list_display = ("__str__", "number", "name", "kept_policy")
    search_fields = ("name", "title")
    ordering = ("pk",)
    unread = ("given",)
    sections = (("", ("number", "name", "title", "kept_policy")),)

    @column("number at Proca")
    def number(self, org: Org) -> str:
        return str(org.pk)

    @column("an opt-in")
    def kept_policy(self, org: Org) -> str:
        if org.policy is None:
            return f"{_POLICY[settings.SUBSCRIPTION_POLICY]} (the default)"
        return _POLICY.get(org.policy, org.policy)


_POLICY = {"opt_in": "subscribes at once", "double_opt_in": "waits for the click in the mail"}


@admin.register(Campaign)
class Campaigns(ReadOnly):
    """Campaigns of Proca."""

    list_display = ("__str__", "name", "number", "owner", "contact_schema")
    list_filter = (OfOrg,)
    list_select_related = ("org",)
    search_fields = ("name", "title")
    unread = ("given", "config", "org__given")
    sections = (
        ("", ("name", "title", "number", "owner", "external_id", "contact_schema")),
        ("Configuration at Proca", ("config",)),
    )

    @column("number at Proca")
    def number(self, campaign: Campaign) -> str:
        return str(campaign.proca_id)

    @column("organisation")
    def owner(self, campaign: Campaign) -> Any:
        return link(campaign.org)


@admin.register(ActionPage)
class ActionPages(ReadOnly):
    """Pages with a form or a widget."""

    list_display = ("__str__", "number", "locale", "of_campaign", "owner")
    list_filter = (OfCampaign, OfOrg)
    list_select_related = ("org", "campaign")
    search_fields = ("name",)
    unread = ("given", "campaign__given", "campaign__config", "org__given")
    sections = (("", ("name", "number", "locale", "of_campaign", "owner")),)

    @column("number at Proca")
    def number(self, page: ActionPage) -> str:
        return str(page.proca_id)

    @column("campaign")
    def of_campaign(self, page: ActionPage) -> Any:
        return link(page.campaign)

    @column("organisation")
    def owner(self, page: ActionPage) -> Any:
        return link(page.org)
