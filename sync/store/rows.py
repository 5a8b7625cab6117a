"""Writes a plan: the rows of a batch, table by table, each with one statement."""

from __future__ import annotations

from typing import Any, NamedTuple

from sync.models import (
    Action,
    Consent,
    Contact,
    FormerSupporter,
    Subscription,
    Supporter,
    Voice,
    bulk,
)
from sync.rules.actions import Told
from sync.rules.erasure import HASHED
from sync.rules.identity import Pair, pair_text, text_pair
from sync.rules.kept import Kept
from sync.rules.newest import canonical
from sync.rules.plan import SUPPORTER_COLUMNS, Plan
from sync.terms import ConsentKind, Instant

_CONTACT = ("supporter_id", "home", "marked", "said")
_ACTION = (
    "action_id",
    "supporter_id",
    "contact_id",
    "campaign_id",
    "action_page_id",
    "org_id",
    "action_type",
    "stage",
    "testing",
    "created_at",
    "custom_fields",
    "donation",
    "dupe_rank",
    "with_consent",
    "opt_in",
    "tracking",
    "said",
)
_CONSENT = (
    "supporter_id",
    "org_id",
    "kind",
    "occurred_at",
    "email",
    "source",
    "destination",
    "action_id",
    "counts",
    "note",
)
_SUBSCRIPTION = ("supporter_id", "org_id", "status", "email", "status_changed_at", "source", "updated_at")


class Rows:
    """Writes one plan; `at` is the time of the lock."""

    def __init__(self, plan: Plan, kept: Kept, places: dict[tuple[str, int], int], at: Instant) -> None:
        self.plan, self.kept, self.places, self.at = plan, kept, places, at
        self._ids: dict[int, int] = {}
        self.new_consents: list[int] = []
        #: (id, status, org) of every subscription that is new or changed.
        self.subscriptions: list[tuple[int, str, int]] = []

    def real(self, planned: int | None) -> int | None:
        """Return the id that stands for one of the plan's."""
        return planned if planned is None or planned > 0 else self._ids[planned]

    def shown_by(self) -> dict[Pair, list[int]]:
        """Return which supporters have a key of the entries that wait under a pair of hashes, or show one."""
        planned = self.plan.shown_by.items()
        return {pair: sorted(one for one in map(self.real, ids) if one is not None) for pair, ids in planned}

    def write(self) -> None:
        """Write everything, what is gone first, so that what takes its place meets no constraint."""
        self._draw(Supporter, [one for one in self.plan.new_supporters if one < 0])
        self._draw(Contact, list(self.plan.new_contacts))
        self._draw(Action, list(self.plan.new_actions))
        bulk.delete(Supporter, self.plan.gone_supporters)
        bulk.delete(Contact, self.plan.gone_contacts)
        bulk.delete(Consent, self.plan.gone_consents)
        bulk.delete(Subscription, self.plan.gone_subscriptions)
        self._supporters()
        self._contacts()
        self._actions()
        self._consents()
        self._subscriptions()
        self._formers()

    def _draw(self, model: Any, planned: list[int]) -> None:
        self._ids |= dict(zip(planned, bulk.draw(model, len(planned)), strict=True))

    def _supporters(self) -> None:
        at = self.at
        bulk.insert(
            Supporter,
            ("id", *SUPPORTER_COLUMNS, "created_at", "updated_at"),
            [(self.real(one), *columns, at, at) for one, columns in self.plan.new_supporters.items()],
        )
        differing = self.plan.differing_columns
        bulk.update(
            Supporter,
            (*[SUPPORTER_COLUMNS[number] for number in differing], "updated_at"),
            [
                (*[columns[number] for number in differing], at, one)
                for one, columns in self.plan.changed_supporters.items()
            ],
        )

    def _contacts(self) -> None:
        real = self.real
        bulk.insert(
            Contact,
            ("id", "email", "ref", *_CONTACT),
            [
                (real(one), *pair, real(supporter), real(home), marked, said)
                for one, (pair, supporter, home, marked, said) in self.plan.new_contacts.items()
            ],
        )
        bulk.update(
            Contact,
            _CONTACT,
            [
                (real(supporter), real(home), marked, said, one)
                for one, (supporter, home, marked, said) in self.plan.changed_contacts.items()
            ],
        )
        bulk.update(
            Contact,
            _CONTACT[:3],
            [
                (real(supporter), real(home), marked, one)
                for one, (supporter, home, marked) in self.plan.moved_contacts.items()
            ],
        )

    def _actions(self) -> None:
        real = self.real
        bulk.insert(
            Action,
            ("id", *_ACTION),
            [
                (real(one), action_id, real(owner), real(contact), *self._action(told))
                for one, (action_id, told, owner, contact) in self.plan.new_actions.items()
            ],
        )
        bulk.update(
            Action,
            _ACTION[1:],
            [
                (real(owner), real(contact), *self._action(told), one)
                for one, (_, told, owner, contact) in self.plan.changed_actions.items()
            ],
        )
        bulk.update(
            Action,
            _ACTION[1:3],
            [(real(owner), real(contact), one) for one, (_, owner, contact) in self.plan.moved_actions.items()],
        )

    def _action(self, told: Told) -> tuple[Any, ...]:
        fields = told.fields
        return (
            self._place("campaign", fields["campaign"]),
            self._place("page", fields["action_page"]),
            fields["org"],
            fields["action_type"] or "",
            fields["stage"] or None,
            told.testing,
            fields["created_at"],
            canonical(told.custom_fields()),
            _json(fields["donation"]),
            fields["dupe_rank"],
            told.with_consent,
            told.opt_in,
            _json(fields["tracking"]),
            canonical(_dump_told(told)),
        )

    def _place(self, table: str, proca_id: int | None) -> int | None:
        return None if proca_id is None else self.places[table, proca_id]

    def _consents(self) -> None:
        ids = bulk.draw(Consent, len(self.plan.new_consents))
        self.new_consents = ids
        bulk.insert(
            Consent,
            ("id", "recorded_at", *_CONSENT),
            [
                (one, self.at, self.real(supporter), *_entry(key, columns))
                for one, (supporter, key, columns) in zip(ids, self.plan.new_consents, strict=True)
            ],
        )
        bulk.update(
            Consent,
            _CONSENT,
            [
                (self.real(supporter), *_entry(key, columns), one)
                for one, (supporter, key, columns) in self.plan.changed_consents.items()
            ],
        )

    def _subscriptions(self) -> None:
        ids = bulk.draw(Subscription, len(self.plan.new_subscriptions))
        new = dict(zip(ids, self.plan.new_subscriptions, strict=True))
        bulk.insert(
            Subscription,
            ("id", *_SUBSCRIPTION),
            [(one, self.real(who), org, *columns, self.at) for one, (who, org, columns) in new.items()],
        )
        changed = self.plan.changed_subscriptions
        bulk.update(
            Subscription,
            _SUBSCRIPTION,
            [(self.real(who), org, *columns, self.at, one) for one, (who, org, columns) in changed.items()],
        )
        self.subscriptions = [(one, columns[0], org) for one, (_, org, columns) in (new | changed).items()]

    def _formers(self) -> None:
        bulk.delete(FormerSupporter, [*self.plan.revived, *self.plan.formers])
        rows = [(one, self.real(into), self.at) for one, into in self.plan.formers.items()]
        bulk.insert(FormerSupporter, ("id", "into_id", "since"), rows)


