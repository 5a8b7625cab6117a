"""Every address of this server."""

from django.contrib import admin
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.cache import never_cache


def healthz(_request: HttpRequest) -> HttpResponse:
    """The process lives. Touches nothing, so that a sick database does not get it restarted."""
    return _plain("ok")


@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """The database answers and is migrated: requests may come."""
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return _plain("the database does not answer", status=503)
    if behind:
        return _plain("migrations are missing: manage.py migrate", status=503)
    return _plain("ok")


def _plain(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("readyz", readyz),
]
