"""Tells Django about this app and connects the receivers of its signals, nothing else."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    """The one app of this project."""

    name = "sync"
    label = "sync"
    verbose_name = "Proca CRM"

    def ready(self) -> None:
        """Let the change log listen."""
        from sync.changes import log

        log.connect()
