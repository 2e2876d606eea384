"""Judge the main pages with Lighthouse on a phone: `make lighthouse` (needs npm, Chromium and a few quiet minutes).

Starts a demo of its own, with data that are thrown away, and prints one line a page: the median of three readings, as
they vary. Ends with 1 when a page is below its mark: performance 95, accessibility 100, best practices 100.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "lighthouse@12.8.2"
PORT = int(os.environ.get("PORT", "8093"))
URL = f"http://127.0.0.1:{PORT}"
CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
READINGS = 3
MARKS = {"performance": 95, "accessibility": 100, "best-practices": 100}
PATIENCE_MS = 60_000


def session_and_run() -> tuple[str, str]:
    """The cookie of an operator who is signed in, and the address of a failed run."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        context = browser.new_context(base_url=URL)
        page = context.new_page()
        page.goto("/sign-in/")
        page.get_by_label("Name").fill("operator")
        page.get_by_label("Password").fill("plimsoll")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/runs/**")
        page.goto("/runs/?result=failed")
        row = page.locator("[data-row]").first
        row.wait_for(timeout=PATIENCE_MS)
        address = row.get_attribute("href")
        cookie = "; ".join(f"{each['name']}={each['value']}" for each in context.cookies())
        browser.close()
        return cookie, address


def judge(program: Path, path: str, cookie: str) -> dict[str, int]:
    """The medians of Lighthouse's scores of a page, 0 to 100, by category."""
    readings = [read(program, path, cookie) for _ in range(READINGS)]
    return {name: median(reading[name] for reading in readings) for name in MARKS}


def read(program: Path, path: str, cookie: str) -> dict[str, int]:
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run(
            [
                *(str(program), URL + path, "--quiet", "--output=json", f"--output-path={report.name}"),
                *("--only-categories=" + ",".join(MARKS), "--chrome-flags=--headless=new --no-sandbox"),
                *(["--extra-headers", json.dumps({"Cookie": cookie})] if cookie else []),
                # Rows that are swapped while it reads the page make its own readings fail.
                "--blocked-url-patterns=*/runs/rows/*",
            ],
            check=True,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "CHROME_PATH": CHROMIUM},
        )
        found = json.loads(Path(report.name).read_text())
    return {name: round(100 * (found["categories"][name]["score"] or 0)) for name in MARKS}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "demo"],
            env={**os.environ, "PORT": str(PORT), "DATA_DIR": str(Path(folder) / "data")},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            if not any("Plimsoll is at" in line for line in demo.stdout):
                sys.exit("The demo did not start.")
            # Meanwhile the demo reads the runs' details; it should be at rest when pages are judged.
            subprocess.run(
                ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, PACKAGE],  # noqa: S607
                check=True,
            )
            program = Path(folder) / "node_modules" / ".bin" / "lighthouse"
            cookie, run = session_and_run()
            pages = {"sign-in": ("/sign-in/", ""), "run list": ("/runs/", cookie), "run page": (run, cookie)}
            below = False
            print(f"{'':10}" + "".join(f"{name:>16}" for name in MARKS))
            for name, (path, given) in pages.items():
                scores = judge(program, path, given)
                below |= any(scores[kind] < mark for kind, mark in MARKS.items())
                print(f"{name:10}" + "".join(f"{scores[kind]:16}" for kind in MARKS))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(30)
    sys.exit(int(below))


if __name__ == "__main__":
    main()
