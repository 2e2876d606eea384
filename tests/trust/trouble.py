"""Who makes trouble on a stage: a killer of workers, and a person whose computer dies in the middle of a press."""

import json
import random
import signal
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.trust.stage import Player, Stage

DEADLY = 0.12  # a press of Start takes about so long: the moments in which it can be cut off


@dataclass
class Killer:
    """SIGKILL to a random worker whenever the sync has come so far; a new one is started at once.

    The kills are spread over the work rather than over the time, so that they hit work on a machine of any speed.
    """

    stage: Stage
    dice: random.Random
    kills: int
    work: int  # as `done` counts it
    pauses: int = 0  # how many workers are stopped for `pause_s`, then let go on
    pause_s: float = 75
    killed: int = 0
    paused: int = 0
    during: int = 0  # of the kills, how many hit a worker that held a lease
    last_kill: float = 0
    _held: tuple[Player, float] | None = None
    _not_before: float = 0

    def __post_init__(self) -> None:
        self.moments = sorted(self.dice.uniform(0.01, 0.97) * self.work for _ in range(self.kills))
        self.pause_moments = sorted(self.dice.uniform(0.05, 0.8) * self.work for _ in range(self.pauses))

    @property
    def through(self) -> bool:
        return self.killed == self.kills and self.paused == self.pauses and self._held is None

    def act(self, done: float) -> None:
        """Make what trouble is due when so much of the work is done."""
        self._let_go()
        now = time.monotonic()
        if self._held is None and self.paused < self.pauses and done >= self.pause_moments[self.paused]:
            holders = [worker for worker in self.stage.workers if self._holds(worker)]
            if holders:
                victim = self.dice.choice(holders)
                victim.signal(signal.SIGSTOP)
                self._held, self.paused = (victim, now + self.pause_s), self.paused + 1
        elif self.killed < self.kills and done >= self.moments[self.killed] and now >= self._not_before:
            self._kill(self._victim())
            self._not_before = now + self.dice.uniform(0.1, 0.8)

    def _let_go(self) -> None:
        if self._held and self._held[1] < time.monotonic():
            self._held[0].signal(signal.SIGCONT)
            # It must have its chance to write with a lease that is no longer its own.
            self._not_before = time.monotonic() + 5
            self._held = None

    def _victim(self) -> Player:
        held = self._held and self._held[0]
        return self.dice.choice([worker for worker in self.stage.workers if worker is not held])

    def _holds(self, worker: Player) -> bool:
        """Whether the worker, or a process it started, has an account's lease."""
        owners = [account["owner"] for account in self.stage.hand.ask("look")["accounts"].values()]
        return any(worker.has(int(pid)) for owner in owners for pid in owner.split(":") if pid.isdecimal())

    def _kill(self, victim: Player) -> None:
        self.during += self._holds(victim)
        victim.kill()
        self.killed, self.last_kill = self.killed + 1, time.monotonic()
        self.stage.fell(victim)
        (self.stage.celery_worker if victim.name == "celery" else self.stage.worker)()


@dataclass
class Person:
    """Presses Start as planned, and is started anew whenever the process dies in the middle of a press."""

    stage: Stage
    presses: list[dict[str, Any]]
    deaths: int = 0
    mishaps: list[str] = field(default_factory=list)
    player: Player | None = None
    through: bool = False
    _files: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.stage.home / f"person-{uuid.uuid4().hex[:6]}"
        folder.mkdir()
        self._files = [folder / "plan.json", folder / "done"]
        self._files[0].write_text(json.dumps(self.presses))

    def act(self) -> None:
        if self.through or (self.player and self.player.alive):
            return
        if self.player:
            self.stage.players.remove(self.player)
            code = self.player.process.returncode
            self.through = code == 0
            self.deaths += code == -signal.SIGKILL
            if code not in (0, -signal.SIGKILL):
                self.mishaps.append(f"pressing ended by itself: {self.player.said()[-1000:]}")
                self.through = len(self.mishaps) > 10
        if not self.through:
            self.player = self.stage.start("person", "-m", "tests.trust.presser", *map(str, self._files))


def plan_presses(
    dice: random.Random, targets: list[tuple[str, str]], over: float, *, deadly: float = 0.5, stops: float = 0
) -> list[dict[str, Any]]:
    """One press for each (account, test), at random moments of the next `over` seconds.

    `deadly`: the share in which the process dies in the middle; half of all are pressed twice at the same moment.
    `stops`: the share whose run is stopped some seconds later.
    """
    now = time.time()
    return [
        {
            "token": str(uuid.UUID(int=dice.getrandbits(128), version=4)), "account": account, "test": test,
            "at": now + dice.uniform(0, over), "twice": dice.random() < 0.5,
            "die_after": dice.uniform(0, DEADLY) if dice.random() < deadly else None,
            "stop_after": dice.uniform(2, 20) if dice.random() < stops else None,
        }
        for account, test in targets
    ]  # fmt: skip
