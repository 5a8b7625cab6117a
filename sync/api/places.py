"""Actions, and where they happen: campaigns with their numbers, action pages, organisations."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from sync.api.endpoint import JSON, Endpoint
from sync.api.lists import list_of, one_of
from sync.api.resources import ACTION_PAGES, ACTIONS, CAMPAIGNS, ORGS
from sync.read.stats import stats_of

Actions, ActionOne = list_of(ACTIONS), one_of(ACTIONS)
ActionPages, ActionPageOne = list_of(ACTION_PAGES), one_of(ACTION_PAGES)
Campaigns, CampaignOne = list_of(CAMPAIGNS), one_of(CAMPAIGNS)
Orgs, OrgOne = list_of(ORGS), one_of(ORGS)


class CampaignStats(Endpoint):
    """Numbers of a campaign, over delivered actions that are not testing."""

    operation = "campaigns_stats"
    answers: ClassVar[dict[str, Any]] = {"GET": {(200, JSON): OpenApiTypes.OBJECT}}

    def get(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Return supporters, actions by type, by day and by country, and how many opted in."""
        if CAMPAIGNS.get(self.who, id) is None:
            raise Http404
        return Response(stats_of(id))
