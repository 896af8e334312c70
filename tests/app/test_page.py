"""The page in a real browser: every tab, every download, bad uploads, keyboard, narrow screens, two users."""

import io
import json
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import trimesh
from helpers_app import encoded, picture, running, wait_for
from helpers_browser import MISSING, browser
from PIL import Image

import sapiens
from sapiens.app.site import site
from sapiens.imaging.read import decode_image
from sapiens.tasks import get_task

if MISSING:
    pytest.skip("browser tests skipped: chromium, chromedriver or selenium is not installed", allow_module_level=True)

FIGURES = site()["figures.webp"].body
IMAGE = decode_image(FIGURES, "figures.webp")
HEIGHT, WIDTH = IMAGE.shape[:2]
CANVAS = "#view canvas"


def open_tab(page, tab: str) -> None:
    page.tab(tab)
    page.shown(tab)


def test_pose__names_scores_threshold_sets(figures) -> None:
    open_tab(figures, "pose")
    result = sapiens.load("pose", "nano")(IMAGE)
    person, point = np.unravel_index(result.scores.argmax(), result.scores.shape)
    x, y = result.keypoints[person, point]
    figures.point(CANVAS, float(x) + 0.5, float(y) + 0.5)
    assert f"{result.names[point]}, score {result.scores.max():.2f}" in figures.text(".readout")
    shown = int((result.scores >= 0.3).sum())
    assert f"{len(result)} people, {shown} keypoints" in figures.text("#view .note")
    figures.run(
        "const s = document.querySelector('#view select'); s.value = 'COCO 17'; s.dispatchEvent(new Event('change'));"
        "const t = document.querySelector('#view input[type=range]'); t.value = 0; t.dispatchEvent(new Event('input'))"
    )
    coco = result.to("coco17").scores
    assert f"{int((coco >= 0).sum())} keypoints" in figures.text("#view .note")


def test_segmentation__part_under_the_pointer_areas_and_toggles(figures) -> None:
    open_tab(figures, "segmentation")
    result = sapiens.load("seg", "nano")(IMAGE)
    areas = {name.replace("_", " "): area for name, area in result.areas().items() if name != "Background"}
    cells = figures.run("return [...document.querySelectorAll('#view tbody tr')].map(r => r.innerText.split('\\t'))")
    assert {name.strip(): int(area) for name, area, _ in cells} == areas
    y, x = np.argwhere(result.labels > 0)[1000]
    figures.point(CANVAS, x + 0.5, y + 0.5)
    part = result.names[result.labels[y, x]].replace("_", " ")
    assert figures.text(".readout").startswith(f"{part} at {x}, {y}: {areas[part]} pixels")
    figures.run("[...document.querySelectorAll('#view button')].find(b => b.textContent === 'None').click()")
    assert np.abs(np.array(figures.pixel(CANVAS, 5, 5)[:3]) - IMAGE[5, 5].astype(int)).max() <= 3


def test_normals__light_follows_the_pointer_and_the_keys(figures) -> None:
    open_tab(figures, "normals")
    person = np.asarray(sapiens.load("seg", "nano")(IMAGE).labels > 0)
    across = np.where(person, sapiens.load("normal", "nano")(IMAGE).normals[..., 0], 0)
    flanks = [np.unravel_index(k, across.shape) for k in (across.argmin(), across.argmax())]
    places = [(int(x), int(y)) for y, x in flanks]
    figures.point(CANVAS, 20, HEIGHT / 2, "pointerdown")
    figures.point(CANVAS, 20, HEIGHT / 2, "pointerup")
    left = [figures.pixel(CANVAS, *place)[0] for place in places]
    assert "left" in figures.text(".readout")
    figures.point(CANVAS, WIDTH - 20, HEIGHT / 2, "pointerdown")
    figures.point(CANVAS, WIDTH - 20, HEIGHT / 2, "pointerup")
    right = [figures.pixel(CANVAS, *place)[0] for place in places]
    assert "right" in figures.text(".readout")
    assert left[0] > right[0] + 50, "what faces left is brighter with the light at the left"
    assert right[1] > left[1] + 50, "what faces right is brighter with the light at the right"
    before = figures.text(".readout")
    figures.one(CANVAS).send_keys("\ue012\ue012\ue012")  # arrow left
    assert figures.text(".readout") != before


