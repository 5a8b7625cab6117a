"""PROCA_KEYS: a path or the JSON itself, and never a key in an error."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from sync.intake.keys import load_keys
from sync.proca.encryption import KeyStore


def test_nothing_set_is_no_keys(settings):
    settings.PROCA_KEYS = ""

    assert len(load_keys()) == 0


def test_a_path_and_the_text_itself_are_the_same(settings, tmp_path):
    store = KeyStore.generate()
    path = tmp_path / "keys.json"
    path.write_text(store.to_text())

    settings.PROCA_KEYS = str(path)
    from_path = load_keys()
    settings.PROCA_KEYS = store.to_text()
    from_text = load_keys()

    assert from_path.public_keys == from_text.public_keys == store.public_keys


@pytest.mark.parametrize("setting", ["{broken", '{"a": "b"}', "/nowhere/keys.json", "/", "secretsecret\0"])
def test_what_is_wrong_is_one_line_without_a_value(settings, setting):
    settings.PROCA_KEYS = setting

    with pytest.raises(ImproperlyConfigured, match=r"^PROCA_KEYS: ") as caught:
        load_keys()

    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
