"""The pure core alone, from items to the state that the oracle gives too."""

import json
from datetime import UTC, datetime

from sync.proca import messages
from sync.proca.encryption import KeyStore
from sync.proca.times import format as iso
from sync.proca.times import parse
from sync.rules import facts
from sync.rules.identity import email_key, ref_key
from sync.rules.kept import Kept
from sync.rules.people import People, Person
from sync.terms import DETAILS, to_instant
from tests.oracle.words import canonical

NOW = to_instant(datetime(2026, 11, 25, tzinfo=UTC))


def hash_key(kind: str, key: str) -> str:
    """A stand-in for the keyed hash: equal for equal keys, and no key in clear."""
    return kind + key.encode().hex()


def pair_of(key: dict):
    return email_key(key.get("email")), ref_key(key.get("contact_ref"))


def pair_of_contact(contact: list):
    return email_key(contact[0]), ref_key(contact[1])


def facts_of(item: dict):
    """The facts of one item, or nothing where it cannot be read."""
    kind = item["kind"]
    if kind == "message":
        body = json.dumps(item["body"]).encode()
        message = messages.read(body, KeyStore.empty(), now=NOW)
        if isinstance(message, messages.Unreadable):
            return None
        return facts.of_message(message, item["reader"])
    return ADDED[kind](item)


def edit(item: dict):
    changes = {name: value for name, value in item["set"].items() if value is None or value.strip()}
    changes |= {name: None for name in item["set"] if name not in changes}
    if "email" in changes:
        changes["email"] = email_key(changes["email"])
        if not changes["email"]:
            del changes["email"]
    return facts.edit(pair_of(item["key"]), changes, parse(item["at"]), item["postcode_seen"] or "")


def entry(item: dict):
    return facts.entry(
        pair_of(item["key"]),
        org=item["org"],
        kind=item["consent"],
        at=parse(item["at"]),
        email=email_key(item["email"]),
        source=item["source"],
        destination=item["destination"],
        note=item["note"],
    )


def mark(item: dict):
    return facts.Facts(marks=(facts.MarkFacts(parse(item["at"]), tuple(map(pair_of, item["keys"]))),))


def link(item: dict):
    pairs = pair_of_contact(item["a"]), pair_of_contact(item["b"])
    return facts.Facts(links=(facts.LinkFacts("hand", *pairs, parse(item["at"]), item["kind"]),))


def shared(item: dict):
    return facts.Facts(shared=(facts.SharedFacts(email_key(item["email"]), parse(item["at"]), item["shared"]),))


ADDED = {"edit": edit, "entry": entry, "mark": mark, "merge": link, "undo": link, "shared": shared}


def fold(items, policies=None, default_policy="opt_in", split=None):
    """The state after these items, settled after each batch of `split` items (or once)."""
    kept = Kept(hash_key)
    policies = policies or {}
    for number, item in enumerate(items, 1):
        said = facts_of(item)
        if said is not None:
            kept.fold(said)
        if split and number % split == 0:
            kept.settle()
    kept.settle()
    return shown(kept, People(kept, lambda org: policies.get(org, default_policy)), policies, default_policy)


def time(instant):
    if instant is None:
        return None
    text = iso(instant)
    return text if "." in text else text.replace("Z", ".000000Z")


def shown(kept: Kept, people: People, policies, default_policy) -> dict:
    return {
        "supporters": sorted((supporter(person) for person in people.all()), key=canonical),
        "actions": {action_id: action(told, people.owner_of(told)) for action_id, told in sorted(kept.actions.items())},
        **places(kept, policies, default_policy),
    }


def supporter(person: Person) -> dict:
    shown = person.details
    status = person.email_status or (None, None)
    return {
        "email": shown.email,
        "email_status": status[0],
        "email_status_changed_at": time(status[1]),
        **{name: shown.fields.get(name) for name in DETAILS},
        "language": person.language,
        "extra": shown.extra,
        "contact_refs": sorted(person.refs),
        "other_emails": sorted(person.emails - {shown.email}),
        "details_given_at": time(shown.given_at),
        "first_action_at": time(person.first_action_at),
        "last_action_at": time(person.last_action_at),
        "action_count": person.action_count,
        "subscriptions": [
            {
                "org": org,
                "status": one.status,
                "email": one.email,
                "status_changed_at": time(one.status_changed_at),
                "source": one.source,
            }
            for org, one in sorted(person.subscriptions.items())
        ],
        "consents": sorted(map(consent, person.entries.values()), key=canonical),
        "actions": sorted(person.actions),
    }


def consent(entry) -> dict:
    return {
        "org": entry.key.org or None,
        "kind": entry.key.kind,
        "email": entry.key.email or None,
        "occurred_at": time(entry.key.at),
        "source": entry.source,
        "destination": entry.destination or "",
        "action_id": entry.action_id,
        "counts": entry.counts,
        "note": entry.note or "",
    }


def action(told, owner) -> dict:
    fields = told.fields
    return {
        "stage": fields["stage"] or None,
        "testing": told.testing,
        "created_at": time(fields["created_at"]),
        "custom_fields": told.custom_fields(),
        "donation": fields["donation"],
        "dupe_rank": fields["dupe_rank"],
        "with_consent": told.with_consent,
        "opt_in": told.opt_in,
        "tracking": fields["tracking"],
        "action_type": fields["action_type"],
        "campaign": fields["campaign"],
        "action_page": fields["action_page"],
        "org": fields["org"],
        "supporter": None if owner is None else [[pair[0] or None, pair[1] or None] for pair in owner.pairs],
    }


def places(kept: Kept, policies, default_policy) -> dict:
    columns = {
        "campaign": ("campaigns", ("name", "title", "external_id", "contact_schema", "config", "org")),
        "page": ("action_pages", ("name", "locale", "campaign", "org")),
        "org": ("orgs", ("name", "title")),
    }
    found: dict = {"campaigns": {}, "action_pages": {}, "orgs": {}}
    for (table, proca_id), fields in sorted(kept.places.items()):
        name, names = columns[table]
        found[name][proca_id] = {one: fields[one][4] if one in fields else None for one in names}
        if table == "org":
            found[name][proca_id]["policy"] = policies.get(proca_id, default_policy)
    return found
