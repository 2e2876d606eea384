"""The Errors tab: the tree, its filters in the address, the pane of one error, and large trees branch by branch."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from runs.error_tree import fingerprint, other_fingerprint, subtype_fingerprint, type_fingerprint
from runs.models import Run, RunError
from tests.rows import NOW, make_account, make_run, make_test, make_user
from tests.run_page_rows import TRACE, add_error, failed_k6_run, failed_vsts_run, text

pytestmark = pytest.mark.django_db
PANE = {"HX-Request": "true", "HX-Target": "error-pane"}
BRANCH = {"HX-Request": "true", "HX-Target": "branch"}


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_user("viewer"))
    return client


@pytest.fixture
def large_run() -> Run:
    """50 details in one subtype, and 600 in another of which all but one are rare."""
    run = make_run(make_test(make_account()), details_at=NOW)
    rows = [("E", "even", f"even {n:04}", 10) for n in range(50)]
    rows += [("E", "many", f"many {n:04}", 1 + (n == 0) * 40) for n in range(600)]
    RunError.objects.bulk_create(
        RunError(
            run=run,
            type=type,
            subtype=subtype,
            message=message,
            occurrences=times,
            fingerprint=fingerprint(type, subtype, message),
        )
        for type, subtype, message, times in rows
    )
    return run


def errors(client: Client, run: Run, headers: dict | None = None, **query: object) -> str:
    response = client.get(reverse("run_errors", args=[run.pk]), query, headers=headers or {})
    assert response.status_code == 200
    return response.content.decode()


def rows(html: str) -> list[str]:
    """The tree's rows as people read them, in order."""
    tree = html.split('<div class="error-tree')[1].split('id="error-pane"')[0]
    return [
        text(row.partition(">")[2])
        for row in re.findall(r'(<(?:summary|a) class="error-row.*?)</(?:summary|a)>', tree, re.S)
    ]


def chosen(html: str) -> list[str]:
    return re.findall(r'data-node="(\w+)" aria-current="true"', html)


def pane(html: str) -> str:
    return text(html.split('id="error-pane"')[1].partition(">")[2].split("</aside>")[0])


def test_a_small_tree_is_shown_open_with_times_and_share(viewer):
    html = errors(viewer, failed_k6_run())
    assert "7,596 errors · 3 types, 5 subtypes, 10 details" in text(html)
    assert rows(html)[:6] == [
        "HTTP 3 subtypes 5,883 times 77.4 % 29:45",
        "503 2 details 5,214 times 68.6 % 29:45",
        "POST /api/v2/checkout upstream connect error, reset reason: connection overflow 4,870 times 64.1 % 29:45",
        "POST /api/v2/payment-intent upstream connect error, reset reason: overflow 344 times 4.5 % 29:45",
        "500 4 details 482 times 6.3 % 29:45",
        "POST /api/v2/checkout could not obtain connection from pool within 5 s 471 times 6.2 % 29:45",
    ]


def test_rare_errors_are_folded_into_a_closed_other_that_holds_them(viewer):
    html = errors(viewer, failed_k6_run())
    folded = other_fingerprint(subtype_fingerprint("HTTP", "500"))
    assert f'<details class="error-branch" data-node="{folded}">' in html
    assert "other 2 details under 1 % 6 times 0.1 %" in " ".join(rows(html))
    assert "GET /api/v2/a nil pointer 2 times" in " ".join(rows(html))


def test_a_column_that_nobody_can_fill_is_not_shown(viewer):
    run = make_run(make_test(make_account()), details_at=NOW)
    add_error(run, "E", "s", 2, message="m")
    assert "Last at" not in errors(viewer, run)
    assert "Last at" in errors(viewer, failed_vsts_run())


def test_filters_by_type_subtype_and_text_are_in_the_address(viewer):
    run = failed_k6_run()
    assert "1,102 of 7,596 errors · 1 type, 1 subtype, 2 details" in text(errors(viewer, run, type="RequestError"))
    by_subtype = errors(viewer, run, type="HTTP", subtype="500")
    assert "482 of 7,596 errors" in text(by_subtype)
    assert '<option value="500" selected>' in by_subtype
    by_text = errors(viewer, run, text="TOKEN")
    assert "611 of 7,596 errors" in text(by_text)
    assert 'value="TOKEN"' in by_text


def test_shares_stay_shares_of_all_errors_under_a_filter(viewer):
    assert "RequestError 1 subtype 1,102 times 14.5 % 29:45" in rows(
        errors(viewer, failed_k6_run(), type="RequestError")
    )


def test_links_inside_a_filtered_tree_keep_the_filter(viewer):
    html = errors(viewer, failed_k6_run(), type="RequestError", text="cart")
    assert re.search(r'href="/runs/\d+/errors/\?text=cart&amp;type=RequestError&amp;node=\w{16}#error-pane"', html)


def test_a_filter_that_hides_everything_says_so_and_offers_the_way_back(viewer):
    run = failed_k6_run()
    html = errors(viewer, run, text="no such thing")
    assert "No error matches" in html
    assert "All 7,596 errors of this run are hidden by 1 filter." in text(html)
    assert f'<a class="btn" href="{reverse("run_errors", args=[run.pk])}">Clear filters</a>' in html


def test_the_subtypes_offered_are_those_of_the_chosen_type(viewer):
    html = errors(viewer, failed_k6_run(), type="Check")
    offered = html.split('name="subtype"')[1].split("</select>")[0]
    assert text(offered.partition(">")[2]) == "Subtype: all order has a token (611)"


