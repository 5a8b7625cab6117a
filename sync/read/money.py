"""Amounts of donations: Proca counts in the currency's smallest unit, people do not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

_USUAL = 2
#: ISO 4217: currencies whose smallest unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
            *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def in_units(minor: Any, currency: Any) -> str:
    """Return an amount in whole units, with as many places as its currency has: 1500 is 15.00 EUR, 1500 JPY.

    A donation is free-form JSON: where one of its parts is missing or no number, the text is empty.
    """
    if not isinstance(minor, int) or isinstance(minor, bool) or not isinstance(currency, str):
        return ""
    return f"{Decimal(minor).scaleb(-_EXPONENTS.get(currency.upper(), _USUAL)):f}"


def with_currency(donation: Any) -> str:
    """Return a donation's amount as people write it, or an empty text where it has none."""
    if not isinstance(donation, dict):
        return ""
    number = in_units(donation.get("amount"), donation.get("currency"))
    return f"{number} {donation['currency'].upper()}" if number else ""
