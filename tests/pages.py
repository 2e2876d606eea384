"""What page tests share: people signed in, forms read from a page and sent as a browser would, providers in memory."""

import re
from html import unescape

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from runs.services.vsts_api import START_FIELDS
from tests.fake_service import FakeService

HTMX_DIALOG = {"HX-Request": "true", "HX-Target": "dialog"}


class TwoStepService(FakeService):
    """A provider without tests: a run is created from the VSTS settings, then queued."""

    provider = "twostep"
    label = "Two Step Provider"
    start_fields = START_FIELDS
    start_steps = ("create", "queue")
    starts_new_tests = True


def browser(user: User, **options: object) -> Client:
    """A client in which this person is signed in."""
    client = Client(**options)
    client.force_login(user)
    return client


def text_of(response: HttpResponse) -> str:
    """What a person reads on the page, tags left out and spaces folded."""
    inside = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", inside)).split())


def entered(response: HttpResponse) -> dict[str, str]:
    """The values of the start or stop form on the page, as a browser would send them without further typing."""
    html = response.content.decode()
    form = re.search(r'<form[^>]*id="control-form".*?</form>', html, re.S).group()
    values = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        values[attributes["name"]] = unescape(attributes.get("value", ""))
    for name, inside in re.findall(r'<select[^>]*name="([^"]+)".*?>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', inside) or re.search(r'<option value="([^"]*)"', inside)
        values[name] = unescape(chosen.group(1))
    return values
