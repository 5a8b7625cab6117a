"""A person who goes through every door, and the search for what is left of them.

Nothing that is said of this person is said of anybody else, so whatever is found anywhere is theirs.
"""

import base64
import json
import subprocess
import time
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from sync.access.tokens import Scope, issue
from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import Contact, Subscription, Supporter
from sync.proca import times
from sync.proca.encryption import KeyStore
from sync.store import asked
from sync.store.asked import Said
from sync.terms import Source
from tests.builders import (
    KEYS,
    OTHER_KEYS,
    a_confirm_created,
    a_system_message,
    an_action,
    an_action_of_version_1,
    an_email_status,
    encrypted,
    wire,
)

HOUR = 3_600_000_000
NOW = time.time_ns() // 1000

EMAIL, OTHER_EMAIL, EDITED_EMAIL = "qüentzal.kanari@example.org", "kanari.zwei@example.org", "kanari.drei@example.org"
REF, OTHER_REF = "kanariREF0000000000000000000000000000000001", "kanariREF0000000000000000000000000000000002"
#: By what this person would be known in any text.
TRACES = (
    EMAIL,
    OTHER_EMAIL,
    EDITED_EMAIL,
    REF,
    OTHER_REF,
    "Qüentzalina",
    "Von Kanarienvogel",
    "+33698765432",
    "Rue du Canari 77",
    "Kanaria-les-Bains",
    "1931-07-29",
    "kanari writes a comment",
    "kanari gave by card cus_K4N4R1",
    "kanari-source-of-tracking",
    "kanari asked on the phone",
    "kanari-salutation",
    "Edited Kanarina",
)
BYSTANDER = {"email": "bystander@example.org", "contactRef": "bystander-ref"}


def ago(hours):
    """A time so many hours before now, as Proca writes it."""
    return times.format(NOW - hours * HOUR)


def contact(email=EMAIL, ref=REF):
    return {
        "email": email,
        "contactRef": ref,
        "firstName": "Qüentzalina",
        "lastName": "Von Kanarienvogel",
        "phone": "+33698765432",
        "birthDate": "1931-07-29",
        "salutation": "kanari-salutation",
        "address": {"locality": "Kanaria-les-Bains", "street": "Rue du Canari 77"},
    }


def a_sign_up(number, hours=48, **more):
    """An action with everything that a person can say."""
    at = ago(hours)
    return an_action(
        actionId=number,
        contact=more.pop("contact", contact()),
        action={
            "createdAt": at,
            "customFields": {"comment": "kanari writes a comment", "q": ["kanari writes a comment"]},
            "donation": {
                "payload": {"customer": "kanari gave by card cus_K4N4R1"},
                "amount": 1500,
                "currency": "EUR",
                "frequencyUnit": "one_off",
                "schema": "kanari gave by card cus_K4N4R1",
            },
        },
        privacy={"givenAt": at},
        tracking={"source": "kanari-source-of-tracking"},
        **more,
    )


def an_event(status, action=1, **keys):
    at = ago(40)
    who = {"contact": contact(**keys), "privacy": {"emailStatusChanged": at, "givenAt": at}}
    return an_email_status(status, timestamp=at, actionId=action, supporter=who)


def messages():
    """What comes by queue: both versions, encrypted, events, before delivery, testing, for notices, and for nobody."""
    version_1 = {"lastName": "Von Kanarienvogel", "phone": "+33698765432"}
    return [
        a_sign_up(1),
        a_sign_up(2, stage="supporter_confirm"),
        a_sign_up(3, contact=contact(OTHER_EMAIL, OTHER_REF)),
        an_action_of_version_1(
            actionId=4, contact={"ref": REF, "firstName": "Qüentzalina", "email": EMAIL}, personal=version_1
        ),
        encrypted(a_sign_up(5), KEYS),
        an_event("double_opt_in"),
        an_event("double_opt_in", action=77),
        an_event("bounce"),
        an_event("dancing"),
        an_event("spam", ref=None),
        a_confirm_created(confirm={"message": f"Ask {EMAIL}.", "email": EMAIL}, timestamp=ago(30)),
        a_system_message(action={"customFields": {"who": REF}, "createdAt": ago(30)}),
        an_action(actionId=6, contact=BYSTANDER, action={"createdAt": ago(48)}, privacy={"givenAt": ago(48)}),
    ]


def unreadable():
    """What ends in quarantine: locked for somebody else, broken, cut off, escaped."""
    return [
        wire(encrypted(a_sign_up(7), OTHER_KEYS)),
        wire(a_sign_up(8) | {"schema": "proca:action:9"}),
        wire(a_sign_up(9))[:-40],
        json.dumps({"who": EMAIL.upper()}).encode() + b"}",
        b'{"ref": "' + OTHER_REF.encode() + b'"',
    ]


def take_in(bodies, keys=KEYS):
    bodies = [one if isinstance(one, bytes) else wire(one) for one in bodies]
    return take([Raw(body=one, queue="cus.7.deliver", reader=7) for one in bodies], keys, now=NOW)


