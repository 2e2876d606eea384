"""Thresholds that are kept here: on the load test's page, and the form that operators set them with."""

import pytest
from django.test import Client
from django.urls import reverse

from runs.models import LoadTest
from tests.rows import make_account, make_test, make_user

pytestmark = pytest.mark.django_db
GIVEN = {"p95_ms": "450.5", "error_percent": "1.1", "rate_per_s": ""}


@pytest.fixture
def load_test():
    return make_test(make_account("ours", "locust", base_url="http://locust.example:8089"), "Shopper")


@pytest.fixture
def url(load_test):
    return reverse("test_thresholds", args=[load_test.pk])


def page(client, load_test):
    return client.get(reverse("test_page", args=[load_test.pk])).content.decode()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 302), ("admin", 302)])
def test_operators_set_them_and_viewers_do_not(load_test, url, role, status):
    client = Client()
    client.force_login(make_user(role))
    assert client.post(url, GIVEN).status_code == status
    kept = LoadTest.objects.get(pk=load_test.pk).own_thresholds
    assert kept == ({} if role == "viewer" else {"p95_ms": 450.5, "error_rate": 0.011})


def test_what_is_kept_is_shown_and_can_be_changed_and_taken_back(operator, load_test, url):
    assert "None, so its runs get no verdict" in page(operator, load_test)
    operator.post(url, GIVEN)
    shown = page(operator, load_test)
    assert "p95 of all requests" in shown
    assert "p95 ≤ 450.5\xa0ms" in shown
    assert "rate ≤ 1.1\xa0%" in shown
    form = operator.get(url).content.decode()
    assert 'value="450.5"' in form
    assert 'value="1.1"' in form
    operator.post(url, dict.fromkeys(GIVEN, ""))
    assert LoadTest.objects.get().own_thresholds == {}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("p95_ms", "fast", "Enter a number."), ("p95_ms", "0", "More than 0 ms."), ("p95_ms", "nan", "Enter a number."),
        ("error_percent", "101", "From 0 to 100."), ("rate_per_s", "-3", "More than 0 a second."),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_told_beside_its_field_and_nothing_typed_is_lost(
    operator, load_test, url, name, value, said
):
    answer = operator.post(url, {**GIVEN, name: value})
    shown = answer.content.decode()
    assert (answer.status_code, LoadTest.objects.get().own_thresholds) == (422, {})
    assert said in shown
    assert f'value="{value}"' in shown


def test_a_load_test_whose_provider_knows_its_own_has_no_such_form(operator):
    other = make_test(make_account())
    assert operator.get(reverse("test_thresholds", args=[other.pk])).status_code == 404
    assert "Thresholds</h2>" not in page(operator, other)


def test_viewers_read_them(viewer, load_test):
    LoadTest.objects.update(own_thresholds={"rate_per_s": 100})
    shown = page(viewer, load_test)
    assert "rate ≥ 100\xa0/s" in shown
    assert reverse("test_thresholds", args=[load_test.pk]) not in shown
