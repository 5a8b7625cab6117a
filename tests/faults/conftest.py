"""What every trial by fault needs."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _databases_may_be_looked_into(django_db_blocker: Any) -> Iterator[None]:
    """The state is compared in this process, by Django, on whichever database a test names."""
    with django_db_blocker.unblock():
        yield
