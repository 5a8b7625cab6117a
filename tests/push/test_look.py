"""Before the first go: who of the audience is new at the CRM, known, stopped there; nothing is changed by asking."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from sync.models import Destination
from sync.push import addresses, destinations, look
from sync.push.registry import connector
from tests.admin.people import administrator, logged_in
from tests.fakes.mailchimp import Mailchimp
from tests.fakes.receiver import receiver as running_receiver
from tests.fakes.served import served
from tests.fakes.server import Reply
from tests.push.world import a_destination, allowed, push, receive, sign_up, supporter

NAMES = ("anne", "ben", "cleo")

pytestmark = pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)


@pytest.fixture
def crm(store_database):
    with served(Mailchimp(), "https://us9.api.mailchimp.com") as running:
        yield running


def mailchimp(crm, **more) -> Destination:
    values = {"kind": "mailchimp", "org": 7, "settings": {**crm.fake.settings, "url": f"{crm.url}/3.0"}}
    return destinations.create(values | {"name": "ours"} | more, "test")


@pytest.fixture
def destination(crm):
    """Anne and Ben are at the CRM, where Ben has left; Cleo is not. Nobody was told of them by this destination."""
    receive(sign_up("anne"), sign_up("ben"))
    earlier = mailchimp(crm, name="earlier", state="active")
    push(earlier)
    destinations.remove(earlier, "test")
    crm.fake.stop("ben@example.org", timezone.now())
    receive(sign_up("cleo"))
    crm.calls.clear()
    return mailchimp(crm)


def looked(destination, size=3):
    with allowed():
        return look.there(destination, connector(destination.kind), size)


def preview_page(destination):
    return reverse("admin:sync_destination_preview", args=[destination.pk])


def test_the_page_asks_when_it_is_told_to_and_changes_nothing_there(crm, destination):
    desk = logged_in(administrator())

    before = desk.get(preview_page(destination))
    assert crm.calls == []
    with allowed():
        asked = desk.post(preview_page(destination))

    assert b"Ask the CRM" in before.content
    assert asked.context["there"] == [
        ("Asked about", "3 of 3"),
        ("Not there yet", "1"),
        ("There already", "2"),
        ("Of these stopped there", "1"),
    ]
    assert {call.method for call in crm.calls} == {"GET"}


def test_the_dry_run_says_it_too(crm, destination):
    said = StringIO()

    with allowed():
        call_command("push_crm", "--dry-run", "--limit", "1", stdout=said)

    first, *_ = map(json.loads, said.getvalue().splitlines())
    assert first["there"] == {"audience": 3, "asked": 3, "new": 1, "known": 2, "stopped": 1, "trouble": ""}
    assert {call.method for call in crm.calls} == {"GET"}


def test_a_large_audience_is_asked_about_in_places_all_over_it(crm, destination, monkeypatch):
    monkeypatch.setattr(look, "PEOPLE", 4)
    monkeypatch.setattr(look, "_PLACES", 2)
    receive(*(sign_up(f"person{number}") for number in range(17)))
    everybody = sorted(supporter(name).pk for name in (*NAMES, *(f"person{number}" for number in range(17))))

    ids = look.sample(destination, len(everybody))
    found = looked(destination, len(everybody))

    assert ids[:2] == everybody[:2]
    assert ids[2] > everybody[len(everybody) // 2] - 3
    assert (found.audience, found.asked, found.trouble) == (20, 4, "")


def test_a_crm_that_does_not_answer_does_not_hold_the_page(crm, destination, monkeypatch):
    monkeypatch.setattr(look, "_SECONDS", 0.5)
    crm.trouble.append(Reply(200, "x" * 40, slow=20.0))

    found = looked(destination)

    assert found.asked == 0
    assert "no answer" in found.trouble


def test_what_could_be_asked_in_time_is_told(crm, destination, monkeypatch):
    monkeypatch.setattr(look, "_SECONDS", 0.5)
    crm.trouble.extend([crm.answer, Reply(200, "x" * 40, slow=20.0)])

    found = looked(destination)

    assert (found.asked, found.trouble) == (1, "")


def test_it_waits_for_no_turn_that_does_not_come_in_time(crm, destination, monkeypatch):
    destinations.change(destination, {"rate_limit": 0.1}, "test")
    monkeypatch.setattr(look, "_SECONDS", 2)

    found = looked(destination)

    assert found.asked == 1
    assert "turn" in found.trouble


def test_a_refusal_is_told_with_what_to_do(crm, destination):
    crm.trouble.append(Reply(401))

    assert "check the key" in looked(destination).trouble


def test_a_kind_that_cannot_read_is_not_asked(store_database):
    receive(sign_up("anne"))
    with running_receiver() as receiver:
        one = a_destination(receiver, state="paused")

        page = logged_in(administrator()).get(preview_page(one))

        assert looked(one) is None
        assert b"cannot be asked" in page.content
        assert receiver.calls == []


def test_without_the_key_of_its_secrets_one_line_says_what_to_do(crm, destination, settings):
    settings.FIELD_ENCRYPTION_KEYS = ["another key"]
    addresses.sealer.cache_clear()
    try:
        desk = logged_in(administrator())
        of_anne = desk.get(preview_page(destination), {"supporter": supporter("anne").pk})
        asked = desk.post(preview_page(destination))
        with pytest.raises(CommandError, match=r"ours: .*type the secrets again") as refused:
            call_command("push_crm", "--dry-run", stdout=StringIO())
    finally:
        addresses.sealer.cache_clear()

    for page in (of_anne, asked):
        assert page.status_code == 200
        assert b"type the secrets again" in page.content
    assert refused.value.returncode == 1
