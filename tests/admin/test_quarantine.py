"""Quarantine at the desk: why a message is there, trying again, throwing away, and who sees what it says."""

import pytest
from django.urls import reverse

from sync.admin.advice import advice
from sync.models import QuarantinedMessage, Supporter
from sync.proca.shapes import Code
from tests.admin.people import client_of, taken
from tests.admin.test_people import audited, text
from tests.builders import KEYS, an_action, encrypted

POISON = b'{"email": "anna@example.org", '


def page(name, *arguments):
    """Return the address of a page about the quarantine."""
    return reverse(f"admin:sync_quarantinedmessage_{name}", args=arguments)


@pytest.fixture
def poison(desk):
    """A message that nobody can read."""
    taken(POISON)
    return QuarantinedMessage.objects.get().pk


def test_the_page_says_why_and_what_to_do_and_not_what_it_says(desk, poison):
    shown = desk.get(page("change", poison))

    assert "It is not JSON" in text(shown)
    assert "anna" not in shown.content.decode()
    assert "anna" not in desk.get(page("changelist")).content.decode()


def test_the_message_itself_has_a_page_of_its_own(desk, poison):
    assert "anna@example.org" in text(desk.get(page("body", poison)))
    assert audited() == [("looked at", "quarantined message", poison, "")]

    looks = client_of("sync.view_quarantinedmessage")

    assert looks.get(page("change", poison)).status_code == 200
    assert looks.get(page("body", poison)).status_code == 403
    assert page("body", poison) not in looks.get(page("change", poison)).content.decode()


def test_a_message_is_shown_as_text_whatever_is_in_it(desk):
    taken(b"<script>alert(1)</script>\xff")

    shown = desk.get(page("body", QuarantinedMessage.objects.get().pk)).content.decode()

    assert "<script>alert" not in shown
    assert "\\xff" in shown


def test_what_can_be_read_now_is_stored(desk, settings):
    taken(encrypted(an_action(), KEYS))
    assert QuarantinedMessage.objects.get().code == "no_key"
    settings.PROCA_KEYS = KEYS.to_text()

    chosen = {"action": "try_again", "_selected_action": [QuarantinedMessage.objects.get().pk]}
    answer = desk.post(page("changelist"), chosen, follow=True)

    assert "1 stored" in text(answer)
    assert not QuarantinedMessage.objects.exists()
    assert Supporter.objects.get().first_name == "Anne"


def test_what_still_cannot_be_read_stays(desk, poison):
    answer = desk.post(page("retry", poison), follow=True)

    assert "1 still cannot be stored" in text(answer)
    assert QuarantinedMessage.objects.get().attempts == 2


def test_thrown_away_is_gone(desk, poison):
    taken(b"[")
    desk.post(page("discard", poison))
    assert QuarantinedMessage.objects.count() == 1

    chosen = {"action": "throw_away", "_selected_action": [QuarantinedMessage.objects.get().pk]}
    assert "1 thrown away" in text(desk.post(page("changelist"), chosen, follow=True))

    assert QuarantinedMessage.objects.count() == 0
    assert [what for what, *_ in audited()] == ["discarded", "discarded"]


def test_keys_that_cannot_be_read_are_told(desk, poison, settings):
    settings.PROCA_KEYS = "/nowhere/keys.json"

    answer = desk.post(page("retry", poison), follow=True)

    assert "PROCA_KEYS" in text(answer)
    assert "/nowhere" not in text(answer)


def test_looking_is_not_doing(poison):
    looks = client_of("sync.view_quarantinedmessage")

    for name in ("retry", "discard"):
        assert looks.post(page(name, poison)).status_code == 403
    for action in ("try_again", "throw_away"):
        looks.post(page("changelist"), {"action": action, "_selected_action": [poison]})
    assert QuarantinedMessage.objects.get().attempts == 1


def test_a_link_alone_does_nothing(desk, poison):
    assert desk.get(page("retry", poison)).status_code == 403
    assert desk.get(page("discard", poison)).status_code == 403


@pytest.mark.parametrize("code", [*Code, "failed", "23514:some_check"])
def test_every_reason_reads_as_a_sentence(code):
    what, todo = advice(code)

    assert what[0].isupper()
    assert todo.endswith(".")
