"""Numbers and lengths at and beyond what the tables hold: taken where they fit, left out where they do not."""

import pytest

from runs.models import ControlIntent, Run
from runs.services import SERVICES
from runs.services.answers import amount_of, number_of, whole_of
from runs.services.base import RemoteMetric
from runs.services.vsts import VstsService
from runs.services.vsts_payloads import read_run

TOKEN = "pat0123456789abcdefghij"


@pytest.mark.parametrize(
    ("value", "number", "whole", "amount"),
    [
        (7, 7.0, 7, 7),
        ("7", 7.0, 7, 7),
        (1.5, 1.5, None, None),
        (-1, -1.0, -1, None),
        (2**31 - 1, 2.0**31 - 1, 2**31 - 1, 2**31 - 1),
        (2**31, 2.0**31, 2**31, None),
        (2**63 - 1, 2.0**63, 2**63 - 1, None),
        (2**63, 2.0**63, None, None),
        (1e308, None, None, None),
        (10**400, None, None, None),
        ("nan", None, None, None),
        ("inf", None, None, None),
        (True, None, None, None),
        (None, None, None, None),
        ([], None, None, None),
    ],
)
def test_numbers_fit_or_are_left_out(value, number, whole, amount):
    assert (number_of(value), whole_of(value), amount_of(value)) == (number, whole, amount)


def vsts_run(**members):
    return read_run({"id": "r1", "name": "a.loadtest", "createdDate": "2018-03-05T09:00:00Z", **members}, (TOKEN,))


@pytest.mark.parametrize("odd", [-5, 2**31, 1e308, "many"])
def test_an_impossible_plan_of_a_run_is_left_out(odd):
    run = vsts_run(runSpecificDetails={"duration": odd, "virtualUserCount": odd})
    assert (run.planned_duration_s, run.virtual_users) == (None, None)


def test_a_link_is_whole_and_without_secrets_or_not_there():
    longest = Run._meta.get_field("web_url").max_length
    link = "https://shop.example/runs/1"
    assert vsts_run(webResultUrl=link).web_url == link
    assert vsts_run(webResultUrl=f"{link}?{'x' * longest}").web_url == ""
    assert TOKEN not in vsts_run(webResultUrl=f"{link}?t={TOKEN}").web_url


def test_commands_of_a_run_are_kept_without_secrets():
    run = vsts_run(testSettings={"setupCommand": f"get.cmd {TOKEN}", "cleanupCommand": "tidy.cmd"})
    assert (run.start_values["setup_command"], run.start_values["cleanup_command"]) == (
        "get.cmd [redacted]", "tidy.cmd",
    )  # fmt: skip


def test_names_of_requests_are_kept_without_the_secrets_in_their_addresses(httpserver):
    httpserver.expect_request("/_apis/clt/testruns/r1/errors").respond_with_json({"types": []})
    httpserver.expect_request("/_apis/clt/testruns/r1/messages").respond_with_json([])
    httpserver.expect_request("/_apis/clt/testruns/r1/results").respond_with_json({})
    httpserver.expect_request("/_apis/clt/testruns/r1/ResultSummary").respond_with_json(
        {"topSlowRequests": [{"requestUrl": "https://shop.example/cart?sig=SeCrEt123", "totalRequests": 3}]}
    )
    httpserver.expect_request("/_apis/clt/testruns/r1/counterinstances").respond_with_json(
        [
            {
                "counterInstanceId": "c1", "counterName": "Avg. Page Time", "summaryData": {"average": 1},
                "instanceName": f"https://shop.example/cart?key={TOKEN}",
            }
        ]
    )  # fmt: skip
    service = VstsService(httpserver.url_for(""), {"token": TOKEN}, extra_hosts=("127.0.0.1", "localhost"))
    run = vsts_run(state="completed", executionStartedDate="2018-03-05T09:01:00Z")
    metrics: list[RemoteMetric] = service.get_details(run).metrics
    names = [metric.name for metric in metrics if metric.name]
    assert names == [
        "https://shop.example/cart?sig=[redacted]",
        "Avg. Page Time / https://shop.example/cart?key=[redacted]",
    ]


@pytest.mark.parametrize("provider", SERVICES)
def test_the_name_a_start_asks_for_fits_where_it_is_kept(provider):
    longest = ControlIntent._meta.get_field("test_name").max_length
    assert all(field.max_length <= longest for field in SERVICES[provider].start_fields if field.key == "name")
