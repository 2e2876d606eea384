"""The run list, its live rows, and its export."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard import run_columns
from dashboard.context import Navigation, preference_of
from dashboard.facets import date_inputs, facets, sorts
from dashboard.forms.columns import ColumnsForm
from dashboard.forms.run_filters import RunFilterForm
from dashboard.freshness import freshness_of, new_runs, newest_known, since_of
from dashboard.permissions import viewers
from dashboard.run_address import Address, tokens
from dashboard.run_rows import counted, heads, narrowest, order_sentence, rows_of, span_of
from dashboard.run_views import Chosen, choose, tabs
from dashboard.seen import seen_by
from dashboard.words import ended_sentence, failing_sentence
from runs.abilities import can
from runs.export import FORMATS, exported
from runs.listing import COUNT_CAP, PAGE_SIZE, BadCursor, Order, Wanted, run_page, runs_matching
from runs.models import Account, Run
from runs.services.base import Capability

TABLE = "runs"


@require_safe
@viewers
def run_list(request: HttpRequest) -> HttpResponse:
    """All runs of all accounts, by filters in the address. HTMX asking for the table gets the table and the filters."""
    chosen = choose(request.GET, request.user, preference_of(request).default_view)
    form = RunFilterForm(chosen.data, seen=seen_by(request.user))
    form.full_clean()
    address = chosen.address
    columns = _columns(request, form, address)
    context = {
        "form": form,
        "address": address,
        "facets": facets(form, address),
        "dates": date_inputs(address),
        "moving": form.data.get("started", ""),
        "typed": _typed_name(address),
        "stars": bool(address.values.get("starred")) or any(can(one, Capability.STAR) for one in form.accounts),
        **columns,
        **_views(request, chosen),
        **(_found(request, form, address, columns["shown"]) if form.is_valid() else {"problems": form.sentences()}),
    }
    if request.htmx.target == TABLE:
        response = render(request, "runs/_run_table.html", context | {"partial": True})
        # Without the blanks a form sends: the same address a link would have.
        response["HX-Push-Url"] = address.url
        return response
    context["accounts"] = Account.objects.exists()
    return render(request, "runs/run_list.html", context)


def _columns(request: HttpRequest, form: RunFilterForm, address: Address) -> dict[str, object]:
    """What is shown, what could be, and the address that shows the same to everybody."""
    shown = run_columns.shown(form.cleaned_data.get("cols") or (), preference_of(request))
    return {
        "shown": shown,
        "choices": run_columns.OPTIONAL,
        "many": len(shown) > len(run_columns.USUAL),
        "columns_url": address.having("cols", ",".join(shown)).url,
    }


def _found(request: HttpRequest, form: RunFilterForm, address: Address, shown: Sequence[str]) -> dict[str, object]:
    newest = newest_known()  # asked first: what comes in between is new
    runs = runs_matching(form.filters())
    in_force = tokens(form, address)
    count = counted(runs, len(in_force))
    order: Order = form.cleaned_data["sort"]
    too_many = count.is_capped and not order.is_indexed
    if too_many:
        order = Order()
    place = {} if too_many else {key: form.cleaned_data[key] for key in ("after", "before")}
    page = run_page(runs, order, **place)
    live = [run for run in page.runs if run.is_live and not run.account.archive]
    return {
        "tokens": in_force,
        "count": count,
        "columns": heads(address, order, shown),
        "order": order_sentence(order),
        "sort": str(order),
        "sorts": sorts(order, order_sentence(order)),
        "too_many": COUNT_CAP if too_many else 0,
        "rows": rows_of(page.runs, request.user, address, form.now),
        "newer": address.at("run_list", before=page.before) if page.before else "",
        "older": address.at("run_list", after=page.after) if page.after else "",
        "span": span_of(page, count),
        "ways": ("Newer", "Older") if order == Order() else ("Previous", "Next"),
        "live": live,
        "live_url": _live_url(
            address, live, shown, "" if any(place.values()) or order != Order() else since_of(page, newest)
        ),
        "fresh": freshness_of(preference_of(request).live_seconds, bool(live)),
        "without_runs": None if count.shown else _without_runs(form.filters().account),
        "narrowest": narrowest(in_force, form) if in_force and not count.shown else None,
        "now": form.now,
        "newest": newest,
    }


def _without_runs(wanted: Wanted) -> Account | None:
    """The one account asked for, if it has no runs at all; with the number of its load tests."""
    if len(wanted.any_of) != 1:
        return None
    accounts = Account.objects.select_related("sync").annotate(tests=Count("load_tests"))
    return accounts.filter(slug=wanted.any_of[0], runs=None).first()


def _live_url(address: Address, live: Sequence[Run], shown: Sequence[str], since: str) -> str:
    """Where to ask for the rows that can still change, and for how many are new; "" when neither can be."""
    # The columns of the page that asks: the person may choose others in another window meanwhile.
    columns = "" if shown == run_columns.USUAL else ",".join(shown)
    ids, failing = [run.pk for run in live], [run.pk for run in live if run.failing]
    more = {"id": ids, "failing": failing, "shown": columns, "since": since}
    return address.full.at("run_rows", **more) if live or since else ""


def _typed_name(address: Address) -> str:
    """What the search field shows: the one text searched for, if it is one."""
    names = address.values.get("name", ())
    return names[0] if len(names) == 1 else ""


def _views(request: HttpRequest, chosen: Chosen) -> dict[str, object]:
    """The row of views, the chosen one, and what can be done with it."""
    return {
        "tabs": tabs(chosen, request.user, Navigation("").live),
        "view": chosen.view,
        "view_problem": chosen.problem,
        "own_view": bool(chosen.view) and chosen.view.is_of(request.user),
        "opens_with": preference_of(request).default_view,
    }


@require_safe
@viewers
def run_rows(request: HttpRequest) -> HttpResponse:
    """The rows named by `id`, as they are now. The page asks every few seconds for those that have not ended."""
    texts = request.GET.getlist("id")[: 2 * PAGE_SIZE]
    if not all(text.isascii() and text.isdecimal() and len(text) < 18 for text in texts):
        return HttpResponseBadRequest("Name runs by their numbers: ?id=1&id=2")
    now = timezone.now()
    runs = list(Run.objects.for_list().filter(pk__in=texts).order_by("-created_at", "-id"))
    address = Address.of(request.GET)
    live = [run for run in runs if run.is_live]
    rows = rows_of(runs, request.user, address, now)
    keys = request.GET.get("shown", "").split(",")
    shown = run_columns.ordered(keys) if any(keys) else run_columns.USUAL
    since = request.GET.get("since", "")
    try:
        new = _new_runs(request, since) if since else 0
    except BadCursor:
        return HttpResponseBadRequest("Reload the list: where it stands cannot be read.")
    context = {"rows": rows, "live": live, "live_url": _live_url(address, live, shown, since), "shown": shown}
    context |= {
        "news": _news(runs, request.GET.getlist("failing")),
        "fresh": freshness_of(preference_of(request).live_seconds, bool(live)),
        "new_runs": new,
        "address": address,
    }
    return render(request, "runs/_run_rows.html", context)


def _news(runs: Sequence[Run], failing: Sequence[str]) -> list[str]:
    """What is worth a sentence: who ended, and whose criterion broke; `failing` are the ids that were known to."""
    ended = [ended_sentence(run) for run in runs if not run.is_live]
    return ended + [failing_sentence(run) for run in runs if run.failing and str(run.pk) not in failing]


def _new_runs(request: HttpRequest, since: str) -> int:
    query = request.GET.copy()
    for key in ("id", "failing", "shown", "since"):
        query.pop(key, None)
    form = RunFilterForm(query, seen=seen_by(request.user))
    return new_runs(form.filters(), since) if form.is_valid() else 0


@require_POST
@viewers
def run_columns_save(request: HttpRequest) -> HttpResponse:
    """Remember which columns the person wants, then back to the list at `query`, without columns in its address."""
    form = ColumnsForm(request.POST, instance=preference_of(request))
    if form.is_valid():
        form.save()
    else:
        messages.error(request, "Those columns are none of the run list. Open the menu again and choose there.")
    query = QueryDict(request.POST.get("query", ""), mutable=True)
    query.pop("cols", None)
    return redirect(list_url(query))


def list_url(query: QueryDict) -> str:
    """The run list at an address that it had given away itself."""
    return reverse("run_list") + (f"?{query.urlencode(safe='!:,')}" if query else "")


@require_safe
@viewers
def run_export(request: HttpRequest) -> HttpResponse:
    """The runs of a list's address as a file: `format=csv` or `json`, streamed, whatever their number."""
    query = request.GET.copy()
    wanted = query.pop("format", ["csv"])[-1]
    chosen = choose(query, request.user)
    form = RunFilterForm(chosen.data, seen=seen_by(request.user))
    if wanted not in FORMATS or chosen.problem or not form.is_valid():
        problems = form.sentences() or [chosen.problem or f"Runs are exported as {' or '.join(FORMATS)}."]
        return HttpResponseBadRequest("\n".join(problems), content_type="text/plain; charset=utf-8")
    return file_of(runs_matching(form.filters()), wanted, form.now)


def file_of(runs: QuerySet[Run], wanted: str, now: datetime) -> StreamingHttpResponse:
    """Runs as a download; `wanted` is a key of FORMATS."""
    name = f"plimsoll-runs-{timezone.localtime(now):%Y%m%d-%H%M}.{wanted}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(exported(runs, wanted), FORMATS[wanted], headers=headers)
