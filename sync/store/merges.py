"""Merges by hand that hold, between whom: what an undo takes back."""

from __future__ import annotations

import msgspec

from sync.models.bulk import among, listed, select
from sync.rules.contacts import load_said
from sync.rules.facts import Facts, LinkFacts
from sync.rules.identity import Components, Pair, pair_text, text_pair
from sync.store.whom import NotPossible, Whom
from sync.terms import Instant

_LINK = "SELECT kind, a, b, CAST(history AS text) FROM sync_link WHERE "
_CONTACT = "SELECT email, ref, home, CAST(said AS text) FROM sync_contact WHERE supporter_id = %s"
_decode = msgspec.json.Decoder().decode


def joined(one: Whom, other: Whom, at: Instant) -> Facts:
    """Return a merge by hand: the smallest contacts of both are linked. Raises NotPossible: same."""
    if one.id == other.id:
        raise NotPossible("same")
    a, b = sorted((one.given[0], other.given[0]))
    return Facts(links=(LinkFacts("hand", a, b, at, "merge"),))


def linked_by_hand(former: int) -> list[tuple[Pair, Pair]]:
    """Return the contacts linked by hand between what messages link with a former supporter and with its survivor.

    Where these two are linked through others only, what links the former one with anybody. Empty where messages link
    them, or where the id was not merged.
    """
    found = select("SELECT into_id FROM sync_formersupporter WHERE id = %s", [former])
    if not found or found[0][0] is None:
        return []
    survivor = found[0][0]
    contacts = select(_CONTACT, [survivor])
    by_messages, by_hand = _links(contacts)
    homes = {home: by_messages.find(_node((email, ref))) for email, ref, home, _ in contacts if home is not None}
    if former not in homes:
        return []
    one, other = homes[former], homes.get(survivor)
    ends = [(a, b, {by_messages.find(_node(a)), by_messages.find(_node(b))}) for a, b in by_hand]
    direct = [(a, b) for a, b, two in ends if two == {one, other} and one != other]
    return direct or [(a, b) for a, b, two in ends if one in two and len(two) == 2]


def _links(contacts: list[tuple[object, ...]]) -> tuple[Components[tuple[str, str]], list[tuple[Pair, Pair]]]:
    """Return what messages and edits link among these contacts, and what was linked by hand and holds."""
    nodes: Components[tuple[str, str]] = Components()
    pairs: list[Pair] = []
    for email, ref, _, said in contacts:
        pair = (str(email), str(ref))
        pairs.append(pair)
        if load_said(_decode(str(said))).is_alive():
            nodes.join(_nodes(pair))
    by_hand = []
    wanted = listed(map(pair_text, pairs))
    for kind, a, b, history in select(f"{_LINK}{among('a')} OR {among('b')}", [wanted, wanted]):
        two = text_pair(a), text_pair(b)
        if kind == "edit":
            nodes.join([_node(two[0]), _node(two[1])])
        elif (said := _decode(history)) and said[-1][1] != "undo":
            by_hand.append(two)
    return nodes, by_hand


def _nodes(pair: Pair) -> list[tuple[str, str]]:
    return [(kind, key) for kind, key in zip("re", (pair[1], pair[0]), strict=True) if key]


def _node(pair: Pair) -> tuple[str, str]:
    return _nodes(pair)[0]
