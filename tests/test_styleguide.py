"""The page of parts: complete, and only for those who build pages."""

import re

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from runs.choices import RunResult, RunStatus, StopReason
from tests.pages import browser, text_of
from tests.rows import make_user

pytestmark = pytest.mark.django_db


def shown(role: str = "admin") -> HttpResponse:
    return browser(make_user(role)).get(reverse("styleguide"))


def test_every_status_and_every_reason_to_end_early_is_shown():
    text = text_of(shown())
    words = [status.label for status in RunStatus if status != RunStatus.UNKNOWN]
    words += [f"Aborted {reason.label}" for reason in StopReason]
    assert [word for word in [*words, "ARCHIVED"] if word not in text] == []


def test_every_verdict_is_shown_and_each_has_an_icon_of_its_own():
    html = shown().content.decode()
    kinds = dict(re.findall(r'class="result is-([\w-]+)".*?#([\w-]+)"', html))
    assert set(kinds) == {*(str(result) for result in RunResult), "not-yet", "failing"}
    assert len(set(kinds.values())) == len(kinds)


def test_every_colour_of_the_tokens_has_a_swatch():
    tokens = (settings.BASE_DIR / "static" / "tokens.css").read_text()
    swatches = (settings.BASE_DIR / "static" / "styleguide.css").read_text()
    html = shown().content.decode()
    for name in re.findall(r"--([\w-]+): light-dark", tokens):
        assert f'class="swatch-{name}"' in html
        assert f".swatch-{name} {{ fill: var(--{name}); }}" in swatches


def test_nothing_takes_the_focus_and_with_it_the_page_away():
    html = shown().content.decode()
    assert "autofocus" not in html


def test_others_see_it_while_debug_is_on_only(settings):
    assert shown("viewer").status_code == 403
    settings.DEBUG = True
    assert shown("operator").status_code == 200
