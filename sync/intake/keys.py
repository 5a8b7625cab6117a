"""The keys that PROCA_KEYS names: a key store file, or its JSON."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from sync.proca.encryption import BadKeyStore, KeyStore


def load_keys() -> KeyStore:
    """Return the keys of the settings; raises ImproperlyConfigured, in one line without a value."""
    setting: str = settings.PROCA_KEYS.strip()
    if not setting:
        return KeyStore.empty()
    try:
        return KeyStore.from_text(setting if setting.startswith("{") else _content(setting))
    except (BadKeyStore, ValueError) as error:
        raise ImproperlyConfigured(f"PROCA_KEYS: {error}") from None


def _content(path: str) -> str:
    """Return the text of a key store file. Errors leave the path out: it may be a key pasted by mistake."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None
