"""The picture of the application on its page: docs/images/view.png, by a headless Chromium.

PYTHONPATH=tests:tests/browser python recipes/view_picture.py docs/images/view.png
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

from chromium import Chromium
from test_application import give, place

from atomlens.web.serving import start_server

MOLECULES = (
    "CC(=O)Oc1ccccc1C(=O)O aspirin",
    "CCO ethanol",
    "Oc1ccccc1 phenol",
    "CC(N)=O acetamide",
    "CCN",
    "CCCC",
    "c1ccncc1",
    "CC#N",
)
POINTED_AT = 3
"""An oxygen of aspirin."""


def main() -> None:
    server = start_server()
    threading.Thread(target=server.run, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        browser = Chromium(Path(profile))
        try:
            browser.open(server.address, width=1400, height=900)
            give(browser, "\n".join(MOLECULES), len(MOLECULES))
            browser.run("document.querySelector('#rows tbody tr').click()")
            browser.wait("document.querySelector('#name').innerText === 'aspirin'")
            time.sleep(2)  # the view is drawn
            browser.move(*place(browser, POINTED_AT))
            browser.run("window.scrollTo(0, 0)")
            time.sleep(1)
            browser.screenshot(Path(sys.argv[1]))
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
