"""Which line of a stack trace is the first of the tester's own code."""

import pytest

from runs.stack_trace import around_own_line, own_line

DOTNET = (
    "   at System.Net.HttpWebRequest.GetResponse() in f:\\dd\\net\\HttpWebRequest.cs:line 17\r\n"
    "   at Microsoft.VisualStudio.TestTools.WebTesting.Run()\r\n"
    "   at Shop.Checkout.PlaceOrder(Cart cart) in C:\\src\\Checkout.cs:line 148\r\n"
    "   at Shop.Flow.Run() in C:\\src\\Flow.cs:line 9"
)
K6 = """TypeError: Cannot read property 'token' of undefined
    at group (native)
    at placeOrder (file:///checkout-peak.js:148:34(12))
    at default (file:///checkout-peak.js:61:3(4))"""
PYTHON = """Traceback (most recent call last):
  File "/usr/lib/python3.12/threading.py", line 3, in run
  File "/srv/load/checkout.py", line 40, in order
  File "/srv/load/cart.py", line 12, in token
  File "/venv/lib/python3.12/site-packages/requests/api.py", line 59, in get
KeyError: 'token'"""
JAVA = """java.lang.NullPointerException
\tat java.util.Objects.requireNonNull(Objects.java:233)
\tat shop.Checkout.order(Checkout.java:17)"""


@pytest.mark.parametrize(("trace", "line"), [(DOTNET, 2), (K6, 2), (PYTHON, 3), (JAVA, 2)])
def test_the_first_own_line_is_recognised_in_every_language(trace, line):
    assert own_line(trace) == line


@pytest.mark.parametrize("trace", ["", "\n", "no frames here", "   at System.Net.Dns.Resolve()", "at 10:30 it failed"])
def test_where_no_line_is_recognised_none_is_marked(trace):
    assert own_line(trace) is None
    assert around_own_line(trace) == ("", "", trace)


def test_the_parts_around_it_are_the_whole_trace():
    assert "".join(around_own_line(DOTNET)) == DOTNET
    assert (
        around_own_line(DOTNET)[1].strip() == "at Shop.Checkout.PlaceOrder(Cart cart) in C:\\src\\Checkout.cs:line 148"
    )
