"""Reporting back, editing and erasing: by the one door, and the answer shows what holds."""

from __future__ import annotations

import pytest

from tests.api.conftest import anne

NOW = "2026-10-01T12:00:00Z"


@pytest.fixture
def one(api, received):
    """Somebody subscribed at organisation 7, as the API shows them."""
    received(anne(1))
    return api("read").results("supporters/")[0]


def subscription_of(api, one):
    return api("read").results("subscriptions/", supporter=one["id"])[0]


def test_an_edit_shows_and_stays(api, one):
    answer = api("write").patch(f"supporters/{one['id']}/", {"first_name": "Anna", "phone": None})

    assert answer.status_code == 200, answer.content
    assert (answer.json()["first_name"], answer.json()["phone"]) == ("Anna", None)
    assert answer.json()["last_name"] == "Martin"
    assert answer["ETag"] == api("read").get(f"supporters/{one['id']}/")["ETag"]
    assert api("read").get(f"supporters/{one['id']}/").json() == answer.json()


def test_an_edited_email_is_another_key(api, one):
    answer = api("write").patch(f"supporters/{one['id']}/", {"email": "Anna@Example.org"})

    assert (answer.json()["email"], answer.json()["other_emails"]) == ("anna@example.org", ["anne1@example.org"])


def test_an_email_that_somebody_else_has_is_a_conflict(api, one, received):
    received(anne(2))

    answer = api("write").patch(f"supporters/{one['id']}/", {"email": "anne2@example.org"})

    assert answer.status_code == 409
    assert "merge by hand instead" in answer.json()["detail"]


NOT_EDITABLE = [
    {"email": None}, {"email": "no email"}, {"email": "a\0@example.org"}, {"email": "x" * 5000 + "@example.org"},
    {"id": 5}, {"action_count": 9}, {"language": "fr"}, {"contact_refs": ["x"]}, {"email_status": None},
    {"nickname": "x"}, {"first_name": 5}, {"first_name": ["x"]}, {"first_name": "\ud800"}, [], "x", b"null", b"{", 5,
    {"created_at": NOW}, {"search_key": "x"}, {"_state": 1}, {"subscriptions": []},
]  # fmt: skip


def test_what_cannot_be_edited_changes_nothing(api, one):
    for change in NOT_EDITABLE:
        answer = api("write").patch(f"supporters/{one['id']}/", change)

        assert answer.status_code == 400, answer.content
        assert answer["Content-Type"] == "application/problem+json"
        assert api("read").get(f"supporters/{one['id']}/").json() == one


def test_very_long_and_unusual_texts_come_back_as_they_went(api, one):
    text = "\u202eمرحبا 👩\u200d🦰 ﷽ " + "ö" * 100_000

    answer = api("write").patch(f"supporters/{one['id']}/", {"last_name": text})

    assert answer.json()["last_name"] == text


@pytest.mark.parametrize("weak", ["", "W/"])
def test_an_edit_of_an_older_revision_is_refused(api, one, weak):
    writer = api("write")
    etag = writer.get(f"supporters/{one['id']}/")["ETag"]

    first = writer.patch(f"supporters/{one['id']}/", {"first_name": "Anna"}, headers={"If-Match": weak + etag})
    second = writer.patch(f"supporters/{one['id']}/", {"first_name": "Berta"}, headers={"If-Match": weak + etag})

    assert first.status_code == 200
    assert (second.status_code, second.json()["type"]) == (412, "urn:proca-crm:problem:changed-meanwhile")
    assert writer.get(f"supporters/{one['id']}/").json()["first_name"] == "Anna"


