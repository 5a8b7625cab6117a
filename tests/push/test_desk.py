"""Destinations at the desk: made by a form of their kind, checked, paused, resumed, and what each was told."""

import pytest
from django.urls import reverse

from sync.models import Delivery, Destination
from sync.push import checking, destinations
from tests.admin.people import administrator, logged_in
from tests.fakes.mailchimp import Mailchimp
from tests.fakes.receiver import SECRET
from tests.fakes.served import served
from tests.fakes.server import Reply
from tests.push.world import a_destination, allowed, push, receive, sign_up, standing, supporter


@pytest.fixture
def desk(receiver):
    receive(sign_up("anne"))
    return logged_in(administrator())


def page_of(name, destination):
    return reverse(f"admin:sync_destination_{name}", args=[destination.pk])


def a_form(receiver, **more):
    return {
        "name": "our receiver",
        "org": "7",
        "setting_url": f"{receiver.url}/hook",
        "setting_secret": SECRET,
        "who": "subscribed",
        "actions": "on",
        "on_bounce": "stop",
        "mapping": "first_name -> FNAME",
        **more,
    }


def test_the_form_of_a_kind_has_its_settings_and_makes_a_paused_destination(desk, receiver):
    address = reverse("admin:sync_destination_add")

    kinds = desk.get(address)
    form = desk.get(address, {"kind": "webhook"})
    made = desk.post(f"{address}?kind=webhook", a_form(receiver), follow=True)

    assert b"Signed webhook" in kinds.content
    assert b"setting_url" in form.content
    one = Destination.objects.get()
    assert (one.name, one.standing.state) == ("our receiver", "paused")
    assert one.mapping == [{"source": "first_name", "target": "FNAME"}]
    assert SECRET.encode() not in made.content


def test_what_is_wrong_stands_beside_its_field(desk, receiver):
    wrong = a_form(receiver, setting_url="ftp://x", mapping="colour -> X")

    answer = desk.post(reverse("admin:sync_destination_add") + "?kind=webhook", wrong)

    assert b"https://" in answer.content
    assert b"unknown source" in answer.content.lower()
    assert not Destination.objects.exists()


def test_an_empty_secret_keeps_the_one_that_is_there(desk, receiver):
    one = a_destination(receiver)

    desk.post(page_of("edit", one), a_form(receiver, setting_secret="", name="renamed"))

    one.refresh_from_db()
    assert one.name == "renamed"
    assert destinations.secrets_of(one) == {"secret": SECRET}


def test_a_check_says_in_words_whether_it_works(desk, receiver):
    one = a_destination(receiver, state="paused")

    with allowed():
        works = desk.post(page_of("check", one), follow=True)
        receiver.trouble.append(Reply(401))
        refused = desk.post(page_of("check", one), follow=True)

    assert b"It works" in works.content
    assert b"check the key" in refused.content


def test_a_check_names_mapped_fields_that_the_crm_has_not_got(desk):
    with served(Mailchimp(), "https://us9.api.mailchimp.com") as crm, allowed():
        settings = {**crm.fake.settings, "url": f"{crm.url}/3.0"}
        mapping = [{"source": "first_name", "target": "FNAME"}, {"source": "country", "target": "LAND"}]
        values = {"name": "ours", "kind": "mailchimp", "org": 7, "settings": settings, "mapping": mapping}
        one = destinations.create(values, "test")

        page = desk.post(page_of("check", one), follow=True)

    assert b"It gets in as account" in page.content
    assert b"The mapping names fields that are not there: LAND." in page.content


def test_a_crm_that_does_not_answer_holds_no_page(desk, receiver, monkeypatch):
    monkeypatch.setattr(checking, "_SECONDS", 0.3)
    one = a_destination(receiver, state="paused")
    receiver.trouble.append(Reply(200, "x" * 40, slow=20.0))

    with allowed():
        page = desk.post(page_of("check", one), follow=True)

    assert b"no answer that helps: timeout" in page.content


def test_it_is_paused_resumed_and_filled_again(desk, receiver):
    one = a_destination(receiver)

    desk.post(page_of("pause", one))
    assert standing(one).state == "paused"
    desk.post(page_of("resume", one))
    assert standing(one).state == "active"
    push()
    receiver.events.clear()
    desk.post(page_of("resync", one))
    push()

    assert receiver.types() == ["supporter.changed"]


def test_buttons_are_no_links(desk, receiver):
    one = a_destination(receiver)

    for name in ("check", "pause", "resume", "resync"):
        assert desk.get(page_of(name, one)).status_code == 403


def test_the_preview_shows_one_person_without_the_secret(desk, receiver):
    one = a_destination(receiver, state="paused")

    shown = desk.get(page_of("preview", one), {"supporter": supporter("anne").pk})

    assert b"supporter.changed" in shown.content
    assert SECRET.encode() not in shown.content
    assert receiver.calls == []


def test_the_supporters_page_says_what_each_crm_was_told_and_why_not(desk, receiver):
    a_destination(receiver, name="told one")
    push()
    a_destination(receiver, name="another country", audience={"countries": ["XX"]})

    page = desk.get(reverse("admin:sync_supporter_change", args=[supporter("anne").pk]))

    assert b"told one" in page.content
    assert b"audience" in page.content


def test_refused_deliveries_are_tried_again(desk, receiver):
    one = a_destination(receiver)
    receiver.trouble.append(Reply(422))
    push()
    rejected = Delivery.objects.get(state="rejected")
    address = reverse("admin:sync_delivery_changelist")

    shown = desk.get(address, {"destination": one.pk, "state": "rejected"})
    desk.post(address, {"action": "try_again", "_selected_action": [rejected.pk]})
    push()

    assert b"422" in shown.content
    assert receiver.statuses() == {supporter("anne").pk: "subscribed"}


def test_deleting_asks_first(desk, receiver):
    one = a_destination(receiver)

    assert b"Nobody is told" in desk.get(page_of("remove", one)).content
    desk.post(page_of("remove", one))

    assert not Destination.objects.exists()


def test_the_lists_ask_as_much_for_many_as_for_few(desk, receiver, django_assert_max_num_queries):
    for _ in range(5):
        a_destination(receiver, state="paused")

    with django_assert_max_num_queries(12):
        page = desk.get(reverse("admin:sync_destination_changelist"))

    assert page.status_code == 200
    assert b"New destination" in page.content
