"""`create_token` as a person runs it."""

import re

import pytest

from sync.management.commands.create_token import Command
from tests.commands.here import run


def test_a_token_is_printed_once_and_kept_as_a_hash(store_database):
    done = run("create_token", "the CRM", "--scope", "read", "--scope", "write", "--org", "7")

    assert done.returncode == 0, done.stderr
    text = done.stdout.strip()
    assert re.fullmatch(r"proca_[A-Za-z0-9_-]{43}", text)
    ((name, scopes, org, prefix),) = store_database.query(
        "SELECT name, CAST(scopes AS text), org, prefix FROM sync_token"
    )
    assert (name, scopes, org) == ("the CRM", '["read","write"]', 7)
    assert text.startswith(prefix)
    everything = str(store_database.query("SELECT * FROM sync_token")) + str(
        store_database.query("SELECT * FROM sync_auditentry")
    )
    assert text not in everything
    assert text[len(prefix) :] not in everything


def test_an_ingest_token_needs_an_organisation(store_database, settings):
    refused = run("create_token", "proca", "--scope", "ingest")
    settings.PROCA_ORG = 9
    made = run("create_token", "proca", "--scope", "ingest")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "PROCA_ORG" in refused.stderr
    assert made.returncode == 0
    assert store_database.query("SELECT org FROM sync_token") == [(9,)]


@pytest.mark.parametrize(
    "arguments", [["x"], ["x", "--scope", "all"], ["", "--scope", "read"], ["x", "--scope", "read", "--org", "0"]]
)
def test_wrong_usage_is_told(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "create_token", *arguments])

    assert ended.value.code == 2
    assert "error" in capsys.readouterr().err
