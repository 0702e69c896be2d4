"""`check.json` counts what was read."""

import json
from pathlib import Path

import cv2

from tests.checking.shapes import COUNT, check


def test_images_pixels_and_problems_are_counted(folder, no_figures):
    objects = sum(int((cv2.imread(str(path), 0) > 0).sum()) for path in (folder / "masks").iterdir())
    (folder / "images/03.png").write_bytes(b"")
    lost = int((cv2.imread(str(folder / "masks/03.png"), 0) > 0).sum())
    code, problems = check()
    report = json.loads(Path("check/check.json").read_text())
    assert (code, report["errors"], report["warnings"]) == (1, 1, 0)
    assert sum(report["images"].values()) == COUNT
    block = report["classes"][1]
    assert block == {"name": "block", "pixels": objects - lost, "images": COUNT - 1}
    assert problems[0]["path"] == "data/images/03.png" and problems[0]["items"] == ["03"]
