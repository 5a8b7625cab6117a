"""What cannot be read says why and where, and nothing crashes the reader."""

import json
from dataclasses import asdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.proca import times
from sync.proca.messages import Action, Code, EmailStatus, Message, Notice, Unreadable, read
from sync.proca.wire import MAX_DEPTH
from tests.builders import (
    ABSENT,
    KEYS,
    REF,
    a_campaign_update,
    a_confirm_created,
    a_system_message,
    an_action,
    an_action_of_version_1,
    an_email_status,
    encrypted,
    wire,
)

DAY = 86_400_000_000
NOW = times.parse("2026-12-01T00:00:00Z")


def reading(body, now=NOW):
    return read(body if isinstance(body, bytes) else wire(body), KEYS, now=now)


# Bytes


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"   ", "not_json"),
        (b"hello", "not_json"),
        (b"{", "not_json"),
        (b'{"a": 1} x', "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'{"a": "\\ud800"}', "not_json"),
        (b'{"a": "\x00"}', "not_json"),
        ('{"a": 1}'.encode("utf-16"), "not_json"),
        (b'{"a": "\xff"}', "not_text"),
        (b'{"\xff": 1}', "not_text"),
        (b'{"a": 1e400}', "bad_number"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "bad_number"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"proca:action:2"', "not_an_object"),
        (b"{}", "unknown_shape"),
        (b'{"schema": null}', "unknown_shape"),
        (b'{"schema": {}}', "unknown_shape"),
        (b'{"schema": "proca:action:3"}', "unknown_shape"),
        (b'{"schema": "proca:event:1"}', "unknown_shape"),
        (b'{"schema": "proca:action:2"}', "missing"),
        (b'{"schema": "proca:action:2", "action": []}', "wrong_type"),
    ],
)
def test_bodies_that_are_no_message(body, code):
    assert reading(body).code == code


def test_a_byte_order_mark_is_no_matter():
    assert reading(b"\xef\xbb\xbf" + wire(an_action())) == reading(an_action())


def nested(levels):
    """An action whose custom fields hold lists, `levels` deep as a whole."""
    inner: list = []
    for _ in range(levels - 4):
        inner = [inner]
    return an_action(action={"customFields": {"deep": inner}})


def test_nesting_ends_where_it_could_not_be_written_again():
    deepest = reading(nested(MAX_DEPTH))

    assert isinstance(deepest, Action)
    assert json.loads(msgspec.json.encode(deepest.custom_fields)) == deepest.custom_fields
    assert reading(nested(MAX_DEPTH + 1)).code == "too_deep"


def test_many_brackets_are_not_deep():
    message = an_action(action={"customFields": {"wide": [[] for _ in range(1_000)]}})

    assert isinstance(reading(message), Action)


# Times


@pytest.mark.parametrize("bad", ["2026-02-30T00:00:00Z", "soon", "2026-09-12T25:00:00Z", "0000-01-01T00:00:00Z"])
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("action.createdAt", lambda bad: an_action(action={"createdAt": bad})),
        ("privacy.givenAt", lambda bad: an_action(privacy={"givenAt": bad})),
        ("privacy.emailStatusChanged", lambda bad: an_action(privacy={"emailStatusChanged": bad})),
        ("timestamp", lambda bad: an_email_status(timestamp=bad)),
        ("timestamp", lambda bad: a_campaign_update(timestamp=bad)),
        ("timestamp", lambda bad: a_confirm_created(timestamp=bad)),
        ("action.createdAt", lambda bad: a_system_message(action={"createdAt": bad})),
    ],
)
def test_an_impossible_time_is_named(bad, where, message):
    result = reading(message(bad))

    assert (result.code, result.where, result.not_before) == ("bad_time", where, None)
    assert bad not in str(asdict(result))


@pytest.mark.parametrize("absent", [ABSENT, None, "", " "])
def test_an_action_needs_its_time(absent):
    result = reading(an_action(action={"createdAt": absent}))

    assert (result.code, result.where) == ("missing", "action.createdAt")


def test_times_need_text():
    assert reading(an_action(action={"createdAt": 1789222913})).code == "wrong_type"
    assert reading(an_action(privacy={"givenAt": True})).code == "wrong_type"


@pytest.mark.parametrize("absent", [ABSENT, None, "", " "])
def test_other_times_may_be_absent(absent):
    privacy = reading(an_action(privacy={"givenAt": absent, "emailStatusChanged": absent})).privacy

    assert (privacy.given_at, privacy.email_status_changed_at) == (None, None)


