"""The Errors tab: the tree, its filters in the address, the pane of one error, and large trees branch by branch."""

import csv
import json
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.error_tree import fingerprint, other_fingerprint, subtype_fingerprint, type_fingerprint
from runs.models import LoadTest, Run, RunError, RunMetric
from tests.rows import NOW, make_account, make_run, make_test
from tests.run_page_rows import TRACE, add_error, failed_k6_run, failed_vsts_run, text

pytestmark = pytest.mark.django_db
PANE = {"HX-Request": "true", "HX-Target": "error-pane"}
BRANCH = {"HX-Request": "true", "HX-Target": "branch"}


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


def run_with(number: int, messages: list[str], test: LoadTest | None = None, **fields: object) -> Run:
    """A run a minute later than the number before, with these errors."""
    fields = {"created_at": NOW - timedelta(days=1) + timedelta(minutes=number), "details_at": NOW, **fields}
    run = make_run(test or make_test(make_account()), number, **fields)
    for message in messages:
        add_error(run, "E", "s", 10, message=message)
    return run


def errors(client: Client, run: Run, headers: dict | None = None, **query: object) -> str:
    response = client.get(reverse("run_errors", args=[run.pk]), query, headers=headers or {})
    assert response.status_code == 200
    return response.content.decode()


def rows(html: str) -> list[str]:
    """The rows as people read them, in order."""
    return [text(row) for row in re.findall(r'<tr role="row"[^>]*(?:data-node|data-more)[^>]*>(.*?)</tr>', html, re.S)]


def row_of(html: str, node: str) -> str:
    """The opening tag of a node's row."""
    return re.search(rf'<tr [^>]*data-node="{node}"[^>]*>', html)[0]


def chosen(html: str) -> list[str]:
    return re.findall(r'<tr [^>]*aria-current="true" data-node="(\w+)"', html)


def pane(html: str) -> str:
    return text(html.split('id="error-pane"')[1].partition(">")[2].split("</aside>")[0])


def test_the_share_is_of_requests_though_checks_and_thresholds_are_errors_too(viewer):
    run = failed_k6_run()
    RunError.objects.filter(run=run).update(occurrences=F("occurrences") * 2)
    assert "requests (1.84 % failed)" in text(errors(viewer, run))
    RunMetric.objects.filter(run=run, kind="run").update(numbers={"count": 412806})
    assert "412,806 requests ·" in text(errors(viewer, run))


def test_a_small_tree_is_shown_open_with_times_and_share(viewer):
    html = errors(viewer, failed_k6_run())
    assert "7,596 in 412,806 requests (1.84 % failed) · 3 types, 5 subtypes, 10 details" in text(html)
    connection = "POST /api/v2/checkout upstream connect error, reset reason: connection overflow"
    assert rows(html)[:6] == [
        "HTTP 3 subtypes 5,883 times 77.4 % this run 29:45",
        "503 2 details 5,214 times 68.6 % this run 29:45",
        f"{connection} 4,870 times 64.1 % this run 29:45",
        "POST /api/v2/payment-intent upstream connect error, reset reason: overflow 344 times 4.5 % this run 29:45",
        "500 4 details 482 times 6.3 % this run 29:45",
        "POST /api/v2/checkout could not obtain connection from pool within 5 s 471 times 6.2 % this run 29:45",
    ]


def test_where_the_requests_are_not_known_none_are_named(viewer):
    assert "1,269 errors · 3 types, 3 subtypes, 6 details" in text(errors(viewer, failed_vsts_run()))


def test_rows_say_their_level_and_place_among_all_their_siblings(viewer):
    html = errors(viewer, failed_k6_run())
    http, second = type_fingerprint("HTTP"), subtype_fingerprint("HTTP", "500")
    assert 'aria-level="1" aria-posinset="1" aria-setsize="3" aria-expanded="true"' in row_of(html, http)
    assert 'aria-level="2" aria-posinset="2" aria-setsize="3" aria-expanded="true"' in row_of(html, second)
    detail = RunError.objects.get(occurrences=471).fingerprint
    assert 'aria-level="3" aria-posinset="1" aria-setsize="3" data-node' in row_of(html, detail)


def test_rare_errors_are_folded_into_a_closed_other_that_holds_them(viewer):
    html = errors(viewer, failed_k6_run())
    folded = other_fingerprint(subtype_fingerprint("HTTP", "500"))
    assert 'aria-expanded="false"' in row_of(html, folded)
    assert "other 2 details under 1 % 6 times 0.1 %" in " ".join(rows(html))
    opened = " ".join(rows(errors(viewer, Run.objects.get(), toggle=folded)))
    assert "GET /api/v2/a nil pointer 2 times" in opened
    assert "POST /api/v2/checkout could not obtain" in opened


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
    assert re.search(r'name="subtype" value="500" checked', by_subtype)
    both = errors(viewer, run, type=["RequestError", "Check"])
    assert "1,713 of 7,596 errors · 2 types, 2 subtypes, 3 details" in text(both)
    by_text = errors(viewer, run, text="TOKEN")
    assert "611 of 7,596 errors" in text(by_text)
    assert 'value="TOKEN"' in by_text


