"""Which page is at which address, grouped by the object it acts on."""

from django.urls import path
from django.views.generic import RedirectView

from dashboard.views import (
    accounts,
    bulk,
    control,
    guards,
    history,
    jump,
    list_live,
    load_tests,
    people,
    probes,
    run_errors,
    run_filters,
    run_page,
    runs,
    saved_views,
    sign_in,
    styleguide,
)

handler500 = "dashboard.views.errors.broken"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="run_list"), name="home"),
    # What machines ask; dashboard.middleware.machines_first answers these before anything else
    path("livez", probes.livez, name="livez"),
    path("readyz", probes.readyz, name="readyz"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("me/", sign_in.me, name="me"),
    path("jump/", jump.jump_to, name="jump"),
    path("shortcuts/", sign_in.shortcuts, name="shortcuts"),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    # Runs
    path("runs/", runs.run_list, name="run_list"),
    path("runs/rows/", runs.run_rows, name="run_rows"),
    path("runs/live/", list_live.list_live, name="list_live"),
    path("runs/export/", runs.run_export, name="run_export"),
    path("runs/stop/", bulk.runs_stop, name="runs_stop"),
    path("runs/stop/<uuid:token>/", bulk.runs_stopped, name="runs_stopped"),
    path("runs/export/selected/", bulk.selection_export, name="selection_export"),
    path("runs/columns/", runs.run_columns_save, name="run_columns"),
    path("runs/facets/<slug:key>/", run_filters.run_facet, name="run_facet"),
    path("runs/<int:pk>/", run_page.run_page, name="run_page"),
    path("runs/<int:pk>/live/", run_page.run_live, name="run_live"),
    path("runs/<int:pk>/errors/", run_errors.run_errors, name="run_errors"),
    path("runs/<int:pk>/errors/export/", run_errors.run_errors_export, name="run_errors_export"),
    path("runs/<int:pk>/thresholds/", run_page.run_thresholds, name="run_thresholds"),
    path("runs/<int:pk>/metrics/", run_page.run_metrics, name="run_metrics"),
    path("runs/<int:pk>/messages/", run_page.run_messages, name="run_messages"),
    path("runs/<int:pk>/config/", run_page.run_config, name="run_config"),
    path("runs/<int:pk>/activity/", run_page.run_activity, name="run_activity"),
    path("runs/<int:pk>/raw/", run_page.run_raw, name="run_raw"),
    path("runs/<int:pk>/archive/", run_page.run_archive, name="run_archive"),
    path("runs/<int:pk>/stop/", control.run_stop, name="run_stop"),
    path("runs/<int:pk>/start-again/", control.run_start_again, name="run_start_again"),
    path("runs/seen/", saved_views.runs_seen, name="runs_seen"),
    # Views of the run list
    path("views/", saved_views.view_list, name="view_list"),
    path("views/new/", saved_views.view_new, name="view_new"),
    path("views/default/", saved_views.view_default, name="view_default"),
    path("views/<int:pk>/", saved_views.view_page, name="view_page"),
    path("views/<int:pk>/save/", saved_views.view_save, name="view_save"),
    path("views/<int:pk>/delete/", saved_views.view_delete, name="view_delete"),
    # Load tests, and what was asked of them
    path("tests/", load_tests.test_list, name="test_list"),
    path("tests/<int:pk>/", load_tests.test_page, name="test_page"),
    path("tests/<int:pk>/start/", control.test_start, name="test_start"),
    path("tests/<int:pk>/target/", guards.test_target, name="test_target"),
    path("intents/<uuid:token>/", control.intent_page, name="intent_page"),
    path("intents/<uuid:token>/queue/", control.intent_queue, name="intent_queue"),
    path("intents/<uuid:token>/leave/", control.intent_leave, name="intent_leave"),
    path("history/", history.history, name="history"),
    # Accounts
    path("accounts/", accounts.account_list, name="account_list"),
    path("accounts/new/", accounts.account_new, name="account_new"),
    path("accounts/<slug:slug>/", accounts.account_page, name="account_page"),
    path("accounts/<slug:slug>/start/", control.account_start, name="account_start"),
    path("accounts/<slug:slug>/test/", accounts.account_test, name="account_test"),
    path("accounts/<slug:slug>/sync/", accounts.account_sync, name="account_sync"),
    # Guard rails
    path("guards/", guards.guard_list, name="guard_list"),
    path("guards/targets/new/", guards.target_new, name="target_new"),
    path("guards/targets/<int:pk>/", guards.target_page, name="target_page"),
    path("guards/targets/<int:pk>/delete/", guards.target_delete, name="target_delete"),
    path("guards/freezes/new/", guards.freeze_new, name="freeze_new"),
    path("guards/freezes/<int:pk>/", guards.freeze_page, name="freeze_page"),
    path("guards/freezes/<int:pk>/switch/", guards.freeze_switch, name="freeze_switch"),
    path("guards/freezes/<int:pk>/delete/", guards.freeze_delete, name="freeze_delete"),
    # People
    path("users/", people.user_list, name="user_list"),
    path("users/new/", people.user_new, name="user_new"),
    path("users/<int:pk>/", people.user_page, name="user_page"),
]