FUTURE = "2027-01-15T12:00:00Z"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("action.createdAt", an_action(action={"createdAt": FUTURE})),
        ("privacy.givenAt", an_action(privacy={"givenAt": FUTURE})),
        ("privacy.emailStatusChanged", an_action(privacy={"emailStatusChanged": FUTURE})),
        ("privacy.givenAt", an_action_of_version_1(privacy={"givenAt": FUTURE})),
        ("timestamp", an_email_status(timestamp=FUTURE)),
        ("supporter.privacy.givenAt", an_email_status(supporter={"privacy": {"givenAt": FUTURE}})),
        ("timestamp", a_campaign_update(timestamp=FUTURE)),
        ("timestamp", a_confirm_created(timestamp=FUTURE)),
        ("timestamp", a_system_message(action={"createdAt": FUTURE})),
    ],
)
def test_a_time_more_than_a_day_ahead_waits_until_it_is_accepted(where, message):
    result = reading(message)

    assert (result.code, result.where) == ("clock", where)
    assert isinstance(reading(message, now=result.not_before - 1), Unreadable)
    assert not isinstance(reading(message, now=result.not_before), Unreadable)


def test_with_several_such_times_the_latest_counts():
    message = an_action(
        action={"createdAt": FUTURE},
        privacy={"givenAt": "2027-03-01T00:00:00Z", "emailStatusChanged": "2027-02-01T00:00:00Z"},
    )

    result = reading(message)

    assert result.not_before == times.parse("2027-02-28T00:00:00Z")
    assert isinstance(reading(message, now=result.not_before), Action)


def test_a_day_ahead_is_accepted():
    created = times.parse("2026-09-12T14:21:53Z")

    assert isinstance(reading(an_action(), now=created - DAY), Action)
    assert reading(an_action(), now=created - DAY - 1).code == "clock"


# U+0000


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("contact.email", an_action(contact={"email": "anne\0@example.org"})),
        ("contact.contactRef", an_action(contact={"contactRef": "\0"})),
        ("contact.ref", an_action_of_version_1(contact={"ref": REF + "\0"})),
        ("contact.email", an_action(contact={"email": ABSENT, "em\0ail": "anne\0@example.org"})),
        ("contact.payload", an_action_of_version_1(contact={"payload": '{"email": "anne\0@example.org"}'})),
        ("contact.payload.email", an_action_of_version_1(personal={"email": "anne\0@example.org"})),
        ("supporter.contact.email", an_email_status(supporter={"contact": {"email": "\0"}})),
        ("personalInfo.email", encrypted(an_action(contact={"email": "anne\0@example.org"}), KEYS)),
        (
            "supporter.personalInfo.email",
            encrypted(an_email_status(supporter={"contact": {"email": "\0"}}), KEYS),
        ),
    ],
)
def test_an_identity_is_not_repaired_by_guessing(where, message):
    result = read(json.dumps(message).encode(), KEYS, now=NOW)

    assert (result.code, result.where) == ("nul", where)


@pytest.mark.parametrize("seal", [False, True])
def test_from_everything_else_it_is_dropped_at_all_depths(seal):
    message = an_action(
        action={
            "customFields": {"com\0ment": "a\0b", "list": ["\0", {"k\0": "\0v"}], "email": "x\0"},
            "actionType": "sha\0re",
        },
        contact={"last\0Name": "Mar\0tin", "extra": {"a\0": ["b\0"]}, "phone": "\0"},
        campaign={"ti\0tle": "Save\0", "name": "for\0est"},
        tracking={"source": "\0news"},
        stage="deli\0ver",
    )

    result = reading(encrypted(message, KEYS) if seal else message)

    assert result.custom_fields == {"comment": "Pour nos enfants", "list": ["", {"k": "v"}], "email": "x"}
    assert (result.action_type, result.stage, result.tracking["source"]) == ("share", "deliver", "news")
    assert result.contact.extra == {"extra": {"a": ["b"]}}
    assert result.contact.details["last_name"] == "Martin"
    assert "phone" not in result.contact.details
    assert result.places.campaign["name"] == "forest"


