"""Addresses that a destination was told, sealed: what it takes to change or forget them where a CRM gave no id."""

from __future__ import annotations

import json
from functools import cache

from django.conf import settings

from sync.sealing import Sealer, Unsealable


@cache
def sealer() -> Sealer:
    """Return the sealer with the secrets of this installation."""
    return Sealer(settings.FIELD_ENCRYPTION_KEYS)


def seal(addresses: list[str]) -> str:
    """Return addresses sealed, each once and the newest first; nothing for none."""
    return sealer().seal(json.dumps(list(dict.fromkeys(addresses)))) if addresses else ""


def opened(sealed: str) -> list[str]:
    """Return sealed addresses; none where the key is not there any more."""
    if not sealed:
        return []
    try:
        return list(json.loads(sealer().open(sealed)))
    except Unsealable:
        return []


def is_newest(sealed: str) -> bool:
    """Tell whether addresses are sealed with the newest secret."""
    return sealer().is_newest(sealed)


def joined(*sealed: str) -> str:
    """Return the addresses of several, sealed as one."""
    return seal([address for one in sealed for address in opened(one)])
