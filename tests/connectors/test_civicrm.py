"""CiviCRM by the rules of the contract, and what is peculiar to it."""

import pytest

from sync.connectors.civicrm import connector
from sync.connectors.conformance import TRIALS, Subject
from tests.fakes.civicrm import CiviCRM


class ByHold(CiviCRM):
    """People there stop by an address that does not work."""

    way = "hold"


class ByOptOut(CiviCRM):
    """People there leave all mail."""

    way = "opt_out"


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
@pytest.mark.parametrize("fake", [CiviCRM, ByHold, ByOptOut], ids=["left the group", "on hold", "opted out"])
def test_it_conforms(trial, fake):
    values = {"first_name": "Anne", "address_primary.postal_code": "75001"}

    trial(Subject(connector=connector, fake=fake, values=values))
