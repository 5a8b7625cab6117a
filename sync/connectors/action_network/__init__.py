"""Action Network: activists with tags, and submissions of forms. Not for what is due, and nothing is stored here."""

from sync.connectors.action_network.declaration import connector

__all__ = ["connector"]
