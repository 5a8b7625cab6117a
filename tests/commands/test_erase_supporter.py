"""`erase_supporter` as a person runs it."""

import pytest

from sync.models import Action, AuditEntry, Change, Supporter
from sync.store import asked
from tests.commands.here import run, stored
from tests.intake.messages import an_action


def people():
    return list(Supporter.objects.order_by("pk").values_list("email", flat=True))


@pytest.fixture
def anna_and_bert(store_database):
    stored(an_action(actionId=1), an_action(actionId=2))
    assert people() == ["anna1@example.org", "anna2@example.org"]


@pytest.mark.parametrize("key", [" Anna1@Example.org", "ref-1"])
def test_somebody_is_gone_and_stays_gone(anna_and_bert, key):
    done = run("erase_supporter", key, "--yes")
    stored(an_action(actionId=1))

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Erased: supporter 1\n"
    assert people() == ["anna2@example.org"]
    assert Action.objects.get(action_id=1).supporter_id is None
    assert Change.objects.filter(kind="supporter.erased", object_id=1).exists()
    assert list(AuditEntry.objects.values_list("actor", "action", "object_id")) == [("command", "erase", 1)]


@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_a_contact_ref_may_begin_like_an_option(store_database):
    stored(an_action(contact={"contactRef": "-ref", "email": None}))

    assert run("erase_supporter", "--yes", "--", "-ref").returncode == 0
    assert people() == []


def test_it_says_in_numbers_what_it_reaches_and_what_not(anna_and_bert):
    done = run("erase_supporter", "anna1@example.org", "--yes")

    assert "1 supporters, 2 emails and contactRefs, 1 actions" in done.stderr
    assert "1 consent entries, 1 subscriptions" in done.stderr
    for place in ("--dump", "export", "file destinations", "backups"):
        assert place in done.stderr
    assert "anna" not in done.stdout + done.stderr


def test_somebody_unknown_gets_the_mark_too(store_database):
    done = run("erase_supporter", "anna1@example.org", "--yes")
    stored(an_action())

    assert done.returncode == 0
    assert "the mark is set" in done.stdout
    assert people() == []


def test_a_shared_email_reaches_nobody_with_a_contact_ref(anna_and_bert):
    asked.share("anna1@example.org", shared=True)

    done = run("erase_supporter", "anna1@example.org", "--yes")

    assert done.returncode == 0
    assert "0 erased" in done.stdout
    assert "contactRef" in done.stdout
    assert len(people()) == 2


@pytest.mark.parametrize(("answer", "code", "left"), [("yes\n", 0, 1), ("Yes\n", 0, 1), ("no\n", 1, 2), ("\n", 1, 2)])
def test_a_person_is_asked(anna_and_bert, answer, code, left):
    done = run("erase_supporter", "anna1@example.org", answers=answer)

    assert done.returncode == code
    assert len(people()) == left


def test_without_a_terminal_nobody_can_be_asked(anna_and_bert):
    done = run("erase_supporter", "anna1@example.org")

    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert len(people()) == 2


@pytest.mark.parametrize("key", ["", "null", "two words", "x" * 5000])
@pytest.mark.parametrize("store_database", ["sqlite"], indirect=True)
def test_what_is_no_key_is_wrong_usage(store_database, key):
    done = run("erase_supporter", key, "--yes")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
