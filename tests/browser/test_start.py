"""Starting a run from its dialog: sent once, watched to its end, and honest when the provider's answer is missing."""

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.world import K6, SLUGS, VSTS, World

ENDED = re.compile("Finished|Aborted|Error|Timed out")
CREATED, STARTED = "/_apis/clt/testruns", "/start-testrun"


def start_dialog(page: Page, test: dict) -> Locator:
    page.goto(f"/tests/{test['pk']}/")
    page.locator(".page-actions").get_by_role("link", name="Start…").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading", name=f"Start {test['name']}")).to_be_visible()
    return dialog


def new_vsts_run(page: Page, world: World, name: str, **more: str) -> Locator:
    """The dialog for a new load test, filled in."""
    drop = drop_of(world)
    page.goto("/tests/")
    page.get_by_role("link", name="New load test…").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("Test drop id").fill(drop)
    for label, value in more.items():
        field = dialog.get_by_label(label)
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    return dialog


def drop_of(world: World) -> str:
    """The id of a test drop that the sandbox knows."""
    return next(iter(world.sandbox.store.drops))


def press_start(dialog: Locator) -> None:
    dialog.locator("button[type=submit]").click()


def created(world: World, name: str) -> list[dict]:
    """The requests that created a VSTS run of this name."""
    return [request for request in world.sent("POST", CREATED) if request["body"].get("name") == name]


def run_on(page: Page, world: World) -> dict:
    """The run whose page this is."""
    expect(page).to_have_url(re.compile(r"/runs/\d+/$"))
    return world.run(pk=int(page.url.split("/")[-2]))


@pytest.fixture
def k6_test(world):
    """Picks k6 tests that no other browser test starts."""
    return {test["name"]: test for test in world.tests(K6)}


def named(tests: dict, word: str) -> dict:
    return next(test for name, test in tests.items() if word in name)


@pytest.mark.usefixtures("still")
def test_an_operator_starts_a_k6_test_and_watches_it_to_its_end(operator, world, k6_test):
    world.control("outcome", provider=K6, outcome="passed")
    operator.clock.install()
    dialog = start_dialog(operator, named(k6_test, "Search"))
    expect(dialog).to_contain_text("operator will be named as the requester")
    dialog.get_by_label("Reason").fill("release candidate 7")
    press_start(dialog)
    run = run_on(operator, world)
    expect(operator.locator("#run-head .status")).to_have_text(re.compile("Created|Queued|Starting|Running"))
    expect(operator.locator(".run-meta")).to_contain_text("operator")
    world.later(K6)
    operator.clock.run_for(6_000)
    expect(operator.locator("#run-head .status")).to_have_text(re.compile("Finished"))
    operator.goto(f"/runs/{run['pk']}/activity/")
    expect(operator.get_by_role("row", name=re.compile("Start asked"))).to_contain_text("release candidate 7")


@pytest.mark.usefixtures("still")
def test_an_operator_starts_a_vsts_run_with_all_its_settings_and_watches_it_to_its_end(operator, world):
    operator.clock.install()
    dialog = new_vsts_run(
        operator, world, "browser-full.loadtest",
        **{
            "Description": "from the browser", "Set-up command": "setup.cmd", "Clean-up command": "clean.cmd",
            "Host process platform": "x64",
        },
    )  # fmt: skip
    world.control("outcome", provider=VSTS, outcome="completed")
    press_start(dialog)
    run = run_on(operator, world)
    world.sync(VSTS)
    operator.clock.run_for(6_000)
    expect(operator.locator("#run-head .status")).to_have_text(re.compile("Queued"))
    [request] = created(world, "browser-full.loadtest")
    sent = str(request["body"])
    assert all(text in sent for text in ("from the browser", "setup.cmd", "clean.cmd", "x64", drop_of(world)))
    world.later(VSTS)
    operator.clock.run_for(6_000)
    expect(operator.locator("#run-head .status")).to_have_text(re.compile("Finished"))
    assert world.run(pk=run["pk"])["result"] == "passed"


