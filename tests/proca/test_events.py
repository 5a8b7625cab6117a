"""Events: what happened to an email, to a campaign, and what somebody must accept."""

import pytest

from sync.proca import times
from sync.proca.encryption import KeyStore
from sync.proca.messages import CampaignUpdate, Contact, EmailStatus, Notice, Places, Unreadable, read
from tests.builders import (
    ABSENT,
    REF,
    a_campaign_update,
    a_confirm_created,
    an_action,
    an_email_status,
    wire,
)

NOW = times.parse("2026-12-01T00:00:00Z")


def reading(message):
    return read(wire(message), KeyStore.empty(), now=NOW)


def refusal(message):
    result = reading(message)
    assert isinstance(result, Unreadable), result
    return result.code, result.where


def test_an_email_status():
    result = reading(an_email_status("bounce"))

    assert isinstance(result, EmailStatus)
    assert (result.timestamp, result.action_id, result.testing) == (
        times.parse("2026-09-13T08:00:01Z"),
        4711,
        False,
    )
    assert result.contact == reading(an_action()).contact
    assert result.privacy.opt_in is True
    assert result.privacy.with_consent is False
    assert result.privacy.email_status == "bounce"
    assert result.privacy.email_status_changed_at == times.parse("2026-09-13T08:00:00Z")
    assert result.places == Places(
        campaign_id=3,
        page_id=12,
        campaign={"name": "forest", "title": "Save the forest", "contact_schema": "basic"},
        page={"name": "forest/greens/fr", "locale": "fr"},
    )
    assert result.payload == an_email_status("bounce")


def test_an_email_status_of_an_older_server_names_no_action():
    message = an_email_status()
    for key in ("actionId", "action", "actionPage", "actionPageId", "campaign", "campaignId", "tracking"):
        del message[key]

    result = reading(message)

    assert (result.action_id, result.testing, result.places) == (None, False, Places())
    assert result.contact.ref == REF


@pytest.mark.parametrize("action", [None, "x", []])
def test_an_odd_action_beside_an_event_costs_nothing(action):
    assert reading(an_email_status(action=action)).testing is False


def test_the_event_of_a_testing_action():
    assert reading(an_email_status(action={"testing": True})).testing is True
    assert refusal(an_email_status(action={"testing": "yes"})) == ("wrong_type", "action.testing")


@pytest.mark.parametrize("contact", [ABSENT, None, {"email": None}])
def test_a_thin_contact(contact):
    message = an_email_status()
    message["supporter"]["contact"] = None if contact is ABSENT else contact

    assert reading(message).contact == Contact()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (an_email_status(supporter=ABSENT), ("missing", "supporter")),
        (an_email_status(supporter=[]), ("wrong_type", "supporter")),
        (an_email_status(supporter={"contact": "x"}), ("wrong_type", "supporter.contact")),
        (an_email_status(supporter={"contact": {"email": 1}}), ("wrong_type", "supporter.contact.email")),
        (an_email_status(supporter={"privacy": "x"}), ("wrong_type", "supporter.privacy")),
        (an_email_status(supporter={"privacy": {"optIn": "x"}}), ("wrong_type", "supporter.privacy.optIn")),
        (an_email_status(actionId="x"), ("wrong_type", "actionId")),
        (an_email_status(timestamp=ABSENT), ("missing", "timestamp")),
        (an_email_status(timestamp=""), ("missing", "timestamp")),
        (an_email_status(timestamp=1778595713), ("wrong_type", "timestamp")),
        (an_email_status(timestamp="yesterday"), ("bad_time", "timestamp")),
        (an_email_status(eventType=ABSENT), ("missing", "eventType")),
        (an_email_status(eventType=None), ("missing", "eventType")),
    ],
)
def test_events_that_cannot_be_read(message, expected):
    assert refusal(message) == expected


@pytest.mark.parametrize(("message", "prefix"), [(an_email_status(), "supporter."), (a_campaign_update(), "system.")])
def test_names_with_and_without_prefix(message, prefix):
    prefixed = message | {"eventType": prefix + message["eventType"]}
    read_again, plain = reading(prefixed), reading(message)

    assert type(read_again) is type(plain)
    assert (read_again.timestamp, read_again.places) == (plain.timestamp, plain.places)


def test_a_campaign_update():
    assert reading(a_campaign_update()) == CampaignUpdate(
        timestamp=times.parse("2026-09-10T09:00:00Z"),
        places=Places(
            campaign_id=3,
            org_id=5,
            campaign={
                "name": "forest",
                "title": "Save the forest",
                "external_id": 1984,
                "contact_schema": "basic",
                "config": {"layout": {"primary_color": "#006600"}},
            },
            org={"name": "alliance", "title": "Forest Alliance"},
        ),
    )


def test_a_campaign_update_with_its_ids_only_inside_and_its_org_beside():
    message = a_campaign_update(
        campaignId=ABSENT,
        orgId=ABSENT,
        campaign={"id": "3", "org": {"id": 5, "name": ABSENT, "title": ABSENT}},
        org={"name": "alliance", "title": "Forest Alliance"},
    )

    assert reading(message) == reading(a_campaign_update())


def test_a_campaign_update_needs_its_campaign():
    assert refusal(a_campaign_update(campaignId=ABSENT, campaign=None)) == ("missing", "campaignId")


def test_only_a_campaign_update_gives_the_config():
    assert "config" not in reading(an_action(campaign={"config": {"a": 1}})).places.campaign


@pytest.mark.parametrize("config", [None, {}, []])
def test_an_empty_config_is_none(config):
    message = a_campaign_update()
    message["campaign"]["config"] = config

    assert "config" not in reading(message).places.campaign


def test_a_confirm_is_a_notice_as_a_whole():
    message = a_confirm_created()

    assert reading(message) == Notice(
        kind="confirm_created",
        timestamp=times.parse("2026-09-11T10:00:00Z"),
        payload=message,
        places=Places(),
    )


def test_an_unknown_event_is_a_notice():
    message = {
        "schema": "proca:event:2",
        "eventType": "system.moon_rise",
        "timestamp": "2026-09-11",
        "campaign": 5,
    }

    assert reading(message) == Notice(
        kind="moon_rise", timestamp=times.parse("2026-09-11T00:00:00Z"), payload=message, places=Places()
    )


def test_identity_documents_are_in_no_payload():
    nationality = {"nationality": {"country": "IT", "documentNumber": "YA1234567"}}
    status = reading(an_email_status(supporter={"contact": nationality}))
    notice = reading({"schema": "proca:event:2", "eventType": "x", "timestamp": "2026-09-11", "list": [nationality]})

    assert "YA1234567" not in str(status.payload) + str(notice.payload)
    assert notice.payload["list"] == [{"nationality": {"country": "IT"}}]
