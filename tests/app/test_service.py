"""What the endpoints answer."""

import base64
import io
import json
import socket
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers_app import encoded, form, numbers, picture, running, wait_for
from PIL import Image

import sapiens
from sapiens.app.features import SERVED
from sapiens.app.limits import Limits
from sapiens.app.shelf import Shelf
from sapiens.tasks import TASKS, get_task
from sapiens.tasks.base import read_saved

IMAGE = picture(1)
PNG = encoded(IMAGE)


@pytest.mark.parametrize("task", TASKS)
def test_predict__json_holds_what_the_library_gives(client, task: str) -> None:
    fields = {"whole_image": "true"} if get_task(task).top_down else {}
    answer = client.predict(task, PNG, fields, name="folder/me.png")
    assert answer.status == 200, answer.body
    assert answer.json["image_id"] == "me.png"
    assert answer.json["size_hw"] == [60, 48]
    assert answer.json["model"] == answer.headers["x-model"] == f"sapiens2_nano_{task}"
    assert any("nano" in note for note in answer.json["notes"])
    predictor = sapiens.load(task, "nano")
    wanted = predictor(IMAGE, **({"whole_image": True} if fields else {})).arrays()
    assert set(answer.json["arrays"]) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(answer.array(name), array, rtol=1e-4, atol=1e-4, err_msg=name)


def test_features__unit_vectors_of_every_patch_that_follow_the_picture(client) -> None:
    answer = client.predict("features", PNG)
    features = answer.array("features")
    assert answer.json["model"] == "sapiens2_nano_features"
    assert features.shape == (16, 12, 128)
    np.testing.assert_allclose(np.linalg.norm(features, axis=-1), 1, atol=1e-5)
    other = client.predict("features", encoded(picture(2))).array("features")
    same = client.predict("features", PNG).array("features")
    assert (features * same).sum(-1).min() > 0.999 > (features * other).sum(-1).mean()
    assert client.predict("features", PNG, {"mask": "seg"}).status == 400


@pytest.mark.parametrize("kind", ["picture", "npz"])
def test_features__as_files(client, kind) -> None:
    assert client.predict("features", PNG, query=f"?as={kind}").status == 200


def test_predict__base64_equals_form(client) -> None:
    body = {"image": base64.b64encode(PNG).decode(), "name": "x.png", "size": "nano", "options": {}}
    told = client.predict_json("seg", body)
    assert told.status == 200, told.body
    assert told.json == client.predict("seg", PNG, name="x.png").json


@pytest.mark.parametrize(
    ("word", "accept", "media"),
    [
        ("nothing", None, "application/json"),
        ("anything", "*/*", "application/json"),
        ("a browser's picture", "image/avif,image/webp,image/png;q=0.8,*/*;q=0.1", "image/png"),
        ("any picture", "image/*", "image/png"),
        ("arrays", "application/x-npz", "application/x-npz"),
        ("by weight", "application/json;q=0.5, application/x-npz;q=0.9", "application/x-npz"),
        ("all but JSON", "application/json;q=0, */*;q=0.1", "image/png"),
    ],
)
def test_predict__form_of_the_answer_by_accept(client, word, accept, media) -> None:
    answer = client.predict("seg", PNG, headers={"Accept": accept} if accept else {})
    assert (answer.status, answer.headers["content-type"]) == (200, media), word


def test_predict__npz_and_png_open(client, tmp_path) -> None:
    (tmp_path / "x.npz").write_bytes(client.predict("normal", PNG, headers={"Accept": "application/x-npz"}).body)
    arrays, meta = read_saved(tmp_path / "x.npz")
    assert meta.task == "normal"
    np.testing.assert_allclose(np.linalg.norm(arrays["normals"], axis=-1), 1, atol=1e-4)
    with Image.open(io.BytesIO(client.predict("normal", PNG, headers={"Accept": "image/png"}).body)) as drawn:
        assert drawn.size == (48, 60)


@pytest.mark.parametrize("task", TASKS)
def test_predict__every_kind_the_task_writes(client, task: str) -> None:
    words = client.get(f"/v1/tasks/{task}").json
    for kind, media in words["answers"].items():
        answer = client.predict(task, PNG, {"keep": "true"}, name="größe.png", query=f"?as={kind}")
        assert (answer.status, answer.headers["content-type"]) == (200, media), (kind, answer.body[:200])
        assert len(answer.body) > 1
        if kind != "json":
            assert answer.headers["content-disposition"].startswith(f'attachment; filename="gr__e_{task}')


