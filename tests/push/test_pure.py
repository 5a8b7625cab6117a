"""What is decided without a database: answers, pauses, the circuit, fields, scrubbing, addresses."""

from datetime import UTC, datetime, timedelta

import pytest

from sync.connectors.answers import outcome, retry_after
from sync.connectors.contract import (
    Delivered,
    Field,
    Item,
    Mapped,
    Misconfigured,
    Mode,
    NoAnswer,
    RateLimited,
    Rejected,
    Request,
    Response,
    Retry,
    TooLarge,
)
from sync.push import consents, mapping
from sync.push.decide import SCHEDULE, Circuit, after, decide
from sync.push.http import Allowed, Client
from sync.push.scrub import scrubbed
from sync.sealing import Sealer, Unsealable

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("50, 53", 53),
        ("-5", 0),
        ("99999999999999999999999", DAY.total_seconds()),
        ("Sun, 01 Nov 2026 12:01:30 GMT", 90),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("1.5", 1.5),
        ("soon", None),
        ("", None),
        ("0", 0),
    ],
)
def test_retry_after_is_read_in_every_form_and_never_raises(text, seconds):
    wait = retry_after({"retry-after": text}, NOW)

    assert wait == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Rejected),
        (408, Retry),
        (409, Rejected),
        (413, TooLarge),
        (422, Rejected),
        (425, Retry),
        (429, RateLimited),
        (500, Retry),
        (503, Retry),
        (301, Misconfigured),
        (200, Retry),
        (207, Retry),
    ],
)
def test_an_answer_that_no_row_knows_has_its_usual_meaning_and_2xx_is_no_success(status, kind):
    assert isinstance(outcome((), Response(status=status), NOW), kind)


def test_an_unreadable_success_is_tried_once_more_and_then_refused():
    answer = outcome((), Response(status=200), NOW)

    assert decide(answer, 1, NOW, 0).state == "waiting"
    assert decide(answer, 2, NOW, 0).state == "rejected"


def test_pauses_grow_over_three_days():
    pauses = [decide(Retry(reason="x"), attempt, NOW, 0).due_at - NOW for attempt in range(1, 10)]

    assert pauses == list(SCHEDULE)
    assert timedelta(days=3) < sum(pauses, timedelta()) < timedelta(days=4)
    assert decide(Retry(reason="x"), 10, NOW, 0).state == "rejected"


def test_those_that_failed_together_do_not_come_back_together():
    assert decide(Retry(reason="x"), 3, NOW, 0.0).due_at != decide(Retry(reason="x"), 3, NOW, 0.9).due_at


def test_a_limit_doubles_without_a_word_from_the_crm():
    circuit, waits = Circuit(since=NOW), []
    for _ in range(8):
        circuit = after(circuit, [RateLimited()], NOW)
        waits.append((circuit.blocked_until - NOW).total_seconds())

    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_whoever_asks_for_less_for_ever_is_seen_and_paused_after_days():
    circuit = Circuit(since=NOW)
    states = []
    for hours in range(80):
        circuit = after(circuit, [RateLimited()], NOW + timedelta(hours=hours))
        states.append(circuit.state)

    assert states[:3] == ["active", "active", "failing"]
    assert states[-1] == "paused"
    assert after(Circuit(since=NOW, limited=5, state="failing"), [Delivered()], NOW).state == "active"


def test_three_days_without_success_pause_the_destination():
    circuit = Circuit(since=NOW)
    for hours in range(80):
        circuit = after(circuit, [Retry(reason="503", of_destination=True)], NOW + timedelta(hours=hours))

    assert circuit.state == "paused"
    assert "three days" in circuit.reason


def test_a_pause_by_hand_is_not_undone_by_a_success_in_flight():
    circuit = Circuit(state="paused", reason="", since=NOW)

    assert after(circuit, [Delivered()], NOW).state == "paused"


# --- Fields ------------------------------------------------------------------------------------------

MAPPING = (
    Mapped(source="first_name", target="FNAME"),
    Mapped(source="last_action.campaign_name", target="SOURCE", mode=Mode.ONLY_IF_NEW),
    Mapped(source="phone", target="PHONE"),
)


def test_what_is_not_known_is_left_alone_and_what_an_edit_cleared_is_cleared():
    values = {"first_name": "Anne", "phone": None, "last_action": {"campaign_name": "forest"}}

    found = mapping.fields(MAPPING, values, frozenset(), None)
    cleared = mapping.fields(MAPPING, values, frozenset({"phone"}), None)

    assert [(one.name, one.value) for one in found] == [("FNAME", "Anne"), ("SOURCE", "forest")]
    assert ("PHONE", None) in [(one.name, one.value) for one in cleared]


def an_item(*fields):
    return Item(push_id="1", supporter=1, email="anne@example.org", fields=fields)


@pytest.mark.parametrize(
    ("mode", "there", "written"),
    [
        (Mode.OVERWRITE, "old", "new"),
        (Mode.ONLY_IF_NEW, "old", None),
        (Mode.ONLY_IF_NEW, None, "new"),
        (Mode.ONLY_IF_EMPTY, "old", None),
        (Mode.ONLY_IF_EMPTY, "", "new"),
        (Mode.APPEND, "old", "old\nnew"),
        (Mode.APPEND, "new", None),
        (Mode.APPEND, "", "new"),
    ],
)
def test_a_mode_says_when_a_field_is_written(mode, there, written):
    item = an_item(Field(name="X", value="new", mode=mode))

    values = item.values(None if there is None else {"X": there})

    assert values.get("X") == written


