"""Where actions happen: organisations, campaigns, action pages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from sync.admin import policy
from sync.admin.base import ReadOnly, column
from sync.admin.campaign_figures import figures_of
from sync.admin.filters import OfCampaign, OfOrg
from sync.admin.values import link
from sync.models import ActionPage, Campaign, Org
from sync.terms import Policy


@admin.register(Org)
class Orgs(ReadOnly):
    """Organisations of Proca: ours, and those whose pages we got people from."""

    list_display = ("__str__", "number", "name", "kept_policy")
    search_fields = ("name", "title")
    ordering = ("pk",)
    unread = ("given",)
    sections = (("", ("number", "name", "title", "kept_policy")),)
    page_template = "desk/org.html"

    def get_urls(self) -> list[Any]:
        """Add the page that changes the policy."""
        view = self.admin_site.admin_view(self.policy)
        return [path("<int:pk>/policy/", view, name="sync_org_policy"), *super().get_urls()]

    def policy(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Change what an opt-in means."""
        org = self.get_object(request, str(pk))
        return self.missing(request, str(pk)) if org is None else policy.view(self, request, org)

    def page(self, request: HttpRequest, one: Model, template: str, **context: Any) -> TemplateResponse:
        """Offer that page to whoever may."""
        may = request.user.has_perm("sync.change_org")
        return super().page(request, one, template, may_set_policy=may, **context)

    @column("number at Proca")
    def number(self, org: Org) -> str:
        return str(org.pk)

    @column("an opt-in")
    def kept_policy(self, org: Org) -> str:
        if org.policy is None:
            return f"{_POLICY[Policy(settings.SUBSCRIPTION_POLICY)]} (as the settings say)"
        return _POLICY[Policy(org.policy)]


_POLICY = {Policy.OPT_IN: "subscribes at once", Policy.DOUBLE_OPT_IN: "waits for the click in the mail"}


@admin.register(Campaign)
class Campaigns(ReadOnly):
    """Campaigns of Proca."""

    list_display = ("__str__", "name", "number", "owner", "contact_schema")
    list_filter = (OfOrg,)
    list_select_related = ("org",)
    search_fields = ("name", "title")
    unread = ("given", "config", "org__given")
    page_template = "desk/campaign.html"
    sections = (
        ("", ("name", "title", "number", "owner", "external_id", "contact_schema")),
        ("Configuration at Proca", ("config",)),
    )

    def page(self, request: HttpRequest, one: Model, template: str, **context: Any) -> TemplateResponse:
        """Add what came of the campaign."""
        return super().page(request, one, template, figures=figures_of(one.pk), **context)

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
