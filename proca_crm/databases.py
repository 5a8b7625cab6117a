"""What `DATABASE_URL` says, with the options that the store relies on."""

import re
from pathlib import Path
from typing import Any

import environ

from proca_crm.environment import Misconfigured

SQLITE = ("sqlite",)
POSTGRESQL = ("postgres", "postgresql", "psql", "pgsql")
#: A machine that is gone without a word is noticed within a minute or so; the system's own limits are hours.
NOTICED = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
FORM = "must look like postgres://user:password@host/name or sqlite:////path/to/file"


def parse_database(url: str, base: Path) -> dict[str, Any]:
    """Django's settings for one database."""
    scheme = url.partition(":")[0].lower()
    if scheme not in SQLITE + POSTGRESQL:
        raise Misconfigured("DATABASE_URL", FORM)
    # django-environ cuts the URL at a # and so would log in with half a password.
    if re.search(r"[\s#]", url):
        raise Misconfigured("DATABASE_URL", f"has a space or # in it (write # as %23); it {FORM}")
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError:
        raise Misconfigured("DATABASE_URL", FORM) from None
    return _sqlite(config, base) if scheme in SQLITE else _postgresql(config)


def _sqlite(config: dict[str, Any], base: Path) -> dict[str, Any]:
    if config["NAME"] != ":memory:":
        config["NAME"] = str(base / config["NAME"])
    return config | {
        "OPTIONS": {
            # A transaction that reads first and writes later fails at once beside another writer,
            # whatever the timeout; IMMEDIATE makes it wait for its turn at the start.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL;",
            **config.get("OPTIONS", {}),
        }
    }


def _postgresql(config: dict[str, Any]) -> dict[str, Any]:
    if not config["NAME"]:
        raise Misconfigured("DATABASE_URL", f"names no database; it {FORM}")
    options = NOTICED | config.get("OPTIONS", {})
    return {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True} | config | {"OPTIONS": options}
