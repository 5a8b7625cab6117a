"""What may be asked, and that nothing else is taken for an answer."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.models import Campaign, Supporter
from sync.read.filters import FILTERS, BadFilter, filtered
from sync.read.records import KINDS
from sync.store import asked
from tests.commands.here import stored
from tests.intake.messages import an_action

OTHER_CAMPAIGN = {"name": "12", "title": "Twelve", "externalId": None, "contactSchema": "basic"}


@pytest.fixture
def four(store_database):
    """Four people with an action each, the last in a campaign named 12."""
    stored(*(an_action(actionId=number) for number in (1, 2, 3)))
    stored(an_action(actionId=4, campaignId=12, campaign=OTHER_CAMPAIGN))


def ids(kind, **questions):
    return sorted(filtered(KINDS[kind], questions).values_list("pk", flat=True))


def test_the_interface_names_these_filters():
    assert {kind: set(known) for kind, known in FILTERS.items()} == {
        "supporters": {
            *("email", "contact_ref", "country", "campaign", "status", "org", "updated_since", "search"),
        },
        "actions": {
            *("campaign", "action_page", "action_type", "supporter", "testing", "created_since", "created_before"),
        },
        "subscriptions": {"supporter", "org", "status", "updated_since"},
        "consents": {"supporter", "org", "kind", "occurred_since"},
        "campaigns": set(),
    }


def test_an_unknown_question_is_refused_and_named(four):
    with pytest.raises(BadFilter, match="emial") as refused:
        filtered(KINDS["supporters"], {"emial": "anna1@example.org"})

    assert "anna1" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("actions", "testing", "maybe"),
        ("actions", "supporter", "0"),
        ("actions", "supporter", "-1"),
        ("actions", "supporter", "9223372036854775808"),
        ("actions", "supporter", "9" * 5000),
        ("actions", "supporter", "٣"),
        ("actions", "created_since", "yesterday"),
        ("actions", "created_since", "2026-02-30"),
        ("actions", "created_before", "9999-12-31T24:00:00Z"),
        ("subscriptions", "status", "Subscribed"),
        ("consents", "kind", "newsletter"),
        ("supporters", "country", "F\0R"),
        ("supporters", "search", "\ud800"),
        ("supporters", "campaign", "\udfff"),
    ],
)
def test_what_cannot_be_answered_is_refused(four, kind, name, text):
    with pytest.raises(BadFilter) as refused:
        list(filtered(KINDS[kind], {name: text}))

    assert refused.value.name == name


def test_an_offset_whose_plus_was_lost_is_read(four):
    assert ids("actions", created_since="2026-05-12T16:21:53 02:00") == [1, 2, 3, 4]
    assert ids("actions", created_since="2026-05-12T16:21:54 02:00") == []
    assert ids("actions", created_before="2026-05-12 14:21:54") == [1, 2, 3, 4]


def test_a_campaign_is_named_by_id_or_name(four):
    by_name = Campaign.objects.get(proca_id=12)

    assert ids("actions", campaign="12") == [4]
    assert ids("actions", campaign=str(by_name.pk)) == [4]
    assert ids("supporters", campaign="12") == [4]
    assert ids("supporters", campaign="nothing") == []


def test_an_email_is_found_however_it_is_written_and_no_key_is_nobodys(four):
    assert ids("supporters", email=" ANNA1@example.org\u200b") == [1]
    assert ids("supporters", contact_ref="ref-2") == [2]
    assert ids("supporters", email="null") == []
    assert ids("supporters", email="") == []


def test_status_and_org_speak_of_one_subscription(four):
    stored(an_action(actionId=1, privacy={"optIn": None, "withConsent": False}), reader=8)

    assert ids("supporters", status="none", org="8") == [1]
    assert ids("supporters", status="subscribed", org="8") == []
    assert ids("supporters", org="8") == [1]
    assert ids("supporters", status="none") == [1]


def test_somebody_merged_is_found_by_both_ids_and_somebody_erased_by_none(four):
    asked.merge(1, 2)
    assert ids("actions", supporter="2") == ids("actions", supporter="1") == [1, 2]

    asked.erase(supporter=1)

    assert ids("actions", supporter="1") == ids("actions", supporter="2") == []
    assert ids("subscriptions", supporter="2") == []


def test_percent_and_underscore_are_plain_characters(four):
    assert ids("supporters", search="%") == []
    assert ids("supporters", search="_nna") == []
    assert ids("supporters", search="ANN") == [1, 2, 3, 4]


def test_a_campaign_is_looked_up_once_and_never_joined(four):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        list(filtered(KINDS["actions"], {"campaign": "12"}))

    assert len(queries) == 2
    assert "JOIN" not in queries[1]["sql"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_question_everything_is_there(four, kind):
    assert len(ids(kind)) == KINDS[kind].model._default_manager.count()
    assert Supporter.objects.count() == 4
