"""The matrix of what each kind of destination can, from the connectors' own declarations.

python -m tests.connectors.matrix      writes docs/connectors-matrix.md
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sync.connectors.contract import Connector, Feature, FindsBy
from sync.push.registry import BUILT_IN, connector

PAGE = Path(__file__).resolve().parents[2] / "docs" / "connectors-matrix.md"
_HEAD = """# What each kind of destination can

Made from the connectors' own declarations by `python -m tests.connectors.matrix`; a test keeps it true.
"""
_WORDS = {
    Feature.CONTACTS: "people",
    Feature.SUBSCRIPTIONS: "subscriptions and stops",
    Feature.TAGS: "tags",
    Feature.ACTIONS: "actions",
    Feature.DONATIONS: "donations",
    Feature.CAMPAIGNS: "campaigns",
    Feature.ERASE: "forgets people",
    Feature.INBOUND_WEBHOOK: "tells us by a webhook",
    Feature.INBOUND_POLL: "is asked by polling",
}


def matrix(kinds: Iterable[Connector]) -> str:
    """Return the page."""
    kinds = list(kinds)
    rows = [("", *(one.title for one in kinds)), ("---", *(":-:" for _ in kinds))]
    rows += [
        (words, *("yes" if feature in one.features else "–" for one in kinds)) for feature, words in _WORDS.items()
    ]
    rows += [
        ("a webhook can also bring consent", *(_signed(one) for one in kinds)),
        ("says who is there before the first push", *("yes" if one.look else "–" for one in kinds)),
        ("finds people by", *("our id" if one.finds_by is FindsBy.OUR_ID else "address" for one in kinds)),
        ("people in a call, at most", *(str(one.batch_size) for one in kinds)),
        ("workers at once, at most", *(str(one.concurrency) for one in kinds)),
        ("calls a second, at most", *("–" if one.rate is None else f"{one.rate:g}" for one in kinds)),
        ("modes of a mapping", *(", ".join(sorted(one.modes)).replace("_", " ") for one in kinds)),
    ]
    return _HEAD + "\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _signed(one: Connector) -> str:
    return "–" if one.inbox is None else "yes" if one.inbox.is_signed else "stops only"


def built_in() -> list[Connector]:
    """Return our own kinds."""
    return [connector(name) for name in BUILT_IN]


if __name__ == "__main__":
    PAGE.write_text(matrix(built_in()), encoding="utf-8")
