"""Pages that are also the inside of the dialog."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django_htmx.http import HttpResponseClientRedirect


def go(request: HttpRequest, url: str) -> HttpResponse:
    """To another page, out of the dialog too."""
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def dialog(request: HttpRequest, template: str, context: dict[str, object], status: int = 200) -> HttpResponse:
    """The inside of the dialog where HTMX asks for it, else a page around it."""
    in_dialog = bool(request.htmx) and request.htmx.target == "dialog"
    layout = f"components/dialog_{'only' if in_dialog else 'full'}.html"
    return render(request, template, {**context, "layout": layout, "in_dialog": in_dialog}, status=status)
