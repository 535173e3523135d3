"""A real browser for tests: headless Chromium, driven through the Chrome DevTools Protocol."""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="there is no Chromium on this machine (apt: chromium)"
)

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses to run as root without it
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1400,1000",
    "--remote-debugging-port=0",
)

# The innermost element that is shown and bears the text, for `click`.
_BY_TEXT = """
(text) => {
  const shown = (e) => e.getClientRects().length > 0;
  const label = (e) => (e.innerText || e.value || e.getAttribute("aria-label") || "").trim();
  const found = [...document.querySelectorAll("body *")].filter((e) => shown(e) && label(e) === text);
  return found.find((e) => !found.some((other) => other !== e && e.contains(other))) || null;
}
"""


class Page:
    """One tab.

    Args:
        socket: the tab's connection.
        timeout: seconds that ``wait`` and its kin have.
    """

    def __init__(self, socket: ClientConnection, timeout: float = 30.0):
        self._socket, self._timeout, self._last = socket, timeout, 0
        self.problems: list[str] = []
        """Uncaught exceptions of the page's scripts."""
        self.send("Page.enable")
        self.send("Runtime.enable")

    def send(self, method: str, **params) -> dict:
        """Send one command of the protocol and return its result."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description", details["text"]))
            if message.get("id") == self._last:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]

    def evaluate(self, expression: str):
        """Evaluate JavaScript (promises are awaited) and return its value."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, f"{expression}: {found['exceptionDetails']}"
        return found["result"].get("value")

    def open(self, url: str) -> None:
        """Go to an address; ``wait`` for what a single-page application then shows."""
        found = self.send("Page.navigate", url=url)
        assert not found.get("errorText"), f"{url}: {found['errorText']}"
        self.wait_for("document.readyState === 'complete'")

    @property
    def text(self) -> str:
        """What the page shows as text."""
        return self.evaluate("document.body ? document.body.innerText : ''") or ""

    def wait_for(self, condition: str):
        """Wait until a JavaScript expression is true, and return its value."""
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            try:
                if value := self.evaluate(condition):
                    return value
            except AssertionError as error:  # the page is just being left for another one
                if "navigated or closed" not in str(error):
                    raise
            time.sleep(0.1)
        raise AssertionError(f"{condition} did not come true at {self.evaluate('location.href')}:\n{self.text[:3000]}")

    def wait(self, *texts: str) -> str:
        """Wait until all of the texts are shown, and return the page's text."""
        for text in texts:
            self.wait_for(f"(document.body ? document.body.innerText : '').includes({json.dumps(text)})")
        return self.text

    def wait_for_images(self, selector: str = "img") -> int:
        """Wait until an image of the selector is there and all of them are loaded; return their number."""
        chosen = f"[...document.querySelectorAll({json.dumps(selector)})]"
        return self.wait_for(f"{chosen}.every(i => i.complete && i.naturalWidth > 1) && {chosen}.length")

    def click(self, text: str = "", selector: str = "") -> None:
        """Click, with the mouse, on the innermost element that bears a text, or on the first of a selector."""
        found = f"document.querySelector({json.dumps(selector)})" if selector else f"({_BY_TEXT})({json.dumps(text)})"
        self.wait_for(f"{found} !== null")
        place = self.evaluate(
            f"(() => {{ const e = {found}; e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **button)

    def fill(self, selector: str, value: str) -> None:
        """Type into a field."""
        self.click(selector=selector)
        self.send("Input.insertText", text=value)

    def screenshot(self, path: Path) -> None:
        """Save what is shown as a PNG, for people."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


def _debugger(profile: Path, process: subprocess.Popen, timeout: float = 60.0) -> str:
    """Wait for the port that Chromium chose, open a tab and return the address of its socket."""
    chosen = profile / "DevToolsActivePort"
    deadline = time.monotonic() + timeout
    while not (chosen.exists() and chosen.read_text().count("\n")):
        assert process.poll() is None, f"Chromium ended with {process.returncode}:\n{_log(profile)}"
        assert time.monotonic() < deadline, f"Chromium did not open its port:\n{_log(profile)}"
        time.sleep(0.05)
    port = chosen.read_text().split()[0]
    request = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
    with build_opener(ProxyHandler({})).open(request, timeout=timeout) as answer:
        return json.load(answer)["webSocketDebuggerUrl"]


def _log(profile: Path) -> str:
    return (profile / "stderr.log").read_text(errors="replace")[-3000:]


@contextmanager
def open_page(profile: Path, timeout: float = 30.0) -> Iterator[Page]:
    """Start Chromium with an empty profile and yield a page; it is ended with all of its processes.

    Args:
        profile: an empty folder, e.g. under ``tmp_path``.
        timeout: seconds that the page's waits have.
    """
    profile.mkdir(parents=True, exist_ok=True)
    with (profile / "stderr.log").open("w") as log:
        process = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    try:
        with connect(_debugger(profile, process), max_size=None, proxy=None) as socket:
            yield Page(socket, timeout)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
