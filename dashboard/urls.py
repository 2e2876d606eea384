"""Which page is at which address, grouped by the object it acts on."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.module_loading import import_string
from django.views.generic import RedirectView


def lazy(dotted: str) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **kwargs: object) -> HttpResponse:
        return import_string(f"dashboard.views.{dotted}")(request, **kwargs)

    return view


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="run_list"), name="home"),
    path("sign-in/", lazy("sign_in.sign_in"), name="sign_in"),
    path("sign-out/", lazy("sign_in.sign_out"), name="sign_out"),
    path("me/", lazy("sign_in.me"), name="me"),
    # Runs
    path("runs/", lazy("runs.run_list"), name="run_list"),
    path("runs/rows/", lazy("runs.run_rows"), name="run_rows"),
    path("runs/export/", lazy("runs.run_export"), name="run_export"),
    path("runs/<int:pk>/", lazy("run_page.run_page"), name="run_page"),
    path("runs/<int:pk>/live/", lazy("run_page.run_live"), name="run_live"),
    path("runs/<int:pk>/errors/", lazy("run_errors.run_errors"), name="run_errors"),
    path("runs/<int:pk>/thresholds/", lazy("run_page.run_thresholds"), name="run_thresholds"),
    path("runs/<int:pk>/metrics/", lazy("run_page.run_metrics"), name="run_metrics"),
    path("runs/<int:pk>/messages/", lazy("run_page.run_messages"), name="run_messages"),
    path("runs/<int:pk>/config/", lazy("run_page.run_config"), name="run_config"),
    path("runs/<int:pk>/activity/", lazy("run_page.run_activity"), name="run_activity"),
    path("runs/<int:pk>/raw/", lazy("run_page.run_raw"), name="run_raw"),
    path("runs/<int:pk>/archive/", lazy("run_page.run_archive"), name="run_archive"),
    path("runs/<int:pk>/stop/", lazy("control.run_stop"), name="run_stop"),
    path("runs/<int:pk>/start-again/", lazy("control.run_start_again"), name="run_start_again"),
    # Load tests, and what was asked of them
    path("tests/", lazy("load_tests.test_list"), name="test_list"),
    path("tests/<int:pk>/", lazy("load_tests.test_page"), name="test_page"),
    path("tests/<int:pk>/start/", lazy("control.test_start"), name="test_start"),
    path("intents/<uuid:token>/", lazy("control.intent_page"), name="intent_page"),
    path("intents/<uuid:token>/queue/", lazy("control.intent_queue"), name="intent_queue"),
    path("intents/<uuid:token>/leave/", lazy("control.intent_leave"), name="intent_leave"),
    path("history/", lazy("history.history"), name="history"),
    # Accounts
    path("accounts/", lazy("accounts.account_list"), name="account_list"),
    path("accounts/new/", lazy("accounts.account_new"), name="account_new"),
    path("accounts/<slug:slug>/", lazy("accounts.account_page"), name="account_page"),
    path("accounts/<slug:slug>/start/", lazy("control.account_start"), name="account_start"),
    path("accounts/<slug:slug>/test/", lazy("accounts.account_test"), name="account_test"),
    path("accounts/<slug:slug>/sync/", lazy("accounts.account_sync"), name="account_sync"),
    # People
    path("users/", lazy("people.user_list"), name="user_list"),
    path("users/new/", lazy("people.user_new"), name="user_new"),
    path("users/<int:pk>/", lazy("people.user_page"), name="user_page"),
]
