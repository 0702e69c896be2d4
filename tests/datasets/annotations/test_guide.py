"""The configurations of docs/annotations.md read what the page says, and train from the command line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonargparse import ArgumentParser

from segapp.cli import main
from segapp.datasets import Folder, Source
from tests.cli.tiny import TINY
from tests.datasets.annotations.samples import write_image, write_json
from tests.datasets.annotations.test_coco import SQUARE, annotate
from tests.datasets.annotations.test_coco import make as make_coco
from tests.datasets.annotations.test_label_studio import BOX
from tests.datasets.annotations.test_label_studio import region as make_region

PAGE = Path(__file__).parents[3] / "docs/annotations.md"
BLOCKS = {
    re.findall(r"segapp\.datasets\.(\w+)", block)[1]: block
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
}


def write_coco(root: Path) -> None:
    for split in ("train", "valid"):
        names = [f"{name}.png" for name in "abc"]
        for name in names:
            write_image(root, f"../{split}/{name}")
        write_json(root / split / "_annotations.coco.json", make_coco(annotate(SQUARE, kinds=(7,)), tuple(names)))


def write_for_each(root: Path, images: str, labels: str, content: Any) -> None:
    for name in "abc":
        write_image(root, f"../{images}/{name}.png")
        path = root / labels.format(name=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content) if isinstance(content, str) else write_json(path, content)


def write_labelme(root: Path) -> None:
    shape = {"label": "puppy", "points": [[0, 0], [2, 0], [2, 2], [0, 2]], "shape_type": "polygon"}
    write_for_each(root, "images", "images/{name}.json", {"shapes": [shape, shape | {"label": "ruler"}]})


def write_yolo(root: Path) -> None:
    write_for_each(root, "images/train", "labels/train/{name}.txt", "1 0 0 0.375 0 0.375 0.5 0 0.5")
    (root / "data.yaml").write_text("names: {0: cat, 1: dog}")


def write_cvat(root: Path) -> None:
    box = '<box label="dog" xtl="0" ytl="0" xbr="3" ybr="3"/>'
    images = [f'<image name="{name}.png" width="8" height="6">{box}</image>' for name in "abc"]
    write_for_each(root, "images", "annotations.xml", f"<annotations>{''.join(images)}</annotations>")


def write_label_studio(root: Path) -> None:
    result = [make_region("rectangle", "dog", **BOX | {"x": 0, "width": 37.5})]
    tasks = [{"data": {"image": f"/data/0a1b2c3d-{name}.png"}, "annotations": [{"result": result}]} for name in "abc"]
    write_for_each(root, "images", "export.json", tasks)


def write_qupath(root: Path) -> None:
    geometry = {"type": "Polygon", "coordinates": [[[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": "dog"}}}
    write_for_each(root, "images", "geojson/{name}.geojson", [feature, feature | {"properties": {}}])


def write_supervisely(root: Path) -> None:
    points = {"exterior": [[0, 0], [2, 2]], "interior": []}
    things = [{"classTitle": "dog", "geometryType": "rectangle", "points": points}]
    write_for_each(root, "ds0/img", "ds0/ann/{name}.png.json", {"size": {"height": 6, "width": 8}, "objects": things})


def write_via(root: Path) -> None:
    shape = {"name": "rect", "x": 0, "y": 0, "width": 3, "height": 3}
    regions = [{"shape_attributes": shape, "region_attributes": {"kind": "dog", "age": "2"}}]
    content = {f"{name}.png1": {"filename": f"{name}.png", "regions": regions} for name in "abc"}
    write_for_each(root, "images", "via_region_data.json", content)


WRITE: dict[str, Callable[[Path], None]] = {
    "Coco": write_coco,
    "LabelMe": write_labelme,
    "Yolo": write_yolo,
    "Cvat": write_cvat,
    "LabelStudio": write_label_studio,
    "QuPath": write_qupath,
    "Supervisely": write_supervisely,
    "Via": write_via,
}


def test_the_page_has_every_kind() -> None:
    assert BLOCKS.keys() == WRITE.keys()


@pytest.mark.parametrize("kind", WRITE)
def test_the_configuration_of_the_page_reads_masks(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    section = yaml.safe_load(BLOCKS[kind])
    WRITE[kind](tmp_path / section["init_args"]["root"])
    parser = ArgumentParser()
    parser.add_subclass_arguments(Source, "source")
    source = parser.instantiate_classes(parser.parse_object({"source": section})).source
    assert isinstance(source, Folder) and source.item_names()
    assert [problem for problem in source.problems() if problem.severity == "error"] == []
    item = next(item for item in source.select(source.item_names()) if item.name.endswith("a"))
    assert item.mask is not None
    mask = item.mask.read()
    assert (mask[:3, :3] == 2).all() and mask.sum() == 18, np.array(mask)


@pytest.mark.slow  # trains
@pytest.mark.parametrize("kind", ["Coco", "LabelMe"])
def test_a_step_of_training(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    section = yaml.safe_load(BLOCKS[kind])
    WRITE[kind](tmp_path / section["init_args"]["root"])
    config = yaml.safe_load(TINY.read_text())
    config["data"] |= {"source": section, "crop": [8, 8], "batch_size": 1, "num_workers": 0}
    config["trainer"] |= {"max_epochs": 1, "max_steps": 1, "accumulate_grad_batches": 1, "logger": False}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "config.yaml"]) == 0
    (checkpoint,) = tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")
    assert main(["validate", "--ckpt_path", str(checkpoint)]) == 0
