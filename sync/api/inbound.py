"""What CRMs post to us: `destinations/{id}/inbound/`. No token: each kind proves itself as that vendor does."""

from __future__ import annotations

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from sync.access.limits import Limit, count
from sync.api.problems import METHOD_NOT_ALLOWED, NOT_AUTHENTICATED, NOT_FOUND, TOO_MANY_REQUESTS, Problem, as_response
from sync.api.problems import unavailable as away
from sync.models import Destination
from sync.push import back
from sync.store.errors import Away, told_apart

log = structlog.get_logger(__name__)

#: Calls that prove nothing, from one destination's address; a good one is never held up by it.
WRONG_CALLS = Limit("wrong-inbound", most=300, seconds=60)
_LARGEST_ID = 2**63 - 1


@csrf_exempt
@never_cache
def inbound(request: HttpRequest, id: int) -> HttpResponse:  # noqa: A002 - the name in the address
    """Take a call in; 200 once everything it says is in the ledger."""
    if request.method not in ("GET", "HEAD", "POST"):
        return as_response(Problem(METHOD_NOT_ALLOWED, "A CRM posts here"))
    try:
        with told_apart():
            return _answer(request, id)
    except Away:
        return as_response(away())


def _answer(request: HttpRequest, pk: int) -> HttpResponse:
    destination = Destination.objects.select_related("standing").filter(pk=min(pk, _LARGEST_ID)).first()
    if destination is None or not back.takes_calls(destination):
        return as_response(Problem(NOT_FOUND, "Look at the address and the id"))
    call = back.call(
        method=request.method or "",
        query={name: str(request.GET[name]) for name in request.GET},
        headers={name.lower(): value for name, value in request.headers.items()},
        content=request.body,
    )
    news = back.receive_call(destination, call)
    if news is not None:
        return JsonResponse({"recorded": news})
    if count(WRONG_CALLS, f"destination {destination.pk}") > WRONG_CALLS.most:
        return as_response(Problem(TOO_MANY_REQUESTS, "Too many calls that prove nothing"))
    log.warning("inbound_refused", destination=destination.pk)
    return as_response(Problem(NOT_AUTHENTICATED, "The signature or the secret is not right"))
