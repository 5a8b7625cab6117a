"""Several CRMs at once, each with troubles of its own: none holds up another, and in the end all equal the store."""

from contextlib import ExitStack
from urllib.parse import urlencode

import pytest
from django.test import Client as HttpClient
from django.utils import timezone

from sync.models import Consent, DestinationState, Subscription
from sync.push import back, destinations
from sync.push.http import Client
from sync.push.line import Line
from sync.push.registry import connector
from sync.store import asked
from tests.fakes.action_network import ActionNetwork
from tests.fakes.brevo import Brevo
from tests.fakes.civicrm import CiviCRM
from tests.fakes.mailchimp import Mailchimp
from tests.fakes.receiver import receiver as running_receiver
from tests.fakes.served import served
from tests.fakes.server import Reply
from tests.push.world import (
    a_destination,
    allowed,
    due_at_once,
    event_about,
    person_row,
    push,
    receive,
    sign_up,
    standing,
    supporter,
)

#: Kind, fake, the vendor's address, and the path below which its API is.
VENDORS = {
    "mailchimp": (Mailchimp, "https://us9.api.mailchimp.com", "/3.0"),
    "brevo": (Brevo, "https://api.brevo.com", "/v3"),
    "action_network": (ActionNetwork, "https://actionnetwork.org", "/api/v2"),
    "civicrm": (CiviCRM, "https://crm.example.org", ""),
}
#: What goes wrong first, for each.
TROUBLES = {
    "mailchimp": [Reply(429, headers={"retry-after": "1"}), Reply(403, "<html>slow down</html>")],
    "brevo": [Reply(500, "<html>oops</html>"), Reply(429, headers={"x-sib-ratelimit-reset": "2"})],
    "action_network": [Reply(reset=True), Reply(200, "<html>welcome</html>")],
    "civicrm": [Reply(503), Reply(502)],
    "webhook": [Reply(504), Reply(reset=True)],
}
NAMES = ("anne", "ben", "cleo")


class World:
    """All CRMs, each with a destination."""

    def __init__(self, stack: ExitStack, folder) -> None:
        self.servers = {
            kind: stack.enter_context(served(fake(), vendor)) for kind, (fake, vendor, _) in VENDORS.items()
        }
        for kind in ("action_network", "civicrm"):
            self.servers[kind].fake.now = timezone.now
        self.servers["webhook"] = stack.enter_context(running_receiver())
        self.destinations = {kind: self._made(kind) for kind in VENDORS}
        self.destinations["webhook"] = a_destination(self.servers["webhook"], name="webhook")
        self.destinations["file"] = destinations.create(
            {"name": "file", "kind": "file", "org": 7, "settings": {"name": "people", "format": "ndjson"}} | ACTIVE, "t"
        )
        self.file = folder / "people.ndjson"

    def _made(self, kind: str):
        fake, _, path = VENDORS[kind]
        settings = {**fake.settings, "url": self.servers[kind].url + path}
        return destinations.create({"name": kind, "kind": kind, "org": 7, "settings": settings} | ACTIVE, "t")

    def mailed(self, kind: str) -> set[str]:
        """Names of those whom a CRM mails."""
        people = self.servers[kind].fake.people
        return {email.partition("@")[0] for email, status in people.items() if status == "subscribed"}


#: After what a CRM in memory takes for its own time, and before the moment of reading.
SOON = "2026-11-10T10:00:00Z"
ACTIVE = {"state": "active", "testing": False}


#: The engine on the other database is tried elsewhere.
on_one_database = pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)


@pytest.fixture
def world(store_database, tmp_path, settings, monkeypatch):
    settings.EXPORT_DIR = tmp_path
    # What a CRM allows in a second is tried elsewhere; here it would only be waiting.
    monkeypatch.setattr(Line, "_wait_for_slot", lambda _: None)
    with ExitStack() as stack:
        yield World(stack, tmp_path)


def push_on():
    """Push until time has healed everything."""
    for _ in range(4):
        push()
        due_at_once()


def subscribed_here() -> set[str]:
    rows = Subscription.objects.filter(org=7, status="subscribed").values_list("email", flat=True)
    return {email.partition("@")[0] for email in rows}


@on_one_database
def test_all_end_as_the_store_whatever_went_wrong(world):
    for kind, troubles in TROUBLES.items():
        world.servers[kind].trouble.extend(troubles)
    receive(*(sign_up(name) for name in NAMES))
    push_on()
    assert {kind: world.mailed(kind) for kind in VENDORS} == {kind: set(NAMES) for kind in VENDORS}

    for kind, troubles in TROUBLES.items():
        world.servers[kind].trouble.extend(troubles)
    receive(event_about("anne", "unsub"), event_about("ben", "bounce"), sign_up("dora"))
    push_on()

    assert subscribed_here() == {"cleo", "dora"}
    assert {kind: world.mailed(kind) for kind in VENDORS} == {kind: {"cleo", "dora"} for kind in VENDORS}
    statuses = world.servers["webhook"].statuses()
    assert {who for who, status in statuses.items() if status == "subscribed"} == {
        supporter(name).pk for name in ("cleo", "dora")
    }
    assert '"unsubscribed"' in world.file.read_text()


