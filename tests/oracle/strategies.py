"""Strategies for lists of items: small pools, so that things meet.

`items()` draws what `oracle.state` takes. Merges by hand and undos name contacts that messages of
the same list give, as they do in life.
"""

from typing import Any

from hypothesis import strategies as st

from . import given, wire
from .reading import read
from .words import UnreadableError

ORGS = (1, 2)
READERS = (1, 1, 1, 2, 2, None)
ACTION_IDS = (1, 2, 3, 10)
EMAILS = ("ann@example.org", "bob@example.org", "cid@bücher.example")
SPELLINGS = {
    "ann@example.org": ("ann@example.org", " Ann@Example.ORG\u00a0", "an\u200bn@example.org"),
    "bob@example.org": ("bob@example.org", "BOB@example.org"),
    "cid@bücher.example": ("cid@bücher.example", "cid@xn--bcher-kva.example"),
}
NO_EMAILS = (None, "", "null", "no at sign", "two@at@signs")
REFS = ("ref-a", "ref-b", "ref-c")
NO_REFS = (None, None, "", "undefined")
DAYS = tuple(f"2026-05-0{day}T12:00:00Z" for day in range(1, 7))
TIMES = (*DAYS, "2026-05-03T12:00:00.000001Z", "2026-05-03T14:00:00+02:00")
STAGES = ("deliver",) * 6 + ("confirm", "supporter_confirm", "action_confirm", "odd", None)
STATUSES = (None, None, None, "none", "active", "new_word", "double_opt_in", "doubleOptIn",
            "bounce", "blocked", "inactive", "unsub", "spam")  # fmt: skip
EVENT_STATUSES = (None, "double_opt_in", "double_opt_in", "doubleOptIn", "bounce", "blocked",
                  "inactive", "unsub", "spam")  # fmt: skip
POSTCODES = (wire.ABSENT, wire.ABSENT, "1000", "2000", "", None)
STREETS = (wire.ABSENT, "Oak 1", "Elm 2", " ", "")
TOWNS = (wire.ABSENT, "Berlin", "Bern", None)
FORM_FIELDS: dict[str, tuple] = {
    "comment": ("hello", "hi", "", None, [], 1, True),
    "locality": ("Paris", "Bern", ""),
    "street": ("Oak 1", "Rue 3", " "),
    "amount": (1, 1.5, 9007199254740993, "1"),
}
EDITABLE: dict[str, tuple] = {
    "first_name": ("Ann", "Anna", None),
    "phone": ("+33612345678", None),
    "street": ("Oak 1", "Edited 9", None),
    "locality": ("Bern", "Rome", None),
    "postcode": ("1000", "3000", None),
    "email": EMAILS,
}
ENTRY_KINDS = ("opt_in", "opt_out", "double_opt_in", "bounce", "blocked", "inactive", "unsub", "spam")


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def sometimes(draw: Any, times: int) -> bool:
    """True once in so many draws; shrinks to false."""
    return bool(draw(st.integers(0, times - 1)) == times - 1)


@st.composite
def emails(draw: Any) -> Any:
    """An address in some spelling, or now and then none."""
    if sometimes(draw, 4):
        return draw(one_of(*NO_EMAILS))
    return draw(one_of(*SPELLINGS[draw(one_of(*EMAILS))]))


@st.composite
def refs(draw: Any) -> Any:
    return draw(one_of(*NO_REFS)) if sometimes(draw, 3) else draw(one_of(*REFS))


@st.composite
def contact_keys(draw: Any) -> Any:
    """The keys of a contact; in most cases at least one counts."""
    return {"email": draw(emails()), "contactRef": draw(refs())}


@st.composite
def contact_fields(draw: Any) -> Any:
    """Details in one of the spellings that occur."""
    fields = {
        "firstName": draw(one_of("Ann", "Anna", "", None, wire.ABSENT)),
        "lastName": draw(one_of("Li", " ", "Lo", wire.ABSENT)),
        "country": draw(one_of("FR", None, wire.ABSENT)),
        "area": draw(one_of("FR", "DE", None)),
        "postcode": draw(one_of(*POSTCODES)),
        "salutation": draw(one_of("Dr", "", ["x"], wire.ABSENT, wire.ABSENT)),
    }
    if sometimes(draw, 4):
        country, number = draw(one_of("FR", None, "")), draw(one_of("123", None))
        fields["nationality"] = {"country": country, "documentNumber": number}
    return fields | draw(addresses())


@st.composite
def addresses(draw: Any) -> Any:
    """Nested, or flat with `locality` or `city`, with `streetNumber` or `street_number`."""
    number, town = draw(one_of("streetNumber", "street_number")), draw(one_of("locality", "city"))
    address = {
        "street": draw(one_of(*STREETS)),
        number: draw(one_of("1", wire.ABSENT, wire.ABSENT, None)),
        town: draw(one_of(*TOWNS)),
        "region": draw(one_of("North", wire.ABSENT, wire.ABSENT)),
    }
    return {"address": address} if draw(st.booleans()) else address


