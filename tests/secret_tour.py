"""Uses the whole dashboard as an admin would, in a process and a data directory of its own, and keeps what it shows.

`python -m tests.secret_tour DIRECTORY`, with the sandbox's address and the passwords as JSON on standard input. Each
answer becomes a file in DIRECTORY, as do the texts of errors and every log record before the log's own mask.
"""

import json
import logging
import sys
import traceback
import uuid
import zipfile
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import django

django.setup()

import requests  # noqa: E402 (the settings come first)
from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.urls import reverse  # noqa: E402

from dashboard.logs import JsonLineFormatter  # noqa: E402
from dashboard.models import SavedView  # noqa: E402
from runs.choices import STOPPABLE, RunStatus  # noqa: E402
from runs.models import Account, ControlIntent, FreezeWindow, LoadTest, Run, Schedule, Target  # noqa: E402
from runs.services import SERVICES, service_for  # noqa: E402
from runs.services.base import ServiceError, StartWish  # noqa: E402

RUN_TABS = ("page", "live", "errors", "thresholds", "metrics", "messages", "config", "activity", "raw")
PLAIN_FILES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


class Tour:
    def __init__(self, directory: Path, given: dict[str, Any]):
        self.directory, self.given = directory, given
        self.client = Client()
        self.seen: dict[str, list[int]] = {}
        self._count = 0

    # -- keeping -------------------------------------------------------------------------------------------------------

    def keep(self, name: str, content: bytes) -> None:
        self._count += 1
        (self.directory / f"{self._count:04}-{name}").write_bytes(content)

    def get(self, name: str, /, *args: object, query: str = "", **options: Any) -> HttpResponse:
        response = self.client.get(reverse(name, args=args) + query, **options)
        return self._answered(name, response)

    def post(self, name: str, /, *args: object, query: str = "", **data: object) -> HttpResponse:
        response = self.client.post(reverse(name, args=args) + query, data)
        self._answered(name, response)
        if response.status_code == 302:
            # What a person sees next, with the message about what was done.
            self._answered("after", self.client.get(response["Location"]))
        return response

    def _answered(self, name: str, response: HttpResponse) -> HttpResponse:
        body = b"".join(response.streaming_content) if response.streaming else response.content
        headers = f"{response.status_code} {response.headers.items()} {response.cookies.output()}\n\n"
        self.keep(name, headers.encode() + body)
        self.seen.setdefault(name, []).append(response.status_code)
        return response

    def sandbox(self, what: str, **body: object) -> None:
        requests.post(f"{self.given['url']}/__sandbox__/{what}", json=body, timeout=10).raise_for_status()

    def command(self, name: str, /, **options: Any) -> None:
        """Run a command and keep what it says, its refusal with all that is chained to it too."""
        out = StringIO()
        try:
            call_command(name, stdout=out, stderr=out, **options)
        except CommandError as problem:
            out.write("".join(traceback.format_exception(problem)))
        self.keep(name, out.getvalue().encode())

    # -- the tour ------------------------------------------------------------------------------------------------------

    def sign_in(self) -> None:
        self.get("sign_in")
        self.post("sign_in", username="admin", password=self.given["wrong_password"])
        self.post("sign_in", username="admin", password=self.given["password"])

    def add_accounts(self) -> None:
        """A good one, one whose token is refused, and forms that are sent back with a token in them."""
        self.get("account_list")
        self.get("account_new")
        account = {"provider": "k6-legacy", "name": "k6-legacy page", "base_url": self.given["url"]}
        account["credential"] = [f"token={self.credentials('k6-legacy')['token']}"]
        self.command("add_account", **account | {"base_url": "https://elsewhere.example"})
        self.command("add_account", **account)
        self.command("add_account", **account)
        for provider in self.providers():
            query = f"?provider={provider}"
            right, wrong = self.entered(self.credentials(provider)), self.entered(self.wrong_credentials(provider))
            read_only = self.entered(self.credentials(provider, "read_only_credentials"))
            form = {"name": f"{provider} page", "base_url": self.given["accounts"][provider]["base_url"]}
            self.get("account_new", query=query)
            self.post("account_new", query=query, **form, **read_only, test="1")
            self.post("account_new", query=query, **form | {"base_url": "ftp://x"}, **right)
            self.post("account_new", query=query, **form, **wrong, test="1")
            self.post("account_new", query=query, **form, **right)  # of k6-legacy it is there: a taken name
            self.post("account_new", query=query, **form | {"name": f"{provider} refused"}, **wrong)

    def providers(self) -> list[str]:
        """Those that the sandbox plays and Plimsoll speaks."""
        return [provider for provider in self.given["accounts"] if provider in SERVICES]

    def credentials(self, provider: str, which: str = "credentials") -> dict[str, str]:
        given = self.given["accounts"][provider]
        return given.get(which, given["credentials"])

    def wrong_credentials(self, provider: str, end: str = "") -> dict[str, str]:
        wrong = {field.key for field in SERVICES[provider].credential_fields if field.secret}
        given = self.credentials(provider)
        return {key: self.given["wrong_token"] + end if key in wrong else text for key, text in given.items()}

    def entered(self, credentials: dict[str, str]) -> dict[str, str]:
        return {f"credential_{key}": text for key, text in credentials.items()}

    def control(self) -> None:
        """Start, stop, and what goes wrong with them."""
        for account in Account.objects.filter(name__endswith=" page"):
            past = account.runs.filter(status=RunStatus.FINISHED).first()
            if past is not None:
                self.more(past)
        for account in Account.objects.filter(name__in=["k6-legacy page", "vsts page"]):
            load_test = account.load_tests.filter(runs__isnull=False).first()
            past = load_test.runs.filter(status=RunStatus.FINISHED).first()
            again = [("test_start", load_test.pk), ("run_start_again", past.pk)]
            for name, pk in again:
                self.get(name, pk)
                self.post(name, pk, **self.entries(past))
            for hook in ({"status": 400}, {"status": 401}, {"status": 503}):
                self.sandbox("fail", method="POST", path_contains="/test", **hook)
                self.post("test_start", load_test.pk, **self.entries(past))
            self.sandbox("lose_answer", method="POST", path_contains="/test")
            self.post("test_start", load_test.pk, **self.entries(past))
            self.get("account_start", account.slug)
            self.post("account_start", account.slug, **self.entries(past) | {"name": "a new one.loadtest"})
            live = account.runs.filter(status=RunStatus.RUNNING).first()
            self.get("run_stop", live.pk)
            self.sandbox("fail", path_contains=live.external_id, status=403)
            self.post("run_stop", live.pk, token=uuid.uuid4())
            self.post("run_stop", live.pk, token=uuid.uuid4(), reason="enough seen")
        self.stop_several()
        self.leave_and_queue(Run.objects.filter(account__name="vsts page", status=RunStatus.FINISHED).first())

    def more(self, past: Run) -> None:
        """What else is asked of a provider; some of it by none of these."""
        self.get("run_note", past.pk)
        self.post("run_note", past.pk, note="seen")
        self.post("run_star", past.pk, starred="yes")
        self.post("run_script", past.pk)
        self.post("run_file", past.pk, name="results.csv")
        self.post("test_script", past.load_test_id)
        self.post("test_start", past.load_test_id, **self.entries(past), estimate="yes")
        schedule = Schedule.objects.create(
            load_test=past.load_test, external_id="1", active=True, synced_at=past.synced_at
        )
        self.get("schedule_list")
        self.post("schedule_switch", schedule.pk)

    def stop_several(self) -> None:
        """Two at once: one that is refused, one whose answer is lost; and a file of them."""
        ids = list(Run.objects.filter(status__in=STOPPABLE).values_list("pk", flat=True)[:2])
        self.get("runs_stop", query=f"?id={ids[0]}")
        self.post("runs_stop", id=ids)
        self.sandbox("fail", path_contains=Run.objects.get(pk=ids[0]).external_id, status=403)
        self.sandbox("lose_answer", path_contains=Run.objects.get(pk=ids[-1]).external_id)
        token = uuid.uuid4()
        self.post("runs_stop", token=token, id=ids, stop=ids, reason="enough seen")
        self.get("runs_stopped", token, query=f"?id={ids[0]},{ids[-1]}&stop={ids[0]},{ids[-1]}")
        self.post("selection_export", id=ids, format="json")

    def entries(self, past: Run) -> dict[str, object]:
        return {**past.start_values, "token": uuid.uuid4(), "reason": "to compare"}

    def leave_and_queue(self, past: Run) -> None:
        for name in ("intent_queue", "intent_leave"):
            self.sandbox("fail", method="PATCH", path_contains="/testruns/", status=400)
            entries = self.entries(past)
            self.post("test_start", past.load_test_id, **entries)
            self.post(name, entries["token"])

    def archives(self) -> None:
        """A file of each provider, passed through; and a refusal of each, and of the storage behind it."""
        for provider in ("k6-legacy", "vsts"):
            run = Run.objects.filter(account__name=f"{provider} page", has_archive=True, status="finished").first()
            if provider == "k6-legacy":  # somebody has asked k6 for it a while ago
                url = f"{self.given['url']}/loadtests/v2/runs/{run.external_id}/export"
                token = {"Authorization": f"Token {self.credentials(provider)['token']}"}
                requests.post(url, headers=token, timeout=10).raise_for_status()
                self.sandbox("advance", seconds=60)
            assert self.post("run_archive", run.pk).status_code == 200
            for where in (run.external_id, "__blob__"):
                for status in (401, 404, 503):
                    self.sandbox("fail", path_contains=where, status=status, times=3 if status == 503 else 1)
                    self.post("run_archive", run.pk)
                requests.delete(f"{self.given['url']}/__sandbox__/hooks", timeout=10)

    def pages(self) -> None:
        self.get("home")
        for name in ("livez", "readyz", "metrics"):
            self.get(name)
        with override_settings(METRICS_TOKEN=self.given["metrics_token"]):
            self.get("metrics")
            self.get("metrics", headers={"Authorization": f"Bearer {self.given['metrics_token']}"})
        self.get("me")
        self.get("shortcuts")
        for typed in ("", "1", "e", "sandbox", "page"):
            self.get("jump", query=f"?q={typed}")
        self.get("styleguide")
        self.get("run_list")
        self.get("run_list", query="?status=finished&result=failed")
        self.get("run_rows", query="?" + "&".join(f"id={pk}" for pk in Run.objects.values_list("pk", flat=True)[:50]))
        self.post("run_columns", columns=["id", "provider_status"], density="compact")
        self.post("list_live", live_seconds=15)
        for key in ("requested_by", "status", "result", "account", "provider"):
            self.get("run_facet", key, query="?status=finished")
        for kind in ("csv", "json"):
            self.get("run_export", query=f"?format={kind}")
        self.views()
        self.guard_rails(LoadTest.objects.first())
        for run in Run.objects.all():
            self.get("run_raw", run.pk)
        for run in self.one_of_each_kind():
            for tab in RUN_TABS:
                self.get(f"run_{tab}", run.pk)
            for kind in ("csv", "json"):
                self.get("run_errors_export", run.pk, query=f"?format={kind}")
        for load_test in LoadTest.objects.all():
            self.get("test_page", load_test.pk)
            self.get("test_stop", load_test.pk)
        self.get("test_list")
        self.get("history")
        self.get("user_list")
        self.get("user_new")
        self.get("user_page", 1)
        self.get("intent_list")
        for token in ControlIntent.objects.values_list("token", flat=True):
            self.get("intent_page", token)
        for account in Account.objects.all():
            self.get("account_page", account.slug)
            self.get("account_stop", account.slug)
            self.post("account_sync", account.slug)
            settings = {"name": account.name, "base_url": account.base_url, "enabled": "on"}
            self.post("account_test", account.slug, **settings)
            self.post("account_page", account.slug, form="account", **settings)
            self.keep("repr", f"{account!r} {account.credentials!r} {account.__dict__!r}".encode())

    def archive_files(self) -> None:
        """Accounts leave as files and come back; so do a provider's own answers, with all that they hold."""
        self.get("account_import")
        for account in list(Account.objects.filter(name__endswith=" page")):
            self.get("account_archive", account.slug)
            self.post("account_archive", account.slug, filter="status=broken")
            address, chosen = reverse("account_archive", args=[account.slug]), {"filter": "result=failed&latest=1"}
            data = self.client.post(address, chosen).getvalue()
            with zipfile.ZipFile(BytesIO(data)) as archive:
                for name in archive.namelist():
                    self.keep(name, archive.read(name))
            file = SimpleUploadedFile("archive.zip", data)
            self.post("account_import", files=file, into="new", name=f"{account.slug} copy")
        runs = Run.objects.filter(account__name="vsts page", has_archive=True).values_list("external_id", flat=True)
        paths = {"runs.json": "?detailed=true", **{f"{run}.json": f"/{run}/results" for run in runs[:3]}}
        files = [SimpleUploadedFile(name, self.answer_of_vsts(path)) for name, path in paths.items()]
        self.post("account_import", files=files, into="new", name="saved answers")
        self.post("account_import", files=SimpleUploadedFile("odd.json", b"{"), into="new", name="saved answers")

    def answer_of_vsts(self, path: str) -> bytes:
        url = f"{self.given['accounts']['vsts']['base_url']}/_apis/clt/testruns{path}"
        answer = requests.get(url, auth=("", self.credentials("vsts")["token"]), timeout=10)
        answer.raise_for_status()
        return answer.content

    def views(self) -> None:
        """Keep filters as a view, begin with it, change it, mark its runs as seen, and forget it."""
        self.get("view_new", query="?status=finished&unseen=1")
        self.post("view_new", name="", filters="status=broken")
        self.post("view_new", name="Unseen", filters="status=finished&unseen=1")
        pk = SavedView.objects.get().pk
        self.get("view_page", pk)
        self.post("view_page", pk, name="Not seen yet", shared="on")
        self.post("view_save", pk, filters="result=failed&unseen=1")
        self.post("view_default", view=str(pk))
        self.get("run_list", query=f"?view={pk}&result=error")
        self.get("run_list", query="?view=999")
        self.post("runs_seen", query=f"?view={pk}")
        self.get("view_list")
        self.get("view_delete", pk)
        self.post("view_delete", pk)

    def guard_rails(self, load_test: LoadTest) -> None:
        """A target and a freeze window come, stand against a start, and go."""
        self.get("target_new")
        self.post("target_new", name="", max_running="none")
        self.post("target_new", name="Checkout API", max_running="1", protected="on")
        target = Target.objects.get().pk
        self.post("target_page", target, form="add", test=[load_test.pk])
        self.get("target_page", target, query="?name=")
        self.get("freeze_new")
        window = {"name": "Peak", "holds_for": f"target-{target}", "time_zone": "UTC"}
        self.post("freeze_new", **window)
        self.post("freeze_new", **window, kind="once", begins="2020-01-01T00:00", ends="2090-01-01T00:00")
        freeze = FreezeWindow.objects.get().pk
        self.get("freeze_page", freeze)
        self.post("freeze_switch", freeze, enabled="yes")
        self.get("guard_list")
        self.get("test_start", load_test.pk)
        self.post("test_start", load_test.pk, token=uuid.uuid4(), override_reason="hotfix", target_name="Check")
        self.get("freeze_delete", freeze)
        self.post("freeze_delete", freeze)
        self.get("test_target", load_test.pk)
        self.post("test_target", load_test.pk, target=target)
        self.get("target_delete", target)
        self.post("target_delete", target)
        self.get("test_thresholds", load_test.pk)
        self.post("test_thresholds", load_test.pk, p95_ms="500")

    def one_of_each_kind(self) -> list[Run]:
        kinds = {(run.account_id, run.provider_status, run.result): run for run in Run.objects.all()}
        return list(kinds.values())

    def errors(self) -> None:
        """The texts of what the services raise, with all that is chained to it."""
        for provider in self.providers():
            right = self.credentials(provider)
            run = Run.objects.filter(account__name=f"{provider} page", status="finished").first()
            if run is None:
                continue
            for status in (302, 400, 401, 403, 404, 429, 503):
                self.sandbox("fail", path_contains="/", status=status, times=100)
                self.raised(provider, right, run)
                requests.delete(f"{self.given['url']}/__sandbox__/hooks", timeout=10)
            self.sandbox("lose_answer", path_contains="/", times=100)
            self.raised(provider, right, run)
            requests.delete(f"{self.given['url']}/__sandbox__/hooks", timeout=10)
            self.raised(provider, self.wrong_credentials(provider), run)
            self.raised(provider, self.wrong_credentials(provider, "\n…"), run)

    def raised(self, provider: str, credentials: dict[str, str], run: Run) -> None:
        base_url = self.given["accounts"][provider]["base_url"]
        service = service_for(provider, base_url, credentials, waits=(0, 0), deadline_s=5)
        wish = StartWish(
            test_external_id=run.load_test.external_id, test_name=run.load_test.name, values=run.start_values, token="t"
        )
        calls: list[Callable[[], object]] = [
            lambda: service.get_run(run.external_id),
            lambda: list(service.iter_runs(None)),
            lambda: service.start_step(service.start_steps[0], wish, ""),
            lambda: service.stop(run.external_id),
            lambda: service.open_archive(run.external_id),
            lambda: service.open_file(run.external_id, "results.csv"),
            lambda: service.open_script(run=run.external_id),
            lambda: service.set_note(run.external_id, "seen"),
            lambda: service.estimate(wish),
            lambda: self.keep("steps", repr(service.test_connection()).encode()),
        ]
        for call in calls:
            try:
                call()
            except NotImplementedError:
                continue  # not among what this provider can do
            except ServiceError as problem:
                text = "".join(traceback.format_exception(problem))
                self.keep("error", f"{problem!r}\n{problem}\n{problem.__dict__}\n{text}".encode())
                self.seen.setdefault("error", []).append(0)


def main() -> None:
    given = json.load(sys.stdin)
    directory = Path(sys.argv[1])
    unmasked = logging.FileHandler(directory / "unmasked.log")
    unmasked.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(unmasked)
    objects = logging.FileHandler(directory / "log.json")
    objects.setFormatter(JsonLineFormatter())
    logging.getLogger().addHandler(objects)
    tour = Tour(directory, given)
    with override_settings(STORAGES=PLAIN_FILES):
        tour.command("migrate", verbosity=1)
        tour.command("create_admin", username="admin")
        tour.sign_in()
        tour.add_accounts()
        tour.command("sync_runs", full=True)
        tour.control()
        tour.archives()
        tour.command("sync_runs")
        tour.pages()
        for kind in ("csv", "json"):
            tour.command("export_runs", format=kind)
        tour.archive_files()
        tour.errors()
        tour.post("sign_out")
    (directory / "seen.json").write_text(json.dumps(tour.seen))


if __name__ == "__main__":
    main()