def test_shares_stay_shares_of_all_errors_under_a_filter(viewer):
    assert "RequestError 1 subtype 1,102 times 14.5 % this run 29:45" in rows(
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


def menu(html: str, name: str) -> str:
    """What the menu of a filter says."""
    return text(html.split(f'id="error-{name}"')[1].split("</fieldset>")[0].partition(">")[2])


def test_the_menus_count_under_the_other_filters(viewer):
    run = failed_k6_run()
    html = errors(viewer, run, type="Check")
    assert menu(html, "subtype").endswith("Subtype order has a token 611 times")
    assert menu(html, "type").endswith("HTTP 5,883 times RequestError 1,102 times Check 611 times")
    assert menu(errors(viewer, run, text="timeout"), "type").endswith("Type RequestError 1,102 times")


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
        "Request POST /checkout http://shop0.contoso.example",
        "Scenario Peak",
        "Test case PlaceOrder",
        "Last at 20 Nov 2026, 10:42:00 UTC",
    ):
        assert part in said
    own, rest = TRACE.split("\n")
    assert f'<pre class="trace" id="stack-trace" tabindex="0"><mark>{own}\n</mark>{rest}</pre>' in html


def test_a_deep_link_opens_a_folded_branch_too(viewer):
    run = failed_vsts_run()
    html = errors(viewer, run, node=RunError.objects.get(run=run, occurrences=3).fingerprint)
    folded = other_fingerprint(subtype_fingerprint("Exception", "WebException"))
    assert 'aria-expanded="true"' in row_of(html, folded)
    assert "3 times, 0.2 % of errors" in pane(html)


def test_a_branch_may_be_the_deep_link(viewer):
    said = pane(errors(viewer, failed_k6_run(), node=type_fingerprint("HTTP")))
    assert "HTTP 5,883 times, 77.4 % of errors, 14.3 per 1,000 requests, 3 subtypes" in said


def test_an_unknown_node_shows_the_tree_without_a_choice(viewer):
    html = errors(viewer, failed_k6_run(), node="0123456789abcdef")
    assert chosen(html) == []
    assert pane(html) == ""


def test_the_pane_says_since_when_the_test_knows_this_error(viewer):
    run = failed_k6_run()
    detail = RunError.objects.get(run=run, occurrences=4870)
    first = make_run(run.load_test, 96, created_at=NOW.replace(month=3, day=9))
    again = {name: getattr(detail, name) for name in ("message", "request", "test_case", "scenario", "stack_trace")}
    add_error(first, detail.type, detail.subtype, 1, **again)
    html = errors(viewer, run, node=detail.fingerprint)
    assert "In this test in 2 runs, first #96 , 9 Mar 2026 Other runs #96" in pane(html)
    assert "only in this run" in pane(errors(viewer, run, node=RunError.objects.get(occurrences=344).fingerprint))


def test_the_pane_names_the_last_few_of_many_other_runs(viewer):
    run = run_with(214, ["m"])
    for number in range(200, 208):
        run_with(number, ["m"], test=run.load_test)
    said = pane(errors(viewer, run, node=run.runerrors.get().fingerprint))
    assert (
        "in 9 runs, first #200 , 19 Nov 2026 Other runs #207 , #206 , #205 , #204 , #203 of 8, the last first" in said
    )


def test_a_long_message_is_shown_whole(viewer):
    run = run_with(214, ["long " * 200])
    html = errors(viewer, run, node=run.runerrors.get().fingerprint)
    assert f'id="error-message" tabindex="0">{"long " * 200}</pre>' in html


def test_htmx_gets_only_the_pane_when_it_asks_for_that(viewer):
    run = failed_vsts_run()
    html = errors(viewer, run, PANE, node=RunError.objects.get(run=run, occurrences=840).fingerprint)
    assert "error-tree" not in html
    assert TRACE.splitlines()[0] in html


def test_answers_for_pages_and_parts_are_not_mixed_up_by_a_cache(viewer):
    response = viewer.get(reverse("run_errors", args=[failed_k6_run().pk]))
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in response["Vary"].split(",")}


def test_a_large_tree_comes_closed(viewer, large_run):
    html = errors(viewer, large_run)
    assert [row.split(" times")[0] for row in rows(html)] == [
        "E 2 subtypes 1,140",
        "many 600 details 640",
        "even 50 details 500",
    ]
    assert 'aria-expanded="false"' in row_of(html, subtype_fingerprint("E", "many"))


