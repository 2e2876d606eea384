"""Pages for what went wrong. The 500 page stands alone: nothing it needs can fail again."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from runs.trace import work


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was open too long, or came from elsewhere."""
    return render(request, "403_csrf.html", status=403)


def broken(request: HttpRequest) -> HttpResponse:
    """The page for a mistake of ours; with the id under which the log has it."""
    return HttpResponse(loader.render_to_string("500.html", {"request_id": work().id}), status=500)
