"""The signed webhook by the rules of the contract, and by those of Standard Webhooks."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sync.connectors.conformance import TRIALS, Subject
from sync.connectors.contract import Context, Inbound, Request, Response
from sync.connectors.webhook import connector
from sync.terms import ConsentKind
from tests.fakes.receiver import SECRET

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Listener:
    """A receiver in memory: it holds nobody, and any 2xx is its thanks."""

    settings: ClassVar = {"url": "https://crm.example.org/hook", "secret": SECRET}
    reads_bodies = False
    people = None

    def send(self, request: Request) -> Response:
        return Response(status=204)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
def test_it_conforms(trial):
    trial(Subject(connector=connector, fake=Listener))


def a_context(**settings) -> Context:
    return Context(
        destination=1, settings=Listener.settings | settings, http=Listener(), now=lambda: datetime.now(tz=UTC)
    )


def posted(body, *, secret=SECRET, at=None, message_id="msg_1") -> Inbound:
    at = at or datetime.now(tz=UTC)
    content = json.dumps(body)
    signature = Webhook(secret).sign(message_id, at, content)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    return Inbound(method="POST", headers=headers, content=content.encode())


REPORT = {
    "type": "consent.reported",
    "timestamp": "2026-11-01T12:00:00Z",
    "data": {"email": "anne@example.org", "kind": "unsub", "occurred_at": "2026-11-01T11:00:00Z"},
}


def test_a_report_signed_by_the_official_library_is_read():
    inbound = posted(REPORT)

    assert connector.inbox.is_authentic(a_context(), inbound)
    (report,) = connector.inbox.read(a_context(), inbound)
    assert (report.kind, report.email) == (ConsentKind.UNSUB, "anne@example.org")
    assert report.at == datetime(2026, 11, 1, 11, tzinfo=UTC)
    assert report.key == "msg_1"


@pytest.mark.parametrize(
    "forged",
    [
        posted(REPORT, secret="whsec_" + base64.b64encode(b"another secret, as long as this").decode()),
        posted(REPORT, at=datetime.now(tz=UTC) - timedelta(minutes=6)),
        Inbound(method="POST", content=json.dumps(REPORT).encode()),
        Inbound(method="POST", headers=posted(REPORT).headers, content=b"{}"),
    ],
    ids=["another secret", "too old", "unsigned", "another body"],
)
def test_a_forged_report_is_refused(forged):
    assert not connector.inbox.is_authentic(a_context(), forged)


@pytest.mark.parametrize("kind", ["opened", "delivered", "soft_bounce", None, 3])
def test_what_is_no_lasting_stop_says_nothing(kind):
    report = REPORT | {"data": {"email": "anne@example.org", "kind": kind}}

    assert connector.inbox.read(a_context(), posted(report)) == ()


@pytest.mark.parametrize(
    ("secret", "is_good"),
    [
        (SECRET, True),
        ("whsec_" + base64.b64encode(b"x" * 24).decode(), True),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), False),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), False),
        (base64.b64encode(b"x" * 32).decode(), False),
        ("whsec_ä", False),
    ],
)
def test_a_secret_is_24_to_64_bytes(secret, is_good):
    assert (connector.faults({"secret": secret}) == {}) is is_good


def test_what_is_sent_verifies_and_is_refused_when_changed():
    from sync.connectors.webhook import signature

    now = datetime.now(tz=UTC)
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature(SECRET, "1", str(int(now.timestamp())), b'{"a": 1}'),
    }

    Webhook(SECRET).verify(b'{"a": 1}', headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(b'{"a": 2}', headers)