@on_one_database
def test_one_that_refuses_its_key_holds_up_no_other(world):
    world.servers["brevo"].trouble.append(Reply(401, {"code": "unauthorized", "message": "Key not found"}))
    receive(*(sign_up(name) for name in NAMES))

    push()

    assert standing(world.destinations["brevo"]).state == "paused"
    others = [kind for kind in VENDORS if kind != "brevo"]
    assert {kind: world.mailed(kind) for kind in others} == {kind: set(NAMES) for kind in others}
    destinations.resume(world.destinations["brevo"], "test")
    push()
    assert world.mailed("brevo") == set(NAMES)


@on_one_database
def test_a_stop_in_one_reaches_all_others_by_polling_and_is_not_echoed(world):
    receive(*(sign_up(name) for name in NAMES))
    push()
    poll(world, "mailchimp")
    world.servers["mailchimp"].fake.stop("anne@example.org", timezone.now())

    poll(world, "mailchimp")
    calls = len(world.servers["mailchimp"].fake.calls)
    push()

    assert Consent.objects.get(kind="unsub").source == "crm"
    assert {kind: world.mailed(kind) for kind in VENDORS} == {kind: {"ben", "cleo"} for kind in VENDORS}
    assert not [one for one in world.servers["mailchimp"].fake.calls[calls:] if one[0] != "GET"]


def poll(world, kind):
    destination = world.destinations[kind]
    destination.refresh_from_db()
    DestinationState.objects.filter(pk=destination.pk).update(poll_at=None)
    destination.standing = standing(destination)
    with allowed():
        context = destinations.context(destination, connector(kind), Client(), {})
        return back.poll(destination, connector(kind), context)


@on_one_database
def test_somebody_erased_is_mailed_by_none_and_people_are_told_where_to_delete_by_hand(world):
    receive(*(sign_up(name) for name in NAMES))
    push()
    anne = supporter("anne").pk
    asked.erase(supporter=anne)

    push()

    assert {kind: world.mailed(kind) for kind in VENDORS} == {kind: {"ben", "cleo"} for kind in VENDORS}
    left = person_row(world.destinations["action_network"], anne)
    assert (left.state, left.error.partition(":")[0]) == ("rejected", "delete_by_hand")
    assert "anne@example.org" not in world.servers["brevo"].fake.people


@on_one_database
def test_who_was_never_asked_is_no_stop_where_the_crm_calls_them_unsubscribed(world):
    destination = world.destinations["action_network"]
    destinations.change(destination, {"audience": {"who": "everyone"}}, "test")
    fake = world.servers["action_network"].fake
    poll(world, "action_network")
    receive(sign_up("anne", privacy={"optIn": False}))
    push(destination)
    assert fake.people == {"anne@example.org": "unsubscribed"}

    poll(world, "action_network")

    assert Subscription.objects.get(org=7).status == "none"


@on_one_database
def test_a_call_of_mailchimp_and_of_brevo_enters_the_ledger_and_a_try_says_nothing(world):
    receive(*(sign_up(name) for name in NAMES))
    push()
    form = {"type": "cleaned", "fired_at": "2026-11-02 10:00:00", "data[email]": "anne@example.org"}
    event = {"event": "unsubscribe", "email": "ben@example.org", "ts_event": 1_793_530_800}
    mailchimp = f"{inbound(world, 'mailchimp')}?secret={Mailchimp.settings['hook_secret']}"
    bearer = {"authorization": f"Bearer {Brevo.settings['hook_secret']}"}

    answers = [
        HttpClient().get(mailchimp),
        HttpClient().head(mailchimp),
        HttpClient().post(mailchimp, urlencode(form), content_type="application/x-www-form-urlencoded"),
        HttpClient().post(inbound(world, "brevo"), event, content_type="application/json", headers=bearer),
    ]
    refused = HttpClient().post(inbound(world, "brevo"), event, content_type="application/json")

    assert [one.status_code for one in answers] == [200] * 4
    assert refused.status_code == 401
    assert sorted(Consent.objects.filter(source="crm").values_list("kind", "email")) == [
        ("bounce", "anne@example.org"),
        ("unsub", None),
    ]
    assert subscribed_here() == {"cleo"}


def inbound(world, kind):
    return f"/api/v1/destinations/{world.destinations[kind].pk}/inbound/"


@on_one_database
def test_after_an_undone_merge_nothing_said_of_one_reaches_the_contact_of_the_other(world):
    brevo = world.destinations["brevo"]
    receive(sign_up("anne"), sign_up("ben"))
    push(brevo)
    anne, ben = supporter("anne").pk, supporter("ben").pk
    asked.merge(anne, ben)
    push(brevo)
    asked.undo_merge(max(anne, ben))
    receive(*(sign_up(name, createdAt=SOON, privacy={"givenAt": SOON}) for name in ("anne", "ben")))
    push(brevo)
    assert world.mailed("brevo") == {"anne", "ben"}

    asked.erase(supporter=supporter("anne").pk)
    push(brevo)

    assert world.mailed("brevo") == {"ben"}