def test_a_key_that_was_sent_clean_wins_over_a_cleaned_one():
    for fields in ({"a\0": 1, "a": 2}, {"a": 2, "a\0": 1}):
        message = an_action(action={"customFields": fields})

        assert reading(message).custom_fields["a"] == 2


def test_notices_and_configs_are_clean_too():
    notice = reading(a_system_message(contact={"email": "campaigner\0@example.org", "k\0": ["\0"]}))
    update = reading(a_campaign_update(campaign={"config": {"a\0": "\0b"}}))

    assert isinstance(notice, Notice)
    assert "\0" not in str(notice.payload.values())
    assert notice.payload["contact"]["k"] == [""]
    assert update.places.campaign["config"]["a"] == "b"


# Who it is about


def test_an_unreadable_message_names_whom_it_shows():
    action = reading(an_action(privacy={"optIn": "yes"}))
    event = reading(an_email_status(timestamp="soon"))
    older = reading(an_action_of_version_1(personal={"email": "other@example.org"}, actionId=None))

    assert (action.emails, action.refs) == (("anne.martin@example.org",), (REF,))
    assert (event.emails, event.refs) == (("anne.martin@example.org",), (REF,))
    assert older.emails == ("anne.martin@example.org", "other@example.org")
    assert "anne" not in repr([action, event, older])


# Anything at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
odd_values = json_values | st.sampled_from(
    ["", " ", "\0", "0", "null", "2026-02-30", FUTURE, -1, 2**63, 10**500, "x" * 1_001, [], {}, [[]]]
)
samples = st.sampled_from(
    [
        an_action(),
        an_action(action={"donation": {"amount": 1, "currency": "EUR"}}),
        an_action_of_version_1(),
        an_email_status(),
        a_campaign_update(),
        a_confirm_created(),
        a_system_message(),
        encrypted(an_action(), KEYS),
        encrypted(an_action_of_version_1(), KEYS),
        encrypted(an_email_status(), KEYS),
    ]
)


def mutated(value, draw):
    """The value with some parts replaced, removed or renamed."""
    choice = draw(st.integers(0, 19))
    if choice == 0:
        return draw(odd_values)
    if isinstance(value, dict):
        changed = {key: mutated(one, draw) for key, one in value.items() if draw(st.integers(0, 19))}
        return (
            changed | {draw(st.sampled_from([*value, "id", "k\0"])): draw(odd_values)}
            if choice == 1 and value
            else changed
        )
    return value


@st.composite
def mutated_messages(draw):
    message = draw(samples)
    return {key: mutated(value, draw) if key != "schema" else value for key, value in message.items()}


def assert_sound(result: Message | Unreadable) -> None:
    """The result can be stored as it is: known code, no U+0000, encodable, times within a day of now."""
    if isinstance(result, Unreadable):
        assert result.code in set(Code)
        assert (result.not_before is not None) == (result.code == Code.CLOCK)
        return
    kept = msgspec.to_builtins(result)
    assert "\\u0000" not in json.dumps(kept)
    assert msgspec.json.decode(msgspec.json.encode(kept)) is not None
    assert (result.created_at if isinstance(result, Action) else result.timestamp) <= NOW + DAY
    if isinstance(result, Action | EmailStatus):
        assert all(type(one) is str and one.strip() for one in result.contact.details.values())
        assert len(result.contact.email.encode()) <= 1_000
        assert type(result.testing) is bool
        assert type(result.privacy.with_consent) is bool
        assert result.privacy.opt_in in (True, False, None)


@given(st.binary())
def test_any_bytes_end_in_a_value(body):
    assert isinstance(reading(body), Unreadable)


@given(json_values)
def test_any_json_ends_in_a_value(value):
    assert_sound(reading(json.dumps(value).encode()))


@settings(max_examples=40)
@given(
    st.sampled_from(["proca:action:1", "proca:action:2", "proca:event:2"]),
    st.dictionaries(st.text(), json_values),
)
def test_any_object_under_a_known_schema_ends_in_a_value(schema, rest):
    assert_sound(reading(json.dumps(rest | {"schema": schema}).encode()))


@given(mutated_messages())
def test_any_change_of_a_real_message_ends_in_a_value(message):
    assert_sound(reading(json.dumps(message).encode()))


@given(samples, st.data())
def test_any_damage_on_the_way_ends_in_a_value(message, data):
    body = bytearray(wire(message))
    start = data.draw(st.integers(0, len(body)))
    body[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))

    assert_sound(reading(bytes(body)))
