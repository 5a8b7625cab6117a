"""What people do with a supporter at the desk: edit, add consent, share an email, merge and undo, erase."""

import json
import re

import pytest
from django.db import connection
from django.urls import reverse

from sync.admin.edit import FIELDS
from sync.models import AuditEntry, Consent, FormerSupporter, SharedEmail, Subscription, Supporter
from tests.admin.people import anne, client_of, somebody, taken
from tests.builders import an_action

LATER = "2026-10-01T10:00:00Z"


def page(name, supporter, **query):
    """Return the address of a page about a supporter."""
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    return reverse(f"admin:sync_supporter_{name}", args=[supporter.pk]) + (f"?{asked}" if asked else "")


def opened(supporter):
    """Return the form of the edit page as a browser has it."""
    shown = {name: getattr(supporter, name) or "" for name in FIELDS}
    return shown | {f"seen_{name}": value for name, value in shown.items()}


def text(answer):
    """Return the words of a page."""
    content = re.sub(r"<(script|style).*?</\1>", "", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", content).split())


def audited():
    """Return what was done, as the audit tells it."""
    return list(AuditEntry.objects.order_by("pk").values_list("action", "object", "object_id", "note"))


# --- Editing -----------------------------------------------------------------------------------------


def test_the_form_shows_what_is_stored_and_what_is_changed_is_written(desk):
    person = anne()
    assert 'value="Anne"' in desk.get(page("edit", person)).content.decode()

    desk.post(page("edit", person), opened(person) | {"first_name": "Anna", "phone": ""})

    shown = Supporter.objects.get(pk=person.pk)
    assert (shown.first_name, shown.phone, shown.last_name) == ("Anna", None, "Martin")
    assert audited() == [("edit", "supporter", person.pk, "first_name, phone")]


def test_a_page_opened_before_does_not_undo_what_came_since(desk):
    person = anne()
    form = opened(person)
    taken(an_action(actionId=4712, action={"createdAt": LATER}, contact={"phone": "+3399"}))

    desk.post(page("edit", person), form | {"first_name": "Anna"})

    shown = Supporter.objects.get(pk=person.pk)
    assert (shown.first_name, shown.phone) == ("Anna", "+3399")


def test_what_changed_on_both_sides_is_shown_and_not_written(desk):
    person = anne()
    form = opened(person)
    taken(an_action(actionId=4712, action={"createdAt": LATER}, contact={"phone": "+3399"}))

    answer = desk.post(page("edit", person), form | {"phone": "+3311", "first_name": "Anna"})

    assert "It was “+33612345678” and is now “+3399”" in text(answer)
    assert 'value="+3311"' in answer.content.decode()
    shown = Supporter.objects.get(pk=person.pk)
    assert (shown.first_name, shown.phone) == ("Anne", "+3399")
    assert audited() == []


def test_saving_once_more_after_seeing_both_writes(desk):
    person = anne()
    form = opened(person)
    taken(an_action(actionId=4712, action={"createdAt": LATER}, contact={"phone": "+3399"}))
    answer = desk.post(page("edit", person), form | {"phone": "+3311"})
    again = dict(re.findall(r'name="(\w+)" value="([^"]*)"', answer.content.decode()))

    desk.post(page("edit", person), {name: again.get(name, "") for name in form})

    assert Supporter.objects.get(pk=person.pk).phone == "+3311"


def test_saving_an_untouched_form_changes_nothing(desk):
    taken(an_action(contact={"lastName": "von  Martin\nzwei"}))
    person = Supporter.objects.get()

    # A browser takes line ends out of a field of one line.
    desk.post(page("edit", person), opened(person) | {"last_name": "von  Martinzwei"})

    assert Supporter.objects.get().last_name == person.last_name
    assert audited() == []


def test_an_email_of_somebody_else_is_refused_at_its_field(desk):
    person = anne()
    taken(somebody(5))

    answer = desk.post(page("edit", person), opened(person) | {"email": "p5@example.org"})

    assert "Somebody else has this email" in text(answer)
    assert Supporter.objects.get(pk=person.pk).email == "anne.martin@example.org"


def test_another_email_is_added(desk):
    person = anne()

    desk.post(page("edit", person), opened(person) | {"email": "Anna@Example.org"})

    shown = Supporter.objects.get(pk=person.pk)
    assert (shown.email, shown.other_emails) == ("anna@example.org", ["anne.martin@example.org"])


# --- Consent -----------------------------------------------------------------------------------------


def entry(**changes):
    """Return what is filled in for an entry: unsubscribed, for everybody."""
    return {"kind": "unsub", "org": "7", "email": "all", "occurred_at": "", "reason": "asked by phone"} | changes


def test_an_entry_by_hand_has_its_reason_and_counts(desk):
    person = anne()

    desk.post(page("consent", person), entry())

    added = Consent.objects.get(kind="unsub")
    assert (added.source, added.note, added.email, added.org_id) == ("admin", "asked by phone", None, 7)
    assert Subscription.objects.get(supporter=person).status == "unsubscribed"
    assert audited() == [("consent unsub", "supporter", person.pk, "")]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reason": ""}, "This field is required"),
        ({"kind": "bounce"}, "This is said of an address"),
        ({"kind": "opt_in", "org": "all"}, "Consent is given to one organisation"),
        ({"occurred_at": "2999-01-01"}, "This lies in the future"),
        ({"occurred_at": "yesterday"}, "Enter a valid date"),
        ({"email": "somebody@else.example"}, "Select a valid choice"),
        ({"org": "99"}, "Select a valid choice"),
        ({"kind": "nonsense"}, "Select a valid choice"),
    ],
)
def test_half_an_entry_is_refused(desk, changes, says):
    person = anne()
    before = Consent.objects.count()

    answer = desk.post(page("consent", person), entry(**changes))

    assert says in text(answer)
    assert Consent.objects.count() == before


