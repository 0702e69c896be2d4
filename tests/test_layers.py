"""Imports point down only, and each heavy library has its own rooms."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "segapp"

TABLE = re.findall(r"^\| \d+ \| (.+?) \|", (PACKAGE.parent / "docs" / "architecture.md").read_text(), re.MULTILINE)
LAYERS = [set(re.findall(r"`(\w+)`", rooms)) for rooms in TABLE]  # of the table in docs/architecture.md

HEAVY = {  # library → the rooms (or files) that may import it
    "albumentations": {"transforms"},
    "cv2": {
        "api",
        "io",
        "datasets",
        "loading",
        "inference",
        "prediction",
        "transforms",
        "commands",
        "export",
        "planning",
        "checking",
        "report",
        "metrics/boundary_iou.py",
    },
    "PIL": {"io", "checking/facts.py"},
    "imagehash": {"checking/facts.py"},
    "tifffile": {"io"},
    "segmentation_models_pytorch": {"models/smp.py", "models/smp_weights.py", "losses"},
    "timm": {"models/smp_weights.py", "models/same_padding.py"},
    "lightning": {"api", "training", "loading", "callbacks", "lab", "cli"},
    "torchmetrics": {"training", "metrics"},
    "matplotlib": {"callbacks", "report", "lab", "planning"},
    "jsonargparse": {"cli", "checkpoints"},
    "jinja2": {"report"},
    "scipy": {"metrics", "report/statistics.py"},
    "ray": {"lab/study/cluster.py"},
    "onnx": {"export", "inference/exported_runtime.py"},
    "onnxruntime": {"export", "inference/exported_runtime.py"},
    "openvino": {"export", "inference/exported_runtime.py"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(depth for depth, rooms in enumerate(LAYERS) if name in rooms)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = room(path)
    if own == "__init__":
        return  # imports nothing when it is imported itself: tests/test_init.py
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "segapp" and len(parts) > 1 and parts[1] != own and not parts[1].startswith("__"):
            assert layer(own) < layer(parts[1]), f"{own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_heavy_library_stays_in_its_rooms(path):
    inside = {room(path), str(path.relative_to(PACKAGE))}
    for name in {name.split(".")[0] for name in imports(path)} & HEAVY.keys():
        assert inside & HEAVY[name], f"{path.name} imports {name}"


def test_prediction_needs_neither_lightning_nor_data_sets_nor_models():
    allowed = {
        "inference",
        "prediction",
        "checkpoints",
        "io",
        "batch",
        "spec",
        "terminal",
        "errors",
        "system",
        "mirror",
        "workers",
    }
    rooms_of_prediction = [*(PACKAGE / "inference").glob("*.py"), *(PACKAGE / "prediction").glob("*.py")]
    for path in [*rooms_of_prediction, PACKAGE / "commands" / "predict.py"]:
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("segapp.")}
        assert rooms <= allowed, f"{path.name} imports {rooms - allowed}"


def test_the_table_of_the_documentation_holds_every_room_once() -> None:
    rooms = [name for line in LAYERS for name in sorted(line)]
    assert sorted(rooms) == sorted({room(path) for path in FILES} - {"__init__"})
