"""Which supporters a search term means. Every way is by an index; nothing is matched in the middle of a text."""

from __future__ import annotations

import sys

from django.db.models import Q

from sync.models import Contact, FormerSupporter
from sync.rules.identity import email_key, ref_key
from sync.rules.plan import search_key

#: Nobody has more names; for each of them a range of the index is looked at.
_MOST_WORDS = 5
_LARGEST_ID = 2**63 - 1


def matching(term: str) -> Q:
    """Return the condition on supporters that a term means.

    With an @ it is an email, of today or before. Digits are an id, also a former one. A contactRef is found as it is.
    Everything else are names in any order, as they begin; one word alone is a family name.
    """
    # No key and no name holds U+0000, and PostgreSQL refuses to look for it.
    term = term.replace("\0", "").strip()
    if "@" in term:
        return Q(pk__in=_with_email(term))
    if term.isascii() and term.isdigit() and len(term) <= len(str(_LARGEST_ID)) and int(term) <= _LARGEST_ID:
        return Q(pk__in=_with_id(int(term)))
    if owners := _with_ref(term):
        return Q(pk__in=owners)
    return _named(term)


def _with_email(term: str) -> list[int]:
    key = email_key(term)
    return _owners(Q(email=key)) if key else []


def _with_ref(term: str) -> list[int]:
    ref = ref_key(term)
    # The second condition is that of the partial index.
    return _owners(Q(ref=ref) & ~Q(ref="")) if ref else []


def _owners(condition: Q) -> list[int]:
    found = Contact.objects.filter(condition, supporter__isnull=False).values_list("supporter_id", flat=True)
    return [one for one in found[:1000] if one is not None]


def _with_id(number: int) -> list[int]:
    survivor = survivor_of(number)
    return [number] if survivor is None else [number, survivor]


def survivor_of(former: int) -> int | None:
    """Return who an id belongs to that was merged away, through any chain; None where it was not."""
    seen, current = {former}, former
    while True:
        into = FormerSupporter.objects.filter(pk=current).values_list("into_id", flat=True).first()
        if into is None or into in seen:
            return None if current == former else current
        seen.add(into)
        current = into


def _named(term: str) -> Q:
    """Names in any order, each cut short if need be: the index finds those that begin with one of the words."""
    words = search_key(term).split()
    if len(words) > _MOST_WORDS:
        return _beginning_with(" ".join(words))
    found = Q(pk__in=[])
    for place, word in enumerate(words):
        named = _beginning_with(word)
        for other in words[:place] + words[place + 1 :]:
            named &= Q(search_key__contains=f" {other}")
        found |= named
    return found


def _beginning_with(prefix: str) -> Q:
    """A range instead of LIKE: `%` and `_` are plain characters, and both databases use the index."""
    above = _next_after(prefix)
    found = Q(search_key__gte=prefix)
    return found & Q(search_key__lt=above) if above else found


def _next_after(prefix: str) -> str:
    """The smallest text above all that begin with this one, by code points."""
    for cut in range(len(prefix), 0, -1):
        last = ord(prefix[cut - 1])
        if last < sys.maxunicode:
            # Between these two are the surrogates, which no text holds.
            following = 0xE000 if last == 0xD7FF else last + 1
            return prefix[: cut - 1] + chr(following)
    return ""
