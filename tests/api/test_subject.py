"""Everything that is held about a person comes out, and their story in time order."""

from __future__ import annotations

import json

from django.apps import apps

from sync.read.subject import SECTIONS
from sync.store import asked
from tests.api.conftest import anne
from tests.builders import an_email_status

#: Tables that hold nothing of a person, or nothing that says whose it is.
OF_NOBODY = {
    "ActionPage", "Campaign", "Org", "Destination", "DestinationState", "Installation", "IntakeCount",
    "Token", "AuditEntry", "Attempts",
    # Ids and kinds only; the story tells the same.
    "Change",
    # What is left of somebody who was erased: hashes that lead to nobody.
    "Erasure", "Mark",
}  # fmt: skip


def test_every_table_with_somebody_in_it_is_in_the_export():
    tables = {model.__name__ for model in apps.get_app_config("sync").get_models()}

    assert tables - OF_NOBODY == {model.__name__ for model in SECTIONS}


def test_all_that_was_ever_said_of_a_person_comes_out_and_nothing_of_others(api, received, store_database):
    received(
        anne(1, action={"customFields": {"comment": "canary-comment"}}, contact={"phone": "+canary-phone"}),
        an_email_status(actionId=1, supporter={"contact": {"email": "anne1@example.org"}}),
        anne(2, contact={"lastName": "canary-stranger"}),
        b'{"schema": "broken", "note": "canary-quarantine", "email": "ANNE1@example.org"',
    )
    (one,) = api("read").results("supporters/", email="anne1@example.org")
    asked.edit(one["id"], {"email": "canary-edit@example.org", "street": "canary-street"})
    admin = api("admin")

    answer = admin.get(f"supporters/{one['id']}/export/")

    text = answer.content.decode()
    for canary in ("comment", "phone", "edit@example.org", "street", "quarantine"):
        assert f"canary-{canary}" in text, canary
    assert "canary-stranger" not in text
    content = json.loads(text)
    assert set(content) == set(SECTIONS.values())
    assert content["supporter"][0]["email"] == "canary-edit@example.org"
    assert {row["kind"] for row in content["consents"]} == {"opt_in", "double_opt_in"}
    assert ("exported",) in store_database.query("SELECT action FROM sync_auditentry")


def test_an_export_for_an_organisation_holds_nothing_of_another(api, received):
    received(anne(1), org=7)
    received(anne(1), org=8)
    (one,) = api("read").results("supporters/")

    content = api("admin", org=7).get(f"supporters/{one['id']}/export/").json()

    assert {row["org_id"] for row in content["subscriptions"] + content["consents"]} == {7}


def test_the_story_is_told_in_time_order_a_page_at_a_time(api, received):
    received(anne(1), anne(2, action={"createdAt": "2026-09-10T00:00:00Z"}))
    received(anne(1, actionId=3, action={"createdAt": "2026-09-20T00:00:00Z"}, contact={"contactRef": f"ref{2:040d}"}))
    reader = api("read")
    (one,) = reader.results("supporters/")

    whole = reader.results(f"supporters/{one['id']}/timeline/")
    pages, answer = [], reader.get(f"supporters/{one['id']}/timeline/", page_size=2).json()
    while True:
        pages += answer["results"]
        if answer["next"] is None:
            break
        answer = reader.follow(answer["next"]).json()

    assert pages == whole
    assert [event["at"] for event in whole] == sorted((event["at"] for event in whole), reverse=True)
    assert {event["kind"] for event in whole} == {"action", "consent", "merge"}
    (merge,) = [event["object"] for event in whole if event["kind"] == "merge"]
    assert merge["into"] == one["id"]
    assert [event["object"]["action_id"] for event in whole if event["kind"] == "action"] == [3, 1, 2]
    assert reader.get(f"supporters/{one['id']}/timeline/", cursor="x").status_code == 400