def test_points__distance_in_metres_orbit(figures) -> None:
    open_tab(figures, "points")
    result = sapiens.load("pointmap", "nano")(IMAGE)
    flat = "#view .side canvas"
    places = [(272, 130), (260, 480)]
    for place in places:
        figures.click_at(flat, place[0] + 0.5, place[1] + 0.5)
    a, b = (result.points[y, x] for x, y in places)
    told = figures.text("#distance")
    assert told.startswith("Distance: ")
    assert float(told.split()[1]) == pytest.approx(float(np.linalg.norm(a - b)), abs=0.02)
    assert " m," in told
    view = "#view .main canvas"
    snapshot = f"return document.querySelector('{view}').toDataURL()"
    before = figures.run(snapshot)
    figures.one(view).send_keys("\ue014\ue014")  # arrow right
    turned = figures.run(snapshot)
    figures.run("[...document.querySelectorAll('#view button')].find(b => b.textContent.includes('camera')).click()")
    assert turned != before
    assert figures.run(snapshot) == before


def test_matting__before_and_after_over_any_background(figures) -> None:
    open_tab(figures, "matting")
    corner = figures.pixel(CANVAS, WIDTH - 5, 5)[:3]
    assert np.abs(np.array(corner) - [0x00, 0xB1, 0x40]).max() <= 12
    assert np.abs(np.array(figures.pixel(CANVAS, 5, 5)[:3]) - IMAGE[5, 5].astype(int)).max() <= 3
    figures.run(
        "const c = document.querySelector('#view input[type=color]'); c.value = '#ff0000';"
        "c.dispatchEvent(new Event('input'))"
    )
    assert figures.pixel(CANVAS, WIDTH - 5, 5)[0] > 240


