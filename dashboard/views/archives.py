"""An account as one file, and back: for admins."""

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods

from dashboard.forms.archives import ExportForm, ImportForm
from dashboard.views.accounts import admins_only
from runs.archive import ArchiveProblem
from runs.archive.export import pieces
from runs.archive.imports import import_archive
from runs.models import Account, DayResult

REFUSED = 422


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def account_archive(request: HttpRequest, slug: str) -> HttpResponseBase:
    """What an archive of this account would hold; a POST sends it as a file, made while it is sent."""
    account = get_object_or_404(Account.objects.select_related("sync"), slug=slug)
    form = ExportForm(request.POST if request.method == "POST" else None, initial={"filter": request.GET.urlencode()})
    if request.method == "POST" and form.is_valid():
        name = f"plimsoll-{account.slug}-{timezone.localtime():%Y%m%d-%H%M}.zip"
        response = StreamingHttpResponse(pieces(account, form.runs()), content_type="application/zip")
        response["Content-Disposition"] = content_disposition_header(True, name)
        return response
    days = DayResult.objects.filter(load_test__account=account).aggregate(runs=Sum("runs"), live=Sum("live"))
    state = getattr(account, "sync", None)
    context = {
        "account": account,
        "form": form,
        "runs": days["runs"] or 0,
        "live": days["live"] or 0,
        "without_details": account.runs.without_details().count(),
        "history_read": account.archive or bool(state and state.history_at),
    }
    return render(request, "accounts/archive.html", context, status=REFUSED if form.is_bound else None)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def account_import(request: HttpRequest) -> HttpResponse:
    """Take an uploaded archive in, and report what is there of each run."""
    if request.method != "POST":
        return render(request, "accounts/import.html", {"form": ImportForm()})
    form = ImportForm(request.POST, request.FILES)
    report = None
    if form.is_valid():
        try:
            report = import_archive(form.cleaned_data["files"], **form.options())
        except ArchiveProblem as problem:
            form.add_error(problem.field, str(problem))
    status = 200 if report else REFUSED
    return render(request, "accounts/import.html", {"form": form, "report": report}, status=status)