ANIMATION = [Image.new("P", (16, 8), colour) for colour in (0, 1)]
TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
ODD = {
    "one pixel": (encoded(Image.new("RGB", (1, 1))), (1, 1)),
    "one row": (encoded(Image.new("RGB", (40, 1))), (40, 1)),
    "grey": (encoded(Image.new("L", (9, 7), 99)), (9, 7)),
    "CMYK": (encoded(Image.new("CMYK", (16, 24), (9, 99, 9, 9)), "JPEG"), (16, 24)),
    "16 bits": (encoded(Image.new("I;16", (9, 7), 40000)), (9, 7)),
    "animated": (encoded(ANIMATION[0], "GIF", save_all=True, append_images=ANIMATION[1:]), (16, 8)),
    "turned by EXIF": (encoded(Image.new("RGB", (16, 8)), "JPEG", exif=TURNED), (8, 16)),
}


@pytest.mark.parametrize("word", ODD)
@pytest.mark.parametrize("task", ["seg", "pose"])
def test_predict__odd_pictures_keep_their_size(client, task, word) -> None:
    body, size_wh = ODD[word]
    answer = client.predict(task, body, headers={"Accept": "image/png"})
    assert answer.status == 200, (word, answer.body)
    with Image.open(io.BytesIO(answer.body)) as drawn:
        assert drawn.size == size_wh, word


