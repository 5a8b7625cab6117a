"""What the trials of push share."""

import pytest

from tests.fakes.receiver import receiver as running_receiver


@pytest.fixture
def receiver(store_database):
    with running_receiver() as one:
        yield one