@pytest.mark.parametrize(
    ("line", "is_good"),
    [
        ({"source": "first_name", "target": "FNAME"}, True),
        ({"source": "extra.nationality.country", "target": "N"}, True),
        ({"source": "first_action.custom_fields.comment", "target": "C"}, True),
        ({"source": "first_action.colour", "target": "C"}, False),
        ({"source": "first_name.x", "target": "C"}, False),
        ({"source": "first_name", "target": " "}, False),
        ({"source": "first_name", "target": "C", "mode": "append"}, False),
        ({"source": "first_name"}, False),
        ("first_name", False),
    ],
)
def test_a_mapping_names_fields_of_ours(line, is_good):
    if is_good:
        assert mapping.checked([line], {Mode.OVERWRITE})
    else:
        with pytest.raises(mapping.BadMapping):
            mapping.checked([line], {Mode.OVERWRITE})


# --- Consent -----------------------------------------------------------------------------------------

SUBSCRIPTION = {"email": "a@example.org", "status_changed_at": NOW}


def entry(kind, days, email="a@example.org", counts=None):
    return (kind, NOW + days * DAY, email, counts)


@pytest.mark.parametrize(
    ("entries", "policy", "is_newer"),
    [
        ([entry("opt_in", 0)], "opt_in", True),
        ([entry("opt_in", 0), entry("unsub", 1, None)], "opt_in", False),
        ([entry("unsub", 0, None), entry("opt_in", 1)], "opt_in", True),
        ([entry("unsub", 1), entry("opt_in", 1)], "opt_in", False),
        ([entry("opt_in", 0), entry("bounce", 1, "other@example.org")], "opt_in", True),
        ([entry("opt_in", 0), entry("bounce", 1, None)], "opt_in", False),
        ([entry("opt_in", 0), entry("unsub", 1), entry("double_opt_in", 2, counts=False)], "opt_in", False),
        ([entry("opt_in", 0), entry("unsub", 1), entry("double_opt_in", 2, counts=True)], "opt_in", True),
        ([entry("opt_out", 0)], "opt_in", False),
        ([], "opt_in", False),
    ],
)
def test_only_a_consent_after_the_last_stop_lifts_one_elsewhere(entries, policy, is_newer):
    assert consents.consented(entries, SUBSCRIPTION, policy).is_newer is is_newer


# --- What nobody may read ----------------------------------------------------------------------------


def test_the_crms_words_are_kept_without_the_persons_values():
    item = Item(
        push_id="1",
        supporter=1,
        email="anne@example.org",
        fields=(Field(name="FNAME", value="Anne-Sophie"),),
        record={"id": 1, "phone": "+33612345678", "country": "FR"},
    )

    text = scrubbed('{"error": "ANNE@example.org (anne-sophie, +33612345678) in FR, b%40x.org"}', item)

    assert text == '{"error": "… (…, …) in FR, …"}'
    assert len(scrubbed("x" * 1000, item)) == 300


def test_a_newer_secret_seals_and_older_ones_still_open():
    sealed = Sealer(["old"]).seal("a secret")

    assert Sealer(["new", "old"]).open(sealed) == "a secret"
    assert Sealer(["old"]).seal("a secret") != sealed
    with pytest.raises(Unsealable):
        Sealer(["new"]).open(sealed)
    with pytest.raises(Unsealable):
        Sealer(["old"]).open("rubbish")


# --- Where it may connect to -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_no_private_address_is_reached(address):
    assert not Allowed(()).may_reach("crm.example.org", address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_ones_are(address):
    assert Allowed(()).may_reach("crm.example.org", address)


@pytest.mark.parametrize(
    ("place", "host", "address", "may"),
    [
        ("crm.internal", "crm.internal", "10.0.0.5", True),
        ("crm.internal", "CRM.internal.", "10.0.0.5", True),
        ("crm.internal", "evil.example.org", "10.0.0.5", False),
        ("10.0.0.0/8", "any.example.org", "10.0.0.5", True),
        ("10.0.0.0/8", "any.example.org", "192.168.0.1", False),
        ("10.0.0.5", "any.example.org", "::ffff:10.0.0.5", True),
    ],
)
def test_a_private_crm_is_reached_where_it_is_named(place, host, address, may):
    assert Allowed([place]).may_reach(host, address) is may


def test_the_address_is_checked_when_the_connection_is_made(monkeypatch):
    import socket

    answers = iter([[(2, 1, 6, "", ("127.0.0.1", 80))]])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: next(answers))

    with pytest.raises(NoAnswer) as refused:
        Client(allowed=()).send(Request(method="GET", url="http://rebound.example.org/"))

    assert refused.value.lasting
    assert "PUSH_ALLOW_HOSTS" in refused.value.reason
    assert "rebound" not in str(refused.value)


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "nonsense", "http://", "//x"])
def test_what_is_no_http_address_is_refused(url):
    with pytest.raises(NoAnswer) as refused:
        Client(allowed=()).send(Request(method="GET", url=url))

    assert refused.value.lasting
