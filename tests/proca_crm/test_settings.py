"""Settings: what is read, what is refused, and that no output contains a value."""

import json
import logging
import os
import subprocess
import sys

import pytest
import structlog
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from proca_crm.broker import org_of_queue, parse_broker
from proca_crm.databases import parse_database
from proca_crm.environment import Environment, Misconfigured
from proca_crm.logging import log_settings, scrub_text
from proca_crm.web import public_url, this_machine
from tests.databases import ROOT
from tests.project import run_manage

SHOW = """
import json, sys
from django.conf import settings
print(json.dumps([getattr(settings, name) for name in sys.argv[1:]], default=repr))
"""


def settings_with(*names: str, **env: str) -> list[object]:
    """Values of settings in a process with this environment."""
    done = _python(SHOW, *names, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(**env: str) -> str:
    """The one line with which manage.py refuses this environment."""
    done = run_manage("check", env=env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    return done.stderr


def _python(code, *arguments, env):
    from tests.project import _environment

    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=_environment(env), cwd=ROOT, capture_output=True, text=True, check=False)


# --- Missing and malformed ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_ENCRYPTION_KEY", "HASH_KEY"])
def test_a_missing_secret_is_one_line_that_names_it(name, tmp_path):
    # The clone may have a .env of its own, which would fill the gap.
    environment = Environment()
    environment.ENVIRON = {}

    with pytest.raises(Misconfigured, match=f"{name}: is not set"):
        environment.secrets(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROCA_URL", "https://u:hunter2@h/v"),
        ("PROCA_URL", "amqps://u:hunt#er2@h/v"),
        ("PROCA_URL", "amqps://u:hunt/er2@h/v"),
        ("PROCA_URL", "amqps://u:hunter2@h/v/w"),
        ("PROCA_URL", "amqps://u:hunter2@h/v?heartbeat=5"),
        ("PROCA_URL", "amqps://u:hunter2@h"),
        ("PROCA_URL", "amqps://u:hunter2@h/"),
        ("PROCA_URL", "amqps://u:hunter2@h:port/v"),
        ("PROCA_URL", "amqps://u:hunter2@/v"),
        ("PROCA_URL", "amqps://u:hunter2@h: 5671/v"),
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("DATABASE_URL", "postgres://u:hunt#er2@h/d"),
        ("DATABASE_URL", "postgres://u:hunter2@h:x/d"),
        ("DATABASE_URL", "postgres://u:hunter2@h"),
        ("DATABASE_URL", "hunter2"),
        ("PROCA_ORG", "seven hunter2"),
        ("PROCA_ORG", "0"),
        ("PROCA_QUEUE", "cus.7.deliver,,hunter2"),
        ("PROCA_MAX_RETRIES", "-1"),
        ("PROCA_CA_FILE", "/nowhere/hunter2.pem"),
        ("SUBSCRIPTION_POLICY", "hunter2"),
        ("DEBUG", "hunter2"),
        ("PUBLIC_URL", "hunter2.example.org"),
        ("PUBLIC_URL", "https://crm.example.org/hunter2"),
        ("MAX_BODY_MB", "0"),
        ("PUSH_ALLOW_HOSTS", "10.0.0.0/8, hunter 2"),
        ("CHANGES_KEEP_DAYS", "hunter2"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "hunter2"),
        ("HASH_KEY", "hunter2,,"),
    ],
)
@pytest.mark.slow
def test_a_malformed_setting_is_one_line_that_names_it_and_not_its_value(name, value):
    line = refusal(**{name: value})

    assert name in line
    assert "hunter2" not in line
    assert "er2" not in line


@pytest.mark.parametrize(("name", "url"), [("PROCA_USERNAME", "host/v"), ("PROCA_PASSWORD", "amqps://u@host/v")])
def test_an_address_without_login_asks_for_the_missing_half(name, url):
    with pytest.raises(Misconfigured, match=name):
        parse_broker(url, "", "")


def test_debug_is_refused_where_others_can_reach_it():
    line = refusal(DEBUG="true", ALLOWED_HOSTS="localhost,crm.example.org")

    assert "DEBUG" in line
    assert settings_with("DEBUG", DEBUG="true", ALLOWED_HOSTS="localhost,[::1],127.0.0.1") == [True]


@pytest.mark.parametrize(
    "host", ["*", ".example.org", "crm.example.org", "10.0.0.1", "0.0.0.0", ".localhost.example.org"]
)
def test_names_that_others_can_use_are_not_this_machine(host):
    assert not this_machine(host)


