"""Where somebody is now whose id is known from before: merged into another, erased, or nobody."""

from __future__ import annotations

from django.http import Http404

from sync.api.problems import ERASED, Problem
from sync.models import FormerSupporter, Supporter

_LARGEST_ID = 2**63 - 1


def survivor(supporter: int) -> int:
    """Return who has the contacts of this id now; answers 410 for somebody erased, 404 for nobody."""
    seen: set[int] = set()
    current = supporter
    while current <= _LARGEST_ID and current not in seen:
        seen.add(current)
        former = FormerSupporter.objects.filter(pk=current).values_list("into_id").first()
        if former is None:
            break
        if former[0] is None:
            raise Problem(ERASED, "Forget this person where you keep them")
        current = former[0]
    if current > _LARGEST_ID or not Supporter.objects.filter(pk=current).exists():
        raise Http404
    return current