def test_an_entry_of_an_address_at_a_time(desk):
    person = anne()

    desk.post(
        page("consent", person),
        entry(kind="bounce", email="anne.martin@example.org", org="all", occurred_at="2026-10-01 08:30"),
    )

    added = Consent.objects.get(kind="bounce")
    assert (added.email, added.org_id, added.occurred_at.isoformat()) == (
        "anne.martin@example.org",
        None,
        "2026-10-01T08:30:00+00:00",
    )
    assert Subscription.objects.get(supporter=person).status == "bounced"


# --- Shared emails -----------------------------------------------------------------------------------


def two_in_one():
    """A family with one email, taken for one person."""
    family = {"email": "family@example.org"}
    taken(
        an_action(actionId=1, contact=family | {"contactRef": "ref-1", "firstName": "Anne"}),
        an_action(actionId=2, contact=family | {"contactRef": "ref-2", "firstName": "Paul"}),
    )
    return Supporter.objects.get()


def test_a_shared_email_makes_two_of_one_and_that_can_be_taken_back(desk):
    person = two_in_one()

    desk.post(page("share", person), {"email": "family@example.org"})
    assert sorted(Supporter.objects.values_list("first_name", flat=True)) == ["Anne", "Paul"]

    shared = SharedEmail.objects.get()
    desk.post(reverse("admin:sync_sharedemail_unshare", args=[shared.pk]))
    assert Supporter.objects.count() == 1
    assert [action for action, *_ in audited()] == ["share email", "unshare email"]


# --- Merging -----------------------------------------------------------------------------------------


def two_people():
    """Anne, and somebody who is her under another email."""
    person = anne()
    taken(somebody(5, action={"createdAt": LATER}))
    return person, Supporter.objects.get(email="p5@example.org")


def test_the_other_one_is_looked_for_without_a_trace_in_the_address(desk):
    person, other = two_people()

    answer = desk.post(page("merge", person), {"term": "p5@example.org"})

    assert f'href="?with={other.pk}"' in answer.content.decode()
    assert "Nobody found" in text(desk.post(page("merge", person), {"term": "anne.martin@example.org"}))


def test_the_preview_is_what_the_merge_makes(desk):
    person, other = two_people()
    address = page("merge", person, **{"with": other.pk})
    preview = desk.get(address)
    made = re.findall(r"<td><strong>(.*?)</strong></td>", preview.content.decode())
    assert Supporter.objects.count() == 2

    desk.post(address)

    merged = Supporter.objects.get()
    assert merged.email in made
    assert merged.first_name in made
    assert {merged.email, *merged.other_emails} == {"anne.martin@example.org", "p5@example.org"}
    assert ("merge", "supporter", person.pk, f"with {other.pk}") in audited()


