"""The page in a real browser: how pictures get in, and using it by keyboard and screen reader alone."""

import pytest
from helpers_app import encoded, picture
from helpers_browser import MISSING
from PIL import Image

if MISSING:
    pytest.skip("browser tests skipped: chromium, chromedriver or selenium is not installed", allow_module_level=True)

from selenium.webdriver import ActionChains, Keys

TABS = ("pose", "segmentation", "normals", "points", "matting", "albedo", "features")
CANVAS = "#view canvas"
LABEL = f"return document.querySelector('{CANVAS}')?.ariaLabel ?? ''"


def test_drop__of_a_file_from_outside(page, tmp_path) -> None:
    (tmp_path / "dropped.png").write_bytes(encoded(picture(5, 50, 70)))
    page.tab("segmentation")
    page.drop(tmp_path / "dropped.png")
    page.wait(lambda: page.run(LABEL).startswith("dropped.png "))
    assert page.run(f"const c = document.querySelector('{CANVAS}'); return [c.width, c.height]") == [70, 50]
    assert "dropping" not in page.run("return document.body.className")


def test_drop__of_something_else_is_told(page) -> None:
    page.drop()
    assert page.failed() == "What was dropped is no file."


def test_paste__of_a_picture_in_the_clipboard(page) -> None:
    page.tab("albedo")
    page.copy("static/astronaut.png")
    page.paste()
    page.wait(lambda: page.run(LABEL).startswith("image.png "))
    page.shown("albedo")
    assert page.run(f"return document.querySelector('{CANVAS}').width") == 512


def test_camera__that_is_refused_is_told(page) -> None:
    page.run("navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('refused'))")
    page.one("#camera").click()
    assert page.failed() == "No camera: refused."


def test_background__of_a_matte_is_a_picture_of_ones_own(figures, tmp_path) -> None:
    (tmp_path / "red.png").write_bytes(encoded(Image.new("RGB", (20, 20), (250, 0, 0))))
    figures.tab("matting")
    figures.shown("matting")
    figures.one("#view select").send_keys(Keys.ARROW_DOWN)
    figures.one("#view input[type=file]").send_keys(str(tmp_path / "red.png"))
    width = figures.run(f"return document.querySelector('{CANVAS}').width")
    figures.wait(lambda: figures.pixel(CANVAS, width - 5, 5)[0] > 230)
    assert figures.pixel(CANVAS, width - 5, 5)[1] < 30


VISIBLE = """
return [...document.querySelectorAll("a[href], button, input, select, summary, canvas")]
  .filter((e) => e.checkVisibility() && e.tabIndex >= 0)
  .map((e) => { e.dataset.mark ??= `${Math.random()}`; return e.dataset.mark; })
"""


@pytest.mark.parametrize("tab", TABS)
def test_tab_key__reaches_every_control(figures, tab) -> None:
    figures.tab(tab)
    figures.shown(tab)
    marks = figures.run(VISIBLE)
    figures.run("document.querySelector('.skip').focus()")
    reached = set()
    for _ in marks:
        reached.add(figures.run("return document.activeElement.dataset.mark"))
        ActionChains(figures.driver).send_keys(Keys.TAB).perform()
    assert len(marks) > 10
    assert reached == set(marks)


@pytest.mark.parametrize("tab", TABS)
def test_names__of_everything_that_takes_the_focus(figures, tab) -> None:
    figures.tab(tab)
    figures.shown(tab)
    names = figures.names()
    assert {"tab", "button", "combobox", "application"} <= {role for role, _ in names}
    assert [role for role, name in names if not name and role not in ("RootWebArea", "dialog")] == []


STATE = """
const view = document.getElementById("view");
return JSON.stringify([[...view.querySelectorAll("canvas")].map((c) => c.toDataURL()), view.textContent])
"""
KEYS = {"range": Keys.ARROW_RIGHT, "checkbox": " ", "select-one": Keys.ARROW_DOWN, "submit": "\n", "button": "\n"}


@pytest.mark.parametrize("tab", TABS)
def test_controls__do_what_they_do_by_keyboard(figures, tab) -> None:
    figures.tab(tab)
    figures.shown(tab)
    used = []
    for control in figures.driver.find_elements("css selector", "#view select, #view input, #view button"):
        kind = control.get_property("type")
        if kind not in KEYS or not control.is_displayed():
            continue
        before = figures.run(STATE)
        # Some have nothing to do at first: all parts are shown, the view is the camera's.
        control.send_keys(KEYS[kind])
        used.append((kind, control.accessible_name, figures.run(STATE) != before))
    idle = {name for _, name, changed in used if not changed}
    assert idle <= {"All", "View from the camera"}
    assert used or tab == "features"


@pytest.mark.parametrize("tab", TABS)
def test_canvases__follow_the_arrow_keys(figures, tab) -> None:
    figures.tab(tab)
    figures.shown(tab)
    for canvas in figures.driver.find_elements("css selector", CANVAS):
        before = figures.run(STATE)
        canvas.send_keys(Keys.SHIFT + Keys.ARROW_RIGHT)
        assert figures.run(STATE) != before, canvas.accessible_name


def test_points__are_chosen_by_keyboard_alone(figures) -> None:
    figures.tab("points")
    figures.shown("points")
    flat = figures.one("#view .side canvas")
    flat.send_keys("\n", Keys.ARROW_UP * 20, "\n")
    assert figures.text("#distance").startswith("Distance: ")
