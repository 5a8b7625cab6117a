"""What a campaign says at Proca of where its people go, from the event that tells it to what the CRM got."""

import pytest
from django.utils import timezone

from sync.push import destinations
from sync.push.line import Line
from sync.store import asked
from tests.builders import a_campaign_update
from tests.fakes import brevo, civicrm, mailchimp
from tests.fakes.action_network import FORM, PETITION, ActionNetwork
from tests.fakes.served import served
from tests.push.world import event_about, push, receive, sign_up, supporter

ANNE = "anne@example.org"
BEES = {"campaignId": 4, "campaign": {"name": "bees", "title": "Save the bees"}}
#: Kind, fake, the vendor's address, the path of its API, the usual list and the campaign's own.
KINDS = {
    "civicrm": (civicrm.CiviCRM, "https://crm.example.org", "", civicrm.GROUP, civicrm.OTHER_GROUP),
    "brevo": (brevo.Brevo, "https://api.brevo.com", "/v3", 4, 5),
    "mailchimp": (
        mailchimp.Mailchimp,
        "https://us9.api.mailchimp.com",
        "/3.0",
        mailchimp.LIST,
        mailchimp.OTHER_LIST,
    ),
}

#: The engine on the other database is tried elsewhere.
pytestmark = pytest.mark.parametrize("store_database", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(Line, "_wait_for_slot", lambda _: None)


@pytest.fixture(params=KINDS)
def crm(request, store_database):
    """One CRM with lists, and a destination that puts people into the usual one."""
    make, vendor, path, usual, own = KINDS[request.param]
    with served(make(), vendor) as server:
        yield Crm(request.param, server, path, usual, own)


class Crm:
    """A CRM as these trials ask it."""

    def __init__(self, kind, server, path, usual, own):
        self.kind, self.fake, self.usual, self.own = kind, server.fake, usual, own
        if kind == "civicrm":
            self.fake.now = timezone.now
        self._settings = {**self.fake.settings, "url": server.url + path}

    def destination(self, **more):
        values = {"name": self.kind, "kind": self.kind, "org": 7, "settings": self._settings, "state": "active"}
        return destinations.create(values | more, "test")

    def lists(self):
        """The lists that mail Anne."""
        if self.kind == "civicrm":
            groups = self.fake.groups(self.fake.row(ANNE)["id"])
            return {group for group, status in groups.items() if status == "Added"}
        if self.kind == "brevo":
            contact = self.fake.contact(ANNE)
            return set() if contact["emailBlacklisted"] else set(contact["listIds"])
        members = {audience: self.fake.member(ANNE, audience) for audience in (self.usual, self.own)}
        return {audience for audience, one in members.items() if one and one["status"] == "subscribed"}

    def tags(self):
        """The tags of Anne; Brevo has none."""
        if self.kind == "brevo":
            return None
        if self.kind == "civicrm":
            return {one["name"] for one in self.fake.table("Tag")}
        return set(self.fake.member(ANNE, self.own)["tags"])


def campaign_says(sync):
    receive(a_campaign_update(campaign={"config": {"layout": {}, "component": {"sync": sync}}}))


def test_its_list_and_tags_take_the_place_of_the_destinations(crm):
    campaign_says({"listid": crm.own, "tagids": "oaks, elms"})
    receive(sign_up())
    crm.destination()

    push()

    assert crm.lists() == {crm.own}
    assert crm.tags() in (None, {"oaks", "elms"})


def test_neither_a_change_of_a_detail_nor_a_resync_puts_anybody_into_another_list(crm):
    campaign_says({"listId": str(crm.own)})
    receive(sign_up())
    destination = crm.destination()
    push()

    asked.edit(supporter("anne").pk, {"first_name": "Anna"})
    push()
    destinations.resync(destination, "test")
    push()

    assert crm.lists() == {crm.own}


def test_it_holds_where_no_actions_are_sent(crm):
    campaign_says({"listid": crm.own})
    receive(sign_up())
    crm.destination(actions=False)

    push()

    assert crm.lists() == {crm.own}


@pytest.mark.parametrize("order", [1, -1], ids=["its list first", "the usual one first"])
def test_who_takes_part_in_a_campaign_without_one_too_is_in_both_and_leaves_both(crm, order):
    crm.destination()
    campaign_says({"listid": crm.own})

    for message in [sign_up(), sign_up(**BEES)][::order]:
        receive(message)
        push()

    assert crm.lists() == {crm.own, crm.usual}
    receive(event_about("anne", "unsub"))
    push()
    assert crm.lists() == set()


def test_its_form_takes_the_place_of_the_destinations(store_database):
    with served(ActionNetwork(), "https://actionnetwork.org") as server:
        server.fake.now = timezone.now
        settings = {**server.fake.settings, "form": FORM, "url": server.url + "/api/v2"}
        values = {"name": "an", "kind": "action_network", "org": 7, "settings": settings, "state": "active"}
        destinations.create(values, "test")
        campaign_says({"form": f"petitions/{PETITION}", "tagids": ["oaks"]})
        receive(sign_up(), sign_up(**BEES))

        push()

        assert sorted(one["form"] for one in server.fake.submissions) == sorted([PETITION, FORM])
