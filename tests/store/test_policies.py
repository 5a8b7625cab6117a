"""Another policy of an organisation: said before what it would change, and then everything follows."""

import pytest

from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import Change, Org, Subscription
from sync.proca.encryption import KeyStore
from sync.store import policies
from tests.builders import an_action, an_email_status, wire

pytestmark = pytest.mark.usefixtures("store_database")


def somebody(number, opt_in=True):
    contact = {"contactRef": f"ref-{number}", "email": f"p{number}@example.org"}
    return an_action(actionId=number, contact=contact, privacy={"optIn": opt_in})


def taken(*messages, reader=7):
    take([Raw(body=wire(one), queue="file", reader=reader) for one in messages], KeyStore.empty(), now=2 * 10**15)


def statuses(org=7):
    return dict(
        Subscription.objects.filter(org=org).order_by("supporter__email").values_list("supporter__email", "status")
    )


@pytest.fixture
def people():
    """One who asked for mail, one who confirmed it, one who did not ask."""
    confirmed = {"contactRef": "ref-2", "email": "p2@example.org"}
    taken(somebody(1), somebody(2), somebody(3, opt_in=False))
    taken(an_email_status(actionId=2, supporter={"contact": confirmed}))
    assert statuses() == {"p1@example.org": "subscribed", "p2@example.org": "subscribed", "p3@example.org": "none"}


def test_a_preview_says_what_would_change_and_changes_nothing(people):
    before = statuses()

    seen = policies.preview(7, "double_opt_in", seconds=10)

    assert (seen.looked_at, seen.is_whole) == (3, True)
    assert dict(seen.moves) == {("subscribed", "pending"): 1}
    assert policies.preview(7, "opt_in", seconds=10).changed == 0
    assert statuses() == before
    assert Org.objects.get(pk=7).policy is None


def test_subscriptions_follow_a_change_and_the_change_log_tells(people):
    newest = Change.objects.latest("pk").pk

    policies.set_policy(7, "double_opt_in")

    assert policies.unfinished() == [7]
    assert policies.fold_on(7, seconds=10)
    assert statuses() == {"p1@example.org": "pending", "p2@example.org": "subscribed", "p3@example.org": "none"}
    assert policies.unfinished() == []
    told = Change.objects.filter(pk__gt=newest).values_list("kind", flat=True)
    # Whoever was subscribed by the click now is so since the click.
    assert sorted(told) == ["org.changed", "subscription.changed", "subscription.changed"]


def test_and_back_again(people):
    policies.set_policy(7, "double_opt_in")
    policies.fold_on(7, seconds=10)

    policies.set_policy(7, None)
    policies.fold_on(7, seconds=10)

    assert statuses() == {"p1@example.org": "subscribed", "p2@example.org": "subscribed", "p3@example.org": "none"}


def test_other_organisations_keep_theirs(people):
    taken(somebody(9), reader=9)

    policies.set_policy(7, "double_opt_in")
    policies.fold_on(7, seconds=10)

    assert statuses(9) == {"p9@example.org": "subscribed"}


def test_it_goes_on_where_it_was_interrupted(people, monkeypatch):
    monkeypatch.setattr(policies, "_PEOPLE_AT_ONCE", 1)
    policies.set_policy(7, "double_opt_in")

    rounds = 0
    while not policies.fold_on(7, seconds=0):
        rounds += 1
        assert policies.unfinished() == [7]

    assert rounds == 3
    assert statuses()["p1@example.org"] == "pending"


def test_a_preview_of_many_stops_in_time(people, monkeypatch):
    monkeypatch.setattr(policies, "_PEOPLE_AT_ONCE", 1)

    seen = policies.preview(7, "double_opt_in", seconds=0)

    assert (seen.looked_at, seen.is_whole) == (1, False)


def test_naming_the_default_changes_nobody(people):
    policies.set_policy(7, "opt_in")

    assert policies.unfinished() == []
    assert Org.objects.get(pk=7).policy == "opt_in"


def test_a_message_that_comes_meanwhile_is_folded_by_the_new_policy(people):
    policies.set_policy(7, "double_opt_in")

    taken(somebody(4))

    assert statuses()["p4@example.org"] == "pending"