# --- What is read ------------------------------------------------------------------------------------


def test_secrets_are_taken_literally():
    secret = "$HOME/${PATH}\\$x#'\""
    values = settings_with("SECRET_KEY", "HASH_KEYS", SECRET_KEY=secret, HASH_KEY=f"$new, {secret}")

    assert values == [secret, ["$new", secret]]


def test_a_password_is_taken_literally_and_not_shown():
    broker = parse_broker("host.example.org/proca_live", "user", "$a/b#c@%41")

    assert (broker.username, broker.password) == ("user", "$a/b#c@%41")
    assert (broker.host, broker.port, broker.vhost, broker.tls) == (
        "host.example.org",
        5671,
        "proca_live",
        True,
    )
    assert "$a/b" not in repr(broker)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqps://u:p@h/v", ("h", 5671, "v", "u", "p", True)),
        ("amqp://u:p@127.0.0.1/v", ("127.0.0.1", 5672, "v", "u", "p", False)),
        ("amqps://u:p%2F%23%40%25@h:99/%2F", ("h", 99, "/", "u", "p/#@%", True)),
        ("amqps://u:p:q@r@h/v", ("h", 5671, "v", "u", "p:q@r", True)),
        ("amqps://$u:$p@[::1]:5/v", ("::1", 5, "v", "$u", "$p", True)),
        ("u:p@h/v", ("h", 5671, "v", "u", "p", True)),
    ],
)
def test_an_address_is_read(url, expected):
    broker = parse_broker(url, "", "")

    assert (broker.host, broker.port, broker.vhost, broker.username, broker.password, broker.tls) == expected


def test_defaults_just_work():
    names = ("DEBUG", "PROCA_BROKER", "PROCA_QUEUES", "PROCA_ORG", "PROCA_MAX_RETRIES", "SUBSCRIPTION_POLICY")

    assert settings_with(*names) == [False, None, [], None, 5, "opt_in"]
    assert settings_with("CHANGES_KEEP_DAYS", "MAX_BODY_MB", "EXPORT_DIR") == [400, 16, None]
    assert settings_with("DATA_UPLOAD_MAX_MEMORY_SIZE", MAX_BODY_MB="2") == [2 * 1024 * 1024]


def test_the_reader_is_that_of_the_first_queue_of_a_customer():
    assert org_of_queue(["system.deliver", "cus.12.deliver", "cus.7.deliver"]) == 12
    assert org_of_queue(["system.deliver"]) is None
    assert settings_with("PROCA_ORG", PROCA_QUEUE="cus.7.deliver, cus.8.deliver") == [7]
    assert settings_with("PROCA_ORG", PROCA_QUEUE="cus.7.deliver", PROCA_ORG="9") == [9]


def test_sqlite_waits_for_its_turn_at_the_start(tmp_path):
    options = parse_database("sqlite:///crm.sqlite3", tmp_path)

    assert options["NAME"] == str(tmp_path / "crm.sqlite3")
    assert options["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "WAL" in options["OPTIONS"]["init_command"]
    assert parse_database("sqlite:////var/lib/crm.sqlite3", tmp_path)["NAME"] == "/var/lib/crm.sqlite3"


def test_postgresql_is_asked_whether_it_still_lives(tmp_path):
    options = parse_database("postgres://u:%23p@h:6543/d?sslmode=require", tmp_path)

    assert (options["PASSWORD"], options["PORT"], options["OPTIONS"]["sslmode"]) == ("#p", 6543, "require")
    assert options["CONN_HEALTH_CHECKS"] is True


def test_a_database_machine_that_is_gone_is_noticed(tmp_path):
    options = parse_database("postgres://u:p@h/d?connect_timeout=3", tmp_path)["OPTIONS"]

    assert options["connect_timeout"] == 3
    assert 0 < options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] <= 60
    assert options["tcp_user_timeout"] <= 60_000


def test_a_public_address_makes_login_behind_a_proxy_right():
    names = ("CSRF_TRUSTED_ORIGINS", "SESSION_COOKIE_SECURE", "ALLOWED_HOSTS")
    origins, secure, hosts = settings_with(*names, PUBLIC_URL="https://crm.example.org/")

    assert (origins, secure) == (["https://crm.example.org"], True)
    assert "crm.example.org" in hosts
    assert settings_with("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST") == [None, False]
    assert settings_with("USE_X_FORWARDED_HOST", TRUST_PROXY="true") == [True]
    assert public_url("http://localhost:8000") == "http://localhost:8000"


