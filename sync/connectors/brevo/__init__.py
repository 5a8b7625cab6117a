"""Brevo: contacts with attributes, lists and events. Not for what is due, and nothing of it is stored here."""

from sync.connectors.brevo.declaration import connector

__all__ = ["connector"]