def test_all_branches_are_opened_as_far_as_a_page_holds_them(viewer, large_run):
    opened = errors(viewer, large_run, open="all")
    assert len(rows(opened)) == 1 + 2 + 50 + 2
    assert 'aria-expanded="false"' in row_of(opened, other_fingerprint(subtype_fingerprint("E", "many")))
    assert len(rows(errors(viewer, large_run, open="none"))) == 1


def test_a_branch_is_opened_and_closed_by_its_button_without_javascript(viewer, large_run):
    even = subtype_fingerprint("E", "even")
    html = errors(viewer, large_run, toggle=even)
    assert 'aria-expanded="true"' in row_of(html, even)
    assert f'name="toggle" value="{even}"' in html.split('id="error-tree-form"')[1].split("</form>")[0]
    assert 'aria-expanded="false"' in row_of(errors(viewer, large_run, toggle=[even, even]), even)
    root = type_fingerprint("E")
    assert 'aria-expanded="false"' in row_of(errors(viewer, large_run, toggle=even, open=f"{root}.{even}"), even)


def test_an_opened_branch_brings_its_rows_page_by_page_and_loses_none(viewer, large_run):
    branch = other_fingerprint(subtype_fingerprint("E", "many"))
    found, query = [], {"branch": branch}
    for _ in range(10):
        html = errors(viewer, large_run, BRANCH, **query)
        found += re.findall(r"many \d{4}", html)
        following = re.search(r'data-page="(\d+)"', html)
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
    with CaptureQueriesContext(connection) as few:
        response = viewer.get(reverse("run_errors", args=[run.pk]), {"node": f"{9999:016x}"})
    assert len(few) < 40
    assert len(response.content) < 250_000
    html = response.content.decode()
    assert chosen(html) == [f"{9999:016x}"]
    assert "10,000 details" in html
    assert "first seen is told of details only" in html
    everything = viewer.get(reverse("run_errors", args=[run.pk]), {"open": "all"})
    assert len(everything.content) < 1_000_000


def test_a_name_that_is_empty_can_still_be_opened(viewer):
    run = make_run(make_test(make_account()), details_at=NOW)
    add_error(run, "", "", 2)
    assert rows(errors(viewer, run))[0].startswith("(no name) 1 subtype 2 times 100.0 % this run")


def test_filters_too_long_to_be_names_are_none(viewer):
    assert "7,596 in 412,806 requests" in text(errors(viewer, failed_k6_run(), type="x" * 301))


# --- First seen and new ---


def test_first_seen_is_the_first_run_of_the_same_test_that_had_it(viewer):
    oldest = run_with(96, ["old"], created_at=NOW.replace(month=3, day=9))
    run_with(99, ["old", "newer"], oldest.load_test)
    run = run_with(214, ["old", "newer", "today"], oldest.load_test)
    run_with(215, ["today"], oldest.load_test)
    run_with(1, ["today"], make_test(oldest.account, "another"))
    html = errors(viewer, run)
    seen = {row.split()[0]: re.search(r"% (.*)", row)[1] for row in rows(html)}
    assert seen == {
        "E": "#96, 9 Mar", "s": "#96, 9 Mar", "old": "#96, 9 Mar", "newer": "#99, 19 Nov", "today": "this run"
    }  # fmt: skip


def test_an_error_is_new_when_the_run_before_did_not_have_it(viewer):
    before = run_with(213, ["known", "gone"])
    run = run_with(214, ["known", "fresh", "other"], before.load_test)
    add_error(run, "F", "t", 3, message="fresh, too")
    html = errors(viewer, run)
    assert [row for row in rows(html) if "NEW" in row] == [
        "fresh NEW 10 times 30.3 % this run",
        "other NEW 10 times 30.3 % this run",
        "F NEW 1 subtype 3 times 9.1 % this run",
        "t NEW 1 detail 3 times 9.1 % this run",
        "fresh, too NEW 3 times 9.1 % this run",
    ]
    assert "4 details · 3 new since #213" in text(html)
    only = errors(viewer, run, new=1)
    assert "23 of 33 errors · 2 types, 2 subtypes, 3 details · 3 new since #213" in text(only)
    assert "known" not in " ".join(rows(only))
    assert re.search(r'id="error-new" value="1" checked>New only <span class="count">3<', only)
    assert "NEW" in pane(errors(viewer, run, node=type_fingerprint("F")))


def test_nothing_is_new_where_there_is_no_run_to_hold_it_against(viewer):
    html = errors(viewer, run_with(214, ["m"]))
    assert "NEW" not in html
    assert "New only" not in html
    assert "new since" not in html


