"""What went wrong in a VSTS run: type → subtype → details, growing while the load lasts."""

from math import ceil
from typing import Any

from .clock import SECOND
from .dice import dice
from .models import Run

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
_CRITICAL = tuple(
    (
        "ThresholdMessage",
        "Critical",
        f'["Agent0","Processor","% Processor Time","{core}"] : '
        f"The value {value} exceeds the critical threshold value of 90.",
        "",
        "",
        "",
    )
    for core, value in (("0", 97), ("_Total", 95))
)
_WARNING = (
    (
        "ThresholdMessage",
        "Warning",
        '["Agent0","Memory","Available MBytes",""] : The value 480 is below the warning threshold value of 512.',
        "",
        "",
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
_PROFILES = {
    "none": (),
    "some": _SOME + _WARNING,
    "critical": _SOME[:3] + _CRITICAL,
    "many": _SOME + _MANY,
}


def lived_share(run: Run, now: int) -> float:
    """How much of its planned load the run has had, from 0 to 1."""
    start = run.date("load_started", now)
    if start is None:
        return 0.0
    end = min(now, run.dates.get("load_ended", now))
    return min(1.0, (end - start) / SECOND * run.made["scale"] / max(1, run.made["duration"]))


def error_tree(run: Run, now: int) -> Tree:
    """Details carry their occurrences and the moment (`last`) of the latest one."""
    share = lived_share(run, now)
    profile = _PROFILES[run.made["errors"]]
    if not share or not profile:
        return {}
    rng = dice("errors", run.made["error_seed"])
    end = min(now, run.dates.get("load_ended", now))
    tree: Tree = {}
    for kind, subtype, text, request, case, stack in profile:
        full = rng.randrange(1, 25 if profile is not _PROFILES["some"] else 220)
        before = int(rng.random() * (end - run.dates["load_started"]) * 0.2)
        # No two runs fail alike: of the usual troubles each run has some.
        if profile is _PROFILES["some"] and rng.random() < 0.35 and kind != "HttpError":
            continue
        detail = {
            "occurrences": ceil(full * share),
            "testCaseName": case,
            "scenarioName": "Scenario1" if case else "",
            "request": request,
            "stackTrace": stack,
            "messageText": text,
            "last": end - before,
        }
        tree.setdefault(kind, {}).setdefault(subtype, []).append(detail)
    return tree
