"""Sets at close quarters: two people, three moments, and few values, so that nearly everything meets.

`items(random)` draws from any `random.Random`, also from Hypothesis's own, which makes a failing set smaller. Wide
sets, with every spelling that occurs, are in `tests.oracle.strategies`.
"""

from tests.oracle import given, strategies, wire

#: `casefold()` makes one of these two and `lower()` does not.
EMAILS = ("straße@example.org", "strasse@example.org")
REFS = ("ref-a", "ref-b")
MOMENTS = ("2026-05-01T12:00:00Z", "2026-05-02T12:00:00Z", "2026-05-03T12:00:00Z")
STOPS = ("bounce", "blocked", "inactive", "unsub", "spam")
#: How many items of each kind a set of a theme has at most, and how many people it speaks of.
THEMES = {
    "consent": {"people": 1, "action": 3, "event": 3, "entry": 2},
    "details": {"people": 1, "action": 4, "event": 2, "edit": 2},
    "identity": {"people": 2, "action": 5, "event": 1, "link": 3, "edit": 1},
    "erasure": {"people": 2, "action": 4, "event": 3, "entry": 2, "edit": 1, "link": 2, "mark": 2},
    "sharing": {"people": 2, "action": 4, "event": 2, "entry": 2, "link": 1, "sharing": 2, "mark": 1},
}


def items(random, themes=tuple(THEMES)):
    """A set of one of these themes."""
    theme = dict(THEMES[random.choice(themes)])
    people = theme.pop("people")
    said = []
    for kind in ("action", "event", "entry", "edit", "mark", "sharing"):
        least = 1 if kind in ("action", "sharing") and kind in theme else 0
        number = random.randint(least, theme.get(kind, 0))
        said += [MAKERS[kind](random, people, "sharing" in theme) for _ in range(number)]
    contacts = strategies.contacts_of(said)
    if len(contacts) > 1:
        said += [link(random, contacts) for _ in range(random.randint(0, theme.get("link", 0)))]
    return said


def one_in(random, times):
    return random.randint(1, times) == times


def contact(random, people):
    """Somebody by email, by reference, by both, or now and then by nothing."""
    who = random.randrange(people)
    other = random.randrange(people)
    email = None if one_in(random, 4) else random.choice((EMAILS[who], EMAILS[who].upper().replace("SS", "ss")))
    ref = None if one_in(random, 4) else REFS[other if one_in(random, 3) else who]
    return {"email": email, "contactRef": ref}


def key(random, people):
    who = random.randrange(people)
    return random.choice(({"email": EMAILS[who]}, {"contact_ref": REFS[who]}))


def details(random):
    return {
        "firstName": random.choice(("Ann", "Bea", None)),
        "postcode": random.choice(("1000", "2000", wire.ABSENT)),
        "street": random.choice(("Oak 1", "Elm 2", wire.ABSENT)),
    }


def action(random, people, _):
    with_consent = not one_in(random, 3)
    return given.message(
        wire.an_action(
            actionId=random.randint(1, 3),
            stage=random.choice(("deliver", "deliver", "deliver", "supporter_confirm")),
            testing=one_in(random, 8),
            createdAt=random.choice(MOMENTS),
            givenAt=random.choice((*MOMENTS, None)),
            withConsent=with_consent,
            optIn=random.choice((True, True, False, None)),
            emailStatus=random.choice((None, None, "double_opt_in", random.choice(STOPS))),
            emailStatusChanged=random.choice((*MOMENTS, None)),
            orgId=random.randint(1, 2),
            customFields=random.choice(({}, {"comment": "a"}, {"comment": "b"}, {"street": "Fir 3"})),
            **contact(random, people),
            **details(random),
        ),
        random.choice((1, 1, 2)),
    )


def event(random, people, _):
    body = wire.an_event(
        timestamp=random.choice(MOMENTS),
        emailStatus=random.choice(("double_opt_in", "double_opt_in", random.choice(STOPS))),
        emailStatusChanged=random.choice((*MOMENTS, None)),
        optIn=random.choice((True, False, None)),
        givenAt=random.choice((*MOMENTS, None)),
        **contact(random, people),
        **details(random),
    )
    if one_in(random, 2):
        body |= {"actionId": random.randint(1, 3), "action": {"testing": one_in(random, 6)}}
    return given.message(body, random.choice((1, 1, 2)))


def entry(random, people, _):
    kind = random.choice((*STOPS, "double_opt_in", "opt_in"))
    must_name = kind in ("bounce", "blocked", "inactive")
    return {
        "kind": "entry",
        "key": key(random, people),
        "org": random.choice((1, 2) if kind == "opt_in" else (1, 2, None)),
        "consent": kind,
        "at": random.choice(MOMENTS),
        "email": random.choice(EMAILS[:people] if must_name else (*EMAILS[:people], None)),
        "source": random.choice(("crm", "admin", "api")),
        "destination": random.choice(("", "mail")),
        "note": random.choice(("", "asked by phone")),
    }


def edit(random, people, with_shared):
    names = ["first_name", "postcode", "street", *([] if with_shared else ["email"])]
    values = {
        "first_name": ("Ann", "Zoe", None),
        "postcode": ("1000", "3000", None),
        "street": ("Oak 1", "Yew 9", None),
        "email": EMAILS[:people],
    }
    return {
        "kind": "edit",
        "key": key(random, people),
        "at": random.choice(MOMENTS),
        "set": {name: random.choice(values[name]) for name in random.sample(names, 2)},
        "postcode_seen": random.choice(("1000", "2000", None)),
    }


def mark(random, people, _):
    return {"kind": "mark", "keys": [key(random, people)], "at": random.choice(MOMENTS)}


def sharing(random, people, _):
    return given.shared(EMAILS[random.randrange(people)], at=random.choice(MOMENTS), shared=not one_in(random, 3))


def link(random, contacts):
    one, other = random.sample(contacts, 2)
    make = given.undo if one_in(random, 3) else given.merge
    return make(one, other, at=random.choice(MOMENTS))


MAKERS = {"action": action, "event": event, "entry": entry, "edit": edit, "mark": mark, "sharing": sharing}
