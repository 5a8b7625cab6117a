"""Whether it lives, whether it is ready, and numbers for Prometheus: from the database, alike in every process."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max, Min, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sync.access.tokens import Scope, caller
from sync.api.auth import Bearer
from sync.api.problems import NOT_ALLOWED, NOT_AUTHENTICATED, Problem, as_response
from sync.changes import feed
from sync.models import IntakeCount, QuarantinedMessage, Supporter
from sync.read import figures
from sync.store import installation


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """The process lives. Touches nothing, so that a sick database does not get it restarted."""
    return _plain("ok")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """The database answers and is migrated: requests may come."""
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError):
        return _plain("the database does not answer", status=503)
    if behind:
        return _plain("migrations are missing: manage.py migrate", status=503)
    return _plain("ok")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers, for a token that may read, or for who asks from this machine itself."""
    try:
        if (refusal := _refusal(request)) is not None:
            return as_response(refusal)
        registry = CollectorRegistry()
        registry.register(_Numbers())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    except (DatabaseError, InterfaceError):
        return _plain("the database does not answer", status=503)


def _plain(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain")


def _refusal(request: HttpRequest) -> Problem | None:
    """Return why not; None where it may. What a proxy passes on comes from this machine too, and says so."""
    header = request.META.get("HTTP_AUTHORIZATION")
    if header is None and _is_here(request):
        return None
    text = Bearer().token(header or "")
    who = caller(text) if text else None
    if who is None:
        return Problem(
            NOT_AUTHENTICATED, "Send a token: Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"}
        )
    return None if who.may(Scope.READ) else Problem(NOT_ALLOWED, NOT_ALLOWED.title)


def _is_here(request: HttpRequest) -> bool:
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class _Numbers:
    """Reads them when they are asked for."""

    def describe(self) -> list[Metric]:
        """Say nothing beforehand: the registry would read everything twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return what came in, what waits, and how much there is."""
        yield _messages()
        yield from _quarantine()
        yield _gauge(
            "last_message_timestamp_seconds", "When the last message came in", _seconds(figures.last_message())
        )
        yield _gauge(
            "supporters", "People; estimated where there are many", figures.rows(Supporter.objects.all()).value
        )
        yield _subscriptions()
        yield _failed_receivers()
        yield _gauge("newest_change", "Id of the newest change", feed.newest_id())


def _messages() -> Metric:
    counted = CounterMetricFamily(
        "proca_crm_messages", "Messages taken in, by what became of them", labels=("source", "result")
    )
    rows = IntakeCount.objects.order_by().values_list("source", "verdict").annotate(total=Sum("number"))
    for source, verdict, total in rows:
        counted.add_metric((source, verdict), float(total))
    return counted


def _failed_receivers() -> Metric:
    counted = CounterMetricFamily(
        "proca_crm_receiver_failures", "Receivers of signals, not our own, that failed", labels=("receiver",)
    )
    for name, number in installation.failures().items():
        counted.add_metric((name,), float(number))
    return counted


def _quarantine() -> Iterator[Metric]:
    reasons = GaugeMetricFamily("proca_crm_quarantine", "Messages that could not be stored", labels=("code",))
    for reason in figures.quarantine_by_reason():
        reasons.add_metric((reason.code,), float(reason.number))
    yield reasons
    times = QuarantinedMessage.objects.aggregate(oldest=Min("received_at"), newest=Max("received_at"))
    age = (timezone.now() - times["oldest"]).total_seconds() if times["oldest"] else 0.0
    yield _gauge("quarantine_oldest_seconds", "How long the oldest of them waits", age)


def _subscriptions() -> Metric:
    gauge = GaugeMetricFamily("proca_crm_subscriptions", "Subscriptions by what holds", labels=("org", "status"))
    for org, statuses in figures.subscriptions_by_org().items():
        for status, total in statuses.items():
            gauge.add_metric((str(org), status), float(total))
    return gauge


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"proca_crm_{name}", says, value=value)


def _seconds(moment: Any) -> float:
    return moment.timestamp() if moment else 0.0
