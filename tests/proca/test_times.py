"""The one parser of times."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.proca import times
from sync.terms import to_datetime, to_instant

SECOND = 1_000_000


def at(*parts: int) -> int:
    return to_instant(datetime(*parts, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-12T14:21:53Z", at(2026, 5, 12, 14, 21, 53)),
        ("2026-05-12t14:21:53z", at(2026, 5, 12, 14, 21, 53)),
        ("2026-05-12 14:21:53Z", at(2026, 5, 12, 14, 21, 53)),
        (" 2026-05-12T14:21:53Z\n", at(2026, 5, 12, 14, 21, 53)),
        ("2026-05-12T14:21Z", at(2026, 5, 12, 14, 21)),
        ("2026-05-12", at(2026, 5, 12)),
        ("2026-05-12T14:21:53", at(2026, 5, 12, 14, 21, 53)),
        ("2026-05-12T14:21:53+02:00", at(2026, 5, 12, 12, 21, 53)),
        ("2026-05-12T14:21:53-0330", at(2026, 5, 12, 17, 51, 53)),
        ("2026-05-12 14:21:53.25 +02", at(2026, 5, 12, 12, 21, 53, 250_000)),
        ("2026-05-12T14:21:53,5Z", at(2026, 5, 12, 14, 21, 53, 500_000)),
        ("2026-05-12T14:21:53.123456999Z", at(2026, 5, 12, 14, 21, 53, 123_456)),
        ("2026-05-12T23:59:59.9999999Z", at(2026, 5, 12, 23, 59, 59, 999_999)),
        ("2026-05-12T23:59:60Z", at(2026, 5, 12, 23, 59, 59, 999_999)),
        ("2026-05-12T23:59:60.5Z", at(2026, 5, 12, 23, 59, 59, 999_999)),
        ("2026-05-13T01:59:60+02:00", at(2026, 5, 12, 23, 59, 59, 999_999)),
        ("2026-05-12T24:00:00Z", at(2026, 5, 13)),
        ("2026-05-12T24:00:00.000Z", at(2026, 5, 13)),
        ("2026-12-31T24:00Z", at(2027, 1, 1)),
        ("2024-02-29T00:00:00Z", at(2024, 2, 29)),
        ("0001-01-01T00:00:00Z", at(1, 1, 1)),
        ("9999-12-31T23:59:59.999999Z", at(9999, 12, 31, 23, 59, 59, 999_999)),
    ],
)
def test_accepted(text, instant):
    assert times.parse(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026",
        "2026-05",
        "2026-02-29T00:00:00Z",
        "2026-02-30",
        "2026-13-01T00:00:00Z",
        "2026-05-00T00:00:00Z",
        "2026-05-12T25:00:00Z",
        "2026-05-12T24:00:01Z",
        "2026-05-12T24:00:00.1Z",
        "2026-05-12T14:60:00Z",
        "2026-05-12T14:21:60Z",
        "2026-05-12T14:21:61Z",
        "2026-05-12T14:21:53.Z",
        "2026-05-12T14:21:53+02:60",
        "2026-05-12T14:21:53+24:00",
        "2026-05-12T14:21:53Europe/Paris",
        "2026-05-12+02:00",
        "12/05/2026",
        "20260512T142153Z",
        "2026-W19-2T14:21:53Z",
        "1778595713",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T24:00:00Z",
        "٢٠٢٦-05-12T14:21:53Z",
        "2026-05-12T14:21:53Z\0",
        None,
        1778595713,
        b"2026-05-12T14:21:53Z",
    ],
)
def test_refused_without_repeating_it(text):
    with pytest.raises(times.BadTime) as caught:
        times.parse(text)

    assert not text or str(text) not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_very_long_fraction_is_cut():
    assert times.parse(f"2026-05-12T14:21:53.{'9' * 100_000}Z") == at(2026, 5, 12, 14, 21, 53, 999_999)


NAIVE_START, NAIVE_END = (datetime.fromisoformat(day) for day in ("0001-01-03", "9999-12-29"))
moments = st.datetimes(min_value=NAIVE_START, max_value=NAIVE_END)


@given(moments)
def test_what_is_written_is_read_again(moment):
    instant = to_instant(moment.replace(tzinfo=UTC))

    assert times.parse(times.format(instant)) == instant
    assert times.format(instant).endswith("Z")


@given(moments, st.integers(-1439, 1439))
def test_an_offset_names_the_same_instant(moment, minutes):
    local = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))

    assert times.parse(local.isoformat()) == to_instant(local)


@given(moments.map(lambda moment: moment.replace(microsecond=0)), st.text("0123456789", min_size=1, max_size=30))
def test_a_fraction_never_rounds_up(moment, digits):
    whole = to_instant(moment.replace(tzinfo=UTC))

    instant = times.parse(f"{moment.isoformat()}.{digits}Z")

    assert whole <= instant < whole + SECOND
    assert instant - whole == int(digits[:6].ljust(6, "0"))


@given(st.from_regex(re.compile(r"[0-9W:-]{4}-.{2}-.{2}T.{2}:.{2}:.{2}Z"), fullmatch=True))
@example("2026-05-12T24:00:00Z")
@example("2026-05-12T23:59:60Z")
@example("9999-12-31T24:00:00Z")
def test_the_quick_way_reads_as_the_slow_one(text):
    """Nearly all times take the quick way; the zone in small letters takes the other."""
    assert parsed(text) == parsed(text[:-1] + "z")


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.?[0-9]*[Z+-].*"))
def test_any_text_is_an_instant_that_can_be_shown_or_refused(text):
    instant = parsed(text)

    assert instant is None or to_instant(to_datetime(instant)) == instant


def parsed(text: str) -> int | None:
    try:
        return times.parse(text)
    except times.BadTime:
        return None