def test_a_double_click_on_start_makes_one_k6_run(operator, world, k6_test):
    test = named(k6_test, "HYPERLINK")
    dialog = start_dialog(operator, test)
    dialog.locator("button[type=submit]").dblclick()
    run_on(operator, world)
    assert len(world.sent("POST", f"/{test['external_id']}{STARTED}")) == 1


def test_a_double_click_on_start_makes_one_vsts_run(operator, world):
    dialog = new_vsts_run(operator, world, "browser-twice.loadtest")
    dialog.locator("button[type=submit]").dblclick()
    run = run_on(operator, world)
    assert len(created(world, "browser-twice.loadtest")) == 1
    assert len(world.sent("PATCH", run["external_id"])) == 1


def test_a_double_click_without_javascript_makes_one_run(browse, world, k6_test):
    test = named(k6_test, "Login")
    page = browse("operator", java_script_enabled=False)
    before = len(world.sent("POST", f"/{test['external_id']}{STARTED}"))
    page.goto(f"/tests/{test['pk']}/start/")
    page.locator("button[type=submit]", has_text="Start").dblclick()
    # The second press is answered while the first is under way: with its intent, which leads to the run.
    expect(page).to_have_url(re.compile("/runs/|/intents/"))
    while "/runs/" not in page.url:
        page.locator(".dialog-foot a", has_text=re.compile("Look now|^Open")).last.click()
    run_on(page, world)
    assert len(world.sent("POST", f"/{test['external_id']}{STARTED}")) == before + 1


def test_a_start_whose_answer_is_lost_is_not_sent_again_and_found_by_the_next_sync(operator, world, k6_test):
    operator.clock.install()
    press_start(start_dialog(operator, named(k6_test, "Search")))
    run_on(operator, world)  # its answer shows how far the sandbox's clock is from ours
    test = named(k6_test, "Zahlung")
    path = f"/{test['external_id']}{STARTED}"
    world.control("lose_answer", method="POST", path_contains=path)
    press_start(start_dialog(operator, test))
    expect(operator).to_have_url(re.compile("/intents/"))
    expect(operator.get_by_role("heading", name="It may or may not have started")).to_be_visible()
    expect(operator.locator("#intent")).to_contain_text("nothing is sent that could start a second run")
    operator.reload()
    assert len(world.sent("POST", path)) == 1
    world.sync(K6)
    operator.clock.run_for(6_000)
    expect(operator.get_by_role("heading", name="The run that fits")).to_be_visible()
    a_minute_later(operator, world)
    world.sync(K6)
    operator.clock.run_for(6_000)
    expect(operator.get_by_role("heading", name="Started", exact=True)).to_be_visible()
    expect(operator.locator("#intent")).to_contain_text("the run was found afterwards")
    operator.get_by_role("link", name="Open the run").click()
    run_on(operator, world)
    assert len(world.sent("POST", path)) == 1


def a_minute_later(page: Page, world: World) -> None:
    """By then a provider's list shows whatever the press on this page has made."""
    token = urlsplit(page.url).path.split("/")[-2]
    [sent] = world.tell("rows", model="ControlIntent", values=["sent_at"], token=token)
    before = datetime.fromisoformat(sent["sent_at"]) - timedelta(seconds=60)
    world.tell("change", model="ControlIntent", where={"token": token}, sent_at=before.isoformat())


def refuse_queueing(page: Page, world: World, name: str) -> str:
    """Start a VSTS run whose queueing is refused; returns its id at the provider."""
    dialog = new_vsts_run(page, world, name)
    world.control("fail", method="PATCH", path_contains=CREATED, status=409)
    press_start(dialog)
    expect(page.get_by_role("heading", name="Created, but not queued")).to_be_visible()
    return world.run(load_test__name=name)["external_id"]


