"""Guessing passwords at the desk comes to an end, for whoever guesses and nobody else."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client


@pytest.fixture
def users(store_database):
    for name in ("anne", "berta"):
        get_user_model().objects.create_superuser(name, password="right horse battery")


def log_in(name, password, **about):
    return Client().post("/admin/login/?next=/healthz", {"username": name, "password": password}, **about)


def test_guessing_ends_and_the_right_password_is_refused_too(users):
    for _ in range(10):
        assert b"Too many" not in log_in("Anne", "wrong").content

    answer = log_in("anne", "right horse battery")

    assert answer.status_code == 200
    assert b"Too many wrong attempts" in answer.content
    assert log_in("berta", "right horse battery").status_code == 302
    assert log_in("anne", "right horse battery", REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_claimed_address_changes_nothing_unless_a_proxy_is_trusted(users, settings):
    for number in range(10):
        log_in("anne", "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    locked_out = b"Too many wrong attempts" in log_in("anne", "x", HTTP_X_FORWARDED_FOR="192.0.2.99").content

    settings.TRUST_PROXY = True
    answer = log_in("anne", "right horse battery", HTTP_X_FORWARDED_FOR="203.0.113.1, 192.0.2.99")

    assert locked_out
    assert answer.status_code == 302
