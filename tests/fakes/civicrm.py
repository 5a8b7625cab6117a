"""CiviCRM in memory, as far as APIv4 over REST is asked. There is no description of it for programs but what each site
says of its own entities at run time (`getFields`), so the fields that are used are written down here. What it checks
and how it answers, each with its source:

- `POST BASE/civicrm/ajax/api4` with the form field `calls`, or `…/ENTITY/ACTION` with `params`, both JSON; the header
  `X-Requested-With: XMLHttpRequest`, else 400 `SECURITY ALERT`; writing by GET: 405
  (https://github.com/civicrm/civicrm-core/blob/master/CRM/Api4/Page/AJAX.php).
- `X-Civi-Auth: Bearer KEY`; a wrong key: 401 as plain text; where the site has a guard, `X-Civi-Key` too
  (https://docs.civicrm.org/dev/en/latest/framework/authx/). Without a credential: 200, and nobody is found (seen).
- Each call gives `values`, or `error_code`, `error_message`, `status`; 200 as soon as one succeeded, else the status of
  the first that failed: 403 for a missing right, 500 for everything else; without `view debug output` the words are
  hidden (AJAX.php).
- Unknown parameters, entities and fields are errors (Civi/Api4/Generic/AbstractAction.php; fields: seen, 6.18).
- `save` finds a record again by `match` only where exactly one matches, and by the entity's own fields only
  (Civi/Api4/Generic/Traits/MatchParamTrait.php); it stops at the first bad record, and what is before it stays (seen).
- `email_primary.…`, `phone_primary.…`, `address_primary.…` write the first of each, `null` in the main one deletes it
  (Civi/Api4/Action/Contact/ContactSaveTrait.php).
- `external_identifier` is unique, in the trash too, at most 64 characters; a second one: `DB Error: already exists`
  (schema/Contact/Contact.entityType.php; words: seen).
- The address on hold gets `hold_date`, and loses it with the hold; one primary address a contact, one for bulk mail
  (CRM/Core/BAO/Email.php).
- Changes of a group are lines of `SubscriptionHistory` with `tracking`, a parameter of the call
  (Civi/Api4/Action/GroupContact/GroupContactSaveTrait.php, CRM/Contact/BAO/GroupContact.php).
- Entities without permissions of their own, as `SubscriptionHistory`, take `administer CiviCRM`, else 403
  (CRM/Core/Permission.php, Civi/Api4/SubscriptionHistory.php).
- Who opts out of all mail by its link gets such a line without a group (CRM/Mailing/Event/BAO/Unsubscribe.php).
- `modified_date` moves with the contact, its addresses, emails and phones; times have no zone (seen).
- An unknown country becomes null without a word; an unknown language is an error (seen).
- A contact is deleted into the trash unless `useTrash` is false; deleting it leaves its activities
  (Civi/Api4/Action/Contact/Delete.php; activities: seen).
- An activity needs `source_contact_id` (Civi/Api4/Service/Spec/Provider/ActivitySpecProvider.php), and
  `source_record_id` is an unsigned number of 32 bits (schema/Activity/Activity.entityType.php).
- A tag needs `name` of at most 64 characters (schema/Core/Tag.entityType.php).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from sync.connectors.contract import Request, Response

KEY = "a-key-of-the-api-user"
GROUP, OTHER_GROUP = 5, 6
PETITION, SIGNED_UP = 32, 55
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
_PATH = "/civicrm/ajax/api4"
_ALREADY = "DB Error: already exists"

_CONTACT = {
    *("id", "contact_type", "external_identifier", "first_name", "last_name", "display_name", "birth_date"),
    *("preferred_language", "is_opt_out", "do_not_email", "is_deleted", "modified_date", "source", "Extra.shoe_size"),
}
_ADDRESS = {"street_address", "postal_code", "city", "country_id:abbr", "state_province_id", "supplemental_address_1"}
FIELDS = {
    "Contact": _CONTACT,
    "Email": {"id", "contact_id", "email", "is_primary", "is_bulkmail", "on_hold", "hold_date"},
    "Phone": {"id", "contact_id", "phone", "is_primary"},
    "Address": {"id", "contact_id", "is_primary", *_ADDRESS},
    "GroupContact": {"id", "contact_id", "group_id", "status"},
    "SubscriptionHistory": {"id", "contact_id", "group_id", "status", "date", "tracking", "method"},
    "Activity": {
        *("id", "source_record_id", "activity_type_id", "subject", "details", "activity_date_time", "status_id:name"),
        *("is_test", "source_contact_id", "target_contact_id", "campaign_id"),
    },
    "ActivityContact": {"id", "activity_id", "contact_id", "record_type_id:name"},
    "Campaign": {"id", "name", "title", "is_active"},
    "Tag": {"id", "name", "label", "used_for"},
    "EntityTag": {"id", "entity_table", "entity_id", "tag_id"},
    "Group": {"id", "name", "title", "is_active", "is_hidden", "saved_search_id"},
    "OptionValue": {"id", "name", "label", "value", "is_active", "weight", "option_group_id:name"},
}
_JOINS = ("email_primary", "phone_primary", "address_primary")
_PARAMS = {
    "get": {"select", "where", "orderBy", "limit"},
    "save": {"records", "match", "tracking", "method"},
    "delete": {"where", "useTrash"},
    "getFields": {"action", "where", "select"},
    "checkAccess": {"action", "values"},
}
_UNIQUE = {"GroupContact": ("contact_id", "group_id"), "EntityTag": ("entity_table", "entity_id", "tag_id")}
_MANDATORY = {
    "Activity": ("source_contact_id", "activity_type_id"),
    "GroupContact": ("contact_id", "group_id"),
    "Tag": ("name",),
    "Campaign": ("name",),
    "EntityTag": ("entity_id", "tag_id"),
}


class _Refused(Exception):
    def __init__(self, words: str, status: int = 500) -> None:
        super().__init__(words)
        self.status = status


def _options(group: str, *rows: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "label": label, "value": value, "is_active": True, "weight": at, "option_group_id:name": group}
        for at, (name, label, value) in enumerate(rows)
    ]


class CiviCRM:
    """One site. `rights` are what the key may do; `words_hidden` as without `view debug output`."""

    settings: ClassVar = {
        "url": "https://crm.example.org",
        "key": KEY,
        "group": str(GROUP),
        "activity_type": str(SIGNED_UP),
        "timezone": "Europe/Paris",
    }
    reads_bodies = True
    #: How `stop` stops somebody.
    way = "group"

    def __init__(self) -> None:
        self.now: Callable[[], datetime] = lambda: NOW
        self.tables: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in FIELDS}
        self.refused: set[str] = set()
        self.rights = {"Contact.create", "Contact.update", "Contact.delete", "GroupContact.create", "Activity.create"}
        self.rights |= {"SubscriptionHistory.get"}
        self.has_campaigns = True
        self.words_hidden = False
        self.is_anonymous = False
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.guard: str | None = None
        self._ids = {name: itertools.count(1) for name in FIELDS}
        for row in (
            *_options("activity_type", ("Meeting", "Meeting", "1"), ("Petition", "Petition", str(PETITION))),
            *_options("activity_type", ("Signed up", "Signed up", str(SIGNED_UP))),
            *_options("languages", ("en_AU", "English (Australia)", "en"), ("en_US", "English (US)", "en")),
            *_options("languages", ("de_AT", "Deutsch (A)", "de"), ("de_DE", "Deutsch", "de"), ("fr_FR", "F", "fr")),
        ):
            self._add("OptionValue", row)
        for number, title, search in ((GROUP, "Newsletter", None), (OTHER_GROUP, "Bees", None), (7, "Smart", 9)):
            plain = {
                "name": title.lower(),
                "title": title,
                "is_active": True,
                "is_hidden": False,
                "saved_search_id": search,
            }
            self.tables["Group"][number] = {"id": number, **plain}
        self.me = self.contact("api@example.org", display_name="API user", first_name="API")

    # What a test says and sees.

    def contact(self, email: str | None = None, **values: Any) -> int:
        """Somebody who is there already."""
        row = self._add("Contact", {"contact_type": "Individual", "is_deleted": False, **values})
        if email:
            self._add("Email", {"contact_id": row["id"], "email": email, "is_primary": True, "on_hold": 0})
        row.setdefault("modified_date", self.wall())
        number: int = row["id"]
        return number

    def row(self, email: str) -> dict[str, Any]:
        """The one contact that is not in the trash and has this address."""
        (found,) = self.having(email)
        return found

    def having(self, email: str) -> list[dict[str, Any]]:
        """All contacts with this address but those in the trash."""
        ids = {one["contact_id"] for one in self.table("Email") if one["email"] == email}
        return [one for one in self.table("Contact") if one["id"] in ids and not one["is_deleted"]]

    def table(self, entity: str) -> list[dict[str, Any]]:
        """All rows of an entity."""
        return list(self.tables[entity].values())

    def groups(self, contact: int) -> dict[int, str]:
        """Where a contact is a member, or was."""
        return {one["group_id"]: one["status"] for one in self.table("GroupContact") if one["contact_id"] == contact}

    def wall(self, at: datetime | None = None) -> str:
        """A time as the site writes it."""
        return (at or self.now()).astimezone(PARIS).strftime("%Y-%m-%d %H:%M:%S")

    @property
    def people(self) -> dict[str, str]:
        """Every address of people in the CRM; the one that bulk mail goes to is `subscribed`."""
        return {
            one["email"]: "subscribed" if self._gets_mail(one) else "quiet"
            for one in self.table("Email")
            if one["contact_id"] != self.me and not self.tables["Contact"][one["contact_id"]]["is_deleted"]
        }

    def _gets_mail(self, email: dict[str, Any]) -> bool:
        contact = self.tables["Contact"][email["contact_id"]]
        if contact.get("is_opt_out") or contact.get("do_not_email") or email.get("on_hold"):
            return False
        theirs = [one for one in self.table("Email") if one["contact_id"] == contact["id"]]
        bulk = [one for one in theirs if one.get("is_bulkmail")]
        is_chosen = email.get("is_bulkmail") if bulk else email.get("is_primary")
        return bool(is_chosen) and "Added" in self.groups(contact["id"]).values()

    def stop(self, email: str, at: datetime) -> None:
        """Somebody leaves the newsletter, or all mail, or their address bounces."""
        contact = self.row(email)
        if self.way == "hold":
            (row,) = [one for one in self.table("Email") if one["email"] == email]
            row.update(on_hold=1, hold_date=self.wall(at))
        elif self.way == "opt_out":
            contact["is_opt_out"] = True
            self.line(contact["id"], None, "Removed", at)
        else:
            (row,) = [one for one in self.table("GroupContact") if one["contact_id"] == contact["id"]]
            row["status"] = "Removed"
            self.line(contact["id"], row["group_id"], "Removed", at)
        if self.way != "group":
            contact["modified_date"] = self.wall(at)

    def line(self, contact: int, group: int | None, status: str, at: datetime, tracking: str = "") -> None:
        """A line of the history of groups."""
        line = {"contact_id": contact, "group_id": group, "status": status, "date": self.wall(at), "method": "Email"}
        self._add("SubscriptionHistory", line | {"tracking": tracking})

    def refuse(self, email: str) -> None:
        """Nothing about this address can be saved."""
        self.refused.add(email)

    # HTTP.

    def send(self, request: Request) -> Response:
        """Answer a request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        parts = urlsplit(request.url)
        assert parts.path.startswith(_PATH), "the path of APIv4"
        assert headers["content-type"] == "application/x-www-form-urlencoded", "a JSON body is ignored without a word"
        if headers.get("x-requested-with") != "XMLHttpRequest":
            return _json(
                400, {"error_code": 400, "error_message": "SECURITY ALERT: Ajax requests can only be issued by"}
            )
        if headers.get("x-civi-auth") != f"Bearer {KEY}" or (self.guard and headers.get("x-civi-key") != self.guard):
            return Response(status=401, content=b"HTTP 401 Invalid credential")
        form = {name: values[0] for name, values in parse_qs(request.content.decode(), strict_parsing=True).items()}
        where = parts.path.removeprefix(_PATH).strip("/").split("/")
        if where != [""]:
            return _json(*self._call([*where, json.loads(form["params"])]))
        answers = [self._call(one) for one in json.loads(form["calls"])]
        status = 200 if any(one == 200 for one, _ in answers) else answers[0][0]
        return _json(status, [body for _, body in answers])

    def _call(self, call: list[Any]) -> tuple[int, dict[str, Any]]:
        entity, action, params = call
        self.calls.append((entity, action, params))
        try:
            values = self._run(entity, action, params)
        except _Refused as refused:
            words = "Sorry an error occurred and your request was not completed. (Error ID: x)"
            told = words if self.words_hidden else str(refused)
            code = "1" if self.words_hidden else 0
            return refused.status, {"error_code": code, "error_message": told, "status": refused.status}
        return 200, {"values": values, "entity": entity, "action": action, "version": 4, "count": len(values)}

    def _run(self, entity: str, action: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        if entity not in FIELDS or (entity == "Campaign" and not self.has_campaigns):
            raise _Refused(f"API ({entity}, {action}) does not exist (join the API team and implement it!)")
        if unknown := set(params) - _PARAMS[action]:
            raise _Refused(f"Unknown api parameter: {unknown}")
        if entity == "SubscriptionHistory" and "SubscriptionHistory.get" not in self.rights:
            raise _Refused("Authorization failed", 403)
        if action == "checkAccess":
            return [{"access": f"{entity}.{params['action']}" in self.rights}]
        if action == "getFields":
            return [{"name": one, "title": one.title()} for one in sorted(FIELDS[entity])]
        if action == "get":
            return self._get(entity, params)
        if action == "delete":
            return self._delete(entity, params)
        found = []
        for record in params["records"]:
            # One after the other: what was saved before a bad one stays.
            found.append(self._save(entity, dict(record), params))  # noqa: PERF401
        return found

    # Reading.

    def _get(self, entity: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [one for one in self.table(entity) if all(self._fits(entity, one, part) for part in params["where"])]
        if entity == "ActivityContact":
            rows = list(self._activity_contacts(params["where"]))
        (order,) = params["orderBy"]
        rows.sort(key=lambda one: (one[order], one["id"]))
        rows = rows[: params["limit"] or None]
        return [self._selected(entity, one, params["select"]) for one in rows]

    def _selected(self, entity: str, row: dict[str, Any], names: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            expression, _, alias = name.partition(" AS ")
            found[alias or name] = self.wall() if expression == "NOW()" else self._value(entity, row, name)
        return found

    def _activity_contacts(self, where: list[Any]) -> Iterator[dict[str, Any]]:
        (contacts,) = [part[2] for part in where if part[0] == "contact_id"]
        for one in self.table("Activity"):
            if one["source_contact_id"] in contacts:
                yield {"id": one["id"], "activity_id": one["id"], "contact_id": one["source_contact_id"]}

    def _value(self, entity: str, row: dict[str, Any], name: str) -> Any:
        join, _, inner = name.partition(".")
        if entity == "Contact" and join in _JOINS:
            other = join.removesuffix("_primary").title()
            theirs = [one for one in self.table(other) if one["contact_id"] == row["id"] and one.get("is_primary")]
            return theirs[0].get(inner) if theirs else None
        if entity == "Email" and join == "contact_id" and inner:
            return self.tables["Contact"][row["contact_id"]].get(inner)
        if entity == "EntityTag" and name == "tag_id.name":
            return self.tables["Tag"][row["tag_id"]]["name"]
        if name not in FIELDS[entity]:
            raise _Refused(f"Unknown field {name}")
        return row.get(name)

    def _fits(self, entity: str, row: dict[str, Any], part: list[Any]) -> bool:
        if part[0] == "OR":
            return any(self._fits(entity, row, one) for one in part[1])
        name, operator, *more = part
        if entity == "ActivityContact":
            return True
        held = self._value(entity, row, name)
        if operator == "IS NOT NULL":
            return held is not None
        (wanted,) = more
        if wanted == "user_contact_id":
            return held == self.me and not self.is_anonymous
        if isinstance(held, str) and name == "email":
            # The collation of its tables does not tell them apart.
            return held.lower() in {one.lower() for one in (wanted if operator == "IN" else [wanted])}
        held = held if held is not None or operator in ("=", "IN") else ""
        if operator == "IN":
            assert wanted, "IN () is an error of SQL"
            return held in wanted or (False in wanted and not held and isinstance(wanted[0], bool))
        if operator == "=":
            return held == wanted or (wanted is False and not held)
        assert operator in (">", ">=")
        return bool(held) and (held > wanted if operator == ">" else held >= wanted)

    # Writing.

    def _save(self, entity: str, record: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        self._check(entity, record)
        if not record.get("id"):
            record |= self._matched(entity, record, params.get("match", []))
        if any(str(value) in self.refused for value in record.values()):
            raise _Refused(f"{next(iter(self.refused))} is not wanted here")
        joined = {name: record.pop(name) for name in list(record) if name.partition(".")[0] in _JOINS}
        row = self.tables[entity].get(record.get("id", 0))
        if row is None:
            if "id" in record:
                raise _Refused(f"{entity} not found")
            if missing := [one for one in _MANDATORY.get(entity, ()) if record.get(one) in (None, "")]:
                raise _Refused(f"Mandatory values missing from Api4 {entity}::save: {', '.join(missing)}")
            if entity == "GroupContact" and record["group_id"] not in self.tables["Group"]:
                raise _Refused("DB Error: constraint violation")
            row = self._add(entity, {"is_deleted": False} if entity == "Contact" else {})
        if entity == "Email":
            self._email(row, record)
        row.update(record)
        self._save_joined(row["id"], joined)
        if entity == "GroupContact":
            self.line(row["contact_id"], row["group_id"], row["status"], self.now(), params.get("tracking", ""))
        self._touch(entity, row)
        return {"id": row["id"], **record}

    def _check(self, entity: str, record: dict[str, Any]) -> None:
        for name, value in record.items():
            join, _, inner = name.partition(".")
            known = FIELDS[join.removesuffix("_primary").title()] if join in _JOINS else FIELDS[entity]
            if (inner if join in _JOINS else name) not in known:
                raise _Refused(f"Unknown field {name}")
            if value == "$id":
                raise _Refused("Expected one Integer")
        if len(record.get("external_identifier") or record.get("name") or "") > 64:
            raise _Refused("DB Error: unknown error")
        if not 0 <= record.get("source_record_id", 0) < 2**32:
            raise _Refused("DB Error: unknown error")
        if len(record.get("first_name") or "") > 64:
            raise _Refused("DB Error: unknown error")
        if record.get("preferred_language") not in {None, *(one["name"] for one in self.table("OptionValue"))}:
            raise _Refused("'preferred_language' is not a valid option for field")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", record.get("birth_date") or "2000-01-01"):
            raise _Refused("birth_date is not a valid date")
        same = [one for one in self.table("Contact") if one.get("external_identifier")]
        if entity == "Contact" and any(
            one["external_identifier"] == record.get("external_identifier") and one["id"] != record.get("id")
            for one in same
        ):
            raise _Refused(_ALREADY)

    def _matched(self, entity: str, record: dict[str, Any], match: list[str]) -> dict[str, Any]:
        assert not any("." in one or ":" in one for one in match), "match knows the entity's own fields only"
        same = [one for one in self.table(entity) if match and all(one.get(name) == record[name] for name in match)]
        if len(same) == 1:
            return {"id": same[0]["id"]}
        unique = _UNIQUE.get(entity, ())
        if unique and any(all(one.get(name) == record[name] for name in unique) for one in self.table(entity)):
            raise _Refused(_ALREADY)
        return {}

    def _email(self, row: dict[str, Any], record: dict[str, Any]) -> None:
        contact = record.get("contact_id") or row["contact_id"]
        theirs = [one for one in self.table("Email") if one.get("contact_id") == contact and one is not row]
        if not theirs:
            record.setdefault("is_primary", True)
        for name in ("is_primary", "is_bulkmail"):
            if record.get(name):
                for one in theirs:
                    one[name] = False
        if record.get("on_hold") and not row.get("hold_date"):
            record["hold_date"] = self.wall()
        elif record.get("on_hold") == 0:
            record["hold_date"] = None

    def _save_joined(self, contact: int, joined: dict[str, Any]) -> None:
        for join in _JOINS:
            values = {name.partition(".")[2]: value for name, value in joined.items() if name.startswith(join)}
            entity = join.removesuffix("_primary").title()
            if values.get("country_id:abbr") not in (None, "FR", "DE", "BE"):
                values["country_id:abbr"] = None
            theirs = [one for one in self.table(entity) if one["contact_id"] == contact and one.get("is_primary")]
            if not values:
                continue
            if values.get(join.removesuffix("_primary"), "") is None:
                for one in theirs:
                    del self.tables[entity][one["id"]]
                continue
            row = theirs[0] if theirs else self._add(entity, {"contact_id": contact, "is_primary": True})
            if entity == "Email":
                self._email(row, values)
            row.update(values)

    def _touch(self, entity: str, row: dict[str, Any]) -> None:
        if entity in ("Contact", "Email", "Phone", "Address"):
            contact = row["id"] if entity == "Contact" else row["contact_id"]
            self.tables["Contact"][contact]["modified_date"] = self.wall()

    def _add(self, entity: str, values: dict[str, Any]) -> dict[str, Any]:
        number = next(self._ids[entity])
        row = {"id": number, **values}
        self.tables[entity][number] = row
        return row

    def _delete(self, entity: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        gone = [one for one in self.table(entity) if all(self._fits(entity, one, part) for part in params["where"])]
        for one in gone:
            if entity == "Contact" and params.get("useTrash", True):
                one["is_deleted"] = True
                continue
            if entity == "Contact":
                if "Contact.delete" not in self.rights:
                    raise _Refused("Authorization failed", 403)
                for other in ("Email", "Phone", "Address", "GroupContact", "SubscriptionHistory"):
                    for row in [row for row in self.table(other) if row["contact_id"] == one["id"]]:
                        del self.tables[other][row["id"]]
            del self.tables[entity][one["id"]]
        return [{"id": one["id"]} for one in gone]


def _json(status: int, body: Any) -> Response:
    return Response(status=status, headers={"content-type": "application/json"}, content=json.dumps(body).encode())
