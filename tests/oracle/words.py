"""The words that every rule uses: keys, times, emptiness, and which of two values is the larger."""

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import idna

STOPS = ("bounce", "blocked", "inactive", "unsub", "spam")
ADDRESS_STOPS = ("bounce", "blocked", "inactive")
KIND_ORDER = ("opt_out", "opt_in", "double_opt_in", *STOPS)
SOURCE_ORDER = ("proca", "crm", "admin", "api", "import")
ADDRESS_FIELDS = ("street", "street_number", "locality", "region")
DETAIL_FIELDS = (
    "first_name", "last_name", "phone", "birth_date", "street", "street_number",
    "postcode", "locality", "region", "country", "area",
)  # fmt: skip
NO_KEY_WORDS = ("", "null", "undefined", "none", "0")

TIME_SHAPE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s*(Z|z|[+-]\d\d(?::?\d\d)?)?"
)


class UnreadableError(ValueError):
    """The message would be in quarantine, so it counts as not received."""


def canonical(value: Any) -> str:
    """Canonical JSON: keys sorted, no blanks, nothing escaped without need."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def larger_key(value: Any) -> tuple[int, str]:
    """Sort key for "the larger": texts as texts, all else as canonical JSON, by code points.

    A text against something else is compared as JSON, where it begins with a quotation mark
    and so is the smaller one; the first part of the key says the same.
    """
    return (0, value) if isinstance(value, str) else (1, canonical(value))


def is_empty(value: Any) -> bool:
    """Null, blank text, [] and {}; false and 0 are values."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (list, dict)) and not value)


def first_filled(values: Iterable[Any]) -> Any:
    """The first value that is not empty, else None."""
    return next((value for value in values if not is_empty(value)), None)


def larger_filled(values: Iterable[Any]) -> Any:
    """Non-empty beats empty, then the larger; None when there is nothing."""
    filled = [value for value in values if not is_empty(value)]
    return max(filled, key=larger_key) if filled else None


def without_nul(value: Any) -> Any:
    """U+0000 dropped from all texts and keys."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(part) for part in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(part) for key, part in value.items()}
    return value


def without_format_characters(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def ascii_label(label: str) -> str:
    """One label of a domain in ASCII form; one that idna refuses stays."""
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError:
        return label


def email_key(written: Any) -> str | None:
    """The key, which is also the value shown; None when the text is no key."""
    if not isinstance(written, str):
        return None
    text = unicodedata.normalize("NFC", without_format_characters(written)).strip().lower()
    local, at, domain = text.partition("@")
    if text in NO_KEY_WORDS or not (local and at and domain) or "@" in domain:
        return None
    if any(char.isspace() for char in text):
        return None
    return local + "@" + ".".join(ascii_label(label) for label in domain.split("."))


def ref_key(written: Any) -> str | None:
    """The contactRef as a key: case kept; None when the text is no key."""
    if not isinstance(written, str):
        return None
    text = without_format_characters(written).strip()
    if text.lower() in NO_KEY_WORDS or any(char.isspace() for char in text):
        return None
    return text


def time_of(text: Any) -> datetime | None:
    """A time in UTC, cut to microseconds; no zone means UTC."""
    if is_empty(text):
        return None
    shape = TIME_SHAPE.fullmatch(text.strip()) if isinstance(text, str) else None
    if shape is None:
        raise UnreadableError("time")
    year, month, day, hour, minute, second = (int(part or 0) for part in shape.groups()[:6])
    micro = int(((shape[7] or "") + "000000")[:6])
    leap = (hour, minute, second) == (23, 59, 60)
    midnight = (hour, minute, second, micro) == (24, 0, 0, 0)
    if leap:
        second, micro = 59, 999999
    try:
        moment = datetime(year, month, day, 0 if midnight else hour, minute, second, micro, tzinfo=UTC)
        return moment + timedelta(days=midnight) - offset_of(shape[8])
    except (ValueError, OverflowError):
        raise UnreadableError("time") from None


def offset_of(zone: str | None) -> timedelta:
    if zone in (None, "Z", "z"):
        return timedelta(0)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if zone[0] == "-" else offset


def iso(moment: datetime | None) -> str | None:
    """As the state shows times: UTC, always with microseconds."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