def test_a_run_created_but_not_queued_says_so_and_can_be_queued(operator, world):
    operator.clock.install()
    external_id = refuse_queueing(operator, world, "browser-queue.loadtest")
    expect(operator.locator("#intent")).to_contain_text("The run was created, but it is not queued.")
    operator.get_by_role("button", name="Queue the run").click()
    assert run_on(operator, world)["external_id"] == external_id
    world.later(VSTS)
    operator.clock.run_for(6_000)
    expect(operator.locator("#run-head .status")).to_have_text(ENDED)
    assert len(created(world, "browser-queue.loadtest")) == 1


def test_a_run_created_but_not_queued_can_be_left(operator, world):
    external_id = refuse_queueing(operator, world, "browser-leave.loadtest")
    operator.get_by_role("button", name="Leave it").click()
    expect(operator.get_by_role("heading", name="Left as it is")).to_be_visible()
    expect(operator.locator("#intent")).to_contain_text("Left as created by operator; it was not queued.")
    assert len(world.sent("PATCH", external_id)) == 1
    assert world.truth(external_id)["state"] == "pending"


def test_a_refused_start_gives_the_reason_and_leads_to_another_try_with_the_same_entries(operator, world):
    dialog = new_vsts_run(operator, world, "browser-refused.loadtest", Description="kept for the next try")
    dialog.get_by_label("Test drop id").fill("00000000-0000-4000-8000-000000000000")
    press_start(dialog)
    expect(operator.get_by_role("heading", name="Not started")).to_be_visible()
    expect(operator.locator("#intent")).to_contain_text("was not found")
    operator.get_by_role("link", name="Start again…").click()
    expect(operator.get_by_label("Name", exact=True)).to_have_value("browser-refused.loadtest")
    expect(operator.get_by_label("Description")).to_have_value("kept for the next try")


def test_start_again_is_prefilled_with_what_the_run_was_started_with(operator, world):
    name = "browser-again.loadtest"
    press_start(new_vsts_run(operator, world, name, **{"Set-up command": "prepare.cmd", "Description": "first"}))
    run = run_on(operator, world)
    world.later(VSTS)
    operator.goto(f"/runs/{run['pk']}/")
    operator.get_by_role("link", name="Start again…").click()
    dialog = operator.locator("dialog[open]")
    expect(dialog.get_by_label("Name", exact=True)).to_have_value(name)
    expect(dialog.get_by_label("Test drop id")).to_have_value(drop_of(world))
    expect(dialog.get_by_label("Set-up command")).to_have_value("prepare.cmd")
    press_start(dialog)
    expect(operator).not_to_have_url(re.compile(f"/runs/{run['pk']}/"))
    assert run_on(operator, world)["pk"] != run["pk"]
    assert [request["body"]["testSettings"]["setupCommand"] for request in created(world, name)] == ["prepare.cmd"] * 2


def test_closing_the_dialog_starts_nothing_and_gives_the_focus_back(operator, world, k6_test):
    test = named(k6_test, "Basket")
    dialog = start_dialog(operator, test)
    operator.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(operator.locator(".page-actions").get_by_role("link", name="Start…")).to_be_focused()
    assert world.sent("POST", f"/{test['external_id']}{STARTED}") == []


def test_a_viewer_is_offered_no_start_and_refused_one(viewer, world, k6_test):
    test = named(k6_test, "Basket")
    viewer.goto("/tests/")
    expect(viewer.locator("table.tests tbody tr").first).to_be_visible()
    expect(viewer.get_by_role("link", name=re.compile("^Start|New load test"))).to_have_count(0)
    viewer.goto(f"/tests/{test['pk']}/start/")
    expect(viewer.locator("main")).to_contain_text("takes the operator role")
    expect(viewer.locator("main button[type=submit]")).to_have_count(0)
    assert post(viewer, f"/tests/{test['pk']}/start/").status == 403
    assert world.sent("POST", f"/{test['external_id']}{STARTED}") == []


