"""Lists and objects: every field, every filter, pages that stand still, and questions that nobody can misspell."""

import json

import pytest

from tests.api.conftest import anne
from tests.builders import a_campaign_update, an_email_status

SUPPORTER = {
    "id", "email", "email_status", "email_status_changed_at", "first_name", "last_name", "phone", "birth_date",
    "street", "street_number", "postcode", "locality", "region", "country", "area", "language", "extra",
    "contact_refs", "other_emails", "details_given_at", "first_action_at", "last_action_at", "action_count",
    "created_at", "updated_at",
}  # fmt: skip
ACTION = {
    "id", "action_id", "supporter", "campaign", "action_page", "org", "action_type", "stage", "testing", "created_at",
    "custom_fields", "donation", "dupe_rank", "with_consent", "opt_in", "tracking",
}  # fmt: skip
FIELDS = {
    "supporters/": SUPPORTER,
    "actions/": ACTION,
    "action-pages/": {"id", "proca_id", "name", "locale", "campaign", "org"},
    "campaigns/": {"id", "proca_id", "name", "title", "external_id", "contact_schema", "config", "org"},
    "orgs/": {"id", "proca_id", "name", "title", "policy"},
    "subscriptions/": {"id", "supporter", "org", "status", "email", "status_changed_at", "source"},
}


def test_every_list_shows_every_field_and_each_object_looks_the_same_alone(api, received):
    received(anne(1), a_campaign_update())
    reader = api("read")

    for path, fields in FIELDS.items():
        (row, *_) = reader.results(path)
        assert set(row) == fields, path
        assert reader.get(f"{path}{row['id']}/").json() == row
        assert reader.get(f"{path}999999/").status_code == 404
        assert reader.get(f"{path}{10**30}/").status_code == 404


def test_the_ledger_shows_what_was_said(api, received):
    received(anne(1), an_email_status(actionId=1, supporter={"contact": {"email": "anne1@example.org"}}))

    entries = api("read").results("consents/")

    assert {entry["kind"] for entry in entries} == {"opt_in", "double_opt_in"}
    (opt_in,) = api("read").results("consents/", kind="opt_in")
    assert opt_in["org"] == 7
    assert opt_in["source"] == "proca"
    assert opt_in["occurred_at"] == "2026-09-12T14:21:53Z"
    assert opt_in["counts"] is None


def test_an_organisation_without_a_policy_shows_the_default_one(api, received, settings):
    settings.SUBSCRIPTION_POLICY = "double_opt_in"
    received(anne(1))

    (org,) = api("read").results("orgs/")

    assert (org["id"], org["proca_id"], org["policy"]) == (7, 7, "double_opt_in")


def test_numbers_come_out_as_they_went_in(api, received):
    received(anne(1, action={"customFields": {"big": 19933688932870350000, "small": 2**53 + 1, "real": 1.0}}))

    answer = api("read").get("actions/")

    assert b'"big":19933688932870350000' in answer.content
    assert b'"small":9007199254740993' in answer.content
    assert b'"real":1.0' in answer.content


SUPPORTER_FILTERS = [
    ({"email": "ANNE1@example.org"}, [1]),
    ({"email": "nobody@example.org"}, []),
    ({"email": "no email"}, []),
    ({"contact_ref": f"ref{2:040d}"}, [2]),
    ({"country": "FR"}, [1, 2]),
    ({"country": "DE"}, [3]),
    ({"campaign": "forest"}, [1, 2]),
    ({"status": "subscribed"}, [1, 3]),
    ({"status": "none", "org": "7"}, [2]),
    ({"org": "8"}, []),
    ({"updated_since": "2020-01-01T00:00:00Z"}, [1, 2, 3]),
    ({"updated_since": "2999-01-01"}, []),
    ({"search": "mart"}, [1, 2]),
    ({"search": "anne3@example.org"}, [3]),
    ({"search": "%"}, []),
]


