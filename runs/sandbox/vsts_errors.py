"""What went wrong in a VSTS run: type → subtype → details, growing while the load lasts."""

from itertools import accumulate, pairwise
from math import ceil
from random import Random
from typing import Any

from .dice import dice
from .models import Run
from .vsts_load import Past, interval_length, past

Tree = dict[str, dict[str, list[dict[str, Any]]]]

_STACK = (
    "   at System.Net.HttpWebRequest.EndGetResponse(IAsyncResult asyncResult)\r\n"
    "   at Microsoft.VisualStudio.TestTools.WebStress.WebTestTransaction.ResponseReceived(IAsyncResult result)"
)
_LONG_STACK = (
    "   at Shop.LoadTests.Checkout.PlaceOrder.ExtractToken(WebTestResponse response) in d:\\a\\Checkout.cs:line 118\r\n"
    + "".join(
        f"   at Shop.LoadTests.Framework.Pipeline.Invoke[TStep](TStep step, Int32 depth = {n})\r\n" for n in range(40)
    )
    + "   at System.Threading.ThreadHelper.ThreadStart()"
)
_LONG_TEXT = (
    "Object reference not set to an instance of an object. <a href='#'>Größe</a> " + "while reading the basket; " * 60
)

# (type, subtype, text, request, test case, stack)
_SOME = (
    (
        "HttpError",
        "503 - ServiceUnavailable",
        "503 - ServiceUnavailable",
        "http://shop.example/cart----{POST}",
        "AddToCart",
        "",
    ),
    ("HttpError", "404 - NotFound", "404 - NotFound", "http://shop.example/img/ü.png----{GET}", "BrowseItems", ""),
    (
        "Exception",
        "WebException",
        "The remote name could not be resolved: 'pay.shop.example'",
        "http://pay.shop.example/----{GET}",
        "PlaceOrder",
        _STACK,
    ),
    ("Exception", "NullReferenceException", _LONG_TEXT, "", "PlaceOrder", _LONG_STACK),
    (
        "ExtractionRuleError",
        "ExtractText",
        "The text between '<token>' and '</token>' was not found.",
        "http://shop.example/login----{POST}",
        "Login",
        "",
    ),
)
_MANY = tuple(
    (
        "ValidationRuleError",
        "ResponseTimeGoal",
        f"The page took {2 + n / 10:.1f} s and should take less than 2 s.",
        f"http://shop.example/product/{n}----{{GET}}",
        f"Product{n % 4}",
        "",
    )
    for n in range(36)
)
_PROFILES = {"none": (), "some": _SOME, "critical": _SOME, "many": _SOME + _MANY}
_CONTROLLER = '["ELSCONTROLLER","LoadTest:Request","Avg. Response Time","_Total"]'


def error_tree(run: Run, now: int) -> Tree:
    """Details carry their occurrences and the moment (`last`) of the latest one.

    Those of requests add up to the requests that failed; a threshold's are the intervals in which it was crossed.
    """
    had, profile = past(run, now), run.made["errors"]
    if not had.intervals or profile == "none":
        return {}
    rng = dice("errors", run.made["error_seed"])
    rows = _of_requests(profile, had.failed, rng) + _of_thresholds(profile, run.made["figures"]["limit"], had, rng)
    first = run.dates["load_started"] + (run.made["figures"]["at"] or 0) * interval_length(run)
    end = min(now, run.dates.get("load_ended", now))
    tree: Tree = {}
    for kind, subtype, text, request, case, stack, occurrences in rows:
        before = int(rng.random() * (end - first) * 0.2)
        if not occurrences:
            continue
        detail = {
            "occurrences": occurrences,
            "testCaseName": case,
            "scenarioName": "Scenario1" if case else "",
            "request": request,
            "stackTrace": stack,
            "messageText": text,
            "last": end - before,
        }
        tree.setdefault(kind, {}).setdefault(subtype, []).append(detail)
    return tree


Row = tuple[str, str, str, str, str, str, int]


def _of_requests(profile: str, failed: int, rng: Random) -> list[Row]:
    """The failed requests, spread unevenly. No two runs fail alike: of the usual troubles each run has some."""
    details = [row for row in _PROFILES[profile] if profile == "many" or row[0] == "HttpError" or rng.random() < 0.65]
    weights = [(n + 1) ** -1.2 + (0.1 if profile == "many" else 0.0) for n in range(len(details))]
    rng.shuffle(weights)
    upto = [round(failed * done / sum(weights)) for done in accumulate(weights, initial=0.0)]
    return [(*row, after - before) for row, (before, after) in zip(details, pairwise(upto), strict=True)]


def _of_thresholds(profile: str, limit: float, had: Past, rng: Random) -> list[Row]:
    """Thresholds with the worst value there was: that of the response times is the one their counter shows."""
    low, high = 300 + rng.randrange(200), 91 + rng.randrange(8)
    if profile == "some" and rng.random() < 0.65:
        text = (
            f'["Agent0","Memory","Available MBytes",""] : The value {low} is below the warning threshold value of 512.'
        )
        return [("ThresholdMessage", "Warning", text, "", "", "", ceil(len(had.intervals) / 30))]
    slow = [row.time for row in had.intervals if row.time > limit]
    if profile != "critical" or not slow:
        return []
    values = {
        f"{_CONTROLLER} : The value {max(slow)} exceeds the critical threshold value of {limit}.": len(slow),
        '["Agent0","Processor","% Processor Time","_Total"] : '
        f"The value {high} exceeds the critical threshold value of 90.": ceil(len(slow) / 3),
    }
    return [("ThresholdMessage", "Critical", text, "", "", "", count) for text, count in values.items()]
