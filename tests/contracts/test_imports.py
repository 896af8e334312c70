"""Imports go down only: every edge between the rooms must be one that the drawing in CONTRIBUTING has."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "sapiens"

# room -> rooms it may import. "tasks" is what all tasks share (base, dense, the table); "tasks/*" is one task's folder.
ALLOWED = {
    "errors": set(),
    "env": {"errors"},
    "config": {"errors"},
    "standalone": set(),
    "backbones": {"standalone", "errors"},
    "nn": {"errors"},
    "cpu": {"nn", "standalone", "errors"},
    "imaging": {"errors", "env"},
    "drawing": {"imaging", "errors"},
    "weights": {"backbones", "nn", "imaging", "env", "errors", "config"},
    "detection": {"weights", "imaging", "nn", "env", "errors", "config"},
    "tasks": {"drawing", "detection", "weights", "imaging", "nn", "backbones", "config", "errors"},
    "tasks/*": {"tasks", "drawing", "detection", "weights", "imaging", "nn", "backbones", "config", "errors"},
    "synth": {"imaging", "config", "errors"},
    "datasets": {"tasks", "synth", "drawing", "imaging", "config", "env", "errors"},
    "evaluation": {"datasets", "inference", "tasks", "synth", "weights", "imaging", "config", "env", "errors"},
    "training": {
        "evaluation",
        "inference",
        "tasks",
        "synth",
        "weights",
        "imaging",
        "backbones",
        "config",
        "env",
        "errors",
    },
    "tracking": {"imaging", "errors"},
    "inference": {
        "cpu",
        "tasks",
        "tracking",
        "detection",
        "drawing",
        "weights",
        "imaging",
        "backbones",
        "env",
        "config",
        "errors",
    },
    "bench": {
        "evaluation",
        "cpu",
        "nn",
        "training",
        "config",
        "datasets",
        "synth",
        "inference",
        "tasks",
        "tasks/*",
        "detection",
        "weights",
        "imaging",
        "backbones",
        "env",
        "errors",
    },
    "app": {"inference", "tasks", "drawing", "detection", "weights", "imaging", "backbones", "env", "errors"},
    "cli": {
        "app",
        "training",
        "datasets",
        "evaluation",
        "synth",
        "config",
        "inference",
        "bench",
        "tasks",
        "detection",
        "drawing",
        "weights",
        "imaging",
        "backbones",
        "env",
        "errors",
    },
}


def room_of(module: str) -> str:
    parts = module.split(".")[1:]
    if not parts:
        return "root"
    if parts[0] == "backbones" and len(parts) > 1 and parts[1] == "standalone":
        return "standalone"
    if parts[0] == "tasks":
        return "tasks/*" if len(parts) > 1 and (ROOT / "tasks" / parts[1]).is_dir() else "tasks"
    return parts[0]


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            is_package = (ROOT.parent / node.module.replace(".", "/")).is_dir()
            found += names if is_package and node.module.startswith("sapiens") else [node.module]
    return [name for name in found if name.split(".")[0] == "sapiens"]


def edges() -> list[tuple[str, str, str, str]]:
    rows = []
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        rows += [(module, room_of(module), target, room_of(target)) for target in imports(path)]
    return rows


def test_imports__only_edges_of_the_drawing() -> None:
    wrong = [
        f"{module} -> {target}"
        for module, room, target, other in edges()
        if room not in ("root", other) and other not in ("root", "_version") and other not in ALLOWED[room]
    ]
    assert wrong == []


def test_imports__one_task_never_imports_another() -> None:
    def task(module: str) -> str:
        return module.split(".")[2]

    wrong = [
        f"{module} -> {target}"
        for module, room, target, other in edges()
        if room == other == "tasks/*" and task(module) != task(target)
    ]
    assert wrong == []


def test_imports__only_the_table_names_a_task() -> None:
    wrong = [
        f"{module} -> {target}"
        for module, room, target, other in edges()
        if other == "tasks/*" and room not in ("tasks/*", "bench")
    ]
    assert wrong == []


def test_import_sapiens__loads_neither_torch_nor_opencv() -> None:
    code = "import sys, sapiens; print([m for m in ('torch', 'cv2', 'numpy', 'typer', 'rich') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("banned", ["torchvision", "timm"])
def test_imports__banned_packages_appear_nowhere(banned: str) -> None:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == banned for name in names), path


def test_import_sapiens__costs_almost_nothing() -> None:
    """No timing (machines are noisy): what costs is modules, and there are hardly any."""
    code = "import sys; before = set(sys.modules); import sapiens; print(len(set(sys.modules) - before))"
    assert int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout) < 40
