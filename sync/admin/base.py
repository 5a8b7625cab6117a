"""What all pages of the desk share: lists that stay fast with a million rows, and pages that only show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import BinaryField, Model, QuerySet, TextField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList

from sync.admin.values import Row, row
from sync.models.fields import ExactJSONField
from sync.read.figures import Number, rows

Method = TypeVar("Method", bound=Callable[..., Any])


def column(title: str, **how: Any) -> Callable[[Method], Method]:
    """Give a method of a page's class its title, and what else unfold knows: `label`, `ordering`, `boolean`."""
    decorate: Callable[[Method], Method] = display(description=title, **how)
    return decorate


#: Title of a part of a page, and the names of what it shows: fields, or methods of the page's class.
Section = tuple[str, Sequence[str]]


class Counted(Paginator):
    """Pages of a list whose rows are counted up to a limit only; the number shown may be an estimate."""

    template_name = "desk/pagination.html"

    @cached_property
    def number(self) -> Number:
        """How many rows there are, and how far that can be trusted."""
        return rows(cast("QuerySet[Any]", self.object_list))

    @cached_property
    def count(self) -> int:
        """How many rows can be paged through; nobody goes further, and OFFSET would read them all."""
        return min(self.number.value, self.limit)

    limit = 10_000


class List(ChangeList):
    """A list that does not ask for a second, full count."""

    def get_results(self, request: HttpRequest) -> None:
        """Read one page."""
        super().get_results(request)
        self.full_result_count = self.result_count


def show_the_rest() -> None:
    """Give every table that has no page of its own a plain one: ids, times and numbers, no texts."""
    for model in apps.get_app_config("sync").get_models():
        if model not in admin.site._registry:
            plain = [field.name for field in model._meta.concrete_fields if not isinstance(field, _TEXTS)]
            about = {"list_display": ("__str__", *plain), "sections": (("", plain),)}
            admin.site.register(model, type(f"Plain{model.__name__}", (ReadOnly,), about))


#: What may hold somebody's details, or a secret under seal.
_TEXTS = (TextField, ExactJSONField, BinaryField)


class ReadOnly(ModelAdmin):
    """Rows that come from Proca or follow from it: shown, and neither added, changed nor deleted here."""

    paginator = Counted
    list_per_page = 25
    list_max_show_all = 0
    show_full_result_count = False
    list_fullwidth = True
    list_filter_submit = True
    # Counting what every filter would leave reads whole tables.
    show_facets = admin.ShowFacets.NEVER
    list_display: Sequence[Any] = ("__str__",)
    # Only what an index gives in order may be sorted by.
    sortable_by: Sequence[str] = ()
    ordering: Sequence[str] = ("-pk",)
    actions: Sequence[Any] | None = None
    empty_value_display = "–"
    page_template = "desk/record.html"
    sections: Sequence[Section] = ()
    #: Columns of lists that nobody sees there and that may be large.
    unread: Sequence[str] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class that reads a page."""
        return List

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under the name of what is listed."""
        title = capfirst(str(self.opts.verbose_name_plural))
        answer: HttpResponse = super().changelist_view(request, {"title": title, **(extra_context or {})})
        return answer

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows, without the large columns."""
        found: QuerySet[Any] = super().get_queryset(request)
        return found.defer(*self.unread) if self.unread else found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse conditions typed into the address: what no filter offers has no index either."""
        return lookup in {getattr(one, "parameter_name", "") for one in self.get_list_filter(request)}

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes them as they stand: what follows from messages would be overwritten by the next one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes them: people are erased instead."""
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one row."""
        one = self.get_object(request, unquote(object_id))
        if one is None:
            return self.missing(request, object_id)
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request, one):
            raise PermissionDenied
        return self.page(request, one, self.page_template, sections=self.shown(one), **(extra_context or {}))

    def missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer for an id that is not there: back to the start page, with a word."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        back: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return back

    def page(self, request: HttpRequest, one: Model, template: str, **context: Any) -> TemplateResponse:
        """Return a page about one row. Its title is the row's text, which holds no personal data."""
        request.current_app = self.admin_site.name
        common = {"title": str(one), "subtitle": None, "opts": self.opts, "original": one, "media": self.media}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **common, **context})

    def shown(self, one: Model) -> list[tuple[str, list[Row]]]:
        """Return the parts of a page, each with its rows."""
        return [(title, [row(self, one, name) for name in names]) for title, names in self.sections]
