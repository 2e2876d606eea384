"""People and their roles, for admins."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.forms.people import PersonForm, role_of
from runs.actions import shown_name
from runs.choices import Role

admins_only = permission_required("auth.change_user", raise_exception=True)
PER_PAGE = 50


@require_safe
@admins_only
def user_list(request: HttpRequest) -> HttpResponse:
    """Everybody with their role, by name, 50 on a page."""
    people = User.objects.order_by("-is_active", "username").prefetch_related(Prefetch("groups"))
    page = Paginator(people, PER_PAGE).get_page(request.GET.get("page"))
    for person in page:
        person.role = Role(role_of(person)).label if role_of(person) else "No role"
    return render(request, "accounts/people.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def user_new(request: HttpRequest) -> HttpResponse:
    """Add a person."""
    form = PersonForm(request.POST or None, acting=request.user)
    if request.method == "POST" and form.is_valid():
        person = form.save()
        messages.success(request, f"{shown_name(person)} can sign in now.")
        return redirect("user_list")
    return render(request, "accounts/person.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def user_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a person's name, role or password, or let them in no more."""
    person = get_object_or_404(User, pk=pk)
    form = PersonForm(request.POST or None, instance=person, acting=request.user)
    if request.method == "POST" and form.is_valid():
        person = form.save()
        if person == request.user:
            update_session_auth_hash(request, person)
        messages.success(request, f"{shown_name(person)} is saved.")
        return redirect("user_list")
    return render(request, "accounts/person.html", {"form": form, "person": User.objects.get(pk=pk)})
