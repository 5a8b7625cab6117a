"""What a request of people would do, worked out in memory and written nowhere."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from sync.rules.people import People
from sync.rules.plan import SUPPORTER_COLUMNS, supporter_columns
from sync.store import whom
from sync.store.errors import told_apart
from sync.store.known import Reader
from sync.store.merges import joined
from sync.store.write import lock, policy_in_force

_JSON = ("extra", "contact_refs", "other_emails")


@dataclass(frozen=True, slots=True)
class Merged:
    """The one supporter that a merge of two would make: columns by name, and statuses by organisation."""

    columns: dict[str, Any]
    statuses: dict[int, str]


def merged(first: int, second: int) -> Merged:
    """Return what a merge by hand of two supporters would make. Raises NotPossible: same, nobody, erased."""
    with told_apart(), transaction.atomic():
        lock()
        one, other = whom.supporter(first), whom.supporter(second)
        facts = joined(one, other, time.time_ns() // 1000)
        reader = Reader([facts])
        reader.read()
        policy = policy_in_force(reader.kept)
    reader.kept.fold(facts)
    reader.kept.settle()
    people = People(reader.kept, policy)
    person = people.person_of[one.given[0]]
    columns = dict(zip(SUPPORTER_COLUMNS, supporter_columns(person), strict=True))
    columns |= {name: json.loads(columns[name]) for name in _JSON}
    return Merged(columns, {org: str(each.status) for org, each in person.subscriptions.items()})
