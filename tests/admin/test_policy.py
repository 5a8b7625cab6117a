"""Another policy for an organisation at the desk: seen first, then saved, then followed by everybody."""

from django.urls import reverse

from sync.admin import policy
from sync.models import AuditEntry, Org, Subscription
from sync.store import policies
from tests.admin.people import client_of, crowd
from tests.admin.test_people import text

PAGE = "/admin/sync/org/7/policy/"


def statuses():
    return set(Subscription.objects.values_list("status", flat=True))


def test_it_is_seen_before_it_can_be_saved(desk):
    crowd(3)
    assert 'name="save"' not in desk.get(PAGE).content.decode()

    seen = desk.post(PAGE, {"policy": "double_opt_in", "preview": "1"})

    assert "3 of 3 subscriptions looked at would change" in text(seen)
    assert "3 from subscribed to pending" in text(seen)
    assert 'name="save"' in seen.content.decode()
    assert statuses() == {"subscribed"}


def test_saved_it_is_followed_and_audited(desk):
    crowd(3)

    answer = desk.post(PAGE, {"policy": "double_opt_in", "save": "1"}, follow=True)

    assert "all subscriptions follow the new policy" in text(answer)
    assert "waits for the click in the mail" in text(answer)
    assert statuses() == {"pending"}
    assert AuditEntry.objects.values_list("action", "object", "object_id", "note").get() == (
        "policy",
        "org",
        7,
        "double_opt_in",
    )


def test_with_very_many_it_goes_on_in_rounds(desk, monkeypatch):
    crowd(3)
    monkeypatch.setattr(policies, "_PEOPLE_AT_ONCE", 1)
    monkeypatch.setattr(policy, "_SECONDS_TO_FOLD", 0)

    answer = desk.post(PAGE, {"policy": "double_opt_in", "save": "1"}, follow=True)
    assert "Not all subscriptions follow the new policy yet" in text(answer)
    assert "do not all follow its new policy" in text(desk.get("/admin/"))
    for _ in range(3):
        answer = desk.post(PAGE, {"go_on": "1"}, follow=True)

    assert "all subscriptions follow the new policy" in text(answer)
    assert statuses() == {"pending"}


def test_what_is_no_policy_changes_nothing(desk):
    crowd(1)

    answer = desk.post(PAGE, {"policy": "nonsense", "save": "1"})

    assert "Select a valid choice" in text(answer)
    assert Org.objects.get(pk=7).policy is None


def test_looking_is_not_changing(db):
    crowd(1)
    looks = client_of("sync.view_org")

    assert looks.get(PAGE).status_code == looks.post(PAGE, {"policy": "", "save": "1"}).status_code == 403
    assert PAGE not in looks.get(reverse("admin:sync_org_change", args=[7])).content.decode()


def test_ids_that_are_none_lead_back(desk):
    for name in ("²", "abc", "9" * 40, "0", "-1"):
        for model in ("supporter", "org", "action", "quarantinedmessage"):
            assert desk.get(f"/admin/sync/{model}/{name}/change/").status_code == 302, (model, name)
    for address in ("supporter/999/edit/", f"supporter/{'9' * 40}/erase/", "org/999/policy/"):
        assert desk.get(f"/admin/sync/{address}").status_code == 302, address
