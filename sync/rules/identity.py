"""Who is the same person: keys, and the connected components that they make (rule 2)."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Iterator
from functools import lru_cache
from typing import Generic, TypeVar

import idna

#: (email key, contactRef); an empty text is no key.
Pair = tuple[str, str]

Node = TypeVar("Node", bound=Hashable)

_PLACEHOLDERS = frozenset({"", "null", "undefined", "none", "0"})


def email_key(email: str | None) -> str:
    """Return the form of an email by which people are told apart, or "" where it is none.

    `lower()` as Proca does before it hashes, never `casefold()`, which would make one of two German addresses.
    """
    if not email:
        return ""
    text = email if email.isascii() else _without_marks(email)
    text = text.strip().lower()
    local, at, domain = text.partition("@")
    if not at or not local or not domain or "@" in domain or _has_blank(text):
        return ""
    return text if domain.isascii() else f"{local}@{_ascii_domain(domain)}"


def ref_key(ref: str | None) -> str:
    """Return the form of a contactRef by which people are told apart, or "" where it is none."""
    if not ref:
        return ""
    text = ref if ref.isascii() else _without_format_characters(ref)
    text = text.strip()
    return "" if text.lower() in _PLACEHOLDERS or _has_blank(text) else text


def keys_in(pairs: Iterable[Pair]) -> Iterator[tuple[str, str]]:
    """Return the keys of these pairs, each as its kind (`e` for an email, `r` for a contactRef) and its text."""
    for email, ref in pairs:
        if email:
            yield "e", email
        if ref:
            yield "r", ref


def pair_text(pair: Pair) -> str:
    """Return a pair as one text, as rows keep it; no key holds a line feed."""
    return f"{pair[0]}\n{pair[1]}"


def text_pair(text: str) -> Pair:
    """Return the pair that `pair_text` wrote."""
    email, _, ref = text.partition("\n")
    return email, ref


def _without_format_characters(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character) != "Cf")


def _without_marks(text: str) -> str:
    return unicodedata.normalize("NFC", _without_format_characters(text))


def _has_blank(text: str) -> bool:
    return len(text.split(maxsplit=1)) > 1


@lru_cache(maxsize=4096)
def _ascii_domain(domain: str) -> str:
    return ".".join(_ascii_label(label) for label in domain.split("."))


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:
        return label


class Components(Generic[Node]):
    """Union-find over hashable nodes."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def find(self, node: Node) -> Node:
        """Return the representative of a node's component; a new node is one of its own."""
        parent = self._parent
        root = parent.setdefault(node, node)
        while parent[root] != root:
            root = parent[root]
        while parent[node] != root:
            parent[node], node = root, parent[node]
        return root

    def join(self, nodes: Iterable[Node]) -> None:
        """Make one component of all these nodes."""
        first: Node | None = None
        for node in nodes:
            root = self.find(node)
            if first is None:
                first = root
            elif root != first:
                self._parent[root] = first
