"""`quarantine` as a person runs it: what stands there, why, and out again."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.models import QuarantinedMessage, Supporter
from sync.proca.encryption import KeyStore
from tests.commands.here import run, stored
from tests.intake.messages import an_action
from tests.project import run_manage

POISON = b'{"schema": "proca:action:2", "email": "anna@example.org", "n": 19933688932870350000, '
on_sqlite = pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)


@pytest.fixture
def kept(store_database) -> Any:
    """A database with a message in quarantine: no JSON."""
    stored(POISON)
    return store_database


def ids() -> list[str]:
    return [str(number) for number in QuarantinedMessage.objects.order_by("pk").values_list("pk", flat=True)]


def test_the_list_says_why_and_nothing_of_anybody(kept):
    done = run("quarantine", "list")

    titles, row = (line.split("\t") for line in done.stdout.splitlines())
    assert titles == ["id", "received", "queue", "reader", "code", "where", "attempts"]
    assert row[0] == ids()[0]
    assert row[2:5] == ["cus.7.deliver", "7", "not_json"]
    assert row[6] == "1"
    assert "anna" not in done.stdout + done.stderr


def test_show_prints_the_message_to_the_byte(kept):
    # A process of its own, which has a true stdout.
    done = run_manage("quarantine", "show", ids()[0], env={"DATABASE_URL": kept.url})

    assert done.stdout == POISON.decode() + "\n"
    assert json.loads(done.stderr)["code"] == "not_json"


def test_what_still_cannot_be_stored_stays_and_is_counted(kept):
    done = run("quarantine", "retry", "--all")

    assert done.returncode == 1
    assert "1 still in quarantine" in done.stdout
    assert QuarantinedMessage.objects.get().attempts == 2


def test_a_key_that_arrives_later_opens_what_waited(store_database, settings, tmp_path):
    keys, sender = KeyStore.generate(), KeyStore.generate()
    stored(sealed_action(keys, sender))
    assert len(ids()) == 1
    (tmp_path / "keys.json").write_text(keys.to_text())
    settings.PROCA_KEYS = str(tmp_path / "keys.json")

    done = run("quarantine", "retry", *ids())

    assert done.returncode == 0, done.stderr
    assert "1 stored" in done.stdout
    assert ids() == []
    assert Supporter.objects.count() == 1


def sealed_action(keys, sender) -> Any:
    from nacl.public import Box, PrivateKey
    from nacl.utils import random

    from sync.proca.encryption import decode, encode

    (ours,) = keys.public_keys
    (theirs,) = sender.public_keys
    private = json.loads(sender.to_text())[theirs]["private"]
    nonce = random(24)
    box = Box(
        PrivateKey(decode(private)),
        PrivateKey(decode(json.loads(keys.to_text())[ours]["private"])).public_key,
    )
    payload = box.encrypt(b'{"lastName": "Lovelace"}', nonce).ciphertext
    info = {
        "payload": encode(payload),
        "nonce": encode(nonce),
        "encryptKey": {"id": 1, "public": ours},
        "signKey": {"id": 2, "public": theirs},
    }
    return an_action(personalInfo=info)


def test_discarded_is_gone(kept):
    (one,) = ids()

    assert run("quarantine", "discard", one).returncode == 0
    assert ids() == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show", "4711"], 1, "4711"),
        (["discard", "4711"], 1, "4711"),
        (["retry", "4711"], 1, "4711"),
        (["retry"], 2, "--all"),
        (["retry", "1", "--all"], 2, "--all"),
        (["show", "99999999999999999999"], 2, "invalid"),
        (["show", "-1"], 2, ""),
        ([], 2, "list"),
        (["unknown"], 2, "unknown"),
    ],
)
@on_sqlite
def test_wrong_usage_is_one_line(store_database, arguments, code, says):
    done = run("quarantine", *arguments)

    assert done.returncode == code
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@on_sqlite
def test_nothing_in_quarantine_is_fine(store_database):
    assert run("quarantine", "list").stdout.splitlines() == ["id\treceived\tqueue\treader\tcode\twhere\tattempts"]
    assert run("quarantine", "retry", "--all").returncode == 0


def test_a_message_of_tomorrow_is_tried_again_by_itself_when_its_day_comes(store_database, tmp_path):
    stored(an_action(createdAt="2999-01-01T00:00:00Z"))
    assert QuarantinedMessage.objects.get().code == "clock"
    # Its day has come: the time in the message is no longer one of the future.
    QuarantinedMessage.objects.update(not_before=datetime(2020, 1, 1, tzinfo=UTC))
    (tmp_path / "none.ndjson").touch()

    done = run_manage(
        "consume_proca", "--file", str(tmp_path / "none.ndjson"), "--org", "7", env={"DATABASE_URL": store_database.url}
    )

    # It was tried again at the start, and is still of the future.
    assert done.returncode == 0
    assert QuarantinedMessage.objects.get().attempts == 2