def test_supporters_are_found_by_every_filter(api, received):
    received(
        anne(1),
        anne(2, privacy={"optIn": False}),
        anne(3, contact={"country": "DE", "lastName": "Weiß"}, campaign={"name": "river"}, campaignId=9),
    )

    for query, found in SUPPORTER_FILTERS:
        rows = api("read").results("supporters/", **query)

        assert [row["email"] for row in rows] == [f"anne{number}@example.org" for number in found]


ACTION_FILTERS = [
    ({"campaign": "forest"}, [1, 2]),
    ({"action_page": "forest/greens/fr"}, [1, 2]),
    ({"action_type": "donate"}, [2]),
    ({"testing": "true"}, [2]),
    ({"testing": "false"}, [1]),
    ({"created_since": "2026-09-12T14:21:53Z"}, [1, 2]),
    ({"created_since": "2026-09-12T16:21:53+02:00"}, [1, 2]),
    ({"created_since": "2026-09-12T14:21:53.000001Z"}, []),
    ({"created_before": "2026-09-12T14:21:53Z"}, []),
]


def test_actions_are_found_by_every_filter(api, received):
    received(anne(1), anne(2, action={"actionType": "donate", "testing": True}))

    for query, found in ACTION_FILTERS:
        assert [row["action_id"] for row in api("read").results("actions/", **query)] == found


def test_a_plus_that_the_address_lost_is_read_as_one_and_escaped_in_next(api, received):
    received(*(anne(number) for number in range(1, 4)))
    reader = api("read")

    answer = reader.client.get("/api/v1/actions/?created_since=2026-09-12T16:21:53+02:00&page_size=2")

    assert answer.status_code == 200, answer.content
    assert "%2B02%3A00" in answer.json()["next"]
    assert [row["action_id"] for row in reader.follow(answer.json()["next"]).json()["results"]] == [3]


BAD_QUESTIONS = [
    ("supporters/", {"emial": "anne@example.org"}, "emial"),
    ("supporters/1/", {"x": "1"}, "x"),
    ("orgs/", {"name": "x"}, "name"),
    ("supporters/", {"status": "subscribt"}, "status"),
    ("supporters/", {"org": "seven"}, "org"),
    ("supporters/", {"org": str(2**63)}, "org"),
    ("supporters/", {"updated_since": "yesterday"}, "updated_since"),
    ("supporters/", {"email": "a\0@example.org"}, "email"),
    ("supporters/", {"page_size": "1001"}, "page_size"),
    ("supporters/", {"page_size": "0"}, "page_size"),
    ("supporters/", {"cursor": "xyz"}, "cursor"),
    ("supporters/", {"format": "xml"}, "format"),
    ("supporters/", {"format": "csv", "page_size": "5"}, "page_size"),
    ("supporters/", {"country": ["FR", "DE"]}, "country"),
    ("actions/", {"testing": "perhaps"}, "testing"),
    ("changes/", {"limit": "1001"}, "limit"),
    ("changes/", {"wait": "31"}, "wait"),
    ("changes/", {"kind": "everything"}, "kind"),
    ("changes/", {"after": "abc"}, "after"),
]


def test_a_question_that_cannot_be_answered_is_named(api):
    for path, query, named in BAD_QUESTIONS:
        answer = api("read").get(path, **query)

        problem = answer.json()
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
        assert set(problem) == {"type", "title", "status", "detail", "errors"}
        assert problem["status"] == 400
        assert list(problem["errors"]) == [named]
        assert "example.org" not in json.dumps(problem)


def test_pages_hold_every_row_once_forwards_and_back_while_others_write(api, received):
    received(*(anne(number) for number in range(1, 8)))
    reader = api("read")

    first = reader.get("supporters/", page_size=3).json()
    received(*(anne(number) for number in range(8, 10)))
    second = reader.follow(first["next"]).json()
    third = reader.follow(second["next"]).json()
    back = reader.follow(third["previous"]).json()

    emails = [row["email"] for page in (first, second, third) for row in page["results"]]
    assert emails == [f"anne{number}@example.org" for number in range(1, 10)]
    assert (first["previous"], third["next"]) == (None, None)
    assert back["results"] == second["results"]
    assert reader.follow(back["previous"]).json()["results"] == first["results"]
    assert reader.follow(back["previous"]).json()["previous"] is None


