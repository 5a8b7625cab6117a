"""Fixtures of the desk's tests."""

import pytest
from django.core.cache import cache
from django.test import Client

from tests.admin.people import administrator, logged_in


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """The start page remembers numbers for a while, over the end of a test."""
    cache.clear()


@pytest.fixture
def desk(db) -> Client:
    """A browser in which somebody is logged in who may do everything."""
    return logged_in(administrator())
