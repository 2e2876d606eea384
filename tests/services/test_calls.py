"""Every call to a provider is counted: by account, read or write, how it ended and how long it took."""

import logging
import threading
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, connections

from runs import provider_calls
from runs.actions import start_run, stop_run
from runs.choices import RunStatus
from runs.models import Account, ProviderCalls
from runs.provider_calls import counted_calls
from runs.services.base import NotFound, ServiceError
from runs.services.calls import Count, counting
from runs.services.http import Http
from runs.sync import sync_account
from runs.trace import at_work, work
from tests.rows import make_account, make_run, make_test, make_user

from .faults import hang, reset, response

OK = response(b"{}")


def http(faults, **options) -> Http:
    options = {"waits": (0, 0), "deadline_s": 5, **options}
    return Http(faults.url, provider="Example Load", hosts=(), extra_hosts=("127.0.0.1",), **options)


def counts() -> dict[tuple[str, str, str], int]:
    rows = ProviderCalls.objects.select_related("account")
    return {(row.account.name, row.kind, row.outcome): row.calls for row in rows}


# -- what is counted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plays", "outcomes"),
    [
        ([OK], {"ok": 1}),
        ([response(b"{}", "401 Unauthorized")], {"unauthorized": 1}),
        ([response(b"{}", "403 Forbidden")], {"forbidden": 1}),
        ([response(b"{}", "404 Not Found")], {"not_found": 1}),
        ([response(b"{}", "409 Conflict")], {"refused": 1}),
        ([response(b"{}", "429 Slow Down", Retry_After="9")], {"unavailable": 1}),
        ([response(b"<html>")], {"unexpected": 3}),
        ([reset], {"unavailable": 3}),  # each try is a call
        ([response(b"{}", "503 Away"), OK], {"unavailable": 1, "ok": 1}),
    ],
)
def test_each_try_of_a_read_is_counted_by_its_outcome(faults, plays, outcomes):
    faults.answer(*plays)
    with counting() as tally:
        try:
            http(faults).get("/runs")
        except ServiceError:
            assert "ok" not in outcomes
    assert {key: count.calls for key, count in tally.items()} == {("read", word): n for word, n in outcomes.items()}
    assert len(faults.requests) == sum(outcomes.values())


def test_a_write_and_a_file_are_counted_too(faults):
    faults.answer(OK)
    with counting() as tally:
        http(faults).send("POST", "/start", json={})
        http(faults).download(f"{faults.url}/results.zip", filename="results.zip")
    assert {key: count.calls for key, count in tally.items()} == {("write", "ok"): 1, ("read", "ok"): 1}


def test_what_is_never_sent_is_not_counted(faults):
    with counting() as tally, pytest.raises(ServiceError):
        http(faults).get("https://elsewhere.example/runs")
    assert tally == {}


def test_the_time_of_a_call_ends_with_its_deadline(faults):
    faults.answer(hang)
    with counting() as tally, pytest.raises(ServiceError):
        http(faults, deadline_s=0.35).get("/runs")
    [count] = tally.values()
    assert 0.3 < count.seconds < 3
    assert count.upto[0] == count.upto[1] == 0


def test_a_count_knows_how_many_calls_took_at_most_how_long():
    count = Count()
    for seconds in (0.05, 0.1, 0.5, 2, 30):
        count.add(seconds)
    assert (count.calls, count.seconds) == (5, 32.65)
    assert count.upto == [2, 2, 3, 4, 4]


# -- where it is kept --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_counts_of_an_account_add_up(faults):
    faults.answer(OK)
    one, other = make_account("one"), make_account("other")
    for account in (one, other, one):
        with counted_calls(account):
            http(faults).get("/runs")
            http(faults).send("POST", "/start")
    with counted_calls(one), pytest.raises(NotFound):
        faults.answer(response(b"{}", "404 Not Found"))
        http(faults).get("/runs/1")
    assert counts() == {
        ("one", "read", "ok"): 2,
        ("one", "read", "not_found"): 1,
        ("one", "write", "ok"): 2,
        ("other", "read", "ok"): 1,
        ("other", "write", "ok"): 1,
    }
    row = ProviderCalls.objects.get(account=one, kind="read", outcome="ok")
    assert row.upto_10s == 2
    assert 0 < row.seconds < 20


