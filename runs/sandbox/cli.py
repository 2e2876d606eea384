"""The sandbox's command line; `manage.py sandbox` and `python -m runs.sandbox` are this."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from .models import PROVIDERS
from .server import Sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=8089, help="0 takes any free port")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same history")
    parser.add_argument("--tests", type=int, default=18, help="load tests in all, shared by the providers")
    parser.add_argument("--runs", type=int, default=900, help="runs in all, shared by the providers")
    parser.add_argument("--providers", default=",".join(PROVIDERS), help="who has a history here; commas between")
    parser.add_argument("--speed", type=float, default=60, help="how many times faster a started run lives")
    parser.add_argument("--data-dir", default=os.environ.get("DATA_DIR", "data"), help="where sandbox.sqlite3 is kept")
    parser.add_argument(
        "--faults", action="append", metavar="SPEC", default=[],
        help="what goes wrong, such as kind=429,retry_after=30,path=/runs,p=0.1; several times: several faults",
    )  # fmt: skip
    parser.add_argument("--db", help="the SQLite file itself, or :memory: to keep nothing")


def run(options: dict[str, Any]) -> int:
    """Serve until interrupted. The end of the process: 0, or 1 with a sentence on stderr."""
    path = options["db"] or str(Path(options["data_dir"]) / "sandbox.sqlite3")
    try:
        sandbox = Sandbox(
            host=options["host"],
            port=options["port"],
            seed=options["seed"],
            tests=options["tests"],
            runs=options["runs"],
            providers=_known(options["providers"]),
            speed=options["speed"],
            db_path=None if path == ":memory:" else path,
            faults=options["faults"],
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        sentence = f"The sandbox cannot listen on {options['host']}:{options['port']}: {error.strerror}."
        print(f"{sentence} Choose another --port.", file=sys.stderr)
        return 1
    counts = ", ".join(f"{len(sandbox.store.runs[key])} {key} runs" for key in PROVIDERS if sandbox.store.tests[key])
    print(f"Sandbox listening on {sandbox.url} ({counts})", flush=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sandbox.serve()
    except KeyboardInterrupt:
        pass
    finally:
        sandbox.stop()
    return 0


def _known(text: str) -> list[str]:
    """ValueError with a sentence for a word that is no provider."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found or set(found) - set(PROVIDERS):
        raise ValueError(f"--providers is some of {','.join(PROVIDERS)}.")
    return found


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m runs.sandbox", description=__doc__)
    add_arguments(parser)
    return run(vars(parser.parse_args()))
