"""Take the pictures in docs/screenshots: every tab of the page in Debian's Chromium, light, dark and narrow.

python scripts/screenshots.py [FOLDER]
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers_app import running  # noqa: E402
from helpers_browser import Page, browser  # noqa: E402

TABS = ("pose", "segmentation", "normals", "points", "matting", "albedo", "features")


def main(folder: Path) -> None:
    """Serve nano, open each tab in a browser, and write its picture to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with running() as client, tempfile.TemporaryDirectory() as downloads:
        with browser(Path(downloads), size=(1200, 900)) as page:
            page.open(client.url)
            page.one(".example").click()
            for tab in TABS:
                page.tab(tab)
                page.shown(tab)
                use(page, tab)
                take(page, folder / f"{tab}.webp")
        with browser(Path(downloads), size=(390, 844), dark=True) as page:
            page.open(client.url)
            page.one(".example").click()
            page.tab("segmentation")
            page.shown("segmentation")
            take(page, folder / "phone.webp")


def use(page: Page, tab: str) -> None:
    """Do what the tab is for, so that the picture shows it."""
    if tab == "pose":
        page.point("#view canvas", 316, 163)
    if tab == "segmentation":
        page.point("#view canvas", 290, 240)
    if tab == "features":
        page.driver.find_elements("css selector", ".example")[1].click()
        page.wait(lambda: len(page.driver.find_elements("css selector", "#view canvas")) == 2)
        page.point("#view canvas", 230, 130)
    if tab == "points":
        page.click_at("#view .side canvas", 272, 130)
        page.click_at("#view .side canvas", 260, 480)


def take(page: Page, path: Path) -> None:
    """Write what the browser shows as WebP."""
    with Image.open(io.BytesIO(page.driver.get_screenshot_as_png())) as shot:
        shot.convert("RGB").save(path, quality=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots")
