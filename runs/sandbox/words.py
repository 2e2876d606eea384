"""Names, people and texts the generated history is made of: a web shop's load tests, with some odd ones among them."""

RTL = "\u200f"

PEOPLE = (
    "Maren Solberg",
    "Tomás Ferreira",
    "Aiko Yamamoto",
    "Priya Raghunathan",
    "Jürgen Weiß",
    "Chloé d'Aubigné",
    "Oluwaseun Adeyemi",
    "O'Brien, Niamh",
    "<b>Build Agent</b>",
    "=SUM(A1:A9)",
    "עומר לוי" + RTL,
)

K6_USER_IDS = (703, 704, 711, 718, 725, 733, 741, 752, 760, 777, 791)

# Of the same people, in the same order. They are addresses by the letter of the standard.
EMAILS = (
    "maren.solberg@shop.example",
    "tomas.ferreira@shop.example",
    "aiko.yamamoto@shop.example",
    "priya.raghunathan@shop.example",
    "juergen.weiss@shop.example",
    "chloe.d'aubigne@shop.example",
    "oluwaseun.adeyemi@shop.example",
    "o'brien.niamh@shop.example",
    "build+agent@shop.example",
    "=cmd@shop.example",
    "omer.levi@shop.example",
)

_SERVICES = (
    "Checkout",
    "Search",
    "Basket",
    "Catalogue",
    "Payment",
    "Login",
    "Returns",
    "Stock",
    "Recommendations",
    "Gift cards",
    "Delivery slots",
    "Newsletter",
)
_SCENARIOS = (
    "peak hour",
    "nightly",
    "soak",
    "spike",
    "Black Friday rehearsal",
    "smoke",
    "breakpoint",
    "cold cache",
    "mobile mix",
)

_K6_FIRST = (
    "Checkout API – peak hour",
    "Search – autumn sale",
    "<b>Basket</b> smoke & mirrors",
    "Zahlung über Nacht – Größe XL 日本",
    '=HYPERLINK("http://evil.example","Stock")',
    "Login – soak, 4 h",
    "+10% traffic rehearsal",
    f"{RTL}סל קניות – peak{RTL}",
)
_VSTS_FIRST = (
    "checkout-nightly.loadtest",
    "search-suggest.loadtest",
    "basket-replay.jmx",
    "<b>catalogue</b>.loadtest",
    "zahlung-größe.loadtest",
    "=cmd-stock.loadtest",
    "+peak-hour.loadtest",
    f"login{RTL}-soak.loadtest",
)

_AZURE_FIRST = (
    "Checkout – Friday evening",
    "Search, autumn sale",
    "<i>Basket</i> & co",
    "Zahlung über Nacht – Größe L",
    "=1+1 stock",
    f"{RTL}סל קניות{RTL}",
)

NOTES = (
    "",
    "",
    "",
    "after the cache change",
    "=1+2 before the release",
    "<script>alert('note')</script>",
    "Größentest – zweite Runde, bitte nicht löschen",
    "+ second region\nwith a line break",
)

VALIDATION_FAILURES = (
    "VS1550078: The load test file contains a test project reference that was not found in the test drop.",
    "VS1550026: The run needs more cores than the account's quota of 200 allows.",
    "VS1550083: The setup script 'warmup.cmd' was not found in the test drop. Upload it and queue the run again.",
)

SERVICE_FAILURE = (
    "VS1550030: The agents could not be prepared because of a fault of the service. The run is not charged."
)

SCRIPT_ERROR = (
    "TypeError: Cannot read property 'token' of undefined\n"
    "\tat login (file:///scripts/lib/session.js:41:27(18))\n"
    "\tat default (file:///scripts/main.js:88:14(52))\n" + "\tat retry (file:///scripts/lib/retry.js:12:9(7))\n" * 20
)

LOCATIONS = ("West Europe", "East US 2", "North Europe", "Southeast Asia")
LOAD_ZONES = ("amazon:de:frankfurt", "amazon:us:ashburn", "amazon:ie:dublin")


def k6_name(index: int) -> str:
    """The name of the index-th k6 test; different for each index."""
    if index < len(_K6_FIRST):
        return _K6_FIRST[index]
    service = _SERVICES[index % len(_SERVICES)]
    scenario = _SCENARIOS[index // len(_SERVICES) % len(_SCENARIOS)]
    return f"{service} – {scenario}" + _round(index, " {}")


def vsts_name(index: int) -> str:
    """The index-th VSTS run name, with its extension; every seventh is a JMeter one."""
    if index < len(_VSTS_FIRST):
        return _VSTS_FIRST[index]
    service = _SERVICES[index % len(_SERVICES)].lower().replace(" ", "-")
    scenario = _SCENARIOS[index // len(_SERVICES) % len(_SCENARIOS)].lower().replace(" ", "-")
    return f"shop-{service}-{scenario}" + _round(index, "-{}") + (".jmx" if index % 7 == 2 else ".loadtest")


def azure_name(index: int) -> str:
    """The display name of the index-th Azure test, 50 characters at most."""
    if index < len(_AZURE_FIRST):
        return _AZURE_FIRST[index]
    service = _SERVICES[index % len(_SERVICES)]
    scenario = _SCENARIOS[index // len(_SERVICES) % len(_SCENARIOS)]
    return f"{service}: {scenario}" + _round(index, " ({})")


def _round(index: int, form: str) -> str:
    """A suffix once all pairs of service and scenario are used up."""
    turn = index // (len(_SERVICES) * len(_SCENARIOS))
    return form.format(turn + 1) if turn else ""


SCRIPT = """import http from 'k6/http';
import {{ check, sleep }} from 'k6';

export const options = {{
  vus: {vus},
  duration: '{duration}s',
  thresholds: {thresholds},
}};

export default function () {{
  const res = http.get('https://shop.example/{path}', {{ headers: {{ 'X-Api-Key': __ENV.SHOP_API_KEY }} }});
  check(res, {{ 'status is 200': (r) => r.status === 200 }});
  sleep(1);
}}
"""
