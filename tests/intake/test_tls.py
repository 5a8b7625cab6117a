"""Over TLS, with a broker that shows every kind of certificate: only to the right one a password is sent."""

from collections.abc import Iterator

import pytest

from tests.broker import Broker, vhost_of_its_own
from tests.intake.reading import one_line, summary_of
from tests.servers import RabbitMQ, own, wait_until

#: The command never gets as far as the database, or leaves it alone; one kind of it is enough.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

HERE = "subjectAltName=DNS:localhost,IP:127.0.0.1"
ELSEWHERE = "subjectAltName=DNS:queue.example.org,IP:192.0.2.1"


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    """A broker that shows another certificate in each test."""
    with own(RabbitMQ) as node:
        yield node


@pytest.fixture
def broker(server: RabbitMQ) -> Iterator[Broker]:
    """Proca's queue on it, with one message."""
    with vhost_of_its_own(server) as vhost:
        vhost.declare()
        vhost.publish(b"{}")
        yield vhost


def received(project, count):
    """Waits until so many messages have come; these ones end in quarantine."""
    wait_until(lambda: project.value("SELECT count(*) FROM sync_quarantinedmessage") == count, "messages", 60)


def consumed(project, broker, **more):
    """What `consume_proca` makes of the queue, seen over TLS."""
    return project.manage("consume_proca", "--drain", env=broker.env(tls=True) | more)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_good_certificate_of_an_authority_that_was_named(project, broker, host):
    broker.server.show_certificate(names=HERE)
    env = {"PROCA_URL": broker.url(tls=True).replace("127.0.0.1", host)}

    done = consumed(project, broker, **env)

    assert done.returncode == 0, done.stderr
    assert summary_of(done.stdout)["received"] == 1


@pytest.mark.parametrize(
    ("shown", "env", "says"),
    [
        pytest.param({"days": -1}, {}, "has expired", id="expired"),
        pytest.param({"authority": "server"}, {}, "self-signed", id="self-signed"),
        pytest.param({"names": ELSEWHERE}, {}, "another host name", id="of another host"),
        pytest.param({}, {"PROCA_CA_FILE": ""}, "PROCA_CA_FILE", id="of an unknown authority"),
    ],
)
def test_a_certificate_that_is_not_to_be_trusted_is_one_clear_line(project, broker, shown, env, says):
    broker.server.show_certificate(**shown)

    done = consumed(project, broker, **env)

    assert says in one_line(done, code=1)
    assert broker.depth() == 1


def test_a_self_signed_certificate_is_good_once_it_was_named(project, broker):
    broker.server.show_certificate(authority="server")
    shown = broker.server.home / "server.pem"
    shown.chmod(0o644)

    done = consumed(project, broker, PROCA_CA_FILE=str(shown))

    assert summary_of(done.stdout)["received"] == 1


@pytest.mark.parametrize(
    "attempt",
    [
        {"PROCA_CA_FILE": "false"},
        {"PROCA_CA_FILE": "/dev/null"},
        {"PROCA_URL": "?verify=verify_none"},
    ],
)
def test_nothing_turns_checking_off(project, broker, attempt):
    if query := attempt.get("PROCA_URL"):
        attempt = {"PROCA_URL": broker.url(tls=True) + query}

    done = consumed(project, broker, **attempt)

    assert next(iter(attempt)) in one_line(done, code=2)
    assert broker.depth() == 1


def test_a_port_without_tls_is_one_clear_line(project, broker):
    env = broker.env(tls=True, port=broker.port)

    done = project.manage("consume_proca", "--drain", env=env)

    assert "does not speak TLS" in one_line(done, code=1)


def test_a_certificate_that_is_renewed_later_is_waited_for(project, broker):
    """Once it worked, an expired certificate is the broker's trouble, and no reason to end for good."""
    broker.server.show_certificate()
    running = project.start("consume_proca", env=broker.env(tls=True))
    received(project, 1)
    broker.server.show_certificate(days=-1)
    broker.cut()
    broker.publish(b"[]")

    broker.server.show_certificate()
    received(project, 2)
    running.terminate()
    out, err = running.communicate(timeout=20)

    assert running.returncode == 0
    assert summary_of(out)["received"] == 2
    assert "queue_lost" in err
