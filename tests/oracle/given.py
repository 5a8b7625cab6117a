"""Builders of the items that `oracle.state` takes."""

from .wire import MAY_2, MAY_4, MAY_5


def key(who) -> dict:
    """A text with an @ is an email, any other a contactRef."""
    return {"email": who} if "@" in who else {"contact_ref": who}


def message(body: dict, reader: int | None = 1) -> dict:
    return {"kind": "message", "reader": reader, "body": body}


def edit(who="ann@example.org", *, at=MAY_4, seen=None, **values) -> dict:
    """Details by hand; `seen` is the postcode that the editor saw."""
    return {"kind": "edit", "key": key(who), "at": at, "set": values, "postcode_seen": seen}


def entry(consent: str, who="ann@example.org", *, at=MAY_2, org=1, email=None, source="crm",
          destination="", note="") -> dict:  # fmt: skip
    return {
        "kind": "entry",
        "key": key(who),
        "org": org,
        "consent": consent,
        "at": at,
        "email": email,
        "source": source,
        "destination": destination,
        "note": note,
    }


def mark(*who, at=MAY_5) -> dict:
    """`who`: all keys of the person at that moment."""
    return {"kind": "mark", "keys": [key(one) for one in who], "at": at}


def merge(one, other, *, at=MAY_2) -> dict:
    return {"kind": "merge", "a": list(one), "b": list(other), "at": at}


def undo(one, other, *, at=MAY_2) -> dict:
    return merge(one, other, at=at) | {"kind": "undo"}


def shared(email="ann@example.org", *, at=MAY_2, shared=True) -> dict:
    return {"kind": "shared", "email": email, "at": at, "shared": shared}
