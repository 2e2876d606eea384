"""/cloud/v6: when load tests start by themselves. Schedules are told, kept and changed, but start nothing."""

from typing import Any

from .clock import iso, iso_or_none, parse_instant
from .k6_make import OWN_USER_ID
from .k6_recurrence import LATEST, PERIODS, WEEKDAYS, BadCron, check_cron, next_run
from .k6_v6_app import KEY, conflict, invalid, json_body, not_found, reads_input, routes, test_of, text_of
from .k6_v6_lists import listed
from .k6_v6_view import EMAIL_OF, Row
from .store import Store
from .wire import Reply, Request

_ALL = "/cloud/v6/schedules"
_OF_TEST = f"/cloud/v6/load_tests/{KEY}/schedule"


def _shown(store: Store, made: Row) -> Row:
    rule = made["recurrence_rule"]
    return made | {
        "starts": iso(made["starts"]),
        "recurrence_rule": rule and rule | {"until": iso_or_none(rule["until"])},
        "next_run": iso_or_none(next_run(made, store.clock.now())),
    }


def _found(store: Store, name: str, key: str) -> Row:
    for made in store.v6["schedules"]:
        if str(made[name]) == key:
            return made
    raise not_found()


@routes.route("GET", _ALL)
@reads_input
def list_schedules(store: Store, request: Request) -> Reply:
    return listed(request, store.v6["schedules"], lambda made: _shown(store, made))


@routes.route("GET", f"{_ALL}/{KEY}")
def read_schedule(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, _shown(store, _found(store, "id", key)))


@routes.route("GET", _OF_TEST)
def read_schedule_of_test(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, _shown(store, _found(store, "load_test_id", test_of(store, key).id)))


@routes.route("DELETE", f"{_ALL}/{KEY}")
def delete_schedule(store: Store, request: Request, key: str) -> Reply:
    store.v6["schedules"].remove(_found(store, "id", key))
    store.save_v6()
    return Reply(204)


@routes.route("POST", f"{_ALL}/{KEY}/activate")
def activate(store: Store, request: Request, key: str) -> Reply:
    made = _found(store, "id", key)
    if next_run(made, store.clock.now()) is None:
        raise conflict("The schedule has expired and cannot be activated.")
    made["deactivated"] = False
    store.save_v6()
    return Reply(204)


@routes.route("POST", f"{_ALL}/{KEY}/deactivate")
def deactivate(store: Store, request: Request, key: str) -> Reply:
    """Of no effect on a schedule that has expired."""
    made = _found(store, "id", key)
    if next_run(made, store.clock.now()) is not None:
        made["deactivated"] = True
        store.save_v6()
    return Reply(204)


@routes.route("POST", _OF_TEST)
@reads_input
def make_schedule(store: Store, request: Request, key: str) -> Reply:
    """A new schedule in place of any the test has."""
    test = test_of(store, key)
    body = json_body(request)
    rule, cron = body.get("recurrence_rule"), body.get("cron")
    if rule is not None and cron is not None:
        raise invalid("Only one of recurrence_rule and cron can be set.", "cron")
    others = [made for made in store.v6["schedules"] if made["load_test_id"] != int(test.id)]
    made = {
        "id": store.v6["last_schedule"] + 1,
        "load_test_id": int(test.id),
        "starts": _moment(text_of(body, "starts"), "starts"),
        "recurrence_rule": None if rule is None else _rule(rule),
        "cron": None if cron is None else _cron(cron),
        "deactivated": False,
        "created_by": EMAIL_OF[OWN_USER_ID],
    }
    store.v6 |= {"schedules": [*others, made], "last_schedule": made["id"]}
    store.save_v6()
    return Reply(200, _shown(store, made))


def _moment(text: str, name: str) -> int:
    when = parse_instant(text, zone_required=True)
    if when is None or not 0 <= when <= LATEST:
        raise invalid("Input should be a datetime with a time zone, from 1970 to 2199", name)
    return when


def _rule(given: Any) -> Row:
    if not isinstance(given, dict):
        raise invalid("Input should be an object", "recurrence_rule")
    frequency, byday, until = given.get("frequency"), given.get("byday"), given.get("until")
    if not isinstance(frequency, str) or frequency not in PERIODS:
        raise invalid(f"Input should be one of {', '.join(PERIODS)}", "frequency")
    if byday is not None and (
        frequency != "WEEKLY" or not isinstance(byday, list) or any(day not in WEEKDAYS for day in byday)
    ):
        raise invalid("Weekdays can be set for WEEKLY only", "byday")
    return {
        "frequency": frequency,
        "interval": _at_least_one(given.get("interval", 1), "interval"),
        "byday": byday,
        "until": None if until is None else _moment(text_of(given, "until"), "until"),
        "count": None if given.get("count") is None else _at_least_one(given["count"], "count"),
    }


def _at_least_one(value: Any, name: str) -> int:
    if type(value) is not int or not 1 <= value < 2**31:
        raise invalid("Input should be a whole number greater than or equal to 1", name)
    return value


def _cron(given: Any) -> Row:
    if not isinstance(given, dict):
        raise invalid("Input should be an object", "cron")
    cron = {name: text_of(given, name) for name in ("schedule", "time_zone")}
    try:
        check_cron(cron)
    except BadCron as error:
        raise invalid(str(error), "cron") from None
    return cron
