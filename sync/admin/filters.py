"""Filters of lists, each answered by an index or by a walk that ends with the page."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from sync.models import Action, Campaign, Org, Subscription, Supporter
from sync.terms import Status

#: So many can be chosen from; whoever has more campaigns opens the campaign's own page.
_MOST_CHOICES = 500


class Words(DropdownFilter):
    """One of a few words in a column; `field`, `title` and `words` say which."""

    field = ""
    words: tuple[tuple[str, str], ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Return the words to choose from."""
        return self.words

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows with the chosen word."""
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


def words(field: str, title: str, choices: Any) -> type[Words]:
    """Return a filter by one of these words; pairs of word and text, or the words alone."""
    pairs = tuple((str(one), str(one).replace("_", " ")) if isinstance(one, str) else one for one in choices)
    made = {"field": field, "title": title, "parameter_name": field, "words": pairs}
    return type("WordFilter", (Words,), made)


class Truth(Words):
    """Yes or no; `field` and `title` say of what."""

    words = (("yes", "yes"), ("no", "no"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows where it is so, or is not."""
        return queryset.filter(**{self.field: self.value() == "yes"}) if self.value() else queryset


def truth(field: str, title: str) -> type[Truth]:
    """Return a filter by a column that is true or false."""
    return type("TruthFilter", (Truth,), {"field": field, "title": title, "parameter_name": field})


class Places(Words):
    """A campaign or an organisation, by name."""

    model: type[Any] = Org

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Return the newest of them, by name. Their configuration may be large and is not read."""
        found = self.model.objects.order_by("-pk").values_list("pk", "title", "name")[:_MOST_CHOICES]
        return sorted(
            ((str(pk), title or name or f"number {pk}") for pk, title, name in found), key=lambda one: one[1].lower()
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen one."""
        number = whole_number(self.value())
        return queryset if number is None else queryset.filter(**{self.field: number})


class OfOrg(Places):
    """Rows of an organisation."""

    title, parameter_name, field = "organisation", "org", "org_id"


class OfCampaign(Places):
    """Rows of a campaign."""

    model, title, parameter_name, field = Campaign, "campaign", "campaign", "campaign_id"


class TookPart(OfCampaign):
    """Supporters who took part in a campaign."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Supporter]) -> QuerySet[Supporter]:
        """Keep whoever has an action of it."""
        number = whole_number(self.value())
        if number is None:
            return queryset
        acted = Action.objects.filter(campaign_id=number, supporter__isnull=False)
        return queryset.filter(pk__in=acted.values("supporter_id"))


class HasStatus(Words):
    """Supporters with a subscription of this status, at any organisation."""

    title, parameter_name = "subscription", "status"
    words = tuple((str(status), str(status)) for status in Status)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Supporter]) -> QuerySet[Supporter]:
        """Keep whoever has such a subscription."""
        if self.value() not in list(Status):
            return queryset
        return queryset.filter(pk__in=Subscription.objects.filter(status=self.value()).values("supporter_id"))


class Country(TextFilter):
    """Supporters of a country, by its two letters."""

    title, parameter_name = "country (two letters)", "country"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Supporter]) -> QuerySet[Supporter]:
        """Keep who lives there."""
        text = (self.value() or "").strip()
        return queryset.filter(country=text.upper()) if text else queryset


def whole_number(text: str | None) -> int | None:
    """Return the number that a text is, as far as the database takes it."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
