"""`quarantine` as a person runs it: what stands there, why, and out again."""

import json
from typing import Any

import pytest

from sync.proca.encryption import KeyStore
from tests.intake.messages import an_action

POISON = b'{"schema": "proca:action:2", "email": "anna@example.org", "n": 19933688932870350000, '


@pytest.fixture
def kept(project, tmp_path) -> Any:
    """A project with messages in quarantine: no JSON, and one that may be mended."""
    (tmp_path / "poison.json").write_bytes(POISON)
    done = project.manage("consume_proca", "--file", str(tmp_path / "poison.json"), "--org", "7")
    assert done.returncode == 0, done.stderr
    return project


def ids(project) -> Any:
    return [str(row[0]) for row in project.query("SELECT id FROM sync_quarantinedmessage ORDER BY id")]


def test_the_list_says_why_and_nothing_of_anybody(kept):
    done = kept.manage("quarantine", "list")

    titles, row = (line.split("\t") for line in done.stdout.splitlines())
    assert titles == ["id", "received", "queue", "reader", "code", "where", "attempts"]
    assert row[0] == ids(kept)[0]
    assert row[2:5] == ["file", "7", "not_json"]
    assert row[6] == "1"
    assert "anna" not in done.stdout + done.stderr


def test_show_prints_the_message_to_the_byte(kept):
    done = kept.manage("quarantine", "show", ids(kept)[0])

    assert done.stdout == POISON.decode() + "\n"
    assert json.loads(done.stderr)["code"] == "not_json"


def test_what_still_cannot_be_stored_stays_and_is_counted(kept):
    done = kept.manage("quarantine", "retry", "--all")

    assert done.returncode == 1
    assert "1 still in quarantine" in done.stdout
    assert kept.query("SELECT attempts FROM sync_quarantinedmessage") == [(2,)]


def test_a_key_that_arrives_later_opens_what_waited(project, tmp_path):
    keys, sender = KeyStore.generate(), KeyStore.generate()
    (tmp_path / "keys.json").write_text(keys.to_text())
    (tmp_path / "message.json").write_bytes(sealed_action(keys, sender))
    first = project.manage("consume_proca", "--file", str(tmp_path / "message.json"), "--org", "7")
    assert json.loads(first.stdout.splitlines()[-1])["quarantined"] == 1

    done = project.manage("quarantine", "retry", *ids(project), env={"PROCA_KEYS": str(tmp_path / "keys.json")})

    assert done.returncode == 0, done.stderr
    assert "1 stored" in done.stdout
    assert ids(project) == []
    assert project.value("SELECT count(*) FROM sync_supporter") == 1


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
    (one,) = ids(kept)

    assert kept.manage("quarantine", "discard", one).returncode == 0
    assert ids(kept) == []


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
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_wrong_usage_is_one_line(project, arguments, code, says):
    done = project.manage("quarantine", *arguments)

    assert done.returncode == code
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_in_quarantine_is_fine(project):
    assert project.manage("quarantine", "list").stdout.splitlines() == [
        "id\treceived\tqueue\treader\tcode\twhere\tattempts"
    ]
    assert project.manage("quarantine", "retry", "--all").returncode == 0


def test_a_message_of_tomorrow_is_stored_by_itself_when_its_day_comes(project, tmp_path):
    (tmp_path / "message.json").write_bytes(an_action(createdAt="2999-01-01T00:00:00Z"))
    project.manage("consume_proca", "--file", str(tmp_path / "message.json"), "--org", "7")
    assert project.value("SELECT code FROM sync_quarantinedmessage") == "clock"
    # Its day has come: the time in the message is no longer one of the future.
    project.query("UPDATE sync_quarantinedmessage SET not_before = %s", ("2020-01-01 00:00:00+00:00",))
    (tmp_path / "none.ndjson").touch()

    done = project.manage("consume_proca", "--file", str(tmp_path / "none.ndjson"), "--org", "7")

    # It was tried again at the start, and is still of the future.
    assert done.returncode == 0
    assert project.value("SELECT attempts FROM sync_quarantinedmessage") == 2
