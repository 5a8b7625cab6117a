"""Whom reports are about, a page of them at once: by our id, the CRM's, the address, or the contactRef."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings

from sync.connectors.contract import Report
from sync.models import Contact, Delivery, Destination, FormerSupporter, Subscription, Supporter
from sync.rules.identity import email_key, ref_key
from sync.sealing import KeyedHash
from sync.terms import ADDRESS_STOPS, ConsentKind

log = structlog.get_logger(__name__)

#: Only a circle, which there is none of, would be longer.
_LONGEST_CHAIN = 1_000


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom a report is about: one supporter, or a key of nobody or several. `who` stands for it in `Reported`."""

    supporter: int | None
    who: str


def found(destination: Destination, reports: Sequence[Report]) -> list[tuple[Report, Whose]]:
    """Return those reports that are about somebody, or about a key, with whom."""
    owners = _Owners(destination, reports)
    pairs = [(report, _whose(report, owners.of(report))) for report in reports]
    nobody = sum(whose is None for _, whose in pairs)
    if nobody:
        log.warning("reports_about_nobody", destination=destination.pk, number=nobody)
    return [(report, whose) for report, whose in pairs if whose is not None]


def _whose(report: Report, supporters: Sequence[int]) -> Whose | None:
    if len(supporters) == 1:
        return Whose(supporters[0], str(supporters[0]))
    if key := email_key(report.email):
        return Whose(None, _hash("e", key))
    if key := ref_key(report.contact_ref):
        return Whose(None, _hash("r", key))
    return None


def _hash(kind: str, key: str) -> str:
    return KeyedHash(settings.HASH_KEYS).of(kind, key)


class _Owners:
    """The supporters that the keys of a page of reports belong to, read with a query for each kind of key."""

    def __init__(self, destination: Destination, reports: Sequence[Report]) -> None:
        self._survivors = _survivors({one.supporter for one in reports if one.supporter is not None})
        self._remote = _by_remote_id(destination, [one.remote_id for one in reports if one.remote_id])
        contacts = Contact.objects.filter(supporter__isnull=False)
        emails = {key for one in reports if (key := email_key(one.email))}
        refs = {key for one in reports if (key := ref_key(one.contact_ref))}
        self._emails = _grouped(contacts.filter(email__in=emails).values_list("email", "supporter_id").distinct())
        self._refs = _grouped(contacts.filter(ref__in=refs).values_list("ref", "supporter_id").distinct())

    def of(self, report: Report) -> Sequence[int]:
        """Return whose a report may be, by the first key that it has and that is known for one."""
        if report.supporter is not None:
            return [self._survivors.get(report.supporter, report.supporter)]
        if report.remote_id in self._remote:
            return [self._remote[report.remote_id]]
        if key := email_key(report.email):
            return self._emails.get(key, [])
        if key := ref_key(report.contact_ref):
            return self._refs.get(key, [])
        return []


def _survivors(ids: set[int]) -> dict[int, int]:
    """Return who ids belong to that were merged away, step by step through chains of merges."""
    found, ahead = dict[int, int](), {one: one for one in ids}
    for _ in range(_LONGEST_CHAIN):
        if not ahead:
            break
        steps = dict(
            FormerSupporter.objects.filter(pk__in=set(ahead.values()), into__isnull=False).values_list("pk", "into_id")
        )
        ahead = {former: steps[at] for former, at in ahead.items() if at in steps and steps[at] != former}
        found |= ahead
    return found


def _by_remote_id(destination: Destination, ids: Sequence[str]) -> dict[str, int]:
    rows = Delivery.objects.filter(destination_id=destination.pk, remote_id__in=ids, kind="person")
    return {str(remote): supporter for remote, supporter in rows.values_list("remote_id", "supporter_id")}


def _grouped(rows: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for key, supporter in rows:
        found[key].append(supporter)
    return dict(found)


def named(destination: Destination, pairs: Sequence[tuple[Report, Whose]]) -> list[str | None]:
    """Return the address that an entry names: an address stop and a consent need one, the will of a person none."""
    people = [whose.supporter for report, whose in pairs if whose.supporter and not email_key(report.email)]
    shown = dict(Supporter.objects.filter(pk__in=people).values_list("pk", "email"))
    rows = Subscription.objects.filter(supporter_id__in=people, org_id=destination.org_id, email__isnull=False)
    mailed = dict(rows.values_list("supporter_id", "email"))
    return [_named(report, whose, shown | mailed) for report, whose in pairs]


def _named(report: Report, whose: Whose, addresses: dict[int, str | None]) -> str | None:
    if whose.supporter is None:
        return email_key(report.email) or None
    if report.kind not in ADDRESS_STOPS and report.kind is not ConsentKind.OPT_IN:
        return None
    return email_key(report.email) or addresses.get(whose.supporter)
