"""A destination's first day at the desk, in a browser: made, checked, switched on, refused, tried again, paused."""

from __future__ import annotations

import os
import re
import threading
from wsgiref.simple_server import make_server

import pytest
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import expect

from sync.models import Delivery, Destination
from sync.push.registry import connectors
from tests.admin.people import administrator, logged_in
from tests.admin.test_in_a_browser import DESKTOP, PHONE, Quiet, Server, faults
from tests.databases import copy_of_template, django_uses
from tests.fakes.mailchimp import KEY, LIST, Mailchimp
from tests.fakes.served import served
from tests.push.world import allowed, due_at_once, push, receive, sign_up

NAMES = ("anne", "ben", "cleo")
_WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa"]}


@pytest.fixture
def crm():
    with served(Mailchimp(), "https://us9.api.mailchimp.com") as running, allowed():
        yield running


@pytest.fixture
def page(django_db_blocker, chromium, crm):
    """A tab of an administrator on a desk that knows three people; whatever goes wrong in it fails the test."""
    with django_db_blocker.unblock(), copy_of_template("postgresql") as copy, django_uses(copy):
        receive(*(sign_up(name) for name in NAMES))
        session = logged_in(administrator()).cookies["sessionid"].value
        server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        context = chromium.new_context(base_url=url, viewport=DESKTOP)
        context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
        tab, wrong = context.new_page(), []
        tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("response", lambda got: wrong.append(f"{got.status} {got.url}") if got.status >= 400 else None)
        yield tab
        context.close()
        server.shutdown()
        server.server_close()
        assert wrong == []


def looked_at(page, name):
    """Nobody is kept out of the page, and it is no wider than a phone."""
    assert faults(page, _WCAG) == [], name
    for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size(size)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], (name, width)
    page.set_viewport_size(DESKTOP)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def row(page, name):
    """What stands beside a name in a list of facts."""
    return page.locator(".desk-row", has=page.get_by_text(name, exact=True)).locator("dd")


@pytest.mark.slow
def test_a_first_day_from_the_form_to_the_retry(page, crm):
    made_and_checked(page, crm)
    asked_before_the_first_go(page)
    switched_on_refused_and_tried_again(page, crm)
    filled_again_paused_and_resumed(page)


def made_and_checked(page, crm):
    """With what one knows: the key. The audience is chosen once it was found."""
    page.goto("/admin/sync/destination/")
    page.get_by_role("link", name="New destination").click()
    page.get_by_label("Kind").select_option("mailchimp")
    press(page, "Go on")

    page.get_by_label("Name").fill("our newsletter")
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("Address of the API").fill(f"{crm.url}/3.0")
    page.get_by_label("Fields").fill("first_name -> FNAME")
    press(page, "Save")
    expect(page.get_by_text("Made, and paused")).to_be_visible()
    press(page, "Check the connection")
    expect(page.get_by_text("Choose an audience.")).to_be_visible()
    press(page, "Switch on")
    expect(page.get_by_text("Audience: choose one first")).to_be_visible()

    page.get_by_role("link", name="Change", exact=True).click()
    page.get_by_label("Audience").select_option(LIST)
    press(page, "Save")
    press(page, "Check the connection")
    expect(page.get_by_text("It works: account")).to_be_visible()


def asked_before_the_first_go(page):
    page.get_by_role("link", name="Preview").click()
    expect(row(page, "In the audience")).to_have_text("3")
    press(page, "Ask the CRM")
    expect(row(page, "Asked about")).to_have_text("3 of 3")
    expect(row(page, "Not there yet")).to_have_text("3")
    looked_at(page, "preview")
    page.get_by_role("link", name="Back").click()


def switched_on_refused_and_tried_again(page, crm):
    press(page, "Switch on")
    expect(row(page, "State")).to_have_text("active")
    crm.fake.refuse("ben@example.org")
    push()
    due_at_once()
    push()
    page.reload()
    expect(row(page, "Refused by the CRM")).to_have_text("1")
    looked_at(page, "destination")

    page.get_by_role("link", name="Deliveries", exact=True).last.click()
    expect(page).to_have_url(re.compile("destination="))
    expect(page.get_by_text("Invalid Resource").first).to_be_visible()
    refused = page.get_by_role("row").filter(has_text="rejected")
    refused.get_by_label("Select record").check()
    page.locator("select[name=action]").select_option("try_again")
    press(page, "Run")
    expect(page.get_by_text("1 will be tried again.")).to_be_visible()
    crm.fake.refused.clear()
    push()
    assert set(crm.fake.people) == {f"{name}@example.org" for name in NAMES}
    assert not Delivery.objects.filter(state="rejected").exists()


def filled_again_paused_and_resumed(page):
    page.goto(f"/admin/sync/destination/{Destination.objects.get().pk}/change/")
    press(page, "Send everybody again")
    expect(row(page, "Filling")).to_have_text("0 %")
    press(page, "Pause")
    expect(row(page, "State")).to_have_text("paused")
    press(page, "Resume")
    expect(row(page, "State")).to_have_text("active")
    push()
    page.reload()
    expect(row(page, "Filling")).to_have_text("–")
    page.goto("/admin/sync/destination/")
    expect(page.get_by_role("link", name="our newsletter")).to_be_visible()


@pytest.mark.slow
def test_the_form_of_every_kind_keeps_nobody_out(page):
    for kind in connectors():
        page.goto(f"/admin/sync/destination/add/?kind={kind}")
        looked_at(page, f"form-{kind}")
