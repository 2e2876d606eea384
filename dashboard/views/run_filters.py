"""An open menu of the run list's filter bar: how many runs each value has, and which people go by a name."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.context import preference_of
from dashboard.facets import counts_of, facet, foot_of
from dashboard.forms.run_filters import RunFilterForm
from dashboard.permissions import viewers
from dashboard.run_address import FACETS
from dashboard.run_views import choose
from dashboard.seen import seen_by

LONGEST_FIND = 200


@require_safe
@viewers
def run_facet(request: HttpRequest, key: str) -> HttpResponse:
    """For the filters as they stand in the form, chosen but not applied: numbers, one by one, for a menu that is open.

    With `find` the menu's options instead: those whose name holds it, and those that are chosen.
    """
    if key not in FACETS:
        raise Http404
    query = request.GET.copy()
    find = query.pop("find", [""])[-1].replace("\0", "").strip()[:LONGEST_FIND]
    chosen = choose(query, request.user, preference_of(request).default_view)
    form = RunFilterForm(chosen.data, seen=seen_by(request.user))
    context: dict[str, object] = {"key": key}
    if not form.is_valid():
        return render(request, "runs/_facet_counts.html", context | {"problem": form.sentences()[0]})
    filters = form.filters()
    menu = facet(form, chosen.address, key, counts_of(filters, key), find)
    context |= {"facet": menu, "find": find, "foot": foot_of(filters, key)}
    finds = request.htmx.target == f"options-{key}"
    return render(request, f"runs/_facet_{'options' if finds else 'counts'}.html", context)
