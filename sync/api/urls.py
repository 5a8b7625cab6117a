"""Every address of the API. `proca/` answers alike with and without the last slash: a redirect would lose the body."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from sync.api import changes, consent, deliveries, destinations, ingest, places, quarantine, story, supporters
from sync.api.inbound import inbound

app_name = "api"

urlpatterns = [
    path("supporters/", supporters.Supporters.as_view()),
    path("supporters/search/", supporters.Search.as_view()),
    path("supporters/<int:id>/", supporters.One.as_view()),
    path("supporters/<int:id>/timeline/", story.Timeline.as_view()),
    path("supporters/<int:id>/export/", story.Export.as_view()),
    path("actions/", places.Actions.as_view()),
    path("actions/<int:id>/", places.ActionOne.as_view()),
    path("action-pages/", places.ActionPages.as_view()),
    path("action-pages/<int:id>/", places.ActionPageOne.as_view()),
    path("campaigns/", places.Campaigns.as_view()),
    path("campaigns/<int:id>/", places.CampaignOne.as_view()),
    path("campaigns/<int:id>/stats/", places.CampaignStats.as_view()),
    path("orgs/", places.Orgs.as_view()),
    path("orgs/<int:id>/", places.OrgOne.as_view()),
    path("subscriptions/", consent.Subscriptions.as_view()),
    path("subscriptions/<int:id>/", consent.SubscriptionOne.as_view()),
    path("consents/", consent.Consents.as_view()),
    path("changes/", changes.Changes.as_view()),
    path("supporters/<int:id>/destinations/", destinations.OfSupporter.as_view()),
    path("destinations/", destinations.Destinations.as_view()),
    path("destinations/<int:id>/", destinations.DestinationOne.as_view()),
    path("destinations/<int:id>/test/", destinations.Test.as_view()),
    path("destinations/<int:id>/resync/", destinations.Resync.as_view()),
    path("destinations/<int:id>/inbound/", inbound),
    path("destinations/<int:id>/inbound", inbound),
    path("deliveries/", deliveries.Deliveries.as_view()),
    path("deliveries/<int:id>/", deliveries.DeliveryOne.as_view()),
    path("deliveries/<int:id>/retry/", deliveries.Retry.as_view()),
    path("quarantine/", quarantine.Quarantine.as_view()),
    path("quarantine/<int:id>/", quarantine.QuarantineOne.as_view()),
    path("quarantine/<int:id>/retry/", quarantine.Retry.as_view()),
    path("proca/messages/", ingest.Messages.as_view()),
    path("proca/messages", ingest.Messages.as_view(schema=None)),
    path("proca/lookup/", ingest.Lookup.as_view()),
    path("proca/lookup", ingest.Lookup.as_view(schema=None)),
    path("schema/", SpectacularAPIView.as_view(schema=None), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema", schema=None), name="docs"),
]
