"""Fixtures for every test: servers, databases, the project as a program."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from hypothesis import settings as hypothesis_settings

from proca_crm.databases import parse_database
from tests.broker import Broker, vhost_of_its_own
from tests.databases import (
    ROOT,
    TEMPLATE,
    VENDORS,
    Database,
    InProcess,
    copy_of_template,
    django_uses,
    migrated_template,
)
from tests.environment import environment_for_tests
from tests.project import Project
from tests.servers import Postgres, RabbitMQ, folder_of_this_run, own, shared
from tests.wire import Wire

# A slow moment of the machine is no failure; what fails is printed so that it can be repeated.
hypothesis_settings.register_profile("house", deadline=None, print_blob=True)
hypothesis_settings.load_profile("house")

RUN = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """The controller (or the only process) owns the servers' folder; workers find it in the environment."""
    if not hasattr(config, "workerinput"):
        config.stash[RUN] = ExitStack()
        config.stash[RUN].enter_context(folder_of_this_run())


def pytest_unconfigure(config: pytest.Config) -> None:
    """The end, however it came: the servers go."""
    if RUN in config.stash:
        config.stash[RUN].close()


# --- Servers -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """The run's PostgreSQL. Shared with the other workers: never stop it."""
    return shared(Postgres)


@pytest.fixture(scope="session")
def rabbitmq() -> RabbitMQ:
    """The run's RabbitMQ. Shared with the other workers: never stop it."""
    return shared(RabbitMQ)


@pytest.fixture
def broker(rabbitmq: RabbitMQ) -> Iterator[Broker]:
    """A vhost of its own on the run's RabbitMQ, empty; `broker.declare()` makes Proca's queue."""
    with vhost_of_its_own(rabbitmq) as vhost:
        yield vhost


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL for this test alone, to be stopped at will; `postgres` is its empty database."""
    with own(Postgres) as server:
        yield server


@pytest.fixture
def own_rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ for this test alone, to be stopped and started at will."""
    with own(RabbitMQ) as server:
        yield server


@pytest.fixture
def wire() -> Iterator[Callable[[int], Wire]]:
    """`wire(port)`: a way to a server of this machine that can be cut, frozen and mended."""
    wires: list[Wire] = []

    def make(port: int) -> Wire:
        wires.append(Wire(port))
        return wires[-1]

    yield make
    for one in wires:
        one.close()


# --- Databases for commands --------------------------------------------------------------------------


@pytest.fixture(params=VENDORS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh migrated database, once on PostgreSQL and once on SQLite."""
    with copy_of_template(request.param) as copy:
        yield copy


@pytest.fixture
def project(database: Database) -> Iterator[Project]:
    """The project on that database: `project.manage("consume_proca", "--drain", env=broker.env())`."""
    installed = Project(database, environment_for_tests() | {"DATABASE_URL": database.url})
    yield installed
    installed.close()


# --- The database of this process --------------------------------------------------------------------


@pytest.fixture(scope="session")
def _databases_of_worker() -> Iterator[Callable[[str], Database]]:
    """One database of each kind for all tests of this worker, made when it is first asked for."""
    with ExitStack() as stack:
        made: dict[str, Database] = {}

        def database_of(vendor: str) -> Database:
            if vendor not in made:
                made[vendor] = stack.enter_context(copy_of_template(vendor))
            return made[vendor]

        yield database_of


@pytest.fixture(params=VENDORS)
def store_database(
    request: pytest.FixtureRequest,
    _databases_of_worker: Callable[[str], Database],
    django_db_blocker: Any,
) -> Iterator[InProcess]:
    """Django in this process on an empty migrated database, once on PostgreSQL and once on SQLite.

    Commits are real and `on_commit` runs; everything is removed afterwards. `store_database.empty()` does
    so in the middle, for property tests. Not together with `db` or `django_db`.
    """
    with django_db_blocker.unblock(), django_uses(_databases_of_worker(request.param)) as used:
        yield used
        used.empty()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest, postgres: Postgres) -> None:
    """For `django_db` tests: the run's PostgreSQL, test databases copied from the migrated template."""
    migrated_template("postgresql")
    server = parse_database(postgres.url("proca"), ROOT)
    connections.settings["default"].update(server, CONN_MAX_AGE=0)
    connections.settings["default"]["TEST"]["TEMPLATE"] = TEMPLATE
    request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")


# --- Browser -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The distribution's Chromium, which talks to nobody but the page under test."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "Chromium is not installed: apt-get install chromium"
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]
    # Root has no sandbox to drop to.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return browser_type_launch_args | {"executable_path": str(Path(program)), "args": quiet + sandbox}


@pytest.fixture(scope="module")
def chromium(browser_type_launch_args: dict[str, Any]) -> Iterator[Any]:
    """A browser for the tests of one module.

    Playwright keeps an event loop in this thread, in which Django's ORM refuses to work: it is told that this is fine,
    and the loop ends with the module, so that no other test sees it. Not together with pytest-playwright's `page`.
    """
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(**browser_type_launch_args)
        yield browser
        browser.close()
