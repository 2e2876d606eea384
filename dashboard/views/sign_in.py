"""Signing in and out, one's own page, and the keys one can press."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.context import preference_of
from dashboard.forms.people import OwnPasswordForm, PreferenceForm, SignInForm, ThemeForm, role_of
from dashboard.views.control import dialog
from dashboard.way_back import way_back

sign_in = LoginView.as_view(
    template_name="registration/sign_in.html", authentication_form=SignInForm, redirect_authenticated_user=True
)
sign_out = LogoutView.as_view(http_method_names=["post"])


@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HttpRequest) -> HttpResponse:
    """One's own settings: `form` in a POST says which of the page's forms was sent."""
    sent = request.POST.get("form", "")
    if sent == "theme":
        return _change_theme(request)
    preference = preference_of(request)
    settings_form = PreferenceForm(request.POST if sent == "settings" else None, instance=preference)
    password_form = OwnPasswordForm(request.user, request.POST if sent == "password" else None)
    if sent == "settings" and settings_form.is_valid():
        settings_form.save()
        messages.success(request, "Your settings are saved.")
        return redirect("me")
    if sent == "password" and password_form.is_valid():
        password_form.save()
        # Ends every other session of this person, and keeps this one.
        update_session_auth_hash(request, request.user)
        messages.success(request, "Your password is changed. Your other sessions have ended.")
        return redirect("me")
    context = {"settings_form": settings_form, "password_form": password_form, "role": role_of(request.user)}
    return render(request, "registration/me.html", context)


def _change_theme(request: HttpRequest) -> HttpResponse:
    form = ThemeForm(request.POST, instance=preference_of(request))
    if form.is_valid():
        form.save()
    return way_back(request, "me")


@require_safe
def shortcuts(request: HttpRequest) -> HttpResponse:
    """The keys that this person can use: a page, or the inside of the dialog where HTMX asks for it."""
    return dialog(request, "registration/shortcuts.html", {})
