"""Put a finished run of nano into the package: `python scripts/embed_nano.py RUN`.

The run's `model.safetensors` is stored in float16, with what it is and where it comes from.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from sapiens.weights import NANO_FILE


def main(run: Path) -> None:
    """Write the package's file."""
    recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    tensors = load_file(run / "model.safetensors")
    # Periods of the rotary positions are computed, not stored: their rounding is part of the model.
    kept = {name: tensor.to(torch.float16) for name, tensor in tensors.items() if not name.endswith("periods")}
    about = {"format": "pt", "task": recipe["task"], "size": recipe["size"], "recipe": json.dumps(recipe)}
    save_file(kept, NANO_FILE, metadata=about)
    count = sum(tensor.numel() for tensor in kept.values())
    print(f"{NANO_FILE.name}: {count:,} parameters, {NANO_FILE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
