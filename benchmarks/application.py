"""What a reader waits for: the application's answer to a molecule, and pages in a real browser.

    python benchmarks/application.py [--model qm9] [--rounds 7]

Wall milliseconds, the median of the rounds and the largest, and the median of what Python took of
the processor, which other work beside it does not lengthen. `interface` asks a running application
over HTTP, as its page does, each time for a molecule that is new to it: structure, prediction,
explanation. `page in the browser` types the same into the page in headless Chromium and waits until
value and atoms are shown. `interactive` opens the saved page of an explanation from a file, until
its viewer answers; megabytes beside it. Rounds begin after one that is not counted.
"""

import argparse
import json
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

from chromium import Chromium

import atomlens as al
from atomlens.web.serving import start_server

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
SMILES = (
    "CCCO",
    "CCCN",
    "CCOC",
    "CC(C)O",
    "CC(=O)C",
    "C1CCC1O",
    "c1ccccc1O",
    "CC#N",
    "CCC=O",
    "NCCO",
)


Times = list[tuple[float, float]]
"""Wall and processor of each round; of the latter what this process took, the browser not."""


def milliseconds(run: Callable[[int], object], rounds: int) -> Times:
    """Return what each round took; the first is not counted."""
    found = []
    for k in range(rounds + 1):
        wall, processor = time.perf_counter(), time.process_time()
        run(k)
        spent = time.perf_counter() - wall, time.process_time() - processor
        found.append((spent[0] * 1000, spent[1] * 1000))
    return found[1:]


def told(name: str, values: Times, more: str = "") -> None:
    """Print one line."""
    wall, processor = (list(column) for column in zip(*values, strict=True))
    most, own = max(wall), statistics.median(processor)
    print(f"{name:40s}{statistics.median(wall):8.0f}{most:8.0f}{own:10.0f}  {more}")


class Asker:
    """Asks the interface with its token."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.home = f"{parts.scheme}://{parts.netloc}"
        self.token = parse_qs(parts.query)["token"][0]

    def ask(self, path: str, body: bytes, kind: str) -> dict[str, Any]:
        """Post, and wait for the end of the job."""
        job = self._send(path, body, kind)
        while job["state"] in ("waiting", "running"):
            job = self._send(f"/api/jobs/{job['id']}?wait=5", None, "")
        assert job["state"] == "done", job
        return job["result"]

    def _send(self, path: str, body: bytes | None, kind: str) -> dict[str, Any]:
        headers = {"X-Atomlens-Token": self.token} | ({"Content-Type": kind} if kind else {})
        request = urllib.request.Request(self.home + path, data=body, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def molecule(self, smiles: str, model: str) -> None:
        """Give a molecule, have it predicted and explained."""
        form = "application/x-www-form-urlencoded"
        added = self.ask("/api/structures", f"text={smiles}".encode(), form)["added"]
        one = added[0]["id"]
        for path, question in (
            ("/api/predictions", {"model": model, "structures": [one]}),
            ("/api/explanations", {"model": model, "structure": one}),
        ):
            self.ask(path, json.dumps(question).encode(), "application/json")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--model", default="qm9")
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    print(f"{'milliseconds':40s}{'median':>8s}{'largest':>8s}{'processor':>10s}")
    running = start_server([given.model])
    threading.Thread(target=running.run, daemon=True).start()
    with TemporaryDirectory() as folder:
        asker = Asker(running.address)
        values = milliseconds(lambda k: asker.molecule(SMILES[k], given.model), given.rounds)
        told("interface: a new molecule", values)
        browser = Chromium(Path(folder) / "profile")
        try:
            browser.open(running.address, width=1300, height=900)
            told("page in the browser: a new molecule", in_browser(browser, given.rounds))
            page = Path(folder) / "aspirin.html"
            found = al.load(given.model).explain(ASPIRIN)
            told("HTML of an explanation, aspirin", milliseconds(lambda _: found.to_html(page), 7))
            size = f"{page.stat().st_size / 1e6:.2f} MB"
            told("interactive, page of aspirin", interactive(browser, page, given.rounds), size)
        finally:
            browser.close()
    running.stop()


def in_browser(browser: Chromium, rounds: int) -> Times:
    """Type molecules into the page and wait for value and atoms."""

    def one(k: int) -> None:
        browser.run("app.clear()")
        browser.run("document.documentElement.dataset.panelA = ''")
        browser.run("document.getElementById('text').focus()")
        browser.call("Input.insertText", text=SMILES[k])
        browser.run("document.getElementById('add').click()")
        browser.wait("!!document.documentElement.dataset.panelA")

    return milliseconds(one, rounds)


def interactive(browser: Chromium, page: Path, rounds: int) -> Times:
    """Return from the start of the navigation to the answer of the viewer, by the page's clock."""
    watch = (
        "new MutationObserver(() => { if (document.documentElement.dataset.ready === 'yes') "
        "window.readyAt ??= performance.now(); })"
        ".observe(document, {attributes: true, subtree: true});"
    )
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=watch)
    found = []
    for _ in range(rounds + 1):
        browser.call("Page.navigate", url="about:blank")
        browser.call("Page.navigate", url=page.as_uri())
        browser.wait("!!window.readyAt")
        found.append((browser.run("window.readyAt"), 0.0))
    return found[1:]


if __name__ == "__main__":
    main()
