"""The desk as people use it: in a browser, on a phone, in the dark, and with a screen reader."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.client import HTTPConnection
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import expect

from sync.models import Org, QuarantinedMessage, Supporter
from tests.admin.people import administrator, anne, crowd, logged_in, taken
from tests.builders import a_confirm_created, an_action
from tests.databases import copy_of_template, django_uses

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1300, "height": 900}
PASSWORD = "admin-password"


class Server(ThreadingMixIn, WSGIServer):
    """A server that ends with the tests."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_message(self, *_):
        pass


@dataclass
class Site:
    """A desk with people in it: its address, the cookie of somebody logged in, and whom it knows."""

    url: str
    session: str
    anne: int

    @property
    def pages(self):
        """Return the pages that people see most, one of each kind."""
        person = f"/admin/sync/supporter/{self.anne}"
        other = Supporter.objects.exclude(pk=self.anne).first().pk
        return [
            "/admin/",
            "/admin/sync/supporter/",
            f"{person}/change/",
            f"{person}/edit/",
            f"/admin/sync/quarantinedmessage/{QuarantinedMessage.objects.first().pk}/change/",
            "/admin/sync/quarantinedmessage/",
            "/admin/sync/subscription/",
            f"/admin/sync/org/{Org.objects.first().pk}/policy/",
            f"{person}/merge/?with={other}",
        ]


@pytest.fixture(scope="module")
def site(django_db_blocker):
    """The desk on a server of its own, on a database of its own."""
    with django_db_blocker.unblock(), copy_of_template("postgresql") as copy, django_uses(copy):
        person = anne()
        crowd(30)
        taken(
            b"{",
            a_confirm_created(),
            an_action(actionId=9, action={"customFields": {"why": "x" * 300}}),
        )
        cookie = logged_in(administrator()).cookies["sessionid"].value
        server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(f"http://127.0.0.1:{server.server_port}", cookie, person.pk)
        server.shutdown()
        server.server_close()


@pytest.fixture
def open_page(chromium, site):
    """`open_page(viewport, colours)`: a tab of somebody logged in; whatever goes wrong in it fails the test."""
    contexts, wrong = [], []

    def tab(viewport=DESKTOP, colours="light"):
        context = chromium.new_context(base_url=site.url, viewport=viewport, color_scheme=colours)
        context.add_cookies([{"name": "sessionid", "value": site.session, "url": site.url}])
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((site.url, "data:")) else wrong.append(asked.url))
        page.on("response", lambda got: wrong.append(f"{got.status} {got.url}") if got.status >= 400 else None)
        return page

    yield tab
    for context in contexts:
        context.close()
    assert wrong == []


def test_somebody_logs_in_and_sees_whether_it_works(open_page):
    page = open_page()
    page.context.clear_cookies()
    page.goto("/admin/")
    assert faults(page, {"type": "tag", "values": ["wcag2a", "wcag2aa"]}) == []
    page.get_by_label("Username").fill("admin")
    page.locator("#id_password").fill(PASSWORD)

    page.get_by_role("button", name="Log in").click()

    expect(page).to_have_title("Overview | Proca CRM")
    expect(page.get_by_role("heading", name="1 thing to look at")).to_be_visible()
    expect(page.get_by_text("1 message: 1 not_json.")).to_be_visible()
    expect(page.get_by_role("region", name="Messages of the last 14 days").get_by_role("row")).to_have_count(15)


def test_somebody_is_found_and_her_story_read(open_page, site):
    page = open_page()
    page.goto("/admin/")
    page.get_by_role("link", name="Supporters", exact=False).first.click()
    page.get_by_placeholder("Name, email, contactRef or id").fill("anne mar")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 supporter", exact=False).last).to_be_visible()

    page.get_by_role("link", name="Anne Martin").click()

    expect(page).to_have_title(f"supporter {site.anne} | Proca CRM")
    story = page.get_by_role("region", name="Story").get_by_role("listitem")
    expect(story).to_have_count(4)
    expect(story.first).to_contain_text("double opt-in")
    page.get_by_text("What was filled in").first.click()
    expect(page.get_by_text("xxx").first).to_be_visible()


def test_a_list_is_filtered(open_page):
    page = open_page()
    page.goto("/admin/sync/subscription/")
    page.get_by_text("Filters").first.click()

    page.locator("select[name=status]").select_option("bounced")
    page.get_by_role("button", name="Apply Filters").click()

    expect(page.get_by_text("Nothing fits the search and the filters.")).to_be_visible()


def test_details_are_edited(open_page, site):
    page = open_page()
    page.goto(f"/admin/sync/supporter/{site.anne}/change/")
    page.get_by_role("link", name="Edit details").click()
    page.get_by_label("Region").fill("Rhône")

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Saved: region.")).to_be_visible()
    assert Supporter.objects.get(pk=site.anne).region == "Rhône"


def test_quarantined_messages_are_selected_and_tried_again(open_page):
    page = open_page()
    page.goto("/admin/sync/quarantinedmessage/")
    page.get_by_label("Select record").last.check()

    page.locator("select[name=action]").select_option("try_again")
    page.get_by_role("button", name="Run").click()

    expect(page.get_by_text("1 still cannot be stored and stay here.")).to_be_visible()
    assert QuarantinedMessage.objects.get().attempts == 2


def test_a_policy_is_previewed_before_it_is_saved(open_page):
    page = open_page()
    page.goto("/admin/sync/org/7/policy/")
    page.get_by_label("Policy").select_option("double_opt_in")
    expect(page.get_by_role("button", name="Save")).to_have_count(0)

    page.get_by_role("button", name="See what would change").click()

    expect(page.get_by_text("30 from subscribed to pending")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    assert Org.objects.get(pk=7).policy is None


def test_no_page_keeps_anybody_out(open_page, site):
    page = open_page()

    for address in site.pages:
        page.goto(address)
        assert faults(page, {"type": "tag", "values": ["wcag2a", "wcag2aa"]}) == [], address


def test_every_page_can_be_read_in_the_dark(open_page, site):
    page = open_page(colours="dark")

    for address in site.pages[:3]:
        page.goto(address)
        assert page.evaluate("document.documentElement.classList.contains('dark')")
        assert faults(page, {"type": "rule", "values": ["color-contrast"]}) == [], address


def faults(page, rules):
    """Return what keeps people from using a page, by these rules of axe."""
    # The styles are our own and need no loading.
    options = {"resultTypes": ["violations"], "runOnly": rules, "preload": False}
    # The way through the desk is the same on every page, and looked at on the first.
    context = "body" if page.url.endswith(("/admin/", "/admin/login/?next=/admin/")) else "#main"
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [fault for fault in found if fault["impact"] in ("serious", "critical")]


def test_no_page_is_wider_than_a_phone(open_page, site):
    page = open_page(viewport=PHONE)

    wide = []
    for address in site.pages:
        page.goto(address)
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(address)

    assert wide == []


def test_the_server_itself_answers(site):
    connection = HTTPConnection(site.url.removeprefix("http://"))
    connection.request("GET", "/static/desk/desk.css")
    assert connection.getresponse().status == 200
