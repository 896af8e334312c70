import numpy as np
import pytest
import torch

from sapiens.errors import InputError
from sapiens.synth import SceneBatch, render, render_clip, stream
from sapiens.synth.keypoint_names import NAMES
from sapiens.synth.labels import Part
from sapiens.synth.workers import stream_parallel
from sapiens.tasks.pose import keypoints as pose_table
from sapiens.tasks.seg import classes as seg_table

SIZE = (128, 96)


@pytest.fixture(scope="module")
def one() -> SceneBatch:
    return render(3, 24, SIZE)


@pytest.fixture(scope="module")
def crowd() -> SceneBatch:
    return render(5, 24, SIZE, people=(2, 4))


def test_tables__are_those_of_the_tasks() -> None:
    assert NAMES == pose_table.NAMES
    assert tuple(part.name.lower() for part in Part) == tuple(name.lower() for name in seg_table.NAMES)


def test_labels__valid_and_every_class_occurs() -> None:
    counts = sum(torch.bincount(render(11, 32, (192, 144), first=32 * k).labels.flatten().long(), minlength=29)
                 for k in range(6))  # fmt: skip
    assert len(counts) == 29
    assert [Part(k).name for k in range(29) if not counts[k]] == []


def test_normals__are_the_gradient_of_the_points(one: SceneBatch) -> None:
    """Inside one part, the cross product of neighbouring points' differences is the normal, for most pixels."""
    points, normals = one.points.double(), one.normals.double()
    across, down = points[:, :, 1:-1, 2:] - points[:, :, 1:-1, :-2], points[:, :, 2:, 1:-1] - points[:, :, :-2, 1:-1]
    from_points = torch.nn.functional.normalize(torch.linalg.cross(down, across, dim=1), dim=1)
    from_points = from_points * torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    inner = -torch.nn.functional.max_pool2d(-(one.labels > 0).float()[:, None], 3, 1)[:, 0] > 0
    cosine = (from_points * normals[:, :, 1:-1, 1:-1]).sum(1)[inner]
    assert cosine.median() > 0.999
    assert (cosine > 0.97).double().mean() > 0.7


def test_normals__unit_and_towards_the_viewer(one: SceneBatch) -> None:
    hit = one.labels > 0
    normals = one.normals.permute(0, 2, 3, 1)[hit]
    towards = -one.points.permute(0, 2, 3, 1)[hit] * torch.tensor([1.0, -1.0, -1.0])
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(len(normals)))
    assert ((normals * towards).sum(-1) > -2e-3).float().mean() > 0.999
    assert not one.normals.permute(0, 2, 3, 1)[~hit].any()


def test_points__lie_on_their_pixels_rays(one: SceneBatch) -> None:
    index, v, u = torch.nonzero(one.labels > 0).T
    uvw = (one.intrinsics[index] @ one.points.permute(0, 2, 3, 1)[index, v, u, :, None])[..., 0]
    torch.testing.assert_close(uvw[:, :2] / uvw[:, 2:], torch.stack([u, v], -1).float(), atol=2e-3, rtol=0)


def test_alpha__equals_the_coverage_of_the_labels(one: SceneBatch) -> None:
    """Beside labels of four times the size."""
    fine = render(3, 4, (SIZE[0] * 8, SIZE[1] * 8)).labels > 0
    coverage = torch.nn.functional.avg_pool2d(fine.float()[:, None], 8)[:, 0]
    # Pixel centres lie at whole numbers in both, so the finer grid is off by a fraction of a pixel; the mean is not.
    error = (one.alpha[:4] - coverage).abs()
    assert error.mean() < 0.004
    assert abs(float((one.alpha[:4] - coverage).mean())) < 0.0015


def test_foreground__is_premultiplied_and_composes_the_picture(one: SceneBatch) -> None:
    assert (one.foreground <= one.alpha[:, None] + 1e-5).all()
    solid = (one.alpha == 1)[:, None].expand_as(one.foreground)
    torch.testing.assert_close(one.image[solid].float() / 255, one.foreground[solid], atol=0.003, rtol=0)
    assert not one.foreground[(one.alpha == 0)[:, None].expand_as(one.foreground)].any()


