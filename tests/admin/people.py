"""Messages taken in for the tests of the desk, and people who may use it."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import Supporter
from sync.proca.encryption import KeyStore
from tests.builders import an_action, an_email_status, wire


def taken(*messages: Any, reader: int | None = 7, queue: str = "file") -> list[Any]:
    """Take these messages in, as the consumer does."""
    bodies = [one if isinstance(one, bytes) else wire(one) for one in messages]
    raws = [Raw(body=body, queue=queue, reader=reader) for body in bodies]
    return list(take(raws, KeyStore.empty(), now=time.time_ns() // 1000))


def anne() -> Supporter:
    """Anne, with an action, an opt-in and its confirmation."""
    taken(an_action(), an_email_status())
    return Supporter.objects.get(email="anne.martin@example.org")


def somebody(number: int, **changes: Any) -> dict[str, Any]:
    """Return an action of one of many people."""
    contact = {"contactRef": f"ref-{number}", "email": f"p{number}@example.org", "firstName": f"P{number}"}
    return an_action(actionId=number, contact=contact | changes.pop("contact", {}), **changes)


def crowd(number: int, first: int = 10_000) -> None:
    """Take in an action of each of so many people."""
    taken(*(somebody(first + one) for one in range(number)))


def client_of(*permissions: str) -> Client:
    """Return a browser in which somebody with these permissions is logged in, `sync.view_supporter` for one."""
    user = User.objects.create_user(f"user{User.objects.count()}", is_staff=True)
    for name in permissions:
        app, _, codename = name.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return logged_in(user)


def administrator() -> User:
    """Return somebody who may do everything."""
    return User.objects.create_superuser("admin", password="admin-password")


def logged_in(user: User) -> Client:
    """Return a browser in which this person is logged in."""
    client = Client()
    client.force_login(user)
    return client