def test_that_nothing_is_new_is_said_with_a_way_out(viewer):
    before = run_with(213, ["m"])
    run = run_with(214, ["m"], before.load_test)
    assert "1 detail · none new since #213" in text(errors(viewer, run))
    html = text(errors(viewer, run, new=1))
    assert "All 10 errors of this run are hidden by 1 filter. None of them is new since #213. Clear filters" in html


def test_a_hundred_earlier_runs_cost_no_query_more_than_one(viewer):
    run = run_with(500, ["a", "b", "c"])
    run_with(100, ["a"], run.load_test)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            errors(viewer, run)
        return len(asked)

    errors(viewer, run)  # from here on it is seen
    few = queries()
    for number in range(101, 200):
        run_with(number, ["a", "b"], run.load_test)
    for message in "defgh":
        add_error(run, "E", f"s {message}", 2, message=message)
    assert queries() == few
    assert "b 10 times 25.0 % #101, 19 Nov" in rows(errors(viewer, run))


# --- List, file, live ---


def test_the_list_shows_every_detail_the_most_frequent_first(viewer):
    html = errors(viewer, failed_k6_run(), layout="list")
    assert len(rows(html)) == 10
    assert rows(html)[1] == (
        "POST /api/v2/checkout request timeout after 60 s RequestError \u203a request timeout 1,040 times 13.7 % "
        "this run 29:45"
    )
    assert "treegrid" not in html
    filtered = errors(viewer, Run.objects.get(), layout="list", text="timeout")
    assert len(rows(filtered)) == 2
    assert re.search(r'href="/runs/\d+/errors/\?text=timeout&amp;layout=list&amp;node=', filtered)


def test_a_long_list_comes_in_pages_and_loses_none(viewer, large_run):
    pages = [errors(viewer, large_run, layout="list", page=page) for page in range(1, 8)]
    found = [row.split(" E ")[0] for html in pages for row in rows(html)]
    assert len(set(found)) == len(found) == 650
    assert 'href="?layout=list&amp;page=2"' in errors(viewer, large_run, layout="list")


def exported(client: Client, run: Run, **query: object) -> str:
    response = client.get(reverse("run_errors_export", args=[run.pk]), query)
    assert response.status_code == 200
    assert response.streaming
    assert f"errors-of-run-{run.pk}-" in response["Content-Disposition"]
    return b"".join(response.streaming_content).decode()


def test_the_errors_are_exported_under_their_filters(viewer):
    run = failed_vsts_run()
    table = list(csv.DictReader(StringIO(exported(viewer, run, format="csv", type="Exception"))))
    assert [row["occurrences"] for row in table] == ["840", "310", "9", "3"]
    assert table[0]["last_at"] == "2026-11-20T10:42:00Z"
    assert table[0]["stack_trace"] == TRACE
    everything = json.loads(exported(viewer, run, format="json"))
    assert len(everything) == 6
    assert everything[0]["fingerprint"] == RunError.objects.get(occurrences=840).fingerprint
    assert everything[0]["new"] is None


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(viewer):
    run = run_with(214, ["=HYPERLINK(1)"])
    assert "'=HYPERLINK(1)" in exported(viewer, run, format="csv")


def test_new_errors_are_exported_as_new(viewer):
    before = run_with(213, ["m"])
    run = run_with(214, ["m", "n"], before.load_test)
    assert [(row["message"], row["new"]) for row in json.loads(exported(viewer, run, format="json"))] == [
        ("m", False), ("n", True)
    ]  # fmt: skip
    assert [row["message"] for row in json.loads(exported(viewer, run, format="json", new=1))] == ["n"]


def test_a_format_nobody_writes_is_refused_with_a_sentence(viewer):
    response = viewer.get(reverse("run_errors_export", args=[run_with(1, ["m"]).pk]), {"format": "xls"})
    assert (response.status_code, response.content) == (400, b"Errors are exported as csv or json.")


def test_a_live_run_counts_so_far_and_can_be_refreshed(viewer):
    run = run_with(214, ["m"], status="running", result="none")
    html = errors(viewer, run)
    assert "10 errors so far" in text(html)
    assert 'id="error-refresh"' in html
    assert "10 times so far" in pane(errors(viewer, run, node=type_fingerprint("E")))
    assert 'id="error-refresh"' not in errors(viewer, run_with(213, ["m"], run.load_test))


def test_a_live_run_without_errors_can_be_refreshed_too(viewer):
    html = errors(viewer, run_with(214, [], status="running", result="none"))
    assert "No errors in this run so far" in text(html)
    assert 'id="error-refresh"' in html


def test_no_errors_is_a_good_result_with_its_facts(viewer):
    run = run_with(214, [])
    RunMetric.objects.create(run=run, kind="run", name="", numbers={"count": 412806, "failed": 0})
    said = text(errors(viewer, run))
    assert "No errors in this run No request, check or script failed in 412,806 requests." in said