def test_a_deep_link_opens_the_way_to_a_detail_and_shows_all_of_it(viewer):
    run = failed_vsts_run()
    detail = RunError.objects.get(run=run, occurrences=840)
    html = errors(viewer, run, node=detail.fingerprint)
    assert chosen(html) == [detail.fingerprint]
    said = pane(html)
    for part in (
        "Exception \u203a WebException",
        "The remote name could not be resolved: 'shop0.contoso.example'",
        "840 times, 66.2 % of errors",
        "Request POST http://shop0.contoso.example/checkout",
        "Scenario Peak",
        "Test case PlaceOrder",
        "Last 20 Nov 2026, 10:42:00 UTC",
    ):
        assert part in said
    assert f'<pre class="trace" id="stack-trace" tabindex="0">{TRACE}</pre>' in html


def test_a_deep_link_opens_a_folded_branch_too(viewer):
    run = failed_vsts_run()
    html = errors(viewer, run, node=RunError.objects.get(run=run, occurrences=3).fingerprint)
    folded = other_fingerprint(subtype_fingerprint("Exception", "WebException"))
    assert f'<details class="error-branch" open data-node="{folded}">' in html
    assert "3 times, 0.2 % of errors" in pane(html)


def test_a_branch_may_be_the_deep_link(viewer):
    said = pane(errors(viewer, failed_k6_run(), node=type_fingerprint("HTTP")))
    assert "HTTP 5,883 times, 77.4 % of errors, 3 subtypes" in said


def test_an_unknown_node_shows_the_tree_without_a_choice(viewer):
    html = errors(viewer, failed_k6_run(), node="0123456789abcdef")
    assert chosen(html) == []
    assert "Choose a detail" in pane(html)


def test_the_pane_says_since_when_the_test_knows_this_error(viewer):
    run = failed_k6_run()
    detail = RunError.objects.get(run=run, occurrences=4870)
    first = make_run(run.load_test, 96, created_at=NOW.replace(month=3, day=9))
    again = {name: getattr(detail, name) for name in ("message", "request", "test_case", "scenario", "stack_trace")}
    add_error(first, detail.type, detail.subtype, 1, **again)
    html = errors(viewer, run, node=detail.fingerprint)
    assert "In this test in 2 runs, first #96 , 9 Mar 2026" in pane(html)
    assert "only in this run" in pane(errors(viewer, run, node=RunError.objects.get(occurrences=344).fingerprint))


def test_htmx_gets_only_the_pane_when_it_asks_for_that(viewer):
    run = failed_vsts_run()
    html = errors(viewer, run, PANE, node=RunError.objects.get(run=run, occurrences=840).fingerprint)
    assert "error-tree" not in html
    assert TRACE.splitlines()[0] in html


def test_answers_for_pages_and_parts_are_not_mixed_up_by_a_cache(viewer):
    response = viewer.get(reverse("run_errors", args=[failed_k6_run().pk]))
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in response["Vary"].split(",")}


def test_a_large_tree_comes_closed_with_a_link_to_each_branch(viewer, large_run):
    html = errors(viewer, large_run)
    shown = rows(html)
    assert len(shown) < 20
    many = subtype_fingerprint("E", "many")
    url = f"{reverse('run_errors', args=[large_run.pk])}?branch={many}"
    assert f'hx-get="{url}" hx-trigger="toggle from:closest details once"' in html
    assert f'href="{url}">Show 600 details</a>' in html


def test_an_opened_branch_brings_its_rows_page_by_page_and_loses_none(viewer, large_run):
    branch = other_fingerprint(subtype_fingerprint("E", "many"))
    found, query = [], {"branch": branch}
    for _ in range(10):
        html = errors(viewer, large_run, BRANCH, **query)
        found += re.findall(r"many \d{4}", html)
        following = re.search(r"&amp;page=(\d+)\" hx-get", html)
        if not following:
            break
        assert len(re.findall(r"many \d{4}", html)) == 100
        query = {"branch": branch, "page": following[1]}
    assert sorted(found) == [f"many {n:04}" for n in range(1, 600)]


def test_without_javascript_a_branch_is_a_page_of_its_own(viewer, large_run):
    branch = other_fingerprint(subtype_fingerprint("E", "many"))
    html = errors(viewer, large_run, branch=branch, page=6)
    assert "All errors \u203a E \u203a many \u203a other" in text(html)
    assert "501–599 of 599" in text(html)
    assert len(rows(html)) == 99
    assert f'rel="prev" href="?branch={branch}&amp;page=5"' in html


def test_no_such_branch_is_a_404(viewer, large_run):
    response = viewer.get(reverse("run_errors", args=[large_run.pk]), {"branch": "0123456789abcdef"})
    assert response.status_code == 404


def test_ten_thousand_details_are_a_small_page(viewer):
    run = make_run(make_test(make_account()), details_at=NOW)
    RunError.objects.bulk_create(
        RunError(
            run=run,
            type=f"T{n % 3}",
            subtype=f"s{n % 40}",
            message=f"m {n}",
            occurrences=n % 900 + 1,
            fingerprint=f"{n:016x}",
        )
        for n in range(10_000)
    )
    response = viewer.get(reverse("run_errors", args=[run.pk]), {"node": f"{9999:016x}"})
    assert len(response.content) < 200_000
    assert "m 9999" in response.content.decode()
    assert "10,000 details" in response.content.decode()


def test_a_name_that_is_empty_can_still_be_opened(viewer):
    run = make_run(make_test(make_account()), details_at=NOW)
    add_error(run, "", "", 2)
    assert rows(errors(viewer, run))[0].startswith("(no name) 1 subtype 2 times 100.0 %")


def test_filters_too_long_to_be_names_are_none(viewer):
    assert "7,596 errors" in text(errors(viewer, failed_k6_run(), type="x" * 301))