def test_keypoints__all_finite_and_right_projection(one: SceneBatch) -> None:
    assert one.keypoints_xy.shape[1:] == (1, 308, 2)
    assert one.keypoints_xy.isfinite().all()
    uvw = one.keypoints_m @ one.intrinsics[:, None].transpose(-1, -2)
    torch.testing.assert_close(uvw[..., :2] / uvw[..., 2:], one.keypoints_xy, atol=2e-2, rtol=1e-4)


@pytest.mark.parametrize(
    ("point", "parts"),
    [
        ("left_wrist", {"LEFT_HAND", "LEFT_LOWER_ARM", "UPPER_CLOTHING"}),
        ("right_wrist", {"RIGHT_HAND", "RIGHT_LOWER_ARM", "UPPER_CLOTHING"}),
        ("left_forefinger4", {"LEFT_HAND"}),
        ("right_thumb3", {"RIGHT_HAND"}),
        ("left_knee", {"LEFT_UPPER_LEG", "LEFT_LOWER_LEG", "LOWER_CLOTHING"}),
        ("right_big_toe", {"RIGHT_FOOT", "RIGHT_SHOE", "RIGHT_SOCK"}),
        ("tip_of_nose", {"FACE_NECK"}),
        ("center_of_cupid_bow", {"FACE_NECK", "UPPER_LIP"}),
        ("center_of_lower_outer_lip", {"FACE_NECK", "LOWER_LIP"}),
        ("l_tip_of_ear_lobe", {"FACE_NECK", "HAIR"}),
    ],
)
def test_keypoints__seen_ones_lie_on_their_part(point: str, parts: set[str], seen_parts: dict[str, list[str]]) -> None:
    found = seen_parts[point]
    assert len(found) >= 4
    assert np.mean([name in parts for name in found]) >= 0.8, sorted(found)


@pytest.fixture(scope="module")
def seen_parts() -> dict[str, list[str]]:
    """Per keypoint, the label of the pixel under it wherever it is seen."""
    scenes = render(21, 64, (192, 144))
    rows: dict[str, list[str]] = {name: [] for name in NAMES}
    for b, _, k in torch.nonzero(scenes.visibility == 2).tolist():
        x, y = scenes.keypoints_xy[b, 0, k].round().long().tolist()
        label = int(scenes.labels[b, min(max(y, 0), 191), min(max(x, 0), 143)])
        if label:
            rows[NAMES[k]].append(Part(label).name)
    return rows


def test_left__is_the_persons_own_left(one: SceneBatch) -> None:
    """Seen from the front (nose nearer than the ears' middle), the left shoulder is on the right of the picture."""
    shoulders, hips = one.keypoints_m[:, 0, [5, 6]], one.keypoints_m[:, 0, [9, 10]]
    up = shoulders.mean(1) - hips.mean(1)
    left = shoulders[:, 0] - shoulders[:, 1]
    head = one.keypoints_m[:, 0, 0] - one.keypoints_m[:, 0, [3, 4]].mean(1)
    forward = torch.linalg.cross(left, up, dim=-1)  # x = left, y = up, z = forward
    assert ((forward * head).sum(-1) > 0).float().mean() > 0.9


@pytest.mark.parametrize("people", [(1, 1), (1, 4)], ids=["one", "crowd"])
def test_render__same_picture_in_any_batch(people: tuple[int, int]) -> None:
    batch = render(9, 4, SIZE, people=people)
    for k in (0, 3):
        single = render(9, 1, SIZE, people=people, first=k)
        assert (single.labels[0] == batch.labels[k]).float().mean() > 0.9999
        torch.testing.assert_close(single.keypoints_xy[0], batch.keypoints_xy[k], atol=1e-3, rtol=1e-4)
        assert (single.image[0].int() - batch.image[k].int()).abs().float().mean() < 0.01