def test_albedo__edge_moves_by_keyboard(figures) -> None:
    open_tab(figures, "albedo")
    before = figures.pixel(CANVAS, WIDTH // 2 + 10, 240)
    edge = figures.one("#view input[type=range]")
    edge.send_keys("\ue010")  # end: all of it is before
    after = figures.pixel(CANVAS, WIDTH // 2 + 10, 240)
    assert before != after
    assert np.abs(np.array(after[:3]) - IMAGE[240, WIDTH // 2 + 10].astype(int)).max() <= 3


def test_features__patches_alike_across_two_pictures(figures) -> None:
    open_tab(figures, "features")
    figures.driver.find_elements("css selector", ".example")[1].click()
    names = "return [...document.querySelectorAll('#view canvas')].map(c => c.ariaLabel.split(':')[0])"
    figures.wait(lambda: figures.run(names) == ["astronaut.png", "figures.webp"])
    figures.point(CANVAS, 256, 256)
    told = figures.text(".readout")
    assert told.startswith("Patch at row 9, column 7 of astronaut.png. Most alike: row ")
    assert "of figures.webp (cosine 0." in told
    plain = figures.pixel(CANVAS, 20, 20)
    figures.run(
        "const s = document.querySelector('#view select'); s.value = 'colours'; s.dispatchEvent(new Event('change'))"
    )
    assert figures.pixel(CANVAS, 20, 20) != plain


CHECKS = {
    ".npz": lambda data: np.load(io.BytesIO(data)).files,
    ".npy": lambda data: np.load(io.BytesIO(data)).shape[:2] == (HEIGHT, WIDTH),
    ".json": json.loads,
    ".png": lambda data: Image.open(io.BytesIO(data)).size == (WIDTH, HEIGHT),
    ".ply": lambda data: len(trimesh.load(io.BytesIO(data), file_type="ply").vertices) > 1000,
    ".glb": lambda data: struct.unpack("<4sII", data[:12]) == (b"glTF", 2, len(data)),
}


@pytest.mark.parametrize(
    ("tab", "task"),
    [("pose", "pose"), ("segmentation", "seg"), ("normals", "normal"), ("points", "pointmap"), ("matting", "matting"),
     ("albedo", "albedo")],
)  # fmt: skip
def test_downloads__every_file_opens(figures, tab, task) -> None:
    open_tab(figures, tab)
    kinds = figures.run("return [...document.getElementById('kind').options].map(o => o.value)")
    known = get_task(task)
    assert kinds == ["json", "picture", "npz", *known.exports, *known.run_exports]
    suffixes = {"json": ".json", "picture": ".png", "npz": ".npz", **dict.fromkeys(known.run_exports, ".json")}
    for kind in kinds:
        suffix = suffixes.get(kind) or "." + known.exports[kind].suffix.rpartition(".")[2]
        assert CHECKS[suffix](figures.save(kind)), kind


@pytest.mark.parametrize(
    ("word", "name", "data", "told"),
    [
        ("text", "a.png", b"no picture", "not a picture"),
        ("empty", "b.png", b"", "empty"),
        ("cut off", "c.jpg", encoded(picture(1, 300, 300), "JPEG")[:2000], "JPEG"),
        ("too many bytes", "d.png", bytes(40 << 20), "bytes"),
        ("too many pixels", "e.png", encoded(Image.new("L", (6000, 6000))), "pixels"),
    ],
)
def test_bad_uploads__are_told_in_one_line(page, tmp_path, word, name, data, told) -> None:
    (tmp_path / name).write_bytes(data)
    page.tab("albedo")
    page.give(tmp_path / name)
    page.wait(lambda: told in page.text("#error"))
    assert page.failed().count("\n") == 0, word
    assert page.text("#view") == ""


@pytest.mark.parametrize(
    ("word", "name", "data", "size_wh"),
    [
        ("one pixel", "a.png", encoded(Image.new("RGB", (1, 1))), (1, 1)),
        ("CMYK", "b.jpg", encoded(Image.new("CMYK", (60, 40), (0, 90, 90, 0)), "JPEG"), (60, 40)),
        ("animated", "c.gif", encoded(Image.new("P", (30, 20)), "GIF", save_all=True,
                                      append_images=[Image.new("P", (30, 20), 1)]), (30, 20)),
        ("TIFF, which the browser cannot show", "d.tif", encoded(picture(1), "TIFF"), (48, 60)),
    ],
)  # fmt: skip
def test_odd_uploads__keep_their_size(page, tmp_path, word, name, data, size_wh) -> None:
    (tmp_path / name).write_bytes(data)
    page.tab("segmentation")
    page.give(tmp_path / name)
    page.wait(lambda: page.run("return document.querySelector('#view canvas')?.width") == size_wh[0])
    page.shown("segmentation")
    assert page.run(f"const c = document.querySelector('{CANVAS}'); return [c.width, c.height]") == list(size_wh), word


def test_first_result__within_two_seconds_of_the_drop(page, tmp_path) -> None:
    (tmp_path / "new.png").write_bytes(encoded(IMAGE[:, ::-1]))
    open_tab(page, "segmentation")
    page.run("document.getElementById('view').dataset.shown = ''")
    page.give(tmp_path / "new.png")
    page.shown("segmentation")
    assert float(page.text("#status").split()[-2]) < 2


def test_cancel__gives_up_what_is_at_work(page, client, tmp_path, monkeypatch) -> None:
    go, predictors = threading.Event(), client.service.shelf.predictors
    monkeypatch.setattr(client.service.shelf, "predictors", lambda key: go.wait(30) and predictors(key))
    left = client.service.metrics.totals[2]
    (tmp_path / "slow.png").write_bytes(encoded(picture(7)))
    page.give(tmp_path / "slow.png")
    page.wait(lambda: client.service.active and page.one("#progress").is_displayed())
    page.one("#cancel").click()
    page.wait(lambda: page.text("#status") == "Cancelled" and not page.one("#cancel").is_displayed())
    wait_for(lambda: client.service.metrics.totals[2] == left + 1 and client.service.active == 0)
    assert page.text("#status") == "Cancelled"
    go.set()


def test_camera_and_clip__their_frames_are_pictures(page, tmp_path) -> None:
    page.tab("albedo")
    page.one("#camera").click()
    page.wait(lambda: page.run("return document.getElementById('video').videoWidth"))
    page.one("#shoot").click()
    page.wait(lambda: page.run("return document.querySelector('#view canvas')?.width") == 640)
    writer = cv2.VideoWriter(str(tmp_path / "clip.webm"), cv2.VideoWriter.fourcc(*"VP80"), 10, (64, 96))
    for number in range(10):
        writer.write(np.full((96, 64, 3), 20 * number, np.uint8))
    writer.release()
    page.give(tmp_path / "clip.webm")
    page.wait(lambda: page.one("#clip-run").is_displayed() and page.run("return video.readyState") >= 2)
    page.one("#clip-run").click()
    label = "return document.querySelector('#view canvas')?.ariaLabel ?? ''"
    page.wait(lambda: "clip_0.80s.png" in page.run(label))
    assert "clip_0.80s.png" in page.run(label)
    page.one("#live-close").click()


def test_keyboard__tabs_and_readouts(figures) -> None:
    open_tab(figures, "pose")
    figures.one("#tab-pose").send_keys("\ue014")  # arrow right
    figures.shown("segmentation")
    focused = "return document.activeElement.id"
    assert figures.run(focused) == "tab-segmentation"
    assert figures.run("return document.getElementById('tab-segmentation').ariaSelected") == "true"
    figures.one(CANVAS).send_keys("\ue012")
    assert " at " in figures.text(".readout")
    unnamed = figures.run(
        "return [...document.querySelectorAll('button, input, select, canvas, progress, video')].filter(e => "
        "!(e.textContent.trim() || e.labels?.length || e.ariaLabel)).map(e => e.outerHTML)"
    )
    assert unnamed == []


def test_page__asks_nobody_else_and_breaks_no_policy(figures, client) -> None:
    for tab in ("pose", "points", "matting"):
        open_tab(figures, tab)
    asked = figures.requests()
    assert asked
    assert [url for url in asked if not url.startswith((client.url, "blob:", "data:"))] == []
    assert figures.complaints() == []


def test_narrow_dark_screen__nothing_sticks_out(tmp_path) -> None:
    """On a server with a token, which the address carries."""
    with running(token="secret") as client, browser(tmp_path, size=(360, 740), dark=True) as page:
        page.open(f"{client.url}/#token=secret")
        assert page.run("return location.hash") == ""
        page.one(".example").click()
        for tab in ("pose", "segmentation", "normals", "points", "matting", "albedo", "features"):
            open_tab(page, tab)
            assert page.run("return document.documentElement.scrollWidth") <= 360, tab
        ground = page.run("return getComputedStyle(document.body).backgroundColor")
        assert max(int(v) for v in ground[4:-1].split(",")) < 64


def test_two_users__each_gets_the_own_result(client, tmp_path) -> None:
    def use(number: int) -> list[int]:
        folder = tmp_path / f"user{number}"
        folder.mkdir()
        sizes = []
        with browser(folder) as page:
            page.open(client.url)
            for turn in range(2):
                width = 40 + 20 * number + turn
                (folder / f"{width}.png").write_bytes(encoded(picture(number, 64, width)))
                page.tab("segmentation")
                page.give(folder / f"{width}.png")
                page.wait(
                    lambda width=width: (
                        f"{width}.png" in page.run(f"return document.querySelector('{CANVAS}')?.ariaLabel ?? ''")
                    )
                )
                sizes.append(page.run(f"return document.querySelector('{CANVAS}').width"))
        return sizes

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(use, range(2))) == [[40, 41], [60, 61]]
