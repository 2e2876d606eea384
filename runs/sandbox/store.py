"""The one store behind all providers: generated once, kept in SQLite, held in memory, changed under one lock."""

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import azure_lives, azure_make, k6_make, lives, vsts_make
from .clock import Clock
from .dice import dice
from .elsewhere import Elsewhere
from .faults import Faults
from .ledger import Ledger
from .models import AZURE, K6, PROVIDERS, VSTS, Run, Test, home
from .planted import Secrets

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tests (seq INTEGER PRIMARY KEY, provider TEXT, id TEXT, data TEXT, UNIQUE (provider, id));
CREATE TABLE IF NOT EXISTS runs (seq INTEGER PRIMARY KEY, provider TEXT, id TEXT, data TEXT, UNIQUE (provider, id));
CREATE TABLE IF NOT EXISTS drops (id TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS blobs (path TEXT PRIMARY KEY, data BLOB NOT NULL);
"""

# Of what the rows hold. A file of another form cannot be read: its runs lack what their numbers are made from.
_FORM = 2

SWITCHES = {
    "k6_zoneless_dates": False,
    "vsts_wrapped_runs": False,
    "vsts_wrapped_counter_groups": False,
    "vsts_strict_version": False,
    "vsts_requested_by_defaults_to_me": False,
    "azure_without_2026_04_01": False,
    "azure_only_2022_11_01": False,
    "azure_next_link_elsewhere": False,
    "azure_stop_after_end_is_ok": False,
}


def split(total: int, providers: Collection[str]) -> dict[str, int]:
    """How tests and runs are shared: evenly, and what is left over goes to the first ones."""
    keys = [key for key in PROVIDERS if key in providers]
    return {key: total // len(keys) + (place < total % len(keys)) for place, key in enumerate(keys)}


class Store:
    """Everything the stand-ins know. Handlers hold `lock` while they read or change it.

    `tests` and `runs`: how many, by provider. The history a file holds already is kept as it is: `seed` then has no
    effect, and a number only for a provider that has none yet.
    """

    def __init__(
        self, path: str | None, clock: Clock, *, seed: int, tests: dict[str, int], runs: dict[str, int], speed: float
    ) -> None:
        if min(tests.values()) < 1 or min(runs.values()) < 0 or speed <= 0:
            raise ValueError(
                f"The sandbox needs at least {len(tests)} tests, no negative number of runs, and a speed above 0."
            )
        self.lock = threading.RLock()
        self.clock = clock
        self.speed = speed
        self.elsewhere = Elsewhere()
        self.outcomes: dict[str, list[str]] = {provider: [] for provider in PROVIDERS}
        self.ledger = Ledger()
        self.switches = dict(SWITCHES)
        self.tests: dict[str, dict[str, Test]] = {provider: {} for provider in PROVIDERS}
        self.runs: dict[str, dict[str, Run]] = {provider: {} for provider in PROVIDERS}
        self.by_test: dict[tuple[str, str], list[Run]] = {}
        self.drops: dict[str, dict[str, Any]] = {}
        self.issued: list[str] = []  # access tokens
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)
        self._check_form(path)
        self.seed = int(self._meta("seed", seed))
        self.secrets = Secrets(self.seed)
        self.faults = Faults(self.seed)
        clock.offset += int(self._meta("offset", 0))
        self._load()
        missing = [key for key in tests if not self.tests[key]]
        if missing:
            self._generate({key: tests[key] for key in missing}, {key: runs[key] for key in missing})
        self.v6: dict[str, Any] = self._meta("v6", None) or {"limits": {}}
        if "schedules" not in self.v6:
            schedules = k6_make.schedules(list(self.tests[K6].values()), clock.now())
            self.v6 |= {"schedules": schedules, "last_schedule": max((row["id"] for row in schedules), default=700)}
            self.save_v6()

    def close(self) -> None:
        self.elsewhere.close()
        with self.lock:
            self._db.close()

    def _check_form(self, path: str | None) -> None:
        if self._meta("seed", None) is not None and self._meta("form", 1) != _FORM:
            self._db.close()
            raise ValueError(
                f"{path} was made by another version of the sandbox. Delete it, or name another file: --db."
            )

    def _meta(self, key: str, default: Any) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else default

    def save_meta(self, key: str, value: Any) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def _load(self) -> None:
        for provider, data in self._db.execute("SELECT provider, data FROM tests ORDER BY seq"):
            test = Test(**json.loads(data))
            self.tests[provider][test.id] = test
        for (data,) in self._db.execute("SELECT data FROM runs ORDER BY seq"):
            self._index(Run(**json.loads(data)))
        self.drops = {key: json.loads(data) for key, data in self._db.execute("SELECT id, data FROM drops")}

    def _generate(self, tests: dict[str, int], runs: dict[str, int]) -> None:
        now = self.clock.now()
        makers: dict[str, Any] = {K6: k6_make, VSTS: vsts_make, AZURE: azure_make}
        made: list[Test] = []
        history: list[Run] = []
        for provider, count in tests.items():
            found = makers[provider].make_tests(count, now, self.seed)
            history += makers[provider].history(found, runs[provider], now, self.seed)
            made += found
        with self._db:
            meta = [("seed", json.dumps(self.seed)), ("form", json.dumps(_FORM))]
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta)
            for test in made:
                self._put_test(test)
                if test.provider == VSTS:
                    self._put_drop(test.made["drop_id"], "TestServiceBlobDrop", test.made["created"])
            rows = [(run.provider, run.id, json.dumps(run.data())) for run in history]
            self._db.executemany("INSERT INTO runs (provider, id, data) VALUES (?, ?, ?)", rows)
        for run in history:
            self._index(run)

    def _index(self, run: Run) -> None:
        self.runs[run.provider][run.id] = run
        self.by_test.setdefault((run.provider, run.test), []).append(run)

    def _put_test(self, test: Test) -> None:
        self.tests[test.provider][test.id] = test
        data = json.dumps({"provider": test.provider, "id": test.id, "name": test.name, "made": test.made})
        self._db.execute(
            "INSERT INTO tests (provider, id, data) VALUES (?, ?, ?)"
            " ON CONFLICT (provider, id) DO UPDATE SET data = excluded.data",
            (test.provider, test.id, data),
        )

    def _put_drop(self, drop_id: str, drop_type: str, created: int, definition: Any = None) -> dict[str, Any]:
        drop = {"id": drop_id, "type": drop_type, "created": created, "run": None, "definition": definition}
        self.save_drop(drop)
        return drop

    def save_drop(self, drop: dict[str, Any]) -> None:
        self.drops[drop["id"]] = drop
        self._db.execute("INSERT OR REPLACE INTO drops VALUES (?, ?)", (drop["id"], json.dumps(drop)))

    def add_run(self, run: Run) -> Run:
        self._index(run)
        with self._db:
            self._db.execute(
                "INSERT INTO runs (provider, id, data) VALUES (?, ?, ?)", (run.provider, run.id, json.dumps(run.data()))
            )
        return run

    def save_run(self, run: Run) -> None:
        with self._db:
            self._db.execute(
                "UPDATE runs SET data = ? WHERE provider = ? AND id = ?", (json.dumps(run.data()), run.provider, run.id)
            )

    def delete_run(self, run: Run) -> None:
        del self.runs[run.provider][run.id]
        self.by_test[run.provider, run.test].remove(run)
        with self._db:
            self._db.execute("DELETE FROM runs WHERE provider = ? AND id = ?", (run.provider, run.id))

    def save_v6(self) -> None:
        """Keep what was changed in `v6`: what only /cloud/v6 knows."""
        self.save_meta("v6", self.v6)

    def save_test(self, test: Test) -> None:
        with self._db:
            self._put_test(test)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.save_meta("offset", self.clock.offset)

    @contextmanager
    def clock_of(self, provider: str) -> Iterator[None]:
        """Time as this provider's own clock tells it, which a fault may have put wrong. Hold `lock` around it."""
        before, self.clock.skew = self.clock.skew, self.faults.skew(provider)
        try:
            yield
        finally:
            self.clock.skew = before

    def _next_outcome(self, provider: str) -> str | None:
        return self.outcomes[provider].pop(0) if self.outcomes[provider] else None

    # --- what people do to runs ---------------------------------------------------------------------------------

    def start_k6(self, test: Test) -> Run:
        now = self.clock.now()
        run_id = max((int(key) for key in self.runs[K6]), default=k6_make.FIRST_RUN_ID - 1) + 1
        outcome = self._next_outcome(K6) or k6_make.started_outcome(test, run_id, self.seed)
        rng = dice(self.seed, "k6 run", run_id)
        owner = k6_make.OWN_USER_ID
        return self.add_run(k6_make.make_run(test, run_id, now, outcome, rng, scale=self.speed, user=owner))

    def stop_k6(self, run: Run) -> None:
        lives.stop_k6(run, self.clock.now(), k6_make.OWN_USER_ID)
        k6_make.judge(run)
        self.save_run(run)

    def create_vsts(self, name: str, changes: dict[str, Any]) -> Run:
        """A pending run. `changes` overrides what the name's load test file says (`made` keys of vsts_make)."""
        with self._db:
            test = self._test_named(name)
        number = max((run.number for run in self.runs[VSTS].values()), default=vsts_make.FIRST_NUMBER - 1) + 1
        rng = dice(self.seed, "vsts run", number)
        run = vsts_make.create_run(test, vsts_make.guid(rng), number, self.clock.now(), vsts_make.OWNER, rng)
        run.made |= {"setup_command": "", "cleanup_command": "", "platform": "x86"} | changes
        drop = self.drops[run.made["drop_id"]]
        with self._db:
            self.save_drop(drop | {"run": run.id})
        return self.add_run(run)

    def _test_named(self, name: str) -> Test:
        """The run name, which becomes known with its first run. Its settings stand for what the drop's files hold."""
        if name in self.tests[VSTS]:
            return self.tests[VSTS][name]
        rng = dice(self.seed, name)
        made = {"drop_id": "", "created": self.clock.now(), **vsts_make.settings_of(name, rng)}
        test = Test(VSTS, name, name, made)
        self._put_test(test)
        return test

    def queue_vsts(self, run: Run) -> None:
        now = self.clock.now()
        outcome = self._next_outcome(VSTS) or vsts_make.started_outcome(run.number, self.seed)
        rng = dice(self.seed, "vsts queue", run.id)
        vsts_make.queue_run(run, now, outcome, vsts_make.OWNER, rng, self.speed)
        self.save_run(run)

    def stop_vsts(self, run: Run) -> None:
        lives.stop_vsts(run, self.clock.now(), vsts_make.OWNER)
        self.save_run(run)

    def add_drop(self, drop_type: str, definition: Any) -> dict[str, Any]:
        rng = dice(self.seed, "drop", len(self.drops))
        with self._db:
            return self._put_drop(vsts_make.guid(rng), drop_type, self.clock.now(), definition)

    def start_azure(self, test: Test, run_id: str, texts: dict[str, str], old: Run | None) -> Run:
        """A run under the id its caller chose. `texts`: its name and description; `old`: whose settings it takes."""
        number = max((run.number for run in self.runs[AZURE].values()), default=0) + 1
        outcome = self._next_outcome(AZURE) or azure_make.started_outcome(number, self.seed)
        rng = dice(self.seed, "azure run", number)
        if old:
            test = Test(AZURE, test.id, test.name, test.made | {key: old.made[key] for key in azure_make.SETTINGS})
        owner = self.secrets.azure_client[0]
        run = azure_make.make_run(
            test, run_id, number, self.clock.now(), outcome, rng, by=owner, scale=self.speed
        )  # fmt: skip
        run.made |= {key: text for key, text in texts.items() if text}
        return self.add_run(run)

    def stop_azure(self, run: Run) -> None:
        azure_lives.stop(run, self.clock.now(), self.secrets.azure_client[0])
        self.save_run(run)

    def insert_run(self, provider: str) -> Run:
        """One more run out of the blue, as if somebody else had started it just now."""
        with self.clock_of(provider):
            if home(provider) == K6:
                return self.start_k6(next(iter(self.tests[K6].values())))
            if provider == AZURE:
                azure_test = next(iter(self.tests[AZURE].values()))
                return self.start_azure(azure_test, f"out-of-the-blue-{len(self.runs[AZURE])}", {}, None)
            test = next(iter(self.tests[VSTS].values()))
            run = self.create_vsts(test.name, {})
            self.queue_vsts(run)
            return run

    # --- files --------------------------------------------------------------------------------------------------

    def blob(self, path: str) -> bytes | None:
        row = self._db.execute("SELECT data FROM blobs WHERE path = ?", (path,)).fetchone()
        return row[0] if row else None

    def put_blob(self, path: str, data: bytes) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (path, data))
