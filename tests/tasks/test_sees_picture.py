"""Heads whose refining convolutions are given the network's input beside the decoded map (`sees_picture`)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sapiens.errors import InputError
from sapiens.tasks.albedo.head import AlbedoHead
from sapiens.tasks.base import JointModel, TaskModel
from sapiens.tasks.matting.head import MattingHead
from sapiens.tasks.normal.head import NormalHead
from sapiens.tasks.seg.head import SegHead

WIDTH, GRID_HW = 8, (4, 3)
SIZE_HW = (16, 12)
REFINED = {"conv_out_channels": [5], "conv_kernel_sizes": [3]}
SHUFFLED = {"upsample_channels": [6, 4], **REFINED}
HEADS = {
    "seg": (SegHead, {"deconv_out_channels": [6, 4], "deconv_kernel_sizes": [4, 4], **REFINED}),
    "normal": (NormalHead, SHUFFLED),
    "matting": (MattingHead, {**SHUFFLED, "out_channels": 4}),
    "albedo": (AlbedoHead, SHUFFLED),
}
CHANNELS = {"seg": 29, "normal": 3, "matting": 4, "albedo": 3}


class Backbone(nn.Module):
    """Features of a picture, a quarter of its size."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, 4)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (self.patches(image),)


def make_head(task: str, **options: object) -> nn.Module:
    kind, settings = HEADS[task]
    torch.manual_seed(0)
    return kind(WIDTH, **settings, **options)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def features() -> Tensor:
    return draw(2, WIDTH, *GRID_HW)


@pytest.mark.parametrize("task", HEADS)
@torch.no_grad()
def test_head__output_depends_on_features_and_picture(task: str) -> None:
    head = make_head(task, sees_picture=True).eval()
    one, other = (head(features(), draw(2, 3, *SIZE_HW, seed=seed)) for seed in (1, 2))
    assert one.shape == (2, CHANNELS[task], *SIZE_HW)
    assert (one - other).abs().max() > 1e-3
    assert (one - head(features().flip(1), draw(2, 3, *SIZE_HW, seed=1))).abs().max() > 1e-3


@pytest.mark.parametrize("task", HEADS)
@torch.no_grad()
def test_head__one_pixel_changes_only_what_is_near(task: str) -> None:
    """The picture passes through one 3x3 convolution; a norm over the whole map spreads little."""
    head = make_head(task, sees_picture=True).eval()
    picture = draw(1, 3, *SIZE_HW)
    changed = picture.clone()
    changed[..., 8, 6] += 1
    apart = (head(features()[:1], picture) - head(features()[:1], changed)).abs().sum((0, 1))
    near = apart[7:10, 5:8].clone()
    apart[7:10, 5:8] = 0
    assert near.mean() > 10 * apart.mean()


@pytest.mark.parametrize("task", HEADS)
@pytest.mark.parametrize(
    ("picture", "given"),
    [
        pytest.param(None, "None", id="none"),
        pytest.param(torch.zeros(2, 3, 16, 16), r"\(2, 3, 16, 16\)", id="wider"),
        pytest.param(torch.zeros(2, 3, *GRID_HW), r"\(2, 3, 4, 3\)", id="of the grid"),
    ],
)
def test_head__no_picture_or_one_of_another_size_is_one_clear_line(task: str, picture: Tensor, given: str) -> None:
    message = f"this head refines the picture itself: expected .*16, 12.*, got {given}"
    with pytest.raises(InputError, match=message) as caught:
        make_head(task, sees_picture=True)(features(), picture)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", HEADS)
def test_head__gradients_reach_decoder_features_and_picture(task: str) -> None:
    head = make_head(task, sees_picture=True)
    x, picture = features().requires_grad_(), draw(2, 3, *SIZE_HW).requires_grad_()
    (head(x, picture) * draw(2, CHANNELS[task], *SIZE_HW, seed=3)).sum().backward()
    for name, tensor in {"features": x, "picture": picture, **dict(head.named_parameters())}.items():
        assert tensor.grad is not None, name
        assert torch.isfinite(tensor.grad).all(), name
        assert tensor.grad.abs().max() > 0, name
    assert head.conv_layers[0].weight.grad[:, -3:].abs().max() > 1e-4


@pytest.mark.parametrize("task", HEADS)
def test_head__is_off_by_default_and_then_names_shapes_and_numbers_are_as_ever(task: str) -> None:
    plain, off, seeing = make_head(task), make_head(task, sees_picture=False), make_head(task, sees_picture=True)
    assert list(plain.state_dict()) == list(off.state_dict()) == list(seeing.state_dict())
    shapes, seen = ({n: t.shape for n, t in head.state_dict().items()} for head in (plain, seeing))
    assert {name for name in shapes if shapes[name] != seen[name]} == {"conv_layers.0.weight"}
    assert shapes["conv_layers.0.weight"] == (5, 4, 3, 3)
    assert seen["conv_layers.0.weight"] == (5, 4 + 3, 3, 3)
    with torch.no_grad():
        expected = plain.eval()(features())
        assert torch.equal(expected, off.eval()(features()))
        assert torch.equal(expected, plain(features(), draw(2, 3, *SIZE_HW)))


@pytest.mark.parametrize("task", HEADS)
@torch.no_grad()
def test_head__blind_to_the_picture_it_is_the_head_without(task: str) -> None:
    plain, seeing = make_head(task).eval(), make_head(task, sees_picture=True).eval()
    weights = plain.state_dict()
    blind = torch.zeros(5, 3, 3, 3)
    weights["conv_layers.0.weight"] = torch.cat([weights["conv_layers.0.weight"], blind], 1)
    seeing.load_state_dict(weights)
    torch.testing.assert_close(seeing(features(), draw(2, 3, *SIZE_HW)), plain(features()))


@pytest.mark.parametrize("task", HEADS)
@torch.no_grad()
def test_task_model__passes_the_picture(task: str) -> None:
    backbone, head, image = Backbone(), make_head(task, sees_picture=True), draw(2, 3, *SIZE_HW)
    got = TaskModel(backbone, head).eval()(image)
    assert torch.equal(got, head(backbone(image)[0], image))


@torch.no_grad()
def test_joint_model__passes_the_picture_to_the_heads_that_see_it() -> None:
    heads = {task: make_head(task, sees_picture=task in ("seg", "albedo")) for task in HEADS}
    backbone, image = Backbone(), draw(2, 3, *SIZE_HW)
    outputs = JointModel(backbone, heads).eval()(image)
    assert list(outputs) == list(HEADS)
    for task, head in heads.items():
        seen = (image,) if head.sees_picture else ()
        assert torch.equal(outputs[task], head(backbone(image)[0], *seen)), task


def test_task_model__bfloat16_maps_take_a_float32_picture() -> None:
    """As under autocast, where the decoded map is bfloat16 and the picture is not."""
    head = make_head("albedo", sees_picture=True).bfloat16()
    with torch.no_grad():
        got = head(features().bfloat16(), draw(2, 3, *SIZE_HW))
    assert got.dtype == torch.bfloat16
    assert torch.isfinite(got).all()
