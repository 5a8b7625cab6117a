"""The OpenAPI document, made of what each address says of itself: nothing is said twice, so nothing can differ."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from sync.api.problems import CONTENT_TYPE
from sync.api.shapes import ProblemShape

_ERRORS = (400, 401, 403, 404, 405, 413, 415, 429, 500, 503)


class Schema(AutoSchema):
    """Asks a view for its `parameters`, `requests`, `answers` and `statuses` instead of guessing them."""

    view: Any

    def get_operation_id(self) -> str:
        """Name the operation by its address: supporters_read, supporters_list, …"""
        return f"{self.view.operation}_{_VERBS[self.method]}"

    def get_tags(self) -> list[str]:
        """Group by the first part of the address."""
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_override_parameters(self) -> list[Any]:
        """Tell the query parameters, and the headers that make changes safe."""
        if self.method not in ("GET",):
            return [_IF_MATCH] if self.method == "PATCH" else []
        return [
            OpenApiParameter(name, one.schema, description=one.description)
            for name, one in self.view.parameters.items()
        ]

    def get_request_serializer(self) -> Any:
        """Tell the body."""
        return self.view.requests.get(self.method)

    def get_response_serializers(self) -> Any:
        """Tell what is answered when it goes well, and the problem otherwise."""
        answers = dict(self.view.answers.get(self.method, {}))
        for status in (*_ERRORS, *self.view.statuses.get(self.method, ())):
            answers[status, CONTENT_TYPE] = OpenApiResponse(ProblemShape, description="A problem (RFC 9457)")
        return answers

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a token is sent."""

    target_class = "sync.api.auth.Bearer"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer"}


class ProcaScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How Proca's server sends one."""

    target_class = "sync.api.auth.FromProca"
    name = ["ingest_token", "ingest_password"]  # noqa: RUF012 - as the library declares it

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """Return both schemes."""
        return [{"type": "http", "scheme": "bearer"}, {"type": "http", "scheme": "basic"}]


_VERBS = {"GET": "read", "POST": "create", "PATCH": "change", "DELETE": "erase", "PUT": "put"}
_IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="the ETag that you have seen; another gives 412"
)
