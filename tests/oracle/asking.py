"""Short questions to the oracle, for tests that read as sentences."""

from typing import Any

from .oracle import state


def people(*items, **kwargs) -> Any:
    """All supporters that these items make."""
    return state(items, **kwargs)["supporters"]


def person(*items, **kwargs) -> Any:
    """The one supporter that these items make."""
    (one,) = people(*items, **kwargs)
    return one


def subscription(*items, org: int = 1, policy: str = "opt_in") -> Any:
    """The one supporter's subscription to an organisation."""
    one = person(*items, default_policy=policy)
    (found,) = [row for row in one["subscriptions"] if row["org"] == org]
    return found


def status(*items, org: int = 1, policy: str = "opt_in") -> Any:
    return subscription(*items, org=org, policy=policy)["status"]


def kinds(one: dict) -> list[str]:
    """The kinds of all entries of a supporter."""
    return sorted(row["kind"] for row in one["consents"])


def counts(*items, policy: str = "opt_in") -> list[bool]:
    """For each `double_opt_in` of the one supporter, whether it counts."""
    one = person(*items, default_policy=policy)
    return [row["counts"] for row in one["consents"] if row["kind"] == "double_opt_in"]


def by_email(supporters: list[dict]) -> dict:
    return {one["email"]: one for one in supporters}


def noon(day: int) -> str:
    """How the state shows noon of a day in May."""
    return f"2026-05-{day:02}T12:00:00.000000Z"
