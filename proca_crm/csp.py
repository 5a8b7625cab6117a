"""What a browser may load on our pages: our own files and nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_HEADER = "Content-Security-Policy"
_OWN = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
POLICY = _OWN.format(scripts="")
#: The theme's scripts (Alpine) evaluate what stands in attributes of its templates.
DESK_POLICY = _OWN.format(scripts=" 'unsafe-eval'")
_DESK = "/admin/"


class ContentSecurityPolicy:
    """Adds the header to every answer that has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault(_HEADER, DESK_POLICY if request.path.startswith(_DESK) else POLICY)
        return response
