"""Orders in which the items of a set may arrive."""

from tests.oracle.words import time_of

#: What people say of who is who. The store gives these words their times, one after the other.
OF_IDENTITY = ("shared", "merge", "undo", "mark")


def as_they_may_come(items, random):
    """The items and some of them again, in any order; but words on identity by their times where there is an erasure.

    An erasure is for good: a word that would have kept it from somebody, said of a time before it, comes too late.
    """
    items = [*items, *items[::2]]
    random.shuffle(items)
    if any(item["kind"] == "mark" for item in items):
        places = [number for number, item in enumerate(items) if item["kind"] in OF_IDENTITY]
        for place, word in zip(places, sorted((items[one] for one in places), key=_said_at), strict=True):
            items[place] = word
    return items


def _said_at(word):
    """At equal times marks come last: they are on whatever holds then."""
    return (time_of(word["at"]), word["kind"] == "mark")