@st.composite
def privacies(draw, statuses=STATUSES):
    """Privacy of version 2, in either spelling, at times null or empty."""
    if sometimes(draw, 8):
        return draw(one_of(None, {}))
    changed = draw(one_of("emailStatusChanged", "emailStatusChange"))
    return wire.without_absent(
        {
            "optIn": draw(one_of(True, True, False, None)),
            "givenAt": draw(one_of(*TIMES, None)),
            "withConsent": draw(one_of(True, True, False, wire.ABSENT)),
            "emailStatus": draw(one_of(*statuses)),
            changed: draw(one_of(*TIMES, None, wire.ABSENT)),
        }
    )


@st.composite
def form_fields(draw: Any) -> Any:
    names = draw(st.lists(one_of(*FORM_FIELDS), max_size=3, unique=True))
    return {name: draw(one_of(*FORM_FIELDS[name])) for name in names}


@st.composite
def places(draw: Any) -> Any:
    """Page, campaign and org; pages 21 and 22 belong to an org each, page 12 to either."""
    org, page = draw(one_of(*ORGS)), draw(st.integers(0, 2))
    return {
        "orgId": org,
        "actionPageId": (12, 20 + org)[page > 0],
        "campaignId": draw(one_of(3, 4)),
        "org": {"name": draw(one_of("greens", "reds", "")), "title": draw(one_of("A", "B", None))},
        "actionPage": {
            "name": draw(one_of("forest/en", "forest/de")),
            "locale": draw(one_of("en", "de_AT", "", None)),
        },
        "campaign": {
            "name": draw(one_of("forest", "river")),
            "title": draw(one_of("Forest", None)),
            "externalId": draw(one_of(None, 0, 1984)),
            "contactSchema": draw(one_of("basic", "eci")),
        },
    }


@st.composite
def donations(draw: Any) -> Any:
    if not sometimes(draw, 4):
        return wire.ABSENT
    return {
        "payload": {"customer": "cus_1"},
        "amount": draw(one_of(900, 1500)),
        "currency": draw(one_of("EUR", "JPY")),
        "frequencyUnit": draw(one_of("one_off", "monthly")),
        "schema": draw(one_of("stripe_payment_intent", "other")),
    }


@st.composite
def trackings(draw: Any) -> Any:
    if not sometimes(draw, 3):
        return draw(one_of(None, {}))
    names = ("source", "medium", "campaign", "content", "location")
    return {name: draw(one_of("unknown", "mail", "")) for name in names}


@st.composite
def actions(draw: Any) -> Any:
    """An action of version 2."""
    drawn = {
        "actionId": draw(one_of(*ACTION_IDS)),
        "stage": draw(one_of(*STAGES)),
        "createdAt": draw(one_of(*TIMES)),
        "testing": sometimes(draw, 6),
        "actionType": draw(one_of("register", "share")),
        draw(one_of("customFields", "customFields", "fields")): draw(form_fields()),
        "donation": draw(donations()),
        "tracking": draw(trackings()),
        "privacy": draw(privacies()),
        "dupeRank": draw(one_of(0, 1, None)),
        **draw(contact_keys()),
        **draw(contact_fields()),
        **draw(places()),
    }
    if "fields" in drawn:
        drawn["customFields"] = wire.ABSENT
    return wire.an_action(**drawn)


@st.composite
def v1_actions(draw: Any) -> Any:
    """An action of version 1: personal data in the payload, privacy full or null."""
    keys, fields = draw(contact_keys()), draw(contact_fields())
    payload = wire.without_absent({"email": keys["email"], **fields})
    payload.pop("firstName", None)
    consent = {"communication": draw(st.booleans()), "givenAt": draw(one_of(*TIMES))}
    return wire.v1_action(
        actionId=draw(one_of(*ACTION_IDS)),
        stage=draw(one_of(*STAGES)),
        createdAt=draw(one_of(*TIMES)),
        testing=sometimes(draw, 6),
        fields=draw(form_fields()),
        donation=draw(donations()),
        tracking=draw(trackings()),
        privacy=draw(one_of(consent, consent, None)),
        payload="" if sometimes(draw, 6) else payload,
        ref=keys["contactRef"],
        firstName=draw(one_of("Ann", "Anna", None)),
        **draw(places()),
    )


@st.composite
def events(draw: Any) -> Any:
    """An email status; newer servers name the action, older ones do not."""
    privacy = draw(privacies(EVENT_STATUSES))
    if privacy:
        privacy["withConsent"] = False
    body = wire.an_event(
        eventType=draw(one_of("email_status", "supporter.email_status")),
        timestamp=draw(one_of(*TIMES)),
        **draw(contact_keys()),
        **draw(contact_fields()),
    )
    body["supporter"]["privacy"] = privacy
    if draw(st.booleans()):
        at = draw(places())
        del at["orgId"], at["org"]
        action = {"testing": sometimes(draw, 4), "createdAt": draw(one_of(*TIMES)),
                  "customFields": draw(form_fields())}  # fmt: skip
        body |= {"actionId": draw(one_of(*ACTION_IDS)), "action": action, **at}
    return body


