"""One action, one row: the furthest stage counts, and never goes back (rule 8)."""

from __future__ import annotations

from typing import Any, Final

from sync.rules.identity import Pair
from sync.rules.newest import News, canonical, fuller, is_empty
from sync.terms import Instant, Stage

_STAGES: Final[dict[str, int]] = {stage: number for number, stage in enumerate(Stage)}
_DELIVER: Final = _STAGES[Stage.DELIVER]

#: Fields of the furthest stage; within it non-empty beats empty, then the larger.
FIELDS: Final = (
    "action_type",
    "created_at",
    "dupe_rank",
    "donation",
    "tracking",
    "campaign",
    "action_page",
    "org",
    "stage",
)


def stage_number(stage: str) -> int:
    """Return how far a stage is; one that we do not know, and none, stand before `deliver`."""
    return _STAGES.get(stage, _STAGES[Stage.OTHER])


class Told:
    """The fold over the messages of one action.

    `custom` maps stage numbers to custom fields; `voices` maps each contact pair that a message gave to the oldest time
    of its details; `readers` are the organisations that it was read for. `erased`: a mark removed one of its messages.
    """

    __slots__ = (
        "custom",
        "erased",
        "fields",
        "opt_in",
        "pair",
        "readers",
        "stage",
        "testing",
        "voices",
        "with_consent",
    )

    def __init__(self, stage: int) -> None:
        self.stage = stage
        self.fields: dict[str, Any] = {}
        self.testing = False
        self.with_consent = False
        self.opt_in: bool | None = None
        self.pair: Pair | None = None
        self.custom: dict[int, dict[str, Any]] = {}
        self.voices: dict[Pair, Instant] = {}
        self.readers: frozenset[int] = frozenset()
        self.erased = False

    def copy(self) -> Told:
        """Return a copy that can be joined into; joins replace what they change and never touch it in place."""
        twin = Told(self.stage)
        twin.fields, twin.custom, twin.voices = self.fields, self.custom, self.voices
        twin.testing, twin.with_consent, twin.opt_in = self.testing, self.with_consent, self.opt_in
        twin.pair, twin.readers, twin.erased = self.pair, self.readers, self.erased
        return twin

    @property
    def counts(self) -> bool:
        """Whether it counts for the person: delivered, not testing."""
        return self.stage == _DELIVER and not self.testing

    def join(self, other: Told) -> News:
        """Join what another message says of the same action, and tell what that did."""
        before = self._shown()
        kept = (self.voices, self.readers, self.custom)
        self._join_custom(other)
        self._join_furthest(other)
        self._join_voices(other)
        self.readers |= other.readers
        self.erased |= other.erased
        if self.erased:
            self.erase()
        if self._shown() != before:
            return News.CHANGED
        return News.BOOKKEEPING if (self.voices, self.readers, self.custom) != kept else News.NOTHING

    def erase(self) -> None:
        """Take out what an erasure removes of an action; its ids, stage, times and flags stay (rule 7)."""
        self.erased = True
        self.custom = {}
        self.pair = None
        donation = self.fields.get("donation")
        self.fields = {
            **self.fields,
            "tracking": None,
            "donation": {**donation, "schema": None} if donation else None,
        }

    def custom_fields(self) -> dict[str, Any]:
        """Return the custom fields as shown: the furthest stage's first, an empty value last."""
        shown: dict[str, Any] = {}
        for stage in sorted(self.custom, reverse=True):
            for name, value in self.custom[stage].items():
                if name not in shown or (is_empty(shown[name]) and not is_empty(value)):
                    shown[name] = value
        return dict(sorted(shown.items()))

    def _shown(self) -> tuple[Any, ...]:
        return (
            self.stage,
            dict(self.fields),
            self.testing,
            self.with_consent,
            self.opt_in,
            self.pair,
            self.custom_fields(),
            self.erased,
        )

    def _join_furthest(self, other: Told) -> None:
        if other.stage < self.stage:
            return
        if other.stage > self.stage:
            self.stage, self.fields = other.stage, dict(other.fields)
            self.testing, self.with_consent, self.opt_in = other.testing, other.with_consent, other.opt_in
            self.pair = other.pair
            return
        created_at = max(self.fields["created_at"], other.fields["created_at"])
        self.fields = {name: fuller(self.fields.get(name), other.fields.get(name)) for name in FIELDS}
        self.fields["created_at"] = created_at
        self.testing |= other.testing
        self.with_consent &= other.with_consent
        self.opt_in = _false_wins(self.opt_in, other.opt_in)
        self.pair = max(self.pair, other.pair, key=_most_keys)

    def _join_custom(self, other: Told) -> None:
        self.custom = dict(self.custom)
        for stage, said in other.custom.items():
            known = dict(self.custom.get(stage, {}))
            for name, value in said.items():
                known[name] = fuller(known[name], value) if name in known else value
            self.custom[stage] = known

    def _join_voices(self, other: Told) -> None:
        self.voices = dict(self.voices)
        for pair, at in other.voices.items():
            self.voices[pair] = min(at, self.voices.get(pair, at))


def larger_pair(pair: Pair) -> str:
    """Return the sort key of a contact: its canonical JSON, where no key is null."""
    return canonical([pair[0] or None, pair[1] or None])


def _most_keys(pair: Pair | None) -> tuple[int, str]:
    return (0, "") if pair is None else (bool(pair[0]) + bool(pair[1]), larger_pair(pair))


def _false_wins(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return one if one is not None else other