def test_the_id_of_somebody_merged_leads_to_who_is_left(api, received):
    received(anne(1), anne(2))
    first, second = api("read").results("supporters/")
    received(anne(1, actionId=3, contact={"contactRef": f"ref{2:040d}"}))
    (left,) = api("read").results("supporters/")
    former = second["id"] if left["id"] == first["id"] else first["id"]
    reader = api("read")

    for rest in ("", "timeline/"):
        answer = reader.get(f"supporters/{former}/{rest}")
        assert (answer.status_code, answer["Location"]) == (
            301,
            f"http://testserver/api/v1/supporters/{left['id']}/{rest}",
        )
    assert api("write").patch(f"supporters/{former}/", {"first_name": "Anna"}).json()["id"] == left["id"]
    assert [row["supporter"] for row in reader.results("actions/", supporter=former)] == [left["id"]] * 3
    assert api("admin").delete(f"supporters/{former}/").status_code == 204
    assert reader.results("supporters/") == []


def test_somebody_erased_is_gone_for_every_method(api, one, received):
    received(anne(2))
    both = [row["id"] for row in api("read").results("supporters/")]
    received(anne(1, actionId=9, contact={"contactRef": f"ref{2:040d}"}))
    (left,) = api("read").results("supporters/")
    admin = api("admin")

    assert admin.delete(f"supporters/{left['id']}/").status_code == 204

    for number in both:
        for answer in (
            admin.get(f"supporters/{number}/"),
            admin.get(f"supporters/{number}/timeline/"),
            admin.get(f"supporters/{number}/export/"),
            admin.patch(f"supporters/{number}/", {"first_name": "x"}),
            admin.delete(f"supporters/{number}/"),
        ):
            assert answer.status_code == 410
    assert admin.results("supporters/", search="anne1@example.org") == []


def test_a_crm_reports_who_left(api, one):
    row = subscription_of(api, one)

    answer = api("write", org=7).patch(
        f"subscriptions/{row['id']}/", {"status": "unsubscribed", "occurred_at": NOW, "reason": "wrote a letter"}
    )

    assert answer.status_code == 200, answer.content
    assert answer.json() | {"status_changed_at": NOW} == {
        **row, "status": "unsubscribed", "status_changed_at": NOW, "source": "api",
    }  # fmt: skip
    (entry,) = api("read").results("consents/", kind="unsub")
    assert (entry["source"], entry["note"], entry["email"]) == ("api", "wrote a letter", None)
    assert entry["occurred_at"] == NOW


def test_the_answer_shows_the_status_that_holds_and_not_the_one_reported(api, one):
    row = subscription_of(api, one)
    writer = api("write")
    writer.post("consents/", {"supporter": one["id"], "org": 7, "kind": "spam", "occurred_at": NOW})

    answer = writer.patch(f"subscriptions/{row['id']}/", {"status": "subscribed", "reason": "asked to come back"})

    assert (answer.status_code, answer.json()["status"]) == (200, "complained")


def test_a_bounce_hits_the_subscriptions_email(api, one):
    row = subscription_of(api, one)

    answer = api("write").patch(f"subscriptions/{row['id']}/", {"status": "bounced"})

    assert answer.json()["status"] == "bounced"
    assert api("read").results("consents/", kind="bounce")[0]["email"] == "anne1@example.org"


