"""Amounts as people write them: the smallest unit depends on the currency."""

import pytest

from sync.read.money import in_units, with_currency


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1500, "EUR", "15.00"),
        (1500, "JPY", "1500"),
        (1500, "KWD", "1.500"),
        (1500, "eur", "15.00"),
        (5, "EUR", "0.05"),
        (-250, "EUR", "-2.50"),
        (2**53 + 1, "EUR", "90071992547409.93"),
        (19933688932870350000, "JPY", "19933688932870350000"),
        (1500, None, ""),
        (None, "EUR", ""),
        (True, "EUR", ""),
        (15.5, "EUR", ""),
        ("1500", "EUR", ""),
    ],
)
def test_an_amount_has_the_places_of_its_currency(minor, currency, text):
    assert in_units(minor, currency) == text


def test_a_donation_is_told_with_its_currency():
    assert with_currency({"amount": 1500, "currency": "eur"}) == "15.00 EUR"
    for nothing in (None, {}, [], "15 EUR", {"amount": 1500}, {"currency": "EUR"}):
        assert with_currency(nothing) == ""