def test_a_file_fills_in_what_the_environment_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    monkeypatch.setenv("PROCA_QUEUE", "")
    file = tmp_path / ".env"
    file.write_text("# ours\n\nLOG_LEVEL=DEBUG\nSECRET_KEY='$a#b'\nexport PROCA_ORG=7\nPROCA_QUEUE=cus.8.deliver\n")
    environment = Environment()
    environment.ENVIRON.pop("SECRET_KEY")
    environment.ENVIRON.pop("PROCA_ORG")

    environment.read_file(file)

    assert environment.get_value("LOG_LEVEL") == "ERROR"
    assert environment.get_value("SECRET_KEY") == "$a#b"
    assert environment.get_value("PROCA_ORG") == "7"
    assert environment.words("PROCA_QUEUE") == ()
    assert "$a#b" not in os.environ.values()


def test_a_line_of_the_file_that_says_nothing_is_named_by_its_number(tmp_path):
    file = tmp_path / ".env"
    file.write_text("LOG_LEVEL=DEBUG\nSECRET_KEY: hunter2\n")

    with pytest.raises(Misconfigured, match=r"\.env: line 2 is not NAME=value") as caught:
        Environment().read_file(file)

    assert "hunter2" not in str(caught.value)


# --- Nothing gets out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("amqps://user:pa:ss@w/ord@host/vhost", "amqps://[hidden]@host/vhost"),
        ("mail to Ann.O'Neil+x@example.org now", "mail to Ann.O'[email] now"),
        ("älva@bücher.example", "[email]"),
        ("GET /api/v1/supporters/?email=a%40b.c&x=1", "GET /api/v1/supporters/?email=[email]&x=1"),
        ("DETAIL:  Key (email)=(Ann Lee) already exists.", "DETAIL: [hidden]"),
        ("at 12:30, 3 of 5", "at 12:30, 3 of 5"),
    ],
)
def test_a_log_line_is_scrubbed(said, written):
    assert scrub_text(said) == written


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_and_bound_values_are_scrubbed_in_every_form(form):
    code = f"""
import logging, logging.config, sys
from proca_crm.logging import log_settings
logging.config.dictConfig(log_settings({form!r}, "INFO"))
import structlog
try:
    raise ValueError("no such person: ann@example.org")
except ValueError:
    structlog.get_logger("x").exception("failed", who=["ann@example.org", {{"url": "amqps://u:hunter2@h/v"}}])
logging.getLogger("django.request").error("for %s", "ann@example.org")
"""
    done = _python(code, env={})

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "ValueError" in done.stderr
    assert "[email]" in done.stderr
    assert "ann@" not in done.stderr
    assert "hunter2" not in done.stderr
    if form == "json":
        assert [json.loads(line)["level"] for line in done.stderr.splitlines()] == ["error", "error"]


def test_a_debug_page_shows_no_secret(settings):
    settings.DEBUG = True
    request = RequestFactory().get("/", PROCA_URL="amqps://u:hunter2@h/v", DATABASE_URL="postgres://u:hunter2@h/d")
    settings.PROCA_KEYS = "hunter2"

    page = ExceptionReporter(request, ValueError, ValueError("x"), None).get_traceback_html()

    assert "hunter2" not in page
    assert settings.SECRET_KEY not in page
    assert settings.HASH_KEYS[0] not in page


def test_statements_with_their_values_are_never_logged():
    configured = log_settings("json", "DEBUG")["loggers"]

    assert configured["django.db.backends"]["level"] == "INFO"
    assert configured["pika"]["level"] == "WARNING"
    assert structlog.is_configured()
    assert logging.getLogger("django.db.backends").level >= logging.INFO


# --- Addresses ---------------------------------------------------------------------------------------


def test_healthz_needs_no_database(client):
    assert client.get("/healthz").status_code == 200


def test_readyz_asks_the_database(store_database, client):
    assert client.get("/readyz").content == b"ok\n"


def test_readyz_tells_of_missing_migrations(store_database, client):
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("auth", "0012_alter_user_first_name_max_length")
    try:
        answer = client.get("/readyz")
    finally:
        recorder.record_applied("auth", "0012_alter_user_first_name_max_length")

    assert answer.status_code == 503
    assert b"manage.py migrate" in answer.content