BAD_REPORTS = [
    ({"status": "subscribed"}, "reason"),
    ({"status": "complained"}, "status"),
    ({"status": None}, "status"),
    ({}, "status"),
    ({"status": "unsubscribed", "occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
    ({"status": "unsubscribed", "occurred_at": "soon"}, "occurred_at"),
    ({"status": "unsubscribed", "org": 8}, "org"),
    ({"status": "unsubscribed", "reason": "\0"}, "reason"),
]


def test_a_report_that_is_not_possible_is_named(api, one):
    row = subscription_of(api, one)

    for content, named in BAD_REPORTS:
        answer = api("write").patch(f"subscriptions/{row['id']}/", content)

        assert (answer.status_code, list(answer.json()["errors"])) == (400, [named])
        assert subscription_of(api, one) == row


def test_an_entry_is_kept_once(api, one):
    entry = {"email": "ANNE1@example.org", "org": 7, "kind": "unsub", "occurred_at": NOW, "reason": "by phone"}
    writer = api("write")

    first, second = writer.post("consents/", entry), writer.post("consents/", entry)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["supporter"] == one["id"]
    assert first.json()["email"] == "anne1@example.org"
    assert len(api("read").results("consents/", kind="unsub")) == 1
    assert subscription_of(api, one)["status"] == "unsubscribed"


def test_a_stop_waits_for_somebody_who_is_not_there_yet(api, received, store_database):
    stop = {"email": "anne5@example.org", "org": 7, "kind": "unsub", "occurred_at": NOW}

    answer = api("write").post("consents/", stop)

    assert answer.status_code == 201
    assert (answer.json()["id"], answer.json()["supporter"], answer.json()["kind"]) == (None, None, "unsub")
    assert api("read").results("supporters/") == []
    received(anne(5))
    (subscription,) = api("read").results("subscriptions/")
    assert subscription["status"] == "unsubscribed"


BAD_ENTRIES = [
    ({"email": "nobody@example.org", "kind": "opt_in"}, "kind"),
    ({"email": "nobody@example.org", "kind": "double_opt_in"}, "kind"),
    ({"kind": "unsub"}, "supporter"),
    ({"supporter": 1, "contact_ref": "x", "kind": "unsub"}, "supporter"),
    ({"supporter": 999999, "kind": "unsub"}, "supporter"),
    ({"supporter": "1", "kind": "unsub"}, "supporter"),
    ({"supporter": True, "kind": "unsub"}, "supporter"),
    ({"email": "no email", "kind": "unsub"}, "email"),
    ({"contact_ref": "null", "kind": "unsub"}, "contact_ref"),
    ({"contact_ref": "x", "kind": "bounce"}, "email"),
    ({"email": "a@example.org", "kind": "everything"}, "kind"),
    ({"email": "a@example.org"}, "kind"),
    ({"email": "a@example.org", "kind": "unsub", "org": -1}, "org"),
    ({"email": "a@example.org", "kind": "unsub", "source": "proca"}, "source"),
    ({"email": "a@example.org", "kind": "unsub", "occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
]


def test_an_entry_that_is_not_possible_is_named(api, one):
    for content, named in BAD_ENTRIES:
        answer = api("write").post("consents/", content)

        assert answer.status_code == 400, answer.content
        assert named in answer.json()["errors"]
        assert "example.org" not in answer.content.decode()


def test_a_token_of_an_organisation_sees_and_changes_only_its_own(api, received):
    received(anne(1), org=7)
    received(anne(1), org=8)
    own, other = (api("read").results("subscriptions/", org=org)[0] for org in (7, 8))
    one, writer = own["supporter"], api("write", org=7)

    assert [row["org"] for row in writer.results("subscriptions/")] == [7]
    assert {row["org"] for row in writer.results("consents/")} == {7}
    assert writer.results("subscriptions/", org=8) == []
    assert writer.results("supporters/", org=8) == []
    assert writer.get(f"subscriptions/{other['id']}/").status_code == 404
    assert writer.patch(f"subscriptions/{other['id']}/", {"status": "unsubscribed"}).status_code == 404
    assert writer.post("consents/", {"supporter": one, "kind": "unsub", "org": 8}).status_code == 404
    assert {
        row["object"]["org"] for row in writer.results(f"supporters/{one}/timeline/") if row["kind"] == "consent"
    } == {7}
    changes = writer.results("changes/", expand=1)
    assert {row["object"]["org"] for row in changes if row["kind"] in ("subscription.changed", "consent.recorded")} == {
        7
    }
    assert writer.post("consents/", {"supporter": one, "kind": "unsub"}).json()["org"] == 7
    assert api("read").get(f"subscriptions/{other['id']}/").json()["status"] == "subscribed"


def test_what_people_did_is_in_the_audit_without_anything_of_anybody(api, one, store_database):
    api("write").patch(f"supporters/{one['id']}/", {"first_name": "Anna"})
    api("admin").delete(f"supporters/{one['id']}/")

    rows = store_database.query("SELECT actor, action, object, object_id, note FROM sync_auditentry ORDER BY id")
    told = [row[1:] for row in rows if row[2] == "supporter"]
    assert told == [("edited", "supporter", one["id"], "first_name"), ("erased", "supporter", one["id"], "")]
    assert "Anna" not in str(rows)
