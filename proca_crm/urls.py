"""Every address of this server."""

from django.contrib import admin
from django.urls import include, path

from sync.api.monitoring import healthz, metrics, readyz
from sync.api.problems import handlers

admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("sync.api.urls")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
handler400, handler403, handler404, handler500 = handlers()