class Doors:
    """Every way in. `walk` sends the person through all of them and returns their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.desk = Client()
        self.desk.force_login(User.objects.create_superuser("operator", password="operator-password"))
        scopes = {name: issue(name, [Scope(name)], org=None, actor="test")[1] for name in ("write", "admin")}
        scopes["ingest"] = issue("ingest", [Scope.INGEST], org=7, actor="test")[1]
        self.clients = {name: Client(headers={"authorization": f"Bearer {text}"}) for name, text in scopes.items()}

    def walk(self):
        take_in(messages())
        take_in(unreadable(), KeyStore.empty())
        self.files()
        self.api()
        self.people()
        self.at_the_desk()
        return set(Contact.objects.filter(email__in=(EMAIL, OTHER_EMAIL)).values_list("supporter_id", flat=True))

    def files(self):
        (self.folder / "one.json").write_bytes(wire(a_sign_up(10)))
        call_command("consume_proca", file=[str(self.folder)], org=7, verbosity=0)

    def api(self):
        ann = whoever(EMAIL)
        self.send("ingest", "post", "proca/messages/", a_sign_up(11))
        self.send("ingest", "post", "proca/lookup/", {"email": EMAIL, "contactRef": REF})
        self.send("write", "post", "supporters/search/", {"email": EMAIL})
        self.send("write", "patch", f"supporters/{ann}/", {"first_name": "Edited Kanarina"})
        said = {"email": EMAIL, "org": 7, "kind": "unsub", "reason": "kanari asked on the phone"}
        self.send("write", "post", "consents/", said | {"occurred_at": ago(20)})
        mailed = Subscription.objects.get(supporter=ann).pk
        report = {"status": "subscribed", "reason": "kanari asked on the phone"}
        self.send("write", "patch", f"subscriptions/{mailed}/", report)

    def send(self, scope, verb, path, body):
        answer = getattr(self.clients[scope], verb)(f"/api/v1/{path}", body, content_type="application/json")
        assert answer.status_code in (200, 201), answer.content

    def people(self):
        """What operators and CRMs add, through the store's functions."""
        ann, other, bystander = whoever(EMAIL), whoever(OTHER_EMAIL), whoever(BYSTANDER["email"])
        crm = Said(source=Source.CRM, destination="mail", note="kanari asked on the phone")
        asked.edit(ann, {"email": EDITED_EMAIL})
        asked.merge(ann, other)
        asked.undo_merge(max(ann, other))
        asked.merge(ann, other)
        asked.share(EMAIL, shared=True)
        asked.share(EMAIL, shared=False)
        asked.add_consent(org=None, kind="blocked", said=crm, email=EDITED_EMAIL)
        # Noted for somebody else, and named all the same.
        asked.add_consent(org=7, kind="bounce", said=Said(source=Source.ADMIN), supporter=bystander, email=EMAIL)

    def at_the_desk(self):
        ann = Supporter.objects.get(pk=whoever(EMAIL))
        shown = {name: getattr(ann, name) or "" for name in ("email", *asked.DETAILS)}
        form = shown | {f"seen_{name}": value for name, value in shown.items()} | {"last_name": "Edited Kanarina"}
        entry = {"kind": "unsub", "org": "7", "email": "all", "occurred_at": "", "reason": "kanari asked on the phone"}
        for name, filled in (("edit", form), ("consent", entry)):
            answer = self.desk.post(reverse(f"admin:sync_supporter_{name}", args=[ann.pk]), filled)
            assert answer.status_code == 302, name
        self.desk.get(reverse("admin:sync_supporter_changelist"), {"q": EMAIL})
        self.desk.get(reverse("admin:sync_supporter_change", args=[ann.pk]))


def whoever(email):
    """The id of the supporter who has this address."""
    return Contact.objects.filter(email=email).values_list("supporter_id", flat=True).first()


# --- The search --------------------------------------------------------------------------------------


def forms_of(trace):
    """A trace in clear, escaped, in hexadecimal, and in base64 wherever it begins."""
    raw = trace.encode()
    forms = {trace, json.dumps(trace)[1:-1], json.dumps(json.dumps(trace))[2:-2], raw.hex()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode()
        whole = text[4 if before else 0 : len(text) // 4 * 4 - 4]
        forms |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return {form.lower() for form in forms if len(form) > 6}


FORMS = {form: trace for trace in TRACES for form in forms_of(trace)}


def traces_in(text):
    """Which traces are in a text, whatever their form and case."""
    text = text.lower()
    return sorted({trace for form, trace in FORMS.items() if form in text})


def columns_with_traces():
    """(table, column) of every value of the database in which there is a trace."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                found |= {(table, name) for name, value in zip(names, row, strict=True) if traces_in(_text(value))}
    return found


def _text(value):
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode(errors="replace") + bytes(value).hex()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def dump_of(database):
    """Everything that a backup would hold."""
    if database.vendor == "sqlite":
        with database.database.connect() as plain:
            return "\n".join(plain.iterdump())
    program = max(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), key=lambda path: int(path.parts[-3]))
    done = subprocess.run([program, database.url], capture_output=True, text=True, check=True)
    return done.stdout
