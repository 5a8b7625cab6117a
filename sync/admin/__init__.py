"""The desk: pages for the people who run campaigns, on Django's admin with the unfold theme.

It shows what is stored. What people change goes through the functions of the store; nothing is written or deleted here.
"""

from sync.admin import (
    actions,
    consent,
    deliveries,
    destinations,
    intake,
    internals,
    log,
    people,
    places,
    start,
    tokens,
    users,
)
from sync.admin.base import show_the_rest

show_the_rest()

__all__ = [
    "actions",
    "consent",
    "deliveries",
    "destinations",
    "intake",
    "internals",
    "log",
    "people",
    "places",
    "start",
    "tokens",
    "users",
]
