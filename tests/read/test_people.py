"""Whom a search means: alike on both databases, by an index, and never a wildcard."""

import time

import pytest

from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import Supporter
from sync.proca.encryption import KeyStore
from sync.read.people import matching, survivor_of
from sync.store import asked
from tests.builders import an_action, wire

pytestmark = pytest.mark.usefixtures("store_database")

PEOPLE = (
    ("Anne", "Martin"),
    ("Åsa", "Älva"),
    ("Zoë", "Müller-Weiß"),
    ("Jan", "van der Berg"),
    ("A_b", "100%"),
    ("ANNA MARIA", "MARTINEZ"),
    ("", "Solo"),
)


@pytest.fixture(autouse=True)
def _people(store_database):
    raws = []
    for number, (first, last) in enumerate(PEOPLE, 1):
        contact = {"email": f"p{number}@example.org", "contactRef": f"Ref-{number}"}
        names = {"firstName": first or None, "lastName": last}
        raws.append(Raw(body=wire(an_action(actionId=number, contact=contact | names)), queue="file", reader=7))
    take(raws, KeyStore.empty(), now=time.time_ns() // 1000)


def found(term):
    return sorted(Supporter.objects.filter(matching(term)).values_list("last_name", flat=True))


def test_names_are_found_as_they_begin_in_any_order_and_case():
    for term, names in (
        ("martin", ["MARTINEZ", "Martin"]),
        ("anne martin", ["Martin"]),
        ("Martin ANNE", ["Martin"]),
        ("anne mar", ["Martin"]),
        ("mar an", ["MARTINEZ", "Martin"]),
        ("maria martinez anna", ["MARTINEZ"]),
        ("älva", ["Älva"]),
        ("ÄLV", ["Älva"]),
        ("alva", []),
        ("müller-weiß", ["Müller-Weiß"]),
        ("müller-weiss", []),
        ("van der berg", ["van der Berg"]),
        ("jan van", ["van der Berg"]),
        ("solo", ["Solo"]),
        ("arti", []),
        ("nobody here", []),
        ("a b c d e f g", []),
        ("", []),
        ("   ", []),
    ):
        assert found(term) == names, term


def test_signs_are_what_they_are():
    assert found("100%") == ["100%"]
    assert found("a_b 100%") == ["100%"]
    for term in ("%", "_", "100_", "% martin", "\uff05", "\uff3f", "\\", "\x00", "\U0010ffff"):
        assert found(term) == [], term


def test_keys_are_found_whole():
    assert found("P1@Example.org") == ["Martin"]
    assert found(" p1@example.org\u200b") == ["Martin"]
    assert found("p@example.org") == []
    assert found("Ref-2") == ["Älva"]
    assert found("ref-2") == []


def test_a_number_is_an_id_also_one_of_before():
    one, other = (Supporter.objects.get(email=f"p{number}@example.org").pk for number in (1, 2))

    asked.merge(one, other)

    former, survivor = max(one, other), min(one, other)
    assert survivor_of(former) == survivor
    assert found(str(former)) == found(str(survivor)) != []
    assert found("9" * 30) == []
