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


def test_every_way_of_not_being_in_sync_is_shown():
    text = text_of(shown())
    assert "Nothing is synced now:" in text
    assert "retail-prod : The token was refused (401). Paste a new one. What you see of it is from" in text
    assert "perf-weu : It is to be synced every minute, and was not. What you see of it is from" in text
    assert "fabrikam : No answer from fabrikam.example. None of its runs are known yet." in text
    assert "4 accounts are not in sync : retail-prod, perf-eus, perf-weu and 1 more." in text
    assert re.search(r"Synced 3\d s ago ?, as of", text)
    assert "Oldest data: perf-weu, synced" in text
    assert "legacy-org has not been synced yet." in text
    assert "The history of perf-lab is still being read, 12,873 runs so far" in text
