"""Lists and objects of every kind of record: pages by key, single ones with their revision, whole lists as streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from django.db.models import DateTimeField, F, Q, QuerySet
from django.http import Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from sync.access.tokens import Caller
from sync.api.endpoint import JSON, Endpoint, Parameter, with_etag
from sync.api.paging import DEFAULT_SIZE, LARGEST_SIZE, page
from sync.api.problems import invalid
from sync.api.shapes import page_of
from sync.api.streams import Stream
from sync.models.fields import ExactJSONField
from sync.read.export import lines
from sync.read.filters import FILTERS, filtered
from sync.read.records import Kind, Record, shown

NDJSON, CSV = "application/x-ndjson", "text/csv"
_STREAMS = {"ndjson": NDJSON, "csv": CSV + "; charset=utf-8"}
_OWN = ("cursor", "page_size", "format")
_LARGEST_ID = 2**63 - 1
_NUMBER = {"type": "integer", "minimum": 1, "maximum": _LARGEST_ID}
_TIME = {"type": "string", "format": "date-time"}

PAGING = {
    "cursor": Parameter("where the page begins: take it from `next` or `previous`"),
    "page_size": Parameter(
        f"at most {LARGEST_SIZE}",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": DEFAULT_SIZE},
    ),
    "format": Parameter(
        "json is a page; ndjson and csv stream the whole list", {"type": "string", "enum": ["json", "ndjson", "csv"]}
    ),
}


def everything(_who: Caller) -> Q:
    """Let everybody see all rows."""
    return Q()


#: Times, and JSON of which only some parts are stored.
_FORMED = (DateTimeField, ExactJSONField)


@dataclass(frozen=True)
class Resource:
    """A kind of record with an address: what it looks like, what may be asked, and who sees which rows."""

    kind: Kind
    shape: type[Serializer]
    questions: Mapping[str, Parameter]
    visible: Callable[[Caller], Q] = everything
    #: Changes a record after it was read, where a column does not say all.
    finish: Callable[[Record], Record] = field(default=lambda record: record)

    @property
    def operation(self) -> str:
        """Its name in the document."""
        return self.kind.name.replace("-", "_")

    def rows(self, who: Caller, questions: Mapping[str, str]) -> QuerySet[Any]:
        """Return the rows that fit the questions and may be seen."""
        has_filters = self.kind.name in FILTERS
        found = filtered(self.kind, questions) if has_filters else self.kind.model._default_manager.all()
        return found.filter(self.visible(who))

    def record(self, values: Iterable[Any]) -> Record:
        """Return a row of `paths` as the record that is shown."""
        record = dict(zip(self.kind.fields, values, strict=True))
        for name in self._to_be_formed:
            record[name] = shown(name, record[name])
        return self.finish(record)

    @cached_property
    def _to_be_formed(self) -> tuple[str, ...]:
        """Fields that are not shown as they are read."""
        columns = {field.attname: field for field in self.kind.model._meta.concrete_fields}
        return tuple(name for name, path in self.kind.fields.items() if isinstance(columns[path], _FORMED))

    @property
    def paths(self) -> list[F]:
        """What is read of a row."""
        return [F(path) for path in self.kind.fields.values()]

    def get(self, who: Caller, pk: int) -> Record | None:
        """Return one record that may be seen."""
        if pk > _LARGEST_ID:
            return None
        rows = self.kind.model._default_manager.filter(self.visible(who), pk=pk)
        values = rows.values_list(*self.paths).first()
        return None if values is None else self.record(values)


class ListOf(Endpoint):
    """`GET things/`."""

    resource: ClassVar[Resource]

    def get(self, request: Request) -> HttpResponseBase:
        """Return a page, or stream the whole list."""
        questions = self.questions(request)
        asked = {name: text for name, text in questions.items() if name not in _OWN}
        rows = self.resource.rows(self.who, self.own(asked))
        form = questions.get("format", "json")
        if form in _STREAMS:
            return self._stream(request, rows, form, questions)
        if form != "json":
            raise invalid({"format": ["one of json, ndjson, csv"]})
        return Response(self._page(request, rows))

    def own(self, questions: dict[str, str]) -> dict[str, str]:
        """Return the questions, narrowed where the token is."""
        return questions

    def _page(self, request: Request, rows: QuerySet[Any]) -> dict[str, Any]:
        found = page(request, rows, self.resource.paths)
        records = [self.resource.record(values) for values in found.rows]
        return {"next": found.next, "previous": found.previous, "results": records}

    def _stream(
        self, request: Request, rows: QuerySet[Any], form: str, questions: Mapping[str, str]
    ) -> StreamingHttpResponse:
        if given := {"cursor", "page_size"} & set(questions):
            raise invalid({name: ["a stream has no pages"] for name in given})
        pieces: Iterable[bytes] = () if request.method == "HEAD" else Stream(lines(self.resource.kind, rows, form))
        return StreamingHttpResponse(pieces, content_type=_STREAMS[form])


class OneOf(Endpoint):
    """`GET things/{id}/`."""

    resource: ClassVar[Resource]

    def get(self, request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Return it with its revision."""
        return with_etag(request, self.read(id))

    def read(self, pk: int) -> Record:
        """Return the record, or answer 404."""
        record = self.resource.get(self.who, pk)
        if record is None:
            raise Http404
        return record


def list_of(resource: Resource, *, streams: bool = True) -> type[ListOf]:
    """Return the list of a resource."""
    whole = {(200, NDJSON): OpenApiTypes.STR, (200, CSV): OpenApiTypes.STR} if streams else {}
    paging = PAGING if streams else {name: one for name, one in PAGING.items() if name != "format"}
    return type(
        f"ListOf{resource.operation.title()}",
        (ListOf,),
        {
            "__doc__": f"All {resource.kind.name} that fit the filters, in the order of their ids.",
            "resource": resource,
            "operation": resource.operation + "_list",
            "parameters": {**resource.questions, **paging},
            "answers": {"GET": {(200, JSON): page_of(resource.shape), **whole}},
        },
    )


def one_of(resource: Resource) -> type[OneOf]:
    """Return the single object of a resource."""
    return type(
        f"OneOf{resource.operation.title()}",
        (OneOf,),
        {
            "__doc__": f"One of the {resource.kind.name}.",
            "resource": resource,
            "operation": resource.operation,
            "answers": {"GET": {(200, JSON): resource.shape, 304: None}},
        },
    )


def number(description: str) -> Parameter:
    """Return a parameter that is an id."""
    return Parameter(description, _NUMBER)


def time(description: str) -> Parameter:
    """Return a parameter that is a time."""
    return Parameter(description, _TIME)


def word(description: str, words: Iterable[Any]) -> Parameter:
    """Return a parameter that is one of a few words."""
    return Parameter(description, {"type": "string", "enum": [str(one) for one in words]})