def post(page: Page, path: str):
    """A form sent past the page: with its cookies and its CSRF token, as somebody would try it."""
    token = page.locator("input[name=csrfmiddlewaretoken]").first.get_attribute("value")
    return page.request.post(path, form={"csrfmiddlewaretoken": token}, headers={"Referer": page.url})


def test_a_read_only_account_offers_no_start(operator, world):
    [test] = [test for test in world.tests(VSTS) if test["name"].endswith(".jmx")]
    world.tell("change", model="Account", where={"slug": SLUGS[VSTS]}, read_only=True)
    try:
        operator.goto(f"/tests/{test['pk']}/")
        expect(operator.locator("main")).to_contain_text("is read-only: nobody can start or stop runs on it.")
        expect(operator.get_by_role("link", name="Start…")).to_have_count(0)
        operator.goto("/tests/")
        expect(operator.get_by_role("link", name="New load test…")).to_have_count(0)
        operator.goto("/runs/?provider=vsts")
        expect(operator.locator("table.runs tbody tr").first).to_be_visible()
        actions, verbs = operator.locator("table.runs .row-actions"), re.compile("^(Start|Stop) ")
        expect(actions.get_by_role("link", name=verbs, include_hidden=True)).to_have_count(0)
    finally:
        world.tell("change", model="Account", where={"slug": SLUGS[VSTS]}, read_only=False)


def test_an_admin_starts_in_a_freeze_window_on_a_protected_target(admin, world):
    """Asked for before anything is sent; nothing typed is lost, and the reason stays with the run."""
    admin.watch.allow(422)
    test = world.tests(VSTS)[1]
    admin.goto("/guards/targets/new/")
    admin.get_by_label("Name").fill("Basket of the browser")
    admin.get_by_label("Runs at once").fill("")
    admin.get_by_label("Protected").check()
    admin.get_by_role("button", name="Add target").click()
    admin.get_by_label("Test name contains").fill(test["name"])
    admin.get_by_role("button", name="Find").click()
    admin.get_by_role("checkbox").and_(admin.locator(f"[value='{test['pk']}']")).check()
    admin.get_by_role("button", name="Add the ticked ones").click()
    admin.goto("/guards/freezes/new/")
    admin.get_by_label("Name").fill("Release of the basket")
    admin.get_by_label("Holds for").select_option(label="Basket of the browser")
    admin.locator("[name=begins]").fill("2020-01-01T00:00")
    admin.locator("[name=ends]").fill("2090-01-01T00:00")
    admin.get_by_role("button", name="Add freeze window").click()
    before = len(created(world, test["name"]))
    dialog = start_dialog(admin, test)
    dialog.get_by_label("Description").fill("kept")
    press_start(dialog)  # the browser asks for what is empty
    expect(dialog.get_by_label("Start all the same, because…")).to_be_focused()
    dialog.get_by_label("Start all the same, because…").fill("hotfix 7")
    dialog.get_by_label("Type Basket of the browser to confirm").fill("Checkout")
    press_start(dialog)
    expect(dialog.get_by_role("alert")).to_contain_text("type its name to start a run on it.")
    expect(dialog.get_by_label("Description")).to_have_value("kept")
    assert len(created(world, test["name"])) == before
    dialog.get_by_label("Type Basket of the browser to confirm").fill("basket of the BROWSER")
    press_start(dialog)
    run = run_on(admin, world)
    assert len(created(world, test["name"])) == before + 1
    admin.goto(f"/runs/{run['pk']}/activity/")
    expect(admin.get_by_role("row", name=re.compile("Start asked"))).to_contain_text("because hotfix 7")
    admin.goto("/guards/")
    admin.get_by_role("link", name="Delete Basket of the browser").click()
    admin.locator("dialog[open]").get_by_role("button", name="Delete target").click()
    expect(admin.get_by_text("Release of the basket")).to_have_count(0)