@pytest.mark.django_db
def test_calls_are_counted_also_when_the_work_broke_off(faults):
    faults.answer(OK)
    with pytest.raises(ZeroDivisionError), counted_calls(make_account("one")):
        http(faults).get("/runs")
        raise ZeroDivisionError
    assert counts() == {("one", "read", "ok"): 1}


@pytest.mark.django_db
def test_without_a_call_nothing_is_written(django_assert_num_queries):
    account = make_account()
    with django_assert_num_queries(0), counted_calls(account):
        pass


@pytest.mark.django_db
def test_a_count_that_cannot_be_stored_harms_nothing(faults, monkeypatch, caplog):
    def no_disk(row, count):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(provider_calls, "_add", no_disk)
    faults.answer(OK)
    with counted_calls(make_account()):
        answer = http(faults).get("/runs")
    assert answer.status == 200
    assert "could not be counted: database or disk is full" in caplog.text
    assert make_account("still writes").pk


@pytest.mark.django_db(transaction=True)
def test_of_an_account_that_is_gone_nothing_is_kept(faults):
    account = make_account()
    faults.answer(OK)
    with counted_calls(account):
        http(faults).get("/runs")
        Account.objects.filter(pk=account.pk).delete()
    assert not ProviderCalls.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_workers_count_at_the_same_time_and_lose_nothing(faults):
    faults.answer(OK)
    account = make_account("one")
    begin = threading.Barrier(6)
    broken: list[Exception] = []

    def worker() -> None:
        try:
            begin.wait(10)
            for _ in range(5):
                with counted_calls(account):
                    http(faults).get("/runs")
        except Exception as problem:
            broken.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=worker) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert broken == []
    assert counts() == {("one", "read", "ok"): 30}


# -- who counts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def k6_account(faults, db) -> Account:
    account = make_account("retail", base_url=faults.url)
    account.seal_credentials({"token": "t" * 20})
    account.save()
    return account


def test_a_sync_is_counted_and_its_calls_name_its_turn_to_the_provider(faults, k6_account, caplog):
    faults.answer(response(b"{}", "401 Unauthorized"))
    caplog.set_level(logging.WARNING)
    with at_work(id="turn-1"):
        sync_account(k6_account)
    assert counts() == {("retail", "read", "unauthorized"): 1}
    assert faults.requests[0].headers["user-agent"] == "Plimsoll/0.1.0 (request turn-1)"
    assert work().account == ""


def test_a_start_and_a_stop_are_counted(faults, k6_account):
    faults.answer(response(b"{}", "409 Conflict"))
    load_test, user = make_test(k6_account, external_id="3535"), make_user("operator")
    start_run(user=user, account=k6_account, load_test=load_test, values={}, reason="", token=uuid4())
    assert counts() == {("retail", "write", "refused"): 1}
    run = make_run(load_test, status=RunStatus.RUNNING, external_id="77")
    stop_run(user=user, run=run, reason="", token=uuid4())
    assert counts()["retail", "write", "refused"] == 2
    assert connection.is_usable()


def test_testing_the_connection_of_a_stored_account_is_counted(faults, k6_account, client):
    faults.answer(response(b"{}", "401 Unauthorized"))
    client.force_login(make_user("admin"))
    form = {"name": k6_account.name, "base_url": k6_account.base_url, "enabled": "on", "sync_interval_s": 60}
    answer = client.post(f"/accounts/{k6_account.slug}/test/", form)
    assert answer.status_code == 200
    assert counts()["retail", "read", "unauthorized"] >= 1
