"""The contact of a message: opened and overlaid first, judged afterwards.

A message that we cannot open is refused, never stored as if it had no details.
"""

from __future__ import annotations

from typing import Any

from sync.proca import wire
from sync.proca.encryption import KeyStore, open_personal_info
from sync.proca.shapes import Code, Contact
from sync.proca.values import is_empty, text
from sync.proca.wire import Refused

_DETAILS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "phone": "phone",
    "birthDate": "birth_date",
    "street": "street",
    "streetNumber": "street_number",
    "postcode": "postcode",
    "locality": "locality",
    "region": "region",
    "country": "country",
    "area": "area",
}
#: Spellings that give way to the one above where both occur.
_SYNONYMS = {"street_number": "street_number", "city": "locality"}
#: Keys that are no details of the person. Identity documents are read nowhere and kept nowhere.
_DOCUMENTS = frozenset({"documentType", "documentNumber"})
_KNOWN = _DOCUMENTS | {
    "email",
    "contactRef",
    "ref",
    "dupeRank",
    "dupeSamePage",
    "payload",
    "nonce",
    "publicKey",
    "signKey",
    "personalInfo",
}
#: Longest email or contactRef in bytes of UTF-8: an index row of PostgreSQL ends at about 2,700.
MAX_KEY_BYTES = 1_000
_MAX_BYTES_PER_CHARACTER = 4


def opened_contact(holder: dict[str, Any], keys: KeyStore, where: str) -> dict[str, Any]:
    """Return the contact of a message (or of an event's `supporter`) with its personal data laid over it.

    `where` is the path of the holder, `""` or `"supporter."`. Raises `Refused`.
    """
    contact = holder.get("contact")
    if contact is None:
        contact = {}
    if type(contact) is not dict:
        raise Refused(Code.WRONG_TYPE, where + "contact")
    info = holder.get("personalInfo")
    if not is_empty(info):
        where += "personalInfo"
        contact = _overlaid(contact, _opened(open_personal_info(info, keys, where), where))
    elif not is_empty(contact.get("payload")):
        contact = _overlaid(contact, _payload_of_version_1(contact, keys, where + "contact.payload"))
    return contact


def read_contact(contact: dict[str, Any], where: str) -> Contact:
    """Return what an opened contact object says. `where` is its path."""
    details: dict[str, Any] = {}
    others: dict[str, Any] = {}
    extra = _sorted_out(contact, details, others)
    address = extra.pop("address", None)
    if type(address) is dict:
        flat = details.copy()
        address = _sorted_out(address, details, others)
        details |= flat
    if not is_empty(address):
        extra["address"] = address
    if others:
        details = others | details
    if "nationality" in extra:
        _keep_country_only(extra)
    return Contact(
        email=_key(contact, ("email",), where),
        ref=_key(contact, ("contactRef", "ref"), where),
        details=details,
        extra=extra,
    )


def without_documents(value: Any) -> Any:
    """Return the value without types and numbers of identity documents, at all depths."""
    if type(value) is list:
        return [without_documents(one) for one in value]
    if type(value) is dict:
        return {key: without_documents(one) for key, one in value.items() if key not in _DOCUMENTS}
    return value


def nul_in_key(contact: Any) -> str | None:
    """Return the identifying key of a contact object whose value holds U+0000.

    A payload of version 1 holds them as text, where a raw U+0000 cannot be told from one inside an email.
    """
    if type(contact) is not dict:
        return None
    values = ((key, contact.get(key)) for key in ("email", "contactRef", "ref", "payload"))
    return next((key for key, value in values if type(value) is str and "\0" in value), None)


def _sorted_out(contact: dict[str, Any], details: dict[str, Any], synonyms: dict[str, Any]) -> dict[str, Any]:
    """Put the details of a contact or address object where they belong and return the rest that is kept.

    A detail that is neither text nor number stays in the rest under its own key: there it harms nobody.
    """
    rest = {}
    for key, value in contact.items():
        name = _DETAILS.get(key)
        known = text(value) if name or key in _SYNONYMS else None
        if known is None:
            if key not in _KNOWN and not is_empty(value):
                rest[key] = value
        elif name:
            details[name] = known
        else:
            synonyms.setdefault(_SYNONYMS[key], known)
    return rest


def _keep_country_only(extra: dict[str, Any]) -> None:
    """Reduce `nationality` to its country: the rest numbers an identity document."""
    nationality = extra.pop("nationality")
    country = text(nationality.get("country")) if type(nationality) is dict else None
    if country:
        extra["nationality"] = {"country": country}


def _key(contact: dict[str, Any], spellings: tuple[str, ...], where: str) -> str:
    """Return an email or contactRef as sent; one that is no text is refused: it would be guessed."""
    for spelling in spellings:
        value = contact.get(spelling)
        if value is None or value == "":
            continue
        if type(value) is not str:
            raise Refused(Code.WRONG_TYPE, where + "." + spelling)
        if len(value) * _MAX_BYTES_PER_CHARACTER > MAX_KEY_BYTES and len(value.encode()) > MAX_KEY_BYTES:
            raise Refused(Code.TOO_LONG, where + "." + spelling)
        return value
    return ""


def _payload_of_version_1(contact: dict[str, Any], keys: KeyStore, where: str) -> dict[str, Any]:
    """Return the personal data in a contact of version 1: JSON text, or ciphertext where there is a nonce."""
    payload = contact["payload"]
    if not is_empty(contact.get("nonce")):
        info = {
            "payload": payload,
            "nonce": contact["nonce"],
            "encryptKey": contact.get("publicKey"),
            "signKey": contact.get("signKey"),
        }
        return _opened(open_personal_info(info, keys, where), where)
    if type(payload) is dict:
        return payload
    if type(payload) is not str:
        raise Refused(Code.BAD_PERSONAL_INFO, where)
    return _opened(payload.encode(), where)


def _opened(clear: bytes, where: str) -> dict[str, Any]:
    """Return the contact fields in a clear text; JSON null is nothing."""
    if clear.strip() == b"null":
        return {}
    try:
        fields = wire.decode(clear)
    except Refused:
        raise Refused(Code.BAD_PERSONAL_INFO, where) from None
    if wire.may_hold_nul(clear):
        fields = wire.without_nul_in_keys(fields)
        damaged = nul_in_key(fields)
        if damaged:
            raise Refused(Code.NUL, where + "." + damaged)
        fields = wire.without_nul(fields)
    return fields


def _overlaid(contact: dict[str, Any], opened: dict[str, Any]) -> dict[str, Any]:
    """Lay the opened fields over the clear ones; an empty one covers nothing."""
    return contact | {key: value for key, value in opened.items() if not is_empty(value)}
