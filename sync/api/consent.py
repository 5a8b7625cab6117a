"""Subscriptions and the consent ledger."""

from __future__ import annotations

from sync.api.lists import list_of, one_of
from sync.api.resources import CONSENTS, SUBSCRIPTIONS

Subscriptions, SubscriptionOne = list_of(SUBSCRIPTIONS), one_of(SUBSCRIPTIONS)
Consents = list_of(CONSENTS)
