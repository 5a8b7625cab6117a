"""Why a message is in quarantine, in words, and what to do about it."""

from __future__ import annotations

from sync.proca.shapes import Code

_LOOK = "Look at the message. If it comes from Proca, tell those who run it; if it does not, throw it away."
_KEY = (
    "Import the private key with manage.py proca_keys import, then try again: nothing is lost until then. "
    "What no key opens any more can be thrown away."
)
_WAIT = "It is tried again by itself once that time has come; nothing needs to be done."

_ADVICE = {
    Code.NOT_JSON: ("It is not JSON", _LOOK),
    Code.NOT_TEXT: ("It is not text in UTF-8", _LOOK),
    Code.NOT_AN_OBJECT: ("It is JSON, but no message", _LOOK),
    Code.BAD_NUMBER: ("A number in it is too large for any program", _LOOK),
    Code.TOO_DEEP: ("It is nested too deep", _LOOK),
    Code.UNKNOWN_SHAPE: ("It is a kind of message that this version does not know", "Update, then try again."),
    Code.MISSING: ("A part is missing that every message has", _LOOK),
    Code.WRONG_TYPE: ("A part of it is of another type than it must be", _LOOK),
    Code.BAD_TIME: ("A time in it cannot be read", _LOOK),
    Code.CLOCK: ("A time in it lies more than a day ahead", _WAIT),
    Code.NUL: ("Its email or contactRef holds a character that no identity has", _LOOK),
    Code.TOO_LONG: ("Its email or contactRef is too long to be one", _LOOK),
    Code.NO_KEY: ("It is encrypted for a key that is not here", _KEY),
    Code.NOT_DECRYPTED: ("It is encrypted, and the key does not open it", _KEY),
    Code.BAD_PERSONAL_INFO: ("Its encrypted part is broken", _LOOK),
}
_FAILED = (
    "It failed for a reason that nobody foresaw",
    "See the log of the consumer at that time, update, then try again; nothing is lost until then.",
)
_REFUSED = (
    "The database refused it",
    "The code is the database's own. Try again after an update; nothing is lost until then.",
)


def advice(code: str) -> tuple[str, str]:
    """Return what a code means, and what to do."""
    if code in list(Code):
        return _ADVICE[Code(code)]
    return _FAILED if code.startswith("failed") else _REFUSED
