"""Strategies for never-crash tests: messages with something broken in them, and any JSON."""

from typing import Any

from hypothesis import strategies as st

from . import wire
from .strategies import bodies, one_of, sometimes


def any_json() -> Any:
    """Any JSON value, with the words and characters that break parsers."""
    leaves = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        one_of("", "null", "\0", "a@b", "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "{}"),
        st.text(max_size=12),
    )  # fmt: skip
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
        max_leaves=8,
    )


def paths(value, prefix=()) -> list[tuple]:
    """Where something stands in a JSON value; the value itself is the empty path."""
    found = [prefix]
    for name in value if isinstance(value, dict) else ():
        found += paths(value[name], (*prefix, name))
    return found


def changed_at(value, path: tuple, new):
    """A copy with another value at the path; `wire.ABSENT` removes it."""
    if not path:
        return new
    copy = dict(value)
    copy[path[0]] = changed_at(copy[path[0]], path[1:], new)
    return wire.without_absent(copy)


@st.composite
def near_messages(draw):
    """A real message with one to three things in it lost, or replaced by any JSON."""
    body = draw(bodies())
    for _ in range(draw(st.integers(1, 3))):
        places_in = paths(body)[1:] if isinstance(body, dict) else []
        if not places_in or sometimes(draw, 12):
            return draw(any_json())
        lost = sometimes(draw, 3)
        body = changed_at(body, draw(one_of(*places_in)), wire.ABSENT if lost else draw(any_json()))
    return body
