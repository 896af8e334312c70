"""Names, dtypes and shapes of every tensor of the released models, recorded in golden/checkpoints."""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden/checkpoints"


def stems() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_manifest(stem: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """name -> (dtype as in a safetensors header, shape)."""
    encoded = json.loads((FOLDER / f"{stem}.json").read_text())
    return {name: (dtype, tuple(shape)) for key, (dtype, shape) in encoded.items() for name in expand(key)}


def expand(pattern: str) -> list[str]:
    """`blocks.{0..2,5}.x` -> blocks.0.x, blocks.1.x, blocks.2.x, blocks.5.x"""
    match = re.search(r"\{([0-9.,]+)\}", pattern)
    if match is None:
        return [pattern]
    runs = [part.split("..") for part in match[1].split(",")]
    indices = [i for run in runs for i in range(int(run[0]), int(run[-1]) + 1)]
    return [f"{pattern[: match.start()]}{i}{pattern[match.end() :]}" for i in indices]


def manifest_of(module) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The same of a module."""
    names = {"torch.float32": "F32", "torch.bfloat16": "BF16"}
    return {key: (names[str(value.dtype)], tuple(value.shape)) for key, value in module.state_dict().items()}