class VoiceRows(NamedTuple):
    """Who spoke of an action beside the contact that it belongs to, as far as it is not written down so."""

    new: list[tuple[int, str, Instant | None]]
    changed: list[tuple[Instant, int]]
    gone: list[int]


def voice_rows(kept: Kept, known: dict[tuple[int, str], tuple[int, int | None]]) -> VoiceRows:
    """Return what to write so that the rows say who spoke of which action."""
    wanted = _voices(kept)
    return VoiceRows(
        [(*key, details_at) for key, details_at in wanted.items() if key not in known],
        [
            (details_at, known[key][0])
            for key, details_at in wanted.items()
            if key in known and known[key][1] != details_at and details_at is not None
        ],
        [row[0] for key, row in known.items() if key not in wanted and _is_settled(kept, *key)],
    )


def _is_settled(kept: Kept, action_id: int, pair: str) -> bool:
    """Tell whether all is known that could still name an action; of one that never came only a mark says so."""
    return action_id in kept.actions or kept.marks.is_marked(text_pair(pair))


def write_voices(rows: VoiceRows) -> None:
    """Write who spoke of an action."""
    bulk.insert(Voice, ("action_id", "pair", "details_at"), rows.new)
    bulk.update(Voice, ("details_at",), rows.changed)
    bulk.delete(Voice, rows.gone)


def _voices(kept: Kept) -> dict[tuple[int, str], Instant | None]:
    wanted: dict[tuple[int, str], Instant | None] = {}
    for pair, said in kept.contacts.items():
        _name(wanted, pair_text(pair), said.entries, kept, None if pair[0].startswith(HASHED) else pair)
    for pair, heard in kept.heard.items():
        _name(wanted, pair_text(pair), heard.entries, kept, None)
    for action_id, told in kept.actions.items():
        for pair, at in told.voices.items():
            if pair != told.pair:
                wanted[action_id, pair_text(pair)] = at
    return wanted


def _name(wanted: dict[tuple[int, str], Instant | None], text: str, entries: Any, kept: Kept, pair: Any) -> None:
    """Note the actions that entries of a pair name, but for an action of that very contact."""
    for key, atoms in entries.items():
        if key.kind not in (ConsentKind.DOUBLE_OPT_IN, ConsentKind.OPT_OUT):
            continue
        for atom in atoms:
            told = kept.actions.get(atom.action_id) if atom.action_id else None
            if atom.action_id and (told is None or told.pair is None or told.pair != pair):
                wanted.setdefault((atom.action_id, text), None)


def _entry(key: Any, columns: tuple[Any, ...]) -> tuple[Any, ...]:
    return (key.org or None, key.kind, key.at, key.email or None, *columns)


def _json(value: Any) -> str | None:
    return None if value is None else canonical(value)


def _dump_told(told: Told) -> dict[str, Any]:
    """What the fold needs beside the columns."""
    said: dict[str, Any] = {"r": sorted(told.readers)}
    if told.erased:
        said["x"] = 1
    if told.pair is not None and told.pair in told.voices:
        said["v"] = told.voices[told.pair]
    if len(told.custom) > 1 or (told.custom and told.stage not in told.custom):
        said["c"] = sorted(told.custom.items())
    return said
