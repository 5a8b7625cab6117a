"""After an erasure: raw texts that hold a key of the person go too, wherever they wait (rule 7)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sync.models import Notice, QuarantinedMessage, bulk
from sync.models.bulk import among, execute, listed
from sync.rules.erasure import HASHED
from sync.rules.facts import Facts
from sync.rules.identity import email_key, ref_key
from sync.rules.newest import canonical

if TYPE_CHECKING:
    from sync.store.known import Reader

#: What stands around keys in JSON and in sentences.
_BETWEEN = re.compile(r"""[\s"'<>,;:=(){}\[\]\\]+""")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


class Keys:
    """The keys of an erased person in clear, for as long as it takes to look for them."""

    def __init__(self, emails: set[str], refs: set[str]) -> None:
        self.emails, self.refs = emails, refs

    def are_in(self, text: str) -> bool:
        """Tell whether a text holds one of them, however it is escaped or spelled."""
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).replace("\0", "")
        words = set(_BETWEEN.split(text))
        if any("@" in word and email_key(word.strip(".")) in self.emails for word in words):
            return True
        return any(ref_key(word) in self.refs for word in words) or any(f'"{ref}"' in text for ref in self.refs)


def scrub(facts: Sequence[Facts], reader: Reader) -> None:
    """Remove what the marks of a batch have reached from quarantine, notices and the list of shared emails."""
    keys = _keys(facts, reader)
    _scrub_quarantine(keys)
    _scrub_notices(keys)
    hashes = {reader.hashes.of("e", email) for email in keys.emails}
    execute(f"UPDATE sync_sharedemail SET email = '' WHERE {among('email_hash')}", [listed(hashes)])


def _keys(facts: Sequence[Facts], reader: Reader) -> Keys:
    pairs = {pair for one in facts for mark in one.marks for pair in mark.keys}
    pairs |= {one.pair for one in facts if one.pair is not None}
    pairs |= {pair for pair in reader.known.contacts if reader.kept.marks.is_marked(pair)}
    reached = {key for reach in reader.kept.marks.reaches for key in reach.keys}
    emails = {email for email, _ in pairs if email and not email.startswith(HASHED)}
    refs = {ref for _, ref in pairs if ref and not ref.startswith(HASHED)}
    return Keys(
        {email for email in emails if reader.hashes.of("e", email) in reached},
        {ref for ref in refs if reader.hashes.of("r", ref) in reached},
    )


def _scrub_quarantine(keys: Keys) -> None:
    rows = QuarantinedMessage.objects.values_list("id", "body", "headers")
    bulk.delete(
        QuarantinedMessage,
        [
            row_id
            for row_id, body, headers in rows.iterator(chunk_size=200)
            if keys.are_in(bytes(body).decode(errors="replace")) or keys.are_in(canonical(headers))
        ],
    )


def _scrub_notices(keys: Keys) -> None:
    rows = Notice.objects.values_list("id", "payload")
    found = [
        (canonical(_without(payload, keys)), row_id)
        for row_id, payload in rows.iterator(chunk_size=1000)
        if keys.are_in(json.dumps(payload, ensure_ascii=False))
    ]
    bulk.update(Notice, ("payload",), found)


def _without(value: Any, keys: Keys) -> Any:
    """Return a payload with null in place of every text that holds a key."""
    if isinstance(value, str):
        return None if keys.are_in(value) else value
    if isinstance(value, list):
        return [_without(one, keys) for one in value]
    if isinstance(value, dict):
        return {name: _without(one, keys) for name, one in value.items() if not keys.are_in(name)}
    return value