def test_a_merge_by_hand_is_told_in_the_story_and_undone_there(desk):
    person, other = two_people()
    desk.post(page("merge", person, **{"with": other.pk}))
    former = FormerSupporter.objects.get().pk
    undo = reverse("admin:sync_formersupporter_undo", args=[former])
    assert undo in desk.get(page("change", Supporter.objects.get())).content.decode()
    assert "It was merged by hand" in text(desk.get(undo))

    desk.post(undo)

    assert set(Supporter.objects.values_list("pk", flat=True)) == {person.pk, other.pk}


def test_what_messages_link_cannot_be_undone(desk):
    taken(
        an_action(actionId=1, contact={"email": "a@example.org", "contactRef": "ref-1"}),
        an_action(actionId=2, contact={"email": "b@example.org", "contactRef": "ref-2"}),
        an_action(actionId=3, contact={"email": "a@example.org", "contactRef": "ref-2"}),
    )
    former = FormerSupporter.objects.get().pk if FormerSupporter.objects.exists() else None
    if former is None:
        # All in one batch were one person at once.
        taken(somebody(8), an_action(actionId=9, contact={"email": "c@example.org", "contactRef": "ref-9"}))
        taken(an_action(actionId=10, contact={"email": "c@example.org", "contactRef": "ref-8"}))
        former = FormerSupporter.objects.get().pk
    undo = reverse("admin:sync_formersupporter_undo", args=[former])

    assert "Nobody merged it by hand" in text(desk.get(undo))
    assert "no merge by hand to undo" in text(desk.post(undo, follow=True))
    assert FormerSupporter.objects.filter(pk=former).exists()


def test_an_id_that_was_merged_away_leads_to_the_person(desk):
    person, other = two_people()
    desk.post(page("merge", person, **{"with": other.pk}))
    former, survivor = FormerSupporter.objects.get().pk, Supporter.objects.get()

    for name in ("change", "edit", "erase"):
        answer = desk.get(reverse(f"admin:sync_supporter_{name}", args=[former]))
        assert answer["Location"] == page("change", survivor)


# --- Erasing -----------------------------------------------------------------------------------------


def test_erasing_says_what_it_reaches_and_wants_the_id_typed(desk):
    person = anne()
    taken(an_action(actionId=9))

    preview = text(desk.get(page("erase", person)))
    refused = desk.post(page("erase", person), {"confirm": "anne"})

    assert "2 emails and contactRefs" in preview
    assert "2 actions" in preview
    assert "2 consent entries" in preview
    assert "Nobody was erased" in text(refused)
    assert Supporter.objects.count() == 1


def test_after_an_erasure_no_table_holds_anything_of_the_person(desk):
    person = anne()
    desk.get(page("change", person))
    desk.post(page("edit", person), opened(person) | {"first_name": "Canary", "email": "canary@example.org"})
    desk.post(page("consent", person), entry(reason="canary on the phone"))
    taken(somebody(5))
    desk.post(page("merge", person, **{"with": Supporter.objects.get(email="p5@example.org").pk}))
    person = Supporter.objects.get()

    answer = desk.post(page("erase", person), {"confirm": str(person.pk)}, follow=True)

    assert "was erased" in text(answer)
    assert Supporter.objects.count() == 0
    everything = dump()
    for trace in ("canary", "anne", "martin", "p5@", "+33612345678", "ref-5", "kUxAz3Lh"):
        assert trace.lower() not in everything
    gone = desk.get(page("change", person), follow=True)
    assert f"Supporter {person.pk} was erased" in text(gone)


def dump():
    """Return all rows of all tables as one text, in small letters."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += [json.dumps([table, *map(str, row)], ensure_ascii=False) for row in cursor.fetchall()]
    assert rows
    return "\n".join(rows).lower()


# --- Permissions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("edit", "sync.change_supporter"),
        ("consent", "sync.add_consent"),
        ("merge", "sync.change_supporter"),
        ("share", "sync.change_sharedemail"),
        ("erase", "sync.delete_supporter"),
    ],
)
def test_each_page_needs_its_own_permission(db, name, needs):
    person = anne()
    only_looks = client_of("sync.view_supporter")

    assert only_looks.get(page("change", person)).status_code == 200
    assert only_looks.get(page(name, person)).status_code == 403
    assert only_looks.post(page(name, person), {"confirm": str(person.pk)}).status_code == 403
    assert page(name, person) not in only_looks.get(page("change", person)).content.decode()
    assert client_of("sync.view_supporter", needs).get(page(name, person)).status_code == 200
    assert Supporter.objects.count() == 1