def test_render__same_seed_same_bits_other_seed_other_picture() -> None:
    first, again, other = (render(seed, 2, SIZE) for seed in (4, 4, 5))
    for name in ("image", "labels", "points", "keypoints_xy", "alpha"):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert not torch.equal(first.image, other.image)


def test_boxes__contain_the_person(crowd: SceneBatch) -> None:
    for b, p in torch.nonzero(crowd.present).tolist():
        v, u = torch.nonzero(crowd.person_ids[b] == p + 1).T
        x0, y0, x1, y1 = crowd.boxes_xyxy[b, p].tolist()
        assert x0 <= u.min() <= u.max() <= x1
        assert y0 <= v.min() <= v.max() <= y1
        inside = crowd.keypoints_xy[b, p][crowd.visibility[b, p] > 0]
        assert bool((inside >= torch.tensor([x0, y0]) - 1e-3).all() and (inside <= torch.tensor([x1, y1]) + 1e-3).all())


def test_crowd__nearer_persons_hide_farther_ones(crowd: SceneBatch) -> None:
    assert crowd.present.sum(1).max() >= 3
    assert (crowd.person_ids > 0).eq(crowd.labels > 0).all()
    in_front = []
    for b, p, k in torch.nonzero(crowd.visibility[:, :, :63] == 1).tolist():
        x, y = crowd.keypoints_xy[b, p, k].round().long().tolist()
        x, y = min(max(x, 0), SIZE[1] - 1), min(max(y, 0), SIZE[0] - 1)
        if int(crowd.person_ids[b, y, x]) not in (0, p + 1):
            in_front.append(float(crowd.points[b, 2, y, x]) < float(crowd.keypoints_m[b, p, k, 2]))
    # The keypoint's own ray decides; the nearest pixel's may pass the silhouette.
    assert len(in_front) > 20
    assert np.mean(in_front) > 0.9


def test_depth_order__from_near_to_far(crowd: SceneBatch) -> None:
    for b in range(len(crowd)):
        depths = [crowd.points[b, 2][crowd.person_ids[b] == p + 1] for p in crowd.depth_order[b].tolist()]
        nearest = [float(depth.min()) for depth in depths if len(depth) >= 24]
        assert nearest == sorted(nearest)


def test_clip__moves_smoothly_and_starts_with_the_picture() -> None:
    clip = render_clip(6, 6, SIZE, index=2)
    still = render(6, 1, SIZE, first=2)
    torch.testing.assert_close(clip.keypoints_xy[0], still.keypoints_xy[0], atol=1e-2, rtol=1e-4)
    steps = (clip.keypoints_m[1:] - clip.keypoints_m[:-1]).norm(dim=-1)
    assert 0 < steps.mean() < 0.05
    assert steps.max() < 0.25
    assert torch.equal(clip.intrinsics[0], clip.intrinsics[-1])
    background = (clip.alpha == 0).all(0)
    assert (clip.image[:, :, background] == clip.image[:1, :, background]).all()


def test_stream__goes_through_the_pictures() -> None:
    batches = stream(4, 2, SIZE)
    next(batches)
    assert torch.equal(next(batches).labels, render(4, 2, SIZE, first=2).labels)


def test_stream_parallel__gives_the_same_pictures() -> None:
    batches = stream_parallel(4, 1, (32, 32), workers=1)
    first = next(batches)
    batches.close()
    assert (first.labels == render(4, 1, (32, 32)).labels).float().mean() > 0.999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "0 pictures"),
        ({"count": 1, "size_hw": (8, 64)}, "picture size 8x64"),
        ({"count": 1, "people": (0, 2)}, "0 to 2 people"),
        ({"count": 1, "people": (3, 2)}, "3 to 2 people"),
        ({"count": 1, "people": (1, 5)}, "1 to 5 people"),
    ],
    ids=["none", "tiny", "nobody", "reversed", "too many"],
)
def test_render__impossible_requests(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        render(0, **arguments)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_render__gpu_gives_the_same_picture() -> None:
    assert (render(1, 2, SIZE, device="cuda").labels.cpu() == render(1, 2, SIZE).labels).float().mean() > 0.999
