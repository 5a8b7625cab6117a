"""The demo's messages are what they say they are."""

import re
from collections import Counter
from pathlib import Path

import pytest

from sync.proca import times
from sync.proca.encryption import KeyStore
from sync.proca.messages import Action, EmailStatus, Unreadable, read

DEMO = Path(__file__).parents[2] / "demo"
FILES = sorted((DEMO / "messages" / "cus.7.deliver").iterdir())
KEYS = KeyStore.from_text((DEMO / "keys.json").read_text())
AFTERWARDS = times.parse("2026-11-18T00:00:00Z")


@pytest.fixture(scope="module")
def demo():
    return {path.name: read(path.read_bytes(), KEYS, now=AFTERWARDS) for path in FILES}


def test_every_kind_of_message_is_there_and_one_is_broken(demo):
    assert Counter(type(one).__name__ for one in demo.values()) == {
        "Action": 29,
        "EmailStatus": 8,
        "CampaignUpdate": 3,
        "Notice": 3,
        "Unreadable": 1,
    }
    assert demo["40-poison-not-json.json"] == Unreadable("not_json")


def test_nobody_real_is_in_it():
    addresses = {found for path in FILES for found in re.findall(r"[^\s\"\\]+@([\w.-]+)", path.read_text())}

    assert addresses == {"example.org", "latin"}  # of the page's locale, sr@latin


def test_only_with_the_key_are_the_encrypted_ones_readable():
    without = [read(path.read_bytes(), KeyStore.empty(), now=AFTERWARDS) for path in FILES]

    assert Counter(one.code for one in without if isinstance(one, Unreadable)) == {"no_key": 4, "not_json": 1}


def test_everybody_can_be_found(demo):
    people = [one for one in demo.values() if isinstance(one, Action | EmailStatus)]

    assert all(one.contact.ref for one in people)
    assert len({one.contact.ref for one in people}) == 19