@st.composite
def campaign_updates(draw: Any) -> Any:
    at = draw(places())
    return wire.campaign_updated(
        eventType=draw(one_of("campaign_updated", "system.campaign_updated")),
        timestamp=draw(one_of(*TIMES)),
        campaignId=at["campaignId"],
        id=at["campaignId"],
        orgId=at["orgId"],
        title=draw(one_of("Forest", "Wood", "")),
        config=draw(one_of({}, {"locales": ["en"]}, {"a": 1})),
        org=at["org"],
    )


@st.composite
def system_messages(draw: Any) -> Any:
    return wire.system_message(createdAt=draw(one_of(*TIMES)), **draw(places()))


def bodies() -> Any:
    """Any message as it may be on a queue."""
    return st.one_of(
        actions(), actions(), actions(), v1_actions(), events(), events(),
        campaign_updates(), system_messages(),
    )  # fmt: skip


def keys() -> Any:
    return st.one_of(
        one_of(*EMAILS).map(lambda email: {"email": email}),
        one_of(*REFS).map(lambda ref: {"contact_ref": ref}),
    )


def messages() -> Any:
    return st.builds(given.message, bodies(), one_of(*READERS))


@st.composite
def edits(draw, with_email: bool = True) -> dict:
    names = [name for name in EDITABLE if with_email or name != "email"]
    chosen = draw(st.lists(one_of(*names), min_size=1, max_size=3, unique=True))
    return {
        "kind": "edit",
        "key": draw(keys()),
        "at": draw(one_of(*TIMES)),
        "set": {name: draw(one_of(*EDITABLE[name])) for name in chosen},
        "postcode_seen": draw(one_of("1000", "2000", None)),
    }


@st.composite
def entries(draw: Any) -> Any:
    """Words of people and CRMs; address stops have an address, imports hold stops only."""
    consent, key = draw(one_of(*ENTRY_KINDS)), draw(keys())
    must_name = consent in ("bounce", "blocked", "inactive")
    stop = consent not in ("opt_in", "opt_out", "double_opt_in")
    org = draw(one_of(*ORGS, None) if stop or consent == "double_opt_in" else one_of(*ORGS))
    return {
        "kind": "entry",
        "key": key,
        "org": org,
        "consent": consent,
        "at": draw(one_of(*TIMES)),
        "email": draw(one_of(*EMAILS) if must_name else one_of(*EMAILS, None, None)),
        "source": draw(one_of("crm", "admin", "api", *(["import"] if stop else []))),
        "destination": draw(one_of("", "mail")),
        "note": draw(one_of("", "asked by phone")),
    }


def marks() -> Any:
    return st.builds(
        lambda who, at: {"kind": "mark", "keys": who, "at": at},
        st.lists(keys(), min_size=1, max_size=2),
        one_of(*TIMES),
    )


def sharings() -> Any:
    return st.builds(
        lambda email, at, shared: given.shared(email, at=at, shared=shared),
        one_of(*EMAILS[:2]),
        one_of(*TIMES),
        one_of(True, True, False),
    )


def contacts_of(said: list[dict]) -> list[list]:
    """The contacts that the messages of a list give."""
    found = set()
    for item in said:
        if item["kind"] == "message":
            try:
                message = read(item["body"], item["reader"])
            except UnreadableError:
                continue
            if message.kind != "fields" and message.keys:
                found.add(message.contact)
    return sorted(([*contact] for contact in found), key=repr)


@st.composite
def links(draw, contacts: list[list], undo: bool) -> dict:
    one, other = draw(st.permutations(contacts))[:2]
    make = given.undo if undo and sometimes(draw, 3) else given.merge
    return make(one, other, at=draw(one_of(*TIMES)))


@st.composite
def items(draw, *, max_messages: int = 6, shared: bool = False, undo: bool = True,
          marks_drawn: bool = True, merges: bool = True) -> Any:  # fmt: skip
    """A list of items. `shared`, `undo`, `marks_drawn`, `merges`: whether such items occur."""
    said = draw(st.lists(messages(), min_size=1, max_size=max_messages))
    # An email edit by a shared email has no single obvious reading: see READINGS.md.
    said += draw(st.lists(edits(with_email=not shared), max_size=2))
    said += draw(st.lists(entries(), max_size=3))
    if marks_drawn:
        said += draw(st.lists(marks(), max_size=2))
    contacts = contacts_of(said)
    if merges and len(contacts) > 1:
        said += draw(st.lists(links(contacts, undo), max_size=3))
    if shared:
        said += draw(st.lists(sharings(), min_size=1, max_size=2))
    return draw(st.permutations(said))


def policies() -> Any:
    """Policies of the organisations that have been given one."""
    return st.dictionaries(one_of(*ORGS), one_of("opt_in", "double_opt_in"), max_size=2)