@pytest.mark.parametrize(
    ("word", "body", "status", "told"),
    [
        ("text", b"hello, this is no picture", 400, "not a picture"),
        ("empty", b"", 400, "empty"),
        ("cut off", PNG[: len(PNG) // 2], 400, "PNG"),
        ("JPEG cut off", encoded(picture(3, 200, 200), "JPEG")[:900], 400, "JPEG"),
        ("a bomb", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\2\0\0\0" + b"\0" * 40, 413, "pixels"),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400, "not a picture"),
    ],
)
def test_predict__bad_uploads_get_one_line(client, word, body, status, told) -> None:
    answer = client.predict("seg", body, name="x.png")
    # The bomb has no whole structure either: either reason will do, as long as nothing is decoded.
    assert answer.status in (status, 400), (word, answer.body)
    assert answer.json["error"].startswith("x.png:"), word
    assert "\n" not in answer.json["error"]
    assert told in answer.json["error"] or answer.status != status


B64 = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("word", "task", "body", "status", "told"),
    [
        ("no JSON", "seg", b"{", 400, "not JSON"),
        ("too deep", "seg", b"[" * 100_000, 400, "not JSON"),
        ("no object", "seg", [1], 400, "JSON object"),
        ("no image", "seg", {}, 400, "image: missing"),
        ("image of another type", "seg", {"image": 5}, 400, "base64"),
        ("no base64", "seg", {"image": "?!"}, 400, "base64"),
        ("a path", "seg", {"image": "/etc/passwd"}, 400, "base64"),
        ("a path as a field", "seg", {"image": B64, "path": "/etc/passwd"}, 400, "unknown field 'path'"),
        ("an address", "seg", {"image": B64, "url": "http://example.com/a.png"}, 400, "unknown field 'url'"),
        ("no such size", "seg", {"image": B64, "size": "7b"}, 404, "'7b'"),
        ("a path as a size", "seg", {"image": B64, "size": "../../x"}, 404, "no seg weights"),
        ("no such option", "pose", {"image": B64, "options": {"flop": True}}, 400, "flop"),
        ("option of another type", "pose", {"image": B64, "options": {"flip": "x"}}, 400, "flip"),
        ("option that cannot be", "pose", {"image": B64, "options": {"padding": -1}}, 400, "padding"),
        ("options no object", "pose", {"image": B64, "options": [1]}, 400, "options"),
        ("boxes no list", "pose", {"image": B64, "boxes": "x"}, 400, "boxes"),
        ("boxes of three", "pose", {"image": B64, "boxes": [[1, 2, 3]]}, 400, "boxes"),
        ("boxes of huge numbers", "pose", {"image": B64, "boxes": [[0, 0, 1e400, 1]]}, 400, "boxes"),
        ("box without area", "pose", {"image": B64, "boxes": [[5, 5, 5, 9]]}, 400, "a.png"),
        ("too many boxes", "pose", {"image": B64, "boxes": [[0, 0, 9, 9]] * 101}, 413, "101"),
        ("boxes for parts", "seg", {"image": B64, "boxes": [[0, 0, 9, 9]]}, 400, "pose"),
        ("boxes and whole", "pose", {"image": B64, "boxes": [[0, 0, 9, 9]], "whole_image": True}, 400, "exclude"),
        ("mask for parts", "seg", {"image": B64, "mask": "seg"}, 400, "mask"),
        ("no such mask", "normal", {"image": B64, "mask": "pose"}, 400, "mask"),
        ("flag of another type", "pose", {"image": B64, "whole_image": 3}, 400, "whole_image"),
        ("no such task", "sge", {"image": B64}, 404, "unknown task"),
    ],
)
def test_predict__bad_requests_get_one_line(client, word, task, body, status, told) -> None:
    named = {**body, "name": "a.png"} if isinstance(body, dict) else body
    answer = client.predict_json(task, named)
    assert answer.status == status, (word, answer.body)
    assert told in answer.json["error"], word
    assert set(answer.json) == {"error", "hint"}


def test_predict__content_type_that_cannot_be_read(client) -> None:
    assert client.ask("POST", "/v1/predict/seg", PNG, {"Content-Type": "image/png"}).status == 415
    assert client.ask("POST", "/v1/predict/seg", PNG, {"Content-Type": "multipart/form-data"}).status == 400
    assert client.ask("POST", "/v1/predict/seg", b"").status == 415


FORM = "multipart/form-data; boundary=b"
IMAGE_PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + PNG + b"\r\n"
TEXT_PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("nothing", b""),
        ("no boundary in it", PNG),
        ("cut off", IMAGE_PART),
        ("empty", b"--b--\r\n"),
        ("field without a name", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        ("broken header", b"--b\r\nContent Disposition\x01\r\n\r\nx\r\n--b--\r\n"),
        ("endless header", b"--b\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\nx\r\n--b--\r\n"),
        ("image twice", IMAGE_PART * 2 + b"--b--\r\n"),
        ("too many fields", IMAGE_PART + TEXT_PART % (b"name", b"x") * 20 + b"--b--\r\n"),
        ("no UTF-8", IMAGE_PART + TEXT_PART % (b"size", b"\xff\xfe") + b"--b--\r\n"),
        ("options that are no JSON", IMAGE_PART + TEXT_PART % (b"options", b"flip") + b"--b--\r\n"),
    ],
)
def test_predict__broken_forms_get_one_line(client, word, body) -> None:
    answer = client.ask("POST", "/v1/predict/seg", body, {"Content-Type": FORM})
    assert answer.status == 400, (word, answer.body)
    assert answer.json["error"], word


def test_predict__plain_form_passes(client) -> None:
    body = IMAGE_PART + TEXT_PART % (b"size", b"nano") + b"--b--\r\n"
    assert client.ask("POST", "/v1/predict/seg", body, {"Content-Type": FORM}).status == 200


def test_predict__answer_that_cannot_be_given(client) -> None:
    assert client.predict("seg", PNG, headers={"Accept": "text/html"}).status == 406
    answer = client.predict("seg", PNG, query="?as=glb")
    assert (answer.status, "glb" in answer.json["error"]) == (400, True)


def test_predict__boxes_and_options_are_used(client) -> None:
    boxes = [[2, 3, 40, 50], [0, 0, 20, 20]]
    answer = client.predict("pose", PNG, {"boxes": json.dumps(boxes), "options": '{"flip": false}'})
    assert answer.array("boxes_xyxy").tolist() == boxes
    wanted = sapiens.load("pose", "nano", flip=False)(IMAGE, boxes=np.array(boxes, np.float32))
    np.testing.assert_allclose(answer.array("keypoints"), wanted.keypoints, atol=1e-3)


def test_predict__mask_leaves_the_background_out(client) -> None:
    answer = client.predict("pointmap", PNG, {"mask": "seg"})
    mask = sapiens.load("seg", "nano")(IMAGE).labels > 0
    np.testing.assert_array_equal(answer.array("mask"), mask)


def test_predict__small_arrays_only(client) -> None:
    answer = client.predict("pointmap", PNG, query="?arrays=small")
    assert set(answer.json["arrays"]) == {"scale", "metric", "intrinsics"}
    masked = client.predict("pointmap", PNG, {"mask": "seg"}, query="?arrays=mask")
    assert set(masked.json["arrays"]) == {"scale", "metric", "intrinsics", "mask"}
    assert client.predict("pointmap", PNG, query="?arrays=points").status == 400


def test_other_endpoints(client) -> None:
    assert client.get("/health").json["status"] == "ok"
    models = client.get("/v1/models").json["models"]
    assert {m["task"] for m in models if m["size"] == "nano" and m["note"]} == set(SERVED)
    legend = client.get("/v1/tasks/pose").json["legend"]
    assert len(legend["names"]) == len(legend["colours_rgb"]) == 308
    assert max(index for _, indices in legend["sets"] for index in indices) == 307
    assert client.get("/v1/tasks/normal").json["legend"] is None
    assert client.get("/v1/tasks/x").status == client.get("/nothing").status == 404
    assert client.get("/static/..%2F__init__.py").status == 404
    assert client.ask("PUT", "/v1/predict/seg").status == 405


def test_metrics__are_prometheus_text_and_count(client) -> None:
    before = numbers(client)
    assert client.predict("albedo", PNG).status == 200
    assert client.predict("albedo", b"x").status == 400
    after = numbers(client)
    assert after['sapiens_answers_total{task="albedo",status="200"}'] == before.get(
        'sapiens_answers_total{task="albedo",status="200"}', 0
    ) + 1  # fmt: skip
    assert after["sapiens_accepted_total"] == before["sapiens_accepted_total"] + 2
    assert after["sapiens_active_requests"] == 0
    bucket = 'sapiens_request_seconds_bucket{task="albedo",le="+Inf"}'
    assert after[bucket] == after['sapiens_request_seconds_count{task="albedo"}'] >= 1


class Held(Shelf):
    """Networks that wait until they are let go."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.go, self.entered, self.asked = threading.Event(), threading.Event(), []

    def predictors(self, key):
        self.asked.append(key.task)
        if key.task == "seg":
            self.entered.set()
            assert self.go.wait(60)
        return super().predictors(key)


def test_limits__full_is_429_and_late_is_504() -> None:
    limits = Limits(max_requests=2, answer_s=2)
    shelf = Held(limits)
    shelf.go.set()
    with running(limits, shelf=shelf) as client:
        shelf.go.clear()
        shelf.entered.clear()
        found = []
        threads = [threading.Thread(target=lambda: found.append(client.predict("seg", PNG).status)) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_for(lambda: client.service.active == 2)
        full = client.predict("seg", PNG)
        assert full.status == 429
        assert int(full.headers["retry-after"]) >= 1
        for thread in threads:
            thread.join()
        assert found == [504, 504]
        shelf.go.set()
        assert client.predict("seg", PNG).status == 200


def test_client_gone__is_dropped_before_the_network_sees_it() -> None:
    limits = Limits()
    shelf = Held(limits)
    shelf.go.set()
    with running(limits, shelf=shelf) as client:
        shelf.go.clear()
        shelf.entered.clear()
        first = threading.Thread(target=lambda: client.predict("seg", PNG))
        first.start()
        assert shelf.entered.wait(30)
        asked = len(shelf.asked)
        leave(client, "matting")
        wait_for(lambda: client.service.metrics.totals[2] == 1)
        shelf.go.set()
        first.join()
        assert client.predict("albedo", PNG).status == 200
        assert shelf.asked[asked:] == ["albedo"]


def leave(client, task: str) -> None:
    """Ask, and hang up without waiting."""
    body, kind = form(PNG, {}, "a.png")
    lines = (f"POST /v1/predict/{task} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}")
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    with socket.create_connection((client.host, client.port)) as connection:
        connection.sendall(head.encode() + body)
        wait_for(lambda: len(client.service.desk) == 1)


def test_limits__bytes_and_pixels() -> None:
    with running(Limits(max_bytes=3000, max_pixels=5000)) as client:
        assert client.predict("seg", encoded(picture(1, 100, 51))).status == 413
        noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
        assert client.predict("seg", encoded(noise)).status == 413
        assert client.predict("seg", bytes(4 << 20)).status == 413
        assert client.predict_json("seg", {"image": base64.b64encode(bytes(4 << 20)).decode()}).status == 413
        assert client.predict("seg", encoded(picture(1, 50, 50), "JPEG")).status == 200


class Failing(Shelf):
    """A network that has a fault, but not on every picture."""

    def predictors(self, key):
        found = super().predictors(key)
        finish = found[0].finish

        def fail(item):
            if item.source.id == "bad.png":
                raise RuntimeError("boom")
            return finish(item)

        if key.task == "seg":
            found[0].finish = fail
        return found


def test_failure__is_one_requests_own(caplog) -> None:
    limits = Limits()
    with running(limits, shelf=Failing(limits)) as client:
        found = {}

        def ask(name: str) -> None:
            found[name] = client.predict("seg", PNG, name=name)

        threads = [threading.Thread(target=ask, args=(name,)) for name in ("a.png", "bad.png", "b.png", "c.png")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {name: answer.status for name, answer in found.items()} == {
            "a.png": 200, "bad.png": 500, "b.png": 200, "c.png": 200,
        }  # fmt: skip
        assert set(found["bad.png"].json) == {"error", "hint"}
        assert "boom" not in found["bad.png"].body.decode()
        assert found["bad.png"].headers["x-request-id"] in caplog.text
        assert client.predict("seg", PNG).status == 200


def test_upload__that_does_not_come_is_given_up() -> None:
    with running(Limits(upload_s=0.5)) as client, socket.create_connection((client.host, client.port)) as connection:
        head = "POST /v1/predict/seg HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        connection.settimeout(20)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        wait_for(lambda: client.service.active == 0)


def test_privacy__nothing_stays_on_disk_and_nobody_else_is_called(client, tmp_path, monkeypatch) -> None:
    called = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: called.append(to[0]) or connect(self, to))
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: called.append(host) or look_up(host, *a, **k))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes = []
    make = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *a, **k: _noted(make(*a, **k), modes))
    for task in SERVED:
        assert client.predict(task, PNG).status == 200
    for kind in ("glb", "ply", "npz"):
        assert client.predict("pointmap", PNG, query=f"?as={kind}").status == 200
    assert set(called) == {"127.0.0.1"}
    assert modes == [0o700] * 3
    assert list(tmp_path.iterdir()) == []


def _noted(path: str, modes: list[int]) -> str:
    modes.append(Path(path).stat().st_mode & 0o777)
    return path


def test_keep__second_form_costs_no_second_pass() -> None:
    with running() as client:
        assert client.predict("matting", PNG).status == 200
        assert len(client.service.kept) == 0
        passes = 'sapiens_batches_total{task="matting"}'
        before = numbers(client)[passes]
        first = client.predict("matting", PNG, {"keep": "true"}, query="?as=alpha")
        second = client.predict("matting", PNG, {"keep": "true"}, query="?as=cutout", name="other.png")
        assert numbers(client)[passes] == before + 1
        assert first.body != second.body
        assert 'filename="other_matting.png"' in second.headers["content-disposition"]
        assert client.predict("matting", encoded(picture(2)), {"keep": "true"}).status == 200
        assert len(client.service.kept) == 2


def test_token__is_asked_for_everywhere_but_on_the_empty_page() -> None:
    with running(token="secret") as client:
        for path in ("/v1/models", "/metrics", "/v1/tasks/seg"):
            assert client.get(path).status == 401
            assert client.get(path, Authorization="Bearer wrong").status == 401
            assert client.get(path, Authorization="Bearer secret").status == 200
        refused = client.predict("seg", PNG)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert client.predict("seg", PNG, headers={"Authorization": "Bearer secret"}).status == 200
        assert client.get("/").status == client.get("/health").status == 200


def test_guard__foreign_hosts_and_pages_are_refused(client) -> None:
    assert client.get("/v1/models", Host="evil.example").status == 403
    assert client.get("/v1/models", Host=f"localhost:{client.port}").status == 200
    assert client.predict("seg", PNG, headers={"Origin": "https://evil.example"}).status == 403
    assert client.predict("seg", PNG, headers={"Origin": client.url}).status == 200


def test_guard__headers_keep_everything_at_home(client) -> None:
    for path in ("/", "/health", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert not [word for word in ("http", "*", "unsafe") if word in policy]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
