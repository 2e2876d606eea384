"""What every answer gets."""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.urls import resolve
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers

from dashboard.context import preference_of

GetResponse = Callable[[HttpRequest], HttpResponse]


# No sign-in, no session, no redirect to https, and any host name: health checks call by address.
FOR_MACHINES = ("/livez", "/readyz", "/metrics")


def machines_first(get_response: GetResponse) -> GetResponse:
    """Answers what machines ask before anything that needs a session, a database or the right host name."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info in FOR_MACHINES:
            request.resolver_match = resolve(request.path_info)
            response = request.resolver_match.func(request)
            response._has_been_logged = True  # asked every few seconds: Django's line for each "no" would drown the log
            return response
        return get_response(request)

    return middleware


def private_pages(get_response: GetResponse) -> GetResponse:
    """Keeps what a signed-in person saw out of browser and proxy caches: `Cache-Control: no-store, private`.

    Pages differ for HTMX, which asks for parts of them, so every answer varies on what it says about itself.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        patch_vary_headers(response, ["HX-Request", "HX-Target"])
        if request.user.is_authenticated:
            patch_cache_control(response, no_store=True, private=True)
        return response

    return middleware


def viewer_time_zone(get_response: GetResponse) -> GetResponse:
    """Shows times in the viewer's own zone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return get_response(request)
        with timezone.override(preference_of(request).zone):
            return get_response(request)

    return middleware


class SignInRequired(LoginRequiredMiddleware):
    """Every page needs a signed-in person; a part of a page asked for by HTMX sends the whole page to the sign-in."""

    def handle_no_permission(self, request: HttpRequest, view_func: Callable) -> HttpResponse:
        if "HX-Request" not in request.headers:
            return super().handle_no_permission(request, view_func)
        here = urlsplit(request.headers.get("HX-Current-URL", ""))
        back = here.path + (f"?{here.query}" if here.query else "")
        query = f"?{urlencode({'next': back})}" if here.path else ""
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url("sign_in") + query})
