"""A connector for Pigeon, a small imaginary mailing service: the worked example of docs/connectors.md.

PUT    /subscribers/EMAIL   {"email", "name"?, "mail": true | false | absent}  → 200 {"id", "mail", "left_at"}
GET    /subscribers/EMAIL   → 200, or 404
DELETE /subscribers/EMAIL   → 204, or 404
GET    /me                  → 200 {"account"}
"""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from sync.connectors.answers import Answer, Means, one_by_one, outcome
from sync.connectors.contract import (
    Checked,
    Connector,
    Context,
    Delivered,
    Feature,
    FindsBy,
    Item,
    Mapped,
    Outcome,
    RemoteState,
    Request,
    Response,
    Retry,
    Setting,
    SettingType,
    json_request,
)
from sync.terms import ConsentKind

#: What Pigeon's answers mean, where it is not what HTTP means.
ANSWERS = (
    Answer(status=400, code="bad_address", means=Means.REJECTED, source="pigeon.example/docs#errors"),
    Answer(status=409, means=Means.RETRY, source="pigeon.example/docs#errors", says="somebody else is changing it"),
)


def push_one(context: Context, item: Item) -> Outcome:
    """Tell of one person: first look, since a stop there is lifted by nothing but a newer consent."""
    if item.erase:
        return _forget(context, item)
    for other in item.others:
        key = other.email or other.remote_id or ""
        there = _look(context, key)
        if isinstance(there, dict) and there["mail"]:
            _put(context, key, {"mail": False})
    if item.email is None:
        return Delivered(changed=False)
    there = _look(context, item.email)
    if not isinstance(there, dict | None):
        return there
    if there is None and not item.may_create:
        return Delivered(changed=False)
    stop = _stop(there)
    body = item.values(there)
    if item.is_stopped or (there is None and not item.may_be_mailed):
        body["mail"] = False
    elif item.may_be_mailed and (stop is None or _may_lift(item, stop)):
        body["mail"] = True
    answer = _put(context, item.email, body)
    if not isinstance(answer, dict):
        return answer
    stays = stop is not None and item.may_be_mailed and not answer["mail"]
    return Delivered(remote_id=answer["id"], remote=stop if stays else None)


def _may_lift(item: Item, stop: RemoteState) -> bool:
    """Only a consent that is newer than a stop whose time is known."""
    if not item.consent_newer_than_remote or item.consented_at is None:
        return False
    return stop.at is not None and stop.at < item.consented_at


def _stop(there: dict | None) -> RemoteState | None:
    if there is None or there["mail"] or there["left_at"] is None:
        return None
    return RemoteState(kind=ConsentKind.UNSUB, at=datetime.fromisoformat(there["left_at"]))


def _forget(context: Context, item: Item) -> Outcome:
    keys = [item.remote_id or item.email, *(one.remote_id or one.email for one in item.others)]
    for address in filter(None, keys):
        response = context.http.send(_request(context, "DELETE", address))
        if response.status not in (204, 404):
            return _meaning(context, response)
    return Delivered()


def _look(context: Context, email: str) -> dict | Outcome | None:
    """What Pigeon holds of an address: null for nothing, an outcome where it does not say."""
    response = context.http.send(_request(context, "GET", email, read_only=True))
    if response.status == 404:
        return None
    return _body(context, response)


def _put(context: Context, email: str, body: dict) -> dict | Outcome:
    request = json_request("PUT", _address(context, email), body, _login(context))
    return _body(context, context.http.send(request))


def _body(context: Context, response: Response) -> dict | Outcome:
    body = response.json()
    if response.is_success and isinstance(body, dict) and {"id", "mail", "left_at"} <= set(body):
        return body
    return _meaning(context, response)


def _meaning(context: Context, response: Response) -> Outcome:
    body = response.json()
    code = body.get("code", "") if isinstance(body, dict) else ""
    return outcome(ANSWERS, response, context.now(), code=code)


def _request(context: Context, method: str, email: str, read_only: bool = False) -> Request:
    return Request(method=method, url=_address(context, email), headers=_login(context), read_only=read_only)


def _address(context: Context, email: str) -> str:
    return f"{context.settings['url'].rstrip('/')}/subscribers/{quote(email, safe='')}"


def _login(context: Context) -> dict[str, str]:
    return {"authorization": f"Bearer {context.settings['key']}"}


def check(context: Context) -> Checked | Outcome:
    """Prove as whom we get in."""
    url = context.settings["url"].rstrip("/") + "/me"
    response = context.http.send(Request(method="GET", url=url, headers=_login(context), read_only=True))
    body = response.json()
    if response.is_success and isinstance(body, dict) and body.get("account"):
        return Checked(identity=f"account {body['account']}")
    if response.is_success:
        return Retry(reason="not Pigeon that answers")
    return _meaning(context, response)


def preview(context: Context, item: Item) -> Sequence[Request]:
    """Show what would be asked first and then written."""
    if item.email is None:
        return []
    if item.erase:
        return [_request(context, "DELETE", item.email)]
    body = {**item.values(None), "mail": item.may_be_mailed}
    return [
        _request(context, "GET", item.email, read_only=True),
        json_request("PUT", _address(context, item.email), body, _login(context)),
    ]


connector = Connector(
    kind="pigeon",
    title="Pigeon",
    settings=(
        Setting(key="url", title="Address", type=SettingType.URL, place=True),
        Setting(key="key", title="API key", secret=True),
    ),
    features=frozenset({Feature.CONTACTS, Feature.SUBSCRIPTIONS, Feature.ERASE}),
    push=one_by_one(push_one),
    check=check,
    preview=preview,
    answers=ANSWERS,
    finds_by=FindsBy.EMAIL,
    mapping=(Mapped(source="first_name", target="name"),),
)
