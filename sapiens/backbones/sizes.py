"""Every backbone size by name: dimensions, input, published figures and file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sapiens.errors import UnknownNameError

if TYPE_CHECKING:
    from sapiens.backbones.standalone.sapiens2 import Sapiens2


@dataclass(frozen=True)
class Size:
    """One backbone size.

    Attributes:
        name: what users type, e.g. "0.4b".
        arch: key of `Sapiens2.arch_zoo`.
        embed_dims: backbone width, the heads' `in_channels`.
        input_hw: picture size (rows, columns) the weights were trained at.
        patch_size: side of a patch in pixels.
        layer_scale: of the attention, before training. The released 1e-4 suits long pretraining; it would keep the
            attention of a network trained briefly switched off.
        use_tokenizer: the window tokenizer of the 4K model.
        published_params, published_flops: figures of the public model card, in 10^9 and 10^12; None where not given.
        pretrained: whether backbone weights were released.
    """

    name: str
    arch: str
    embed_dims: int
    input_hw: tuple[int, int] = (1024, 768)
    patch_size: int = 16
    layer_scale: float = 1e-4
    use_tokenizer: bool = False
    published_params: float | None = None
    published_flops: float | None = None
    pretrained: bool = True


SIZES: dict[str, Size] = {
    size.name: size
    for size in (
        Size("0.1b", "sapiens2_0.1b", 768, published_params=0.114, published_flops=0.342),
        Size("0.4b", "sapiens2_0.4b", 1024, published_params=0.398, published_flops=1.260),
        Size("0.8b", "sapiens2_0.8b", 1280, published_params=0.818, published_flops=2.592),
        Size("1b", "sapiens2_1b", 1536, published_params=1.462, published_flops=4.715),
        Size("1b-4k", "sapiens2_1b", 1536, (4096, 3072), use_tokenizer=True, published_params=1.607),
        Size("5b", "sapiens2_5b", 2432, published_params=5.071, published_flops=15.722),
        # Ours: trained on procedural people and shipped in the package. Its size is what two CPU cores could train.
        Size("nano", "sapiens2_nano", 128, (128, 96), patch_size=8, layer_scale=0.1, pretrained=False),
    )
}


def get_size(name: str) -> Size:
    """Look a size up.

    Raises:
        UnknownNameError: names the nearest size.
    """
    key = name.lower().removeprefix("sapiens2_").replace("1b_4k", "1b-4k")
    if key not in SIZES:
        raise UnknownNameError("size", name, SIZES)
    return SIZES[key]


def build_backbone(name: str, **overrides: Any) -> Sapiens2:
    """The Sapiens2 backbone of a size, randomly initialised on the current default device."""
    from sapiens.backbones.standalone.sapiens2 import Sapiens2

    size = get_size(name)
    settings: dict[str, Any] = {
        "arch": size.arch,
        "img_size": size.input_hw,
        "patch_size": size.patch_size,
        "layer_scale_init_value": size.layer_scale,
        "use_tokenizer": size.use_tokenizer,
    }
    return Sapiens2(**(settings | overrides))
