"""The key store, and opening what Proca encrypted for us."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.proca import times
from sync.proca.encryption import BadKeyStore, KeyStore, decode, encode
from sync.proca.messages import Action, EmailStatus, Unreadable, read
from tests.builders import (
    KEYS,
    REF,
    an_action,
    an_action_of_version_1,
    an_email_status,
    encrypted,
    wire,
)
from tests.builders import OTHER_KEYS as OTHERS

NOW = times.parse("2026-12-01T00:00:00Z")


def reading(message, keys=KEYS):
    return read(wire(message), keys, now=NOW)


def pair(keys=KEYS):
    ((public, entry),) = json.loads(keys.to_text()).items()
    return public, entry["private"]


# The key store


def test_a_store_is_read_as_it_was_written():
    both = KEYS.joined(OTHERS)

    again = KeyStore.from_text(both.to_text())

    assert again.public_keys == both.public_keys == (*KEYS.public_keys, *OTHERS.public_keys)
    assert again.to_text() == both.to_text()


def test_padding_and_a_byte_order_mark_are_no_matter():
    public, private = pair()

    keys = KeyStore.from_text("\ufeff" + json.dumps({public + "=": {"private": private + "=", "note": "2026"}}))

    assert keys.public_keys == (public,)


def test_an_empty_store_holds_nothing():
    assert len(KeyStore.empty()) == 0
    assert KeyStore.from_text("{}").public_keys == ()


def test_a_store_shows_no_private_key():
    assert pair()[1] not in f"{KEYS} {KEYS!r}"


SWAPPED = {pair()[1]: {"private": pair()[0]}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps({"x": {"private": pair()[1]}}), "key 1"),
        (json.dumps({pair()[0]: {}}), "key 1"),
        (json.dumps({pair()[0]: pair()[1]}), "key 1"),
        (json.dumps({pair()[0]: {"private": "x"}}), "key 1"),
        (json.dumps({pair()[0]: {"private": pair()[1][:-2]}}), "key 1"),
        (json.dumps({pair()[0]: {"private": pair(OTHERS)[1]}}), "does not belong"),
        (json.dumps({pair(OTHERS)[0]: {"private": pair(OTHERS)[1]}, pair()[0]: None}), "key 2"),
        (json.dumps(SWAPPED), "does not belong"),
    ],
)
def test_a_store_that_cannot_be_used_says_which_key_and_no_secret(text, said):
    with pytest.raises(BadKeyStore) as caught:
        KeyStore.from_text(text)

    assert said in str(caught.value)
    assert caught.value.__cause__ is None
    for secret in (pair()[1], pair(OTHERS)[1]):
        assert secret not in str(caught.value)


def test_a_new_pair_is_new():
    assert KeyStore.generate().public_keys != KeyStore.generate().public_keys


@given(st.binary())
def test_base64url_is_read_as_written(raw):
    assert decode(encode(raw)) == raw
    assert "=" not in encode(raw)


@pytest.mark.parametrize("text", [None, 5, b"YQ", "Y", "a b c", "YQ!", "é", "Y=Q", "\ud800"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"^not base64url$"):
        decode(text)


def test_forged_senders_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("sync.proca.encryption._MAX_BOXES", 3)
    keys = KeyStore.generate()

    for number in range(1, 20):
        keys.box(keys.public_keys[0], decode(KeyStore.generate().public_keys[0]))

        assert len(keys._boxes) <= min(number, 3)


# Messages


def test_an_encrypted_action_reads_like_a_plain_one():
    assert reading(encrypted(an_action(), KEYS)) == reading(an_action())


def test_an_encrypted_event_reads_like_a_plain_one():
    opened, plain = reading(encrypted(an_email_status("bounce"), KEYS)), reading(an_email_status("bounce"))

    assert isinstance(opened, EmailStatus)
    assert (opened.contact, opened.privacy) == (plain.contact, plain.privacy)
    assert opened.contact.email == "anne.martin@example.org"


def test_an_encrypted_action_of_version_1_is_opened_by_its_public_key():
    personal = {"email": "anne@example.org", "lastName": "Martin", "area": "FR", "postcode": "69001"}
    message = an_action_of_version_1(personal=personal, contact={"email": None})

    result = reading(encrypted(message, KEYS))

    assert result.contact.email == "anne@example.org"
    assert result.contact.details == {
        "first_name": "Anne",
        "last_name": "Martin",
        "area": "FR",
        "postcode": "69001",
    }
    assert result.contact.extra == {}


def test_any_of_our_keys_opens():
    rotated = OTHERS.joined(KEYS)

    assert reading(encrypted(an_action(), KEYS), rotated).contact.details["postcode"] == "69001"


def test_the_clear_contact_stays_where_the_payload_says_nothing():
    message = encrypted(an_action(contact={"email": None, "lastName": None, "extra": ""}), KEYS)
    message["contact"] |= {"email": "anne@example.org", "lastName": "Martin"}

    contact = reading(message).contact

    assert (contact.email, contact.details["last_name"]) == ("anne@example.org", "Martin")


@pytest.mark.parametrize(
    "message",
    [an_action(), an_email_status(), an_action_of_version_1()],
    ids=["action", "event", "version 1"],
)
def test_without_our_key_it_waits_and_names_the_public_half(message):
    result = reading(encrypted(message, KEYS), OTHERS)

    assert isinstance(result, Unreadable)
    assert result.code == "no_key"
    assert result.where.endswith(".encryptKey")
    assert result.public_key == KEYS.public_keys[0]
    assert result.refs == (REF,)


def test_what_was_tampered_with_is_refused():
    message = encrypted(an_action(), KEYS)
    raw = bytearray(decode(message["personalInfo"]["payload"]))
    raw[-1] ^= 1
    message["personalInfo"]["payload"] = encode(bytes(raw))

    assert reading(message) == Unreadable("not_decrypted", "personalInfo", refs=(REF,))


@pytest.mark.parametrize(
    ("part", "value", "code", "where"),
    [
        ("payload", None, "bad_personal_info", "personalInfo.payload"),
        ("payload", "", "bad_personal_info", "personalInfo.payload"),
        ("payload", "YQ", "not_decrypted", "personalInfo"),
        ("payload", "not base64!", "bad_personal_info", "personalInfo.payload"),
        ("nonce", "YWJj", "bad_personal_info", "personalInfo.nonce"),
        ("nonce", encode(b"m" * 24), "not_decrypted", "personalInfo"),
        ("encryptKey", {"id": 1}, "bad_personal_info", "personalInfo.encryptKey"),
        ("signKey", None, "bad_personal_info", "personalInfo.signKey"),
        ("signKey", {"public": encode(bytes(32))}, "not_decrypted", "personalInfo"),
        ("signKey", {"public": OTHERS.public_keys[0]}, "not_decrypted", "personalInfo"),
    ],
)
def test_broken_parts_are_named(part, value, code, where):
    message = encrypted(an_action(), KEYS)
    message["personalInfo"][part] = value

    result = reading(message)

    assert (result.code, result.where) == (code, where)


@pytest.mark.parametrize("info", ["x", 1, True, [1], {"payload": "eA"}])
def test_personal_info_of_another_shape_is_refused(info):
    assert reading(an_action(personalInfo=info)).code == "bad_personal_info"


@pytest.mark.parametrize("info", [None, {}, "", []])
def test_no_personal_info_is_a_plain_message(info):
    message = an_action()
    message["personalInfo"] = info

    assert isinstance(reading(message), Action)


@pytest.mark.parametrize("payload", ["[]", "1", '"x"', "not json", '{"a": 1e400}', "\ud7ff"])
def test_a_clear_text_that_is_no_object_is_refused(payload):
    message = encrypted(an_action_of_version_1(contact={"payload": payload}), KEYS)

    assert reading(message).code == "bad_personal_info"


def test_a_message_that_is_refused_for_something_else_still_names_whom_it_is_about():
    message = encrypted(an_action(action={"createdAt": "2026-02-30T00:00:00Z"}), KEYS)

    result = reading(message)

    assert (result.code, result.where) == ("bad_time", "action.createdAt")
    assert result.emails == ("anne.martin@example.org",)
    assert result.refs == (REF,)
    assert "anne" not in repr(result)
