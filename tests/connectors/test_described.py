"""A request that a vendor does not describe fails the test in which it is sent."""

import json

import pytest

from tests.fakes.described import Description

MEMBER = "/lists/a1/members/0cc175b9c0f1b6a831c399e269772661"
NEW = {"email_address": "anne@example.org", "status_if_new": "subscribed"}


@pytest.mark.parametrize(
    ("vendor", "method", "path", "query", "body"),
    [
        ("mailchimp", "PUT", MEMBER, "skip_merge_validation=true", NEW | {"merge_fields": {"FNAME": "Anne"}}),
        ("mailchimp", "GET", "/lists/a1/members", "count=1000&fields=members.id,members.status", None),
        ("mailchimp", "POST", MEMBER + "/actions/delete-permanent", "", None),
        ("brevo", "PUT", "/contacts/anne%40example.org", "identifierType=email_id", {"unlinkListIds": [4]}),
        ("brevo", "GET", "/contacts/lists", "limit=50&offset=0", None),
    ],
)
def test_what_is_described_passes(vendor, method, path, query, body):
    Description(vendor).check(method, path, query, written(body))


@pytest.mark.parametrize(
    ("vendor", "method", "path", "query", "body", "says"),
    [
        ("mailchimp", "PUT", MEMBER, "", NEW | {"mergeFields": {}}, "mergeFields"),
        ("mailchimp", "PUT", MEMBER, "", NEW | {"tags": ["bees"]}, "tags"),
        ("mailchimp", "PUT", MEMBER, "", {"email_address": "anne@example.org"}, "status_if_new"),
        ("mailchimp", "PUT", MEMBER, "", NEW | {"status": "bounced"}, "bounced"),
        ("mailchimp", "PUT", MEMBER, "skip_validation=true", NEW, "skip_validation"),
        ("mailchimp", "PUT", MEMBER, "skip_merge_validation=yes", NEW, "skip_merge_validation"),
        ("mailchimp", "PUT", MEMBER, "", None, "missing"),
        ("mailchimp", "POST", MEMBER + "/actions/delete-permanent", "", {}, "none is described"),
        ("mailchimp", "POST", MEMBER + "/events", "", {"name": "one", "occurred_at": "yesterday"}, "yesterday"),
        ("mailchimp", "DELETE", MEMBER + "/tags", "", None, "no such path"),
        ("mailchimp", "GET", "/lists/a1/member", "", None, "no such path"),
        ("brevo", "POST", "/contacts", "", {"email": "anne@example.org", "listIDs": [4]}, "listIDs"),
        ("brevo", "POST", "/contacts", "", {"email": "anne@example.org", "listIds": ["4"]}, "listIds"),
        ("brevo", "POST", "/contacts", "", {"email": None}, "email"),
        ("brevo", "GET", "/contacts/5", "identifierType=number", None, "number"),
        ("brevo", "POST", "/events", "", {"event_name": "one", "identifiers": {"contact": 5}}, "contact"),
    ],
)
def test_what_is_not_described_is_told(vendor, method, path, query, body, says):
    with pytest.raises(AssertionError, match=says):
        Description(vendor).check(method, path, query, written(body))


def written(body):
    return b"" if body is None else json.dumps(body).encode()
