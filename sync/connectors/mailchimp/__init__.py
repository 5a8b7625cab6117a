"""Mailchimp: members of an audience, with tags and events. Not for what is due, and nothing of it is stored here."""

from sync.connectors.mailchimp.declaration import connector

__all__ = ["connector"]