def test_filters_stay_in_next(api, received):
    received(*(anne(number) for number in range(1, 4)), anne(4, contact={"country": "DE"}))
    reader = api("read")

    first = reader.get("supporters/", page_size=2, country="FR").json()
    second = reader.follow(first["next"]).json()

    assert [row["email"] for row in second["results"]] == ["anne3@example.org"]


def test_a_search_leaves_no_address_in_a_log(api, received):
    received(anne(1))
    reader = api("read")

    by_email = reader.post("supporters/search/", {"email": "Anne1@example.org"})
    by_ref = reader.post("supporters/search/", {"contact_ref": f"ref{1:040d}"})

    assert [row["email"] for row in by_email.json()["results"]] == ["anne1@example.org"]
    assert by_ref.json() == by_email.json()
    for wrong in ({}, {"email": "a@b.org", "contact_ref": "x"}, {"name": "x"}, {"email": 5}, {"email": "\0"}, [], "x"):
        assert reader.post("supporters/search/", wrong).status_code == 400


def test_a_revision_is_told_and_not_sent_twice(api, received):
    received(anne(1))
    reader = api("read")
    (row,) = reader.results("supporters/")
    etag = reader.get(f"supporters/{row['id']}/")["ETag"]

    same = reader.get(f"supporters/{row['id']}/", headers={"If-None-Match": etag})
    weak = reader.get(f"supporters/{row['id']}/", headers={"If-None-Match": f'"x", W/{etag}'})
    received(anne(1, actionId=2, action={"createdAt": "2026-09-20T00:00:00Z"}, contact={"firstName": "Anna"}))
    other = reader.get(f"supporters/{row['id']}/", headers={"If-None-Match": etag})

    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    assert weak.status_code == 304
    assert (other.status_code, other.json()["first_name"]) == (200, "Anna")


def test_streams_hold_the_whole_list_and_stand_alone(api, received):
    received(*(anne(number) for number in range(1, 4)))
    reader = api("read")

    ndjson = reader.get("actions/", format="ndjson")
    csv = reader.get("actions/", format="csv", action_type="register")

    lines = [json.loads(line) for line in ndjson.getvalue().splitlines()]
    assert ndjson["Content-Type"] == "application/x-ndjson"
    assert [line["action_id"] for line in lines] == [1, 2, 3]
    assert lines[0]["supporter_email"] == "anne1@example.org"
    assert lines[0]["campaign_name"] == "forest"
    assert csv["Content-Type"] == "text/csv; charset=utf-8"
    assert len(csv.getvalue().decode().splitlines()) == 4


def test_statistics_of_a_campaign(api, received):
    gift = {"actionType": "donate", "createdAt": "2026-09-13T10:00:00Z"}
    received(
        anne(1),
        anne(2, privacy={"optIn": False}, contact={"country": "DE"}),
        anne(1, actionId=3, action=gift),
        anne(4, action={"testing": True}),
        anne(5, stage="supporter_confirm"),
    )
    reader = api("read")
    (campaign,) = reader.results("campaigns/")

    stats = reader.get(f"campaigns/{campaign['id']}/stats/").json()

    assert stats["supporters"] == 2
    assert stats["actions_by_type"] == {"donate": 1, "register": 2}
    assert stats["actions_by_day"] == {"2026-09-12": 2, "2026-09-13": 1}
    assert stats["supporters_by_country"] == {"DE": 1, "FR": 1}
    assert stats["opt_in_rate"] == pytest.approx(2 / 3)
    assert reader.get("campaigns/999/stats/").status_code == 404
