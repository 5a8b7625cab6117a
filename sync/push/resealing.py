"""After a new FIELD_ENCRYPTION_KEY was put in front: what an old one sealed is sealed again, so that it can go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog
from django.conf import settings

from sync.access import audit
from sync.models import Delivery, Destination
from sync.push.addresses import is_newest, sealer
from sync.sealing import Unsealable

log = structlog.get_logger(__name__)

_AT_ONCE = 1_000


def reseal() -> None:
    """Seal secrets of destinations and told addresses with the newest key. What no key opens stays as it is."""
    if len(settings.FIELD_ENCRYPTION_KEYS) < 2:
        return
    for pk, sealed, again in _again(Destination.objects.exclude(secrets="").values_list("pk", "secrets")):
        # Unless somebody has typed others meanwhile.
        if Destination.objects.filter(pk=pk, secrets=sealed).update(secrets=again):
            audit.record("push_crm", "reseal", "destination", pk)
    addresses = 0
    for pk, sealed, again in _again(_addresses()):
        addresses += Delivery.objects.filter(pk=pk, told_email=sealed).update(told_email=again)
    if addresses:
        log.info("addresses_sealed_again", number=addresses)


def _again(rows: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    for pk, sealed in rows:
        if is_newest(sealed):
            continue
        try:
            yield pk, sealed, sealer().seal(sealer().open(sealed))
        except Unsealable:
            continue


def _addresses() -> Iterator[tuple[int, str]]:
    last = 0
    while True:
        rows = Delivery.objects.filter(pk__gt=last).exclude(told_email="").order_by("pk")
        page = list(rows.values_list("pk", "told_email")[:_AT_ONCE])
        yield from page
        if len(page) < _AT_ONCE:
            return
        last = page[-1][0]
