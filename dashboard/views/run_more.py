"""What is asked of a run's provider from its page besides start and stop: its note, its star, its script, its files."""

from collections.abc import Callable, Iterator, Mapping

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST

from dashboard.permissions import viewers
from dashboard.views.control import dialog, dialog_methods, go, load_tests
from dashboard.way_back import way_back
from runs import more_actions
from runs.abilities import label_of
from runs.actions import NotAllowed, may_control
from runs.models import LoadTest, Run
from runs.services.base import Capability, Download, ServiceError

MOST_SHOWN = 256 * 1024  # bytes of a script; a longer one is for an editor


class NoteForm(forms.Form):
    """The whole note, as it is to be."""

    note = forms.CharField(
        required=False, max_length=more_actions.LONGEST_NOTE, label="Note",
        widget=forms.Textarea(attrs={"class": "form-control", "rows": 4, "autofocus": True}),
    )  # fmt: skip

    def __init__(self, data: Mapping[str, str]):
        super().__init__(data, label_suffix="")

    def clean_note(self) -> str:
        return self.cleaned_data["note"].replace("\r\n", "\n")


def runs() -> QuerySet[Run]:
    return Run.objects.for_list()


@dialog_methods
@viewers
def run_note(request: HttpRequest, pk: int) -> HttpResponse:
    """The note of a run, in a form of its own; what was typed stays in it until the provider has taken it."""
    run = get_object_or_404(runs(), pk=pk)
    if request.method != "POST":
        return _note_dialog(request, run, NoteForm({"note": run.note}))
    if not request.user.has_perm("runs.control_run"):
        raise PermissionDenied
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _note_dialog(request, run, form)
    try:
        more_actions.set_note(user=request.user, run=run, note=form.cleaned_data["note"])
    except (ServiceError, NotAllowed) as problem:
        return _note_dialog(request, run, form, more_actions.how_it_failed(problem, "saved"))
    messages.success(request, "The note is saved." if form.cleaned_data["note"] else "The note is removed.")
    return go(request, reverse("run_page", args=[run.pk]))


def _note_dialog(request: HttpRequest, run: Run, form: NoteForm, problem: str = "") -> HttpResponse:
    gone = f"{run.title} is no longer known to {label_of(run.account)}." if run.gone_at else ""
    refusal = may_control(request.user, run.account, Capability.NOTE) or gone
    context = {"run": run, "form": form, "provider": label_of(run.account), "refusal": refusal, "problem": problem}
    return dialog(request, "control/note.html", context, 422 if problem or form.errors else 200)


@require_POST
@viewers
def run_star(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark a run with a star (`starred=yes`), or take it off; `next` is the tab it was asked from."""
    if not request.user.has_perm("runs.control_run"):
        raise PermissionDenied
    run, starred = get_object_or_404(runs(), pk=pk), request.POST.get("starred") == "yes"
    try:
        more_actions.set_star(user=request.user, run=run, starred=starred)
    except (ServiceError, NotAllowed) as problem:
        messages.error(request, more_actions.how_it_failed(problem, "changed"))
    else:
        messages.success(request, f"{run.title} {'has a star now' if starred else 'has no star any more'}.")
    return way_back(request, reverse("run_page", args=[run.pk]))


@require_POST
@viewers
def run_archive(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The provider's result file, passed through: its own link stays between us and the provider."""
    run = get_object_or_404(runs(), pk=pk)
    return _passed_on(request, run, lambda: more_actions.fetch_archive(user=request.user, run=run))


@require_POST
@viewers
def run_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The file of a run that `name` names, passed through likewise."""
    run, name = get_object_or_404(runs(), pk=pk), request.POST.get("name", "").replace("\0", "")
    return _passed_on(request, run, lambda: more_actions.fetch_file(user=request.user, run=run, name=name))


@require_POST
@viewers
def run_script(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The script that a run ran, as text where it is text, else (and with `download`) as a file."""
    return _script(request, get_object_or_404(runs(), pk=pk))


@require_POST
@viewers
def test_script(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The script that a load test would run now."""
    return _script(request, get_object_or_404(load_tests(), pk=pk))


def _script(request: HttpRequest, of: Run | LoadTest) -> HttpResponseBase:
    try:
        download = more_actions.fetch_script(user=request.user, of=of)
        text = None if "download" in request.POST else _text_of(download)
    except (ServiceError, NotAllowed) as problem:
        messages.error(request, str(problem))
        return _back_to(of)
    if text is None:
        return _file(download)
    context = {"run": of if isinstance(of, Run) else None, "test": of, "text": text, "provider": label_of(of.account)}
    return render(request, "control/script.html", context)


def _text_of(download: Download) -> str | None:
    """What a person can read of it; None where it is no text, or a long one: then `download` still has all of it."""
    start, chunks = b"", iter(download.chunks)
    for chunk in chunks:
        start += chunk
        if len(start) > MOST_SHOWN:
            break
    download.chunks = _whole(start, chunks)
    try:
        return start.decode() if len(start) <= MOST_SHOWN and b"\0" not in start else None
    except UnicodeDecodeError:
        return None


def _whole(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from rest


def _passed_on(request: HttpRequest, run: Run, fetch: Callable[[], Download]) -> HttpResponseBase:
    try:
        return _file(fetch())
    except (ServiceError, NotAllowed) as problem:
        messages.error(request, str(problem))
        return _back_to(run)


def _file(download: Download) -> StreamingHttpResponse:
    response = StreamingHttpResponse(download.chunks, content_type=download.content_type)
    response["Content-Disposition"] = content_disposition_header(True, download.filename)
    if download.size is not None:
        response["Content-Length"] = str(download.size)
    return response


def _back_to(of: Run | LoadTest) -> HttpResponse:
    return redirect("run_page" if isinstance(of, Run) else "test_page", pk=of.pk)
