"""Values that databases damage or refuse: long, exact, and with U+0000 in them."""

import base64
import json
import random

import pytest

from sync.intake.retry import retry
from sync.models import Action, Campaign, QuarantinedMessage, Supporter
from sync.proca.encryption import KeyStore
from sync.terms import Verdict
from tests.builders import KEYS, a_campaign_update, an_action, encrypted, wire
from tests.rules.fold import NOW
from tests.store.storing import take_in

#: A double holds none of these; 1.0 and 1 are not the same text.
EXACT = [2**53 + 1, 19_933_688_932_870_350_000, -(2**63) - 1, 10**400, 1.0, 1, 1e22, 0.1]


@pytest.fixture(autouse=True)
def empty(store_database):
    store_database.empty()


def noise(length, seed=1):
    """Text that does not compress, as an index would notice."""
    return base64.b64encode(random.Random(seed).randbytes(length)).decode()[:length]


@pytest.mark.parametrize("keys", [{"email": f"{noise(8_000)}@example.org"}, {"contactRef": noise(8_000)}])
def test_a_key_too_long_to_be_found_again_goes_to_quarantine(keys):
    neighbour = an_action(actionId=2)

    assert take_in(an_action(contact=keys), neighbour) == [Verdict.QUARANTINED, Verdict.STORED]

    assert QuarantinedMessage.objects.get().code == "too_long"
    assert Supporter.objects.count() == 1


def test_every_other_text_is_stored_whole():
    long = {name: noise(100_000, seed) for seed, name in enumerate(("firstName", "lastName", "phone", "salutation"))}
    body = an_action(contact=long, action={"customFields": {"comment": noise(1_000_000), noise(9_000): "key"}})

    assert take_in(body | {"campaign": {"name": noise(50_000, 9)}}) == [Verdict.STORED]

    ann = Supporter.objects.get()
    assert (ann.first_name, ann.last_name, ann.phone) == tuple(list(long.values())[:3])
    assert ann.extra["salutation"] == long["salutation"]
    assert Action.objects.get().custom_fields == {"comment": noise(1_000_000), noise(9_000): "key"}
    assert Campaign.objects.get().name == noise(50_000, 9)


def test_numbers_come_out_as_they_went_in(store_database):
    take_in(an_action(action={"customFields": {"list": EXACT, "one": EXACT[1]}}))

    ((text,),) = store_database.query("SELECT CAST(custom_fields AS text) FROM sync_action")

    assert repr(json.loads(text)["list"]) == repr(EXACT)
    assert f'"one":{EXACT[1]}' in text
    assert repr(Action.objects.get().custom_fields["list"]) == repr(EXACT)


def test_numbers_come_out_of_quarantine_as_they_went_in():
    locked = encrypted(an_action(action={"customFields": {"n": EXACT}}), KEYS)
    assert take_in(locked, keys=KeyStore.empty()) == [Verdict.QUARANTINED]

    retry([QuarantinedMessage.objects.get().pk], KEYS, now=NOW)

    assert repr(Action.objects.get().custom_fields["n"]) == repr(EXACT)


def test_nul_is_dropped_from_values_and_keys_and_never_from_an_identity():
    dirty = an_action(
        contact={"firstName": "An\0n", "x\0y": "1\0"},
        action={"customFields": {"a\0": ["b\0", {"c\0": "\0"}]}},
        tracking={"source": "s\0"},
    )
    update = a_campaign_update(campaign={"config": {"k\0": "v\0"}})

    assert take_in(dirty, update) == [Verdict.STORED, Verdict.EVENT]
    assert take_in(an_action(actionId=2, contact={"email": "a\0@example.org"})) == [Verdict.QUARANTINED]

    assert (Supporter.objects.get().first_name, Supporter.objects.get().extra["xy"]) == ("Ann", "1")
    assert Action.objects.get().custom_fields["a"] == ["b", {"c": ""}]
    assert Action.objects.get().tracking["source"] == "s"
    assert Campaign.objects.get().config["k"] == "v"
    assert QuarantinedMessage.objects.get().code == "nul"


@pytest.mark.parametrize("name", ["firstName", "email", "contactRef", "salutation"])
def test_half_of_a_character_ends_in_quarantine_beside_its_neighbours(name):
    half = wire(an_action(contact={name: "HALF"})).replace(b"HALF", rb"x\ud800@example.org")

    assert take_in(an_action(actionId=2), half) == [Verdict.STORED, Verdict.QUARANTINED]
    assert QuarantinedMessage.objects.get().code == "not_json"
