"""What the plan needs to know: the rows that the facts of a batch touch, and all that these hang together with.

A supporter's contacts hang together by keys, links by hand, shared emails and hashes of an erasure; contacts and
actions by who spoke of what. So reading goes in rounds until nothing new turns up: two in nearly every batch,
whatever its size.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from sync.models.bulk import Row, among, instant, listed, select, truth
from sync.rules.actions import Told, stage_number
from sync.rules.consent import ShownKey
from sync.rules.contacts import load_said
from sync.rules.erasure import HASHED
from sync.rules.facts import Facts
from sync.rules.identity import Pair, keys_in, pair_text, text_pair
from sync.rules.kept import Kept
from sync.rules.plan import SUPPORTER_COLUMNS, ActionRow, ConsentRow, ContactRow, Known
from sync.store.hashes import Hashes
from sync.store.people_added import PeopleAdded
from sync.store.places import read_places
from sync.terms import ConsentKind

_CONTACT = "SELECT id, email, ref, supporter_id, home, marked, CAST(said AS text) FROM sync_contact WHERE "
_ACTION = (
    "SELECT a.id, a.action_id, a.supporter_id, a.contact_id, c.proca_id, p.proca_id, a.org_id, a.action_type, a.stage,"
    " a.testing, a.created_at, CAST(a.custom_fields AS text), CAST(a.donation AS text), a.dupe_rank, a.with_consent,"
    " a.opt_in, CAST(a.tracking AS text), CAST(a.said AS text)"
    " FROM sync_action a LEFT JOIN sync_campaign c ON c.id = a.campaign_id"
    " LEFT JOIN sync_actionpage p ON p.id = a.action_page_id WHERE "
)
_SUPPORTER_TIMES = frozenset({"email_status_changed_at", "details_given_at", "first_action_at", "last_action_at"})
_SUPPORTER_JSON = frozenset({"extra", "contact_refs", "other_emails"})
_decode = msgspec.json.Decoder().decode


class Reader:
    """Reads what facts touch into `kept` and `known`; `supporters` are read whether facts touch them or not."""

    def __init__(self, facts: Sequence[Facts], supporters: Collection[int] = ()) -> None:
        self.facts = facts
        self._supporters = supporters
        self.hashes = Hashes()
        self.kept = Kept(self.hashes.of)
        self.known = Known()
        self.added = PeopleAdded(
            self.kept,
            self.hashes,
            marking=any(one.marks for one in facts),
            sharing={word.email for one in facts for word in one.shared},
        )
        self.voices: dict[tuple[int, str], tuple[int, int | None]] = {}
        self.place_ids: dict[tuple[str, int], int] = {}
        self._pairs_by_contact: dict[int, Pair] = {}
        self._seen_keys: set[tuple[str, str]] = set()
        self._searched_emails: set[str] = set()
        self._seen_supporters: set[int] = set()
        self._seen_actions: set[int] = set()
        self._seen_pairs: set[str] = set()

    def read(self) -> None:
        """Read all that hangs together with the facts."""
        pairs, actions = (
            _pairs(self.facts),
            {facts.action_id for facts in self.facts if facts.action_id is not None},
        )
        while pairs or actions or self._is_more_to_follow():
            contacts = self._contacts(pairs)
            supporters = {row.supporter_id for row in contacts.values() if row.supporter_id is not None}
            supporters |= self.added.spoken_of
            supporters -= self._seen_supporters
            contacts |= self._contacts_of(supporters)
            pairs |= contacts.keys()
            nobodies = [row.id for row in contacts.values() if row.supporter_id is None]
            found = self._actions(actions | self._named(contacts), supporters, nobodies)
            named, spoke = self._voices(found | actions, pairs | self.kept.heard.keys())
            more = self.added.read(pairs | spoke) | spoke | self._pairs_of_contacts(found)
            pairs = {pair for pair in more if self._is_new(pair)} | self._shared(pairs)
            actions = (named | self.added.named_actions()) - self._seen_actions
        self._derived()
        self.place_ids = read_places(self.kept, self.facts)
        self.known.marks = {
            pair: newest for pair in self.known.contacts if (newest := self.kept.marks.newest(pair)) is not None
        }

    def _is_more_to_follow(self) -> bool:
        """Whether people or waiting entries turned up that were not followed yet."""
        return bool(self.added.spoken_of - self._seen_supporters) or any(
            pair_text(pair) not in self._seen_pairs for pair in self.kept.heard
        )

    def _is_new(self, pair: Pair) -> bool:
        """Whether nobody was looked up by a key of this pair, nor read with everything that has it."""
        return any(not key[1].startswith(HASHED) and key not in self._seen_keys for key in keys_in([pair]))

    def _shared(self, pairs: set[Pair]) -> set[Pair]:
        """Shared emails link nobody, so who else has one is not read with the supporter."""
        emails = {email for email, _ in pairs if self.kept.is_shared(email) and email not in self._searched_emails}
        self._seen_keys -= {("e", email) for email in emails}
        return {(email, "") for email in emails}

    # Contacts.

    def _contacts(self, pairs: Iterable[Pair]) -> dict[Pair, ContactRow]:
        keys = {key for key in keys_in(pairs) if not key[1].startswith(HASHED)} - self._seen_keys
        self._seen_keys |= keys
        emails, refs = ([key for kind, key in keys if kind == sort] for sort in "er")
        self._searched_emails.update(emails)
        rows: list[Row] = []
        if emails:
            rows += select(_CONTACT + among("email"), [listed(emails)])
        if refs:
            rows += select(_CONTACT + "ref <> '' AND " + among("ref"), [listed(refs)])
        return self._keep_contacts(rows)

    def _contacts_of(self, supporters: set[int]) -> dict[Pair, ContactRow]:
        self._seen_supporters |= supporters
        if not supporters:
            return {}
        found = self._keep_contacts(select(_CONTACT + among("supporter_id", "bigint"), [listed(supporters)]))
        for email, ref in found:
            self._seen_keys |= {("e", email), ("r", ref)}
        return found

    def _keep_contacts(self, rows: list[Row]) -> dict[Pair, ContactRow]:
        found: dict[Pair, ContactRow] = {}
        for contact_id, email, ref, supporter_id, home, marked, said in rows:
            pair = (email, ref)
            if pair not in self.known.contacts:
                self.known.contacts[pair] = ContactRow(contact_id, supporter_id, home, bool(marked))
                self.kept.contacts[pair] = load_said(_decode(said))
                self._pairs_by_contact[contact_id] = pair
            found[pair] = self.known.contacts[pair]
        return found

    def _pairs_of_contacts(self, actions: set[int]) -> set[Pair]:
        return {pair for action_id in actions if (pair := self.kept.actions[action_id].pair) is not None}

    # Actions, and who spoke of them.

    def _named(self, contacts: Iterable[Pair]) -> set[int]:
        """Actions that a `double_opt_in` names: whether it counts depends on them."""
        return {
            atom.action_id
            for pair in contacts
            for key, atoms in self.kept.contacts[pair].entries.items()
            if key.kind == ConsentKind.DOUBLE_OPT_IN
            for atom in atoms
            if atom.action_id
        }

    def _actions(self, action_ids: set[int], supporters: set[int], nobodies: list[int]) -> set[int]:
        """Read these actions, those of these supporters, and those of contacts that are nobody's (a shared email)."""
        action_ids = action_ids - self._seen_actions
        self._seen_actions |= action_ids
        rows: list[Row] = []
        if action_ids:
            rows += select(_ACTION + among("a.action_id", "bigint"), [listed(action_ids)])
        if supporters:
            rows += select(_ACTION + among("a.supporter_id", "bigint"), [listed(supporters)])
        if nobodies:
            rows += select(
                _ACTION + "a.supporter_id IS NULL AND " + among("a.contact_id", "bigint"), [listed(nobodies)]
            )
        rows = [row for row in rows if row[1] not in self.known.actions]
        missing = {row[3] for row in rows if row[3] is not None} - self._pairs_by_contact.keys()
        if missing:
            self._keep_contacts(select(_CONTACT + among("id", "bigint"), [listed(missing)]))
        for row in rows:
            self.known.actions[row[1]] = ActionRow(row[0], row[2], row[3])
            self.kept.actions[row[1]] = self._told(row)
        found = {row[1] for row in rows}
        self._seen_actions |= found
        return found

    def _told(self, row: Row) -> Told:
        said = _decode(row[17])
        told = Told(stage_number(row[8] or ""))
        told.fields = {
            "campaign": row[4],
            "action_page": row[5],
            "org": row[6],
            "action_type": row[7],
            "stage": row[8] or "",
            "created_at": instant(row[10]),
            "donation": _decode(row[12]) if row[12] is not None else None,
            "dupe_rank": row[13],
            "tracking": _decode(row[16]) if row[16] is not None else None,
        }
        told.testing, told.with_consent, told.opt_in = bool(row[9]), bool(row[14]), truth(row[15])
        told.readers, told.erased = frozenset(said["r"]), bool(said.get("x"))
        told.custom = dict(said.get("c", ()))
        if not told.custom and (custom := _decode(row[11])):
            told.custom = {told.stage: custom}
        if row[3] is not None and not told.erased:
            told.pair = self._pairs_by_contact.get(row[3])
        if told.pair is not None and "v" in said:
            told.voices = {told.pair: said["v"]}
        return told

    def _voices(self, actions: set[int], pairs: set[Pair]) -> tuple[set[int], set[Pair]]:
        """Read who spoke of these actions, and of which actions these contacts spoke."""
        texts = {pair_text(pair) for pair in pairs} | {pair_text(self.kept.hashed(pair)) for pair in pairs}
        texts -= self._seen_pairs
        self._seen_pairs |= texts
        rows: list[Row] = []
        if actions:
            rows += select(_VOICE + among("action_id", "bigint"), [listed(actions)])
        if texts:
            rows += select(_VOICE + among("pair"), [listed(texts)])
        for voice_id, action_id, pair, details_at in rows:
            self.voices[action_id, pair] = (voice_id, details_at)
            told = self.kept.actions.get(action_id)
            if told is not None and details_at is not None:
                told.voices = {**told.voices, text_pair(pair): details_at}
        return {row[1] for row in rows}, {text_pair(row[2]) for row in rows}

    # What was derived.

    def _derived(self) -> None:
        ids = {row.supporter_id for row in self.known.contacts.values() if row.supporter_id is not None}
        ids |= {row.supporter_id for row in self.known.actions.values() if row.supporter_id is not None}
        ids |= {row.home for row in self.known.contacts.values() if row.home is not None}
        ids.update(self._supporters)
        if not ids:
            return
        wanted = listed(ids)
        columns = ", ".join(f"CAST({name} AS text)" if name in _SUPPORTER_JSON else name for name in SUPPORTER_COLUMNS)
        for row in select(f"SELECT id, {columns} FROM sync_supporter WHERE {among('id', 'bigint')}", [wanted]):
            self.known.supporters[row[0]] = tuple(
                instant(value) if name in _SUPPORTER_TIMES else value
                for name, value in zip(SUPPORTER_COLUMNS, row[1:], strict=True)
            )
        for row in select(_CONSENT + among("supporter_id", "bigint"), [wanted]):
            key = ShownKey(row[2] or 0, row[3], instant(row[5]) or 0, row[4] or "")
            shown = (row[6], row[7], row[8], truth(row[9]), row[10])
            self.known.consents[row[1], key] = ConsentRow(row[0], shown)
        for row in select(_SUBSCRIPTION + among("supporter_id", "bigint"), [wanted]):
            self.known.subscriptions[row[1], row[2]] = ConsentRow(row[0], (row[3], row[4], instant(row[5]), row[6]))
        for former, into in select(_FORMER + among("into_id", "bigint"), [wanted]):
            self.known.formers[former] = into
        homes = {row.home for row in self.known.contacts.values() if row.home is not None} - self.known.formers.keys()
        for former, into in select(_FORMER + among("id", "bigint"), [listed(homes)]):
            self.known.formers[former] = into


_VOICE = "SELECT id, action_id, pair, details_at FROM sync_voice WHERE "
_CONSENT = (
    "SELECT id, supporter_id, org_id, kind, email, occurred_at, source, destination, action_id, counts, note"
    " FROM sync_consent WHERE "
)
_SUBSCRIPTION = (
    "SELECT id, supporter_id, org_id, status, email, status_changed_at, source FROM sync_subscription WHERE "
)
_FORMER = "SELECT id, into_id FROM sync_formersupporter WHERE "


def _pairs(facts: Sequence[Facts]) -> set[Pair]:
    """Every pair that the facts of a batch name."""
    pairs: set[Pair] = set()
    for one in facts:
        if one.pair is not None:
            pairs.add(one.pair)
        pairs.update(pair for pair, _ in one.edits)
        pairs.update(pair for pair, _ in one.added)
        pairs.update((key.email, "") for _, entries in one.added for key in entries if key.email)
        pairs.update(pair for link in one.links for pair in (link.a, link.b))
        pairs.update((word.email, "") for word in one.shared)
        pairs.update(pair for mark in one.marks for pair in mark.keys)
    return pairs
