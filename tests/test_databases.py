"""What must be the same whichever database keeps the rows."""

import pytest
from django.apps import apps
from django.db import connection, models

from runs.listing import Order, RunFilters, run_page, runs_matching
from runs.models import LoadTest, RunPayload
from tests.rows import NOW, make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db
NAMES = ["Zeta", "alpha", "_private", "ärger", "Basket", "basket 10", "basket 2", "日本", "Basket-b", "Basket a", "1st"]


@pytest.fixture
def tests():
    account = make_account()
    return [make_test(account, name) for name in NAMES]


def test_names_are_sorted_by_their_characters_codes(tests):
    assert [test.name for test in LoadTest.objects.all()] == sorted(NAMES)


@pytest.mark.parametrize("order", ["test", "-test"])
def test_pages_sorted_by_name_neither_repeat_nor_skip_a_run(tests, order):
    for test in tests:
        make_run(test, test.pk)
    seen, after = [], ""
    while after is not None:
        page = run_page(runs_matching(RunFilters()), Order.parse(order), after=after, size=2)
        seen += [run.load_test.name for run in page.runs]
        after = page.after or None
    assert seen == sorted(NAMES, reverse=order.startswith("-"))


def test_people_are_sorted_alike_too(admin_client):
    for name in ("Zoe", "adam", "Bob"):
        make_user("viewer", name)
    html = admin_client.get("/users/").content.decode()
    assert html.index("Bob") < html.index("Zoe") < html.index("adam")


def test_a_stored_answer_is_shown_with_its_keys_in_order(client, tests):
    run = make_run(tests[0], 1)
    RunPayload.objects.create(run=run, payload={"run_status": 3, "id": 47, "a_long_name_first": {"b": 1, "a": 2}})
    client.force_login(make_user("viewer"))
    text = client.get(f"/runs/{run.pk}/raw/").content.decode()
    assert text.index("a_long_name_first") < text.index("&quot;id&quot;") < text.index("run_status")
    assert text.index("&quot;a&quot;: 2") < text.index("&quot;b&quot;: 1")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the only one with columns that sort by a language")
def test_no_text_column_depends_on_the_language_the_database_was_made_for():
    kinds = (models.CharField, models.TextField)
    ours = {
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if isinstance(field, kinds)
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name, column_name FROM information_schema.columns WHERE collation_name = 'C'")
        assert ours - set(cursor.fetchall()) == set()


def test_runs_without_a_verdict_cost_the_list_of_load_tests_no_queries(client, tests, django_assert_max_num_queries):
    client.force_login(make_user("viewer"))
    client.get("/tests/")
    with django_assert_max_num_queries(100) as few:
        client.get("/tests/")
    for test in tests:
        make_run(test, test.pk, result="none", details_at=NOW)
    with django_assert_max_num_queries(len(few) + 2):
        client.get("/tests/")
