"""No secret of a payload survives redaction, and everything else does."""

import base64
import json
from urllib.parse import quote

import pytest

from runs.services.redact import redact, redact_text

SIGNATURE = "mZ4c1Q7Yb2lT9Wk3xN8vR5uE0aJ6hS2d%2Fq%3D"


@pytest.mark.parametrize(
    "payload",
    [
        {"config": {"agent_access_token": "s3cr3t-value"}},
        {"options": {"cloud": {"token": "s3cr3t-value", "name": "n"}}},
        {"accessData": {"sasKey": "?sig=s3cr3t-value"}},
        {"resultsUrl": "https://store.example/c/LoadTest.ltrar.zip?sv=1&si=s3cr3t-value"},
        {"diagnostics": {"diagnosticStoreConnectionString": "https://store.example/c?sr=c&x=s3cr3t-value"}},
        {"diagnostics": {"diagnosticStoreConnectionString": "AccountName=a;AccountKey=s3cr3t-value"}},
        {"link": "https://store.example/c?sv=1&sig=s3cr3t-value&se=2"},
        {"link": "https://pages.example/go?to=https%3A%2F%2Fstore.example%2Fc%3Fsv%3D1%26sig%3Ds3cr3t-value"},
        {"apiKey": "s3cr3t-value"},
        {"API-Key": "s3cr3t-value"},
        {"headers": {"Authorization": "Basic s3cr3t-value"}},
        {"db_password": ["s3cr3t-value"]},
        {"env": {"SHOP_NAME": "s3cr3t-value"}},
        {"environmentVariables": [{"name": "SHOP", "value": "s3cr3t-value"}]},
        {"environment": ["SHOP=s3cr3t-value"]},
        {"note": "curl -H 'Authorization: Bearer s3cr3t-value' it"},
        {"note": "see https://api.example/x?access_token=s3cr3t-value"},
        {"note": "see https://me:s3cr3t-value@api.example/x"},
        {"s3cr3t-value": 1},
        [{"deep": [{"note": "it was s3cr3t-value."}]}],
        {"note": base64.b64encode(b":s3cr3t-value").decode()},
        {
            "tlsAuth": [
                {"key": "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES\ns3cr3t-value\n-----END RSA PRIVATE KEY-----"}
            ]
        },
        {"note": "-----BEGIN PRIVATE KEY-----\ns3cr3t-value"},
    ],
)
def test_a_secret_is_gone_and_the_shape_stays(payload):
    safe = redact(payload, ["s3cr3t-value"])
    text = json.dumps(safe)

    assert "s3cr3t" not in text
    assert base64.b64encode(b":s3cr3t-value").decode() not in text
    assert "[redacted]" in text
    assert type(safe) is type(payload)
    assert len(safe) == len(payload)


def test_links_and_keys_are_masked_without_being_told_the_secret():
    safe = redact(
        {
            "resultsUrl": f"https://store.example/run/TestResult/LoadTest.ltrar.zip?sv=2014&sig={SIGNATURE}",
            "url": f"https://store.example/x?sig={SIGNATURE}&se=1",
            "env": {"SHOP_API_KEY": "shopkey-1", "MODE": ""},
            "accessData": {"sasKey": f"?sig={SIGNATURE}", "dropContainerUrl": "https://store.example/drop"},
        }
    )

    assert safe == {
        "resultsUrl": "https://store.example/run/TestResult/LoadTest.ltrar.zip?[redacted]",
        "url": "https://store.example/x?sig=[redacted]&se=1",
        "env": {"SHOP_API_KEY": "[redacted]", "MODE": ""},
        "accessData": {"sasKey": "[redacted]", "dropContainerUrl": "https://store.example/drop"},
    }


def test_what_is_no_secret_stays_as_it_was():
    payload = {
        "id": "2e1ba7a3",
        "name": "Signal & design, sig nal",
        "env": "staging",
        "runNumber": 3,
        "has_token": True,
        "token": None,
        "url": "https://clt.example/_apis/clt/testruns/1?detailed=true",
        "description": "basic auth test, token refresh, 100 % of pages",
        "list": [1, 2.5, None, "x"],
    }

    assert redact(payload) == payload


def test_the_payload_given_is_not_changed():
    payload = {"token": "abc", "list": [{"token": "abc"}]}

    redact(payload)

    assert payload == {"token": "abc", "list": [{"token": "abc"}]}


def test_encoded_forms_of_the_credentials_are_masked_in_texts():
    secret = "pat/with+odd=signs"
    for form in (secret, quote(secret, safe=""), base64.b64encode(f":{secret}".encode()).decode()):
        assert secret not in redact_text(f"sent {form} to the server", [secret])
        assert "[redacted]" in redact_text(f"sent {form} to the server", [secret])


def test_nesting_without_end_is_cut_off():
    payload: dict = {}
    for _ in range(400):
        payload = {"a": payload}

    assert "[redacted]" in json.dumps(redact(payload))
