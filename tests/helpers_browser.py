"""Debian's Chromium through Selenium, where both are installed; the network ends at this machine."""

import importlib.util
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BROWSER = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
MISSING = BROWSER is None or DRIVER is None or importlib.util.find_spec("selenium") is None


@contextmanager
def browser(
    downloads: Path, *, size: tuple[int, int] = (1280, 1000), dark: bool = False, site_data: bool = True
) -> Iterator:
    """A window of a size in pixels; with `site_data=False` pages may not store anything."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "--headless=new",
        "--no-sandbox",  # it refuses to run as root with one, and only our own page is opened
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        f"--window-size={size[0]},{size[1]}",
    ):
        options.add_argument(argument)
    preferences = {
        "download.default_directory": str(downloads),
        "profile.default_content_setting_values.cookies": 1 if site_data else 2,
    }
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    try:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        yield Page(driver, downloads)
    finally:
        driver.quit()


class Page:
    """What the tests do with the page."""

    def __init__(self, driver, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, url: str) -> None:
        self.driver.get(url)
        self.wait(lambda: self.run("return document.body.dataset.ready"))

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def wait(self, condition, seconds: float = 30):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, (
                f"waited in vain; the page says {self.text('#status')!r} {self.text('#error')!r}"
            )
            time.sleep(0.05)
        return found

    def tab(self, name: str) -> None:
        self.one(f"#tab-{name}").click()

    def give(self, path: Path) -> None:
        """Choose a file."""
        self.one("#file").send_keys(str(path))

    def drop(self, *paths: Path) -> None:
        """Drag files from outside onto the page and let go, as the browser sees a person do it."""
        dragged = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        if not paths:
            dragged["items"] = [{"mimeType": "text/plain", "data": "words"}]
        for kind in ("dragEnter", "dragOver", "drop"):
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": dragged})

    def copy(self, address: str) -> None:
        """Put a PNG of the page's own server into the clipboard."""
        origin = self.run("return location.origin")
        self.driver.execute_cdp_cmd(
            "Browser.grantPermissions",
            {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": origin},
        )
        told = self.driver.execute_async_script(
            """const [address, done] = arguments;
            fetch(address).then((answer) => answer.blob())
              .then((blob) => navigator.clipboard.write([new ClipboardItem({"image/png": blob})]))
              .then(() => done("copied"), (error) => done(`${error}`));""",
            address,
        )
        assert told == "copied"

    def paste(self) -> None:
        """Ctrl-V."""
        key = {"modifiers": 2, "key": "v", "code": "KeyV", "windowsVirtualKeyCode": 86}
        for event in ({"type": "keyDown", "commands": ["paste"]}, {"type": "keyUp"}):
            self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {**key, **event})

    def names(self) -> list[tuple[str, str]]:
        """Role and name of everything that can have the focus, as screen readers get them."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "").strip())
            for node in nodes
            if not node["ignored"]
            and any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", []))
        ]

    def shown(self, tab: str) -> None:
        """Wait until a tab shows its result."""
        self.wait(
            lambda: (
                self.run("return document.getElementById('view').dataset.shown ?? ''").startswith(f"{tab} ")
                and not self.one("#progress").is_displayed()
            )
        )

    def failed(self) -> str:
        return self.wait(lambda: self.one("#error").is_displayed() and self.text("#error"))

    def point(self, selector: str, x: float, y: float, kind: str = "pointermove") -> None:
        """A pointer event at a place of a canvas, in pixels of its picture."""
        self.run(
            """const canvas = document.querySelector(arguments[0]), box = canvas.getBoundingClientRect();
            const at = {clientX: box.left + arguments[1] * box.width / canvas.width,
                        clientY: box.top + arguments[2] * box.height / canvas.height, bubbles: true, pointerId: 1};
            canvas.setPointerCapture = () => {};
            canvas.dispatchEvent(new PointerEvent(arguments[3], at));""",
            selector,
            x,
            y,
            kind,
        )

    def click_at(self, selector: str, x: float, y: float) -> None:
        self.point(selector, x, y, "pointerdown")
        self.point(selector, x, y, "pointerup")

    def pixel(self, selector: str, x: int, y: int) -> list[int]:
        return self.run(
            "return [...document.querySelector(arguments[0]).getContext('2d')"
            ".getImageData(arguments[1], arguments[2], 1, 1).data]",
            selector,
            x,
            y,
        )

    def save(self, kind: str) -> bytes:
        """Download one form of the result and read the file."""
        before = set(self.downloads.iterdir())
        self.run("document.getElementById('kind').value = arguments[0]", kind)
        self.one("#download").click()

        def fresh() -> Path | None:
            new = [p for p in self.downloads.iterdir() if p not in before and not p.name.startswith(".")]
            return next((p for p in new if p.suffix != ".crdownload"), None)

        return self.wait(fresh).read_bytes()

    def requests(self) -> list[str]:
        """Every address the page asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What the browser's console says of scripts and policies; answers that are errors are asked for."""
        entries = self.driver.get_log("browser")
        return [e["message"] for e in entries if "Failed to load resource" not in e["message"]]
