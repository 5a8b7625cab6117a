"""Cells that a spreadsheet takes for text, and nothing that a spreadsheet would do better with left alone."""

import pytest

from sync.read.csvguard import cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1 234",
        "-1+1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "=cmd|' /C calc'!A0",
        "-",
        "+",
        "--5",
        "+33 6 12",
        "-2026-05-12x",
    ],
)
def test_what_would_run_is_led_by_an_apostrophe(text):
    assert cell(text) == "'" + text


@pytest.mark.parametrize(
    "text",
    [
        *("", "Anne", "01234", "-5", "+5", "-1.50", "-1,5", "1e22", "-1E-7", "19933688932870350000"),
        *("+33612345678", "2026-05-12", "-0044-03-15", "2026-05-12T14:21:53Z", "a=b", "'=1+1", "anne@example.org"),
    ],
)
def test_numbers_dates_phones_and_texts_stay_as_they_are(text):
    assert cell(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (2**64 + 1, "18446744073709551617"),
        ([], "[]"),
        (["b", "a"], '["b","a"]'),
        ({"b": "=1", "a": 19933688932870350000}, '{"a":19933688932870350000,"b":"=1"}'),
        ("=ÄÖ", "'=ÄÖ"),
    ],
)
def test_every_value_has_one_text(value, text):
    assert cell(value) == text


def test_digits_of_other_scripts_are_no_numbers():
    assert cell("+٣٣") == "'+٣٣"
