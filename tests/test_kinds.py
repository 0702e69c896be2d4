"""The page on kinds of data: every command finds the masks, and what it writes trains."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from segapp.cli import main
from segapp.io import write_image, write_mask
from segapp.planning.source import build_planned_source, describe_source, list_items
from tests.datasets.annotations.georeferenced import collect, make_box, make_feature, write_geotiff
from tests.datasets.annotations.samples import write_json
from tests.io.dicoms import write_series
from tests.io.ome_zarrs import write_ome_zarr
from tests.io.slides import make_levels, write_svs
from tests.io.volumes import write_nifti

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "kinds.md").read_text()
COMMANDS = re.findall(r"^segapp check .*$|`(?:segapp check [^`]*)`", PAGE, re.MULTILINE)
SMALL = ["--trainer.max_steps=1", "--trainer.limit_val_batches=1", "--data.batch_size=2", "--data.num_workers=0"]
NARROW = "--model.net.init_args.encoder.init_args.widths=[8, 8, 16, 16]"
NAMES = "abcdef"
HEIGHT, WIDTH = 40, 48
LEFT, TOP, RIGHT, BOTTOM = 8, 6, 30, 26
"""The box that every image shows, in pixels."""
BOX = [[LEFT, TOP], [RIGHT, TOP], [RIGHT, BOTTOM], [LEFT, BOTTOM]]


def make_mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[TOP:BOTTOM, LEFT:RIGHT] = 1
    return mask


def make_image(name: str, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    noise = np.random.default_rng(ord(name)).integers(0, 90, (HEIGHT, WIDTH, channels))
    return (noise + 120 * make_mask()[..., None]).astype(dtype).squeeze()


def make_voxels(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and a mask (L, P, S) of three slices."""
    return make_image(name, 3, np.int16).transpose(1, 0, 2), np.repeat(make_mask().T[..., None], 3, axis=2)


def write_images(folder: str) -> None:
    for name in NAMES:
        write_image(Path(folder, f"{name}.png"), make_image(name))


def write_masks(pattern: str, mask: np.ndarray | None = None) -> None:
    for name in NAMES:
        write_mask(Path(pattern.format(name)), make_mask() if mask is None else mask, [(0, 0, 0), (255, 0, 0)])


def write_folders(images: str, masks: str) -> None:
    write_images(images)
    write_masks(f"{masks}/{{}}.png")


def write_nuclei() -> None:
    for name in NAMES:
        write_image(Path("nuclei", name, "images", f"{name}.png"), make_image(name))
        for number in (1, 2):
            part = make_mask()
            part[:, slice(19, None) if number == 1 else slice(19)] = 0
            write_image(Path("nuclei", name, "masks", f"{number}.png"), 255 * part)


def write_classes() -> None:
    write_images("xray/images")
    for kind in ("heart", "lung"):
        for name in NAMES:
            write_image(Path("xray/masks", kind, f"{name}.png"), 255 * np.roll(make_mask(), 9 * (kind == "lung"), 1))


def write_bands() -> None:
    Path("fields/images").mkdir(parents=True)
    for name in NAMES:
        bands = make_image(name, 4, np.uint16) * 40
        tifffile.imwrite(f"fields/images/{name}.tif", bands, photometric="minisblack", planarconfig="contig")
    write_masks("fields/masks/{}.png")


def write_channels() -> None:
    for name in NAMES:
        for channel in range(2):
            write_image(Path("cells/imagesTr", f"{name}_{channel:04}.png"), make_image(name, 3)[..., channel])
    write_masks("cells/labelsTr/{}.png")


def write_volumes() -> None:
    for name in NAMES:
        for folder, voxels in zip(("imagesTr", "labelsTr"), make_voxels(name), strict=True):
            Path("hippocampus", folder).mkdir(parents=True, exist_ok=True)
            write_nifti(Path("hippocampus", folder, f"{name}.nii.gz"), voxels, spacing=(1.0, 1.0, 2.0))


def write_dicom() -> None:
    Path("ct/masks").mkdir(parents=True)
    for name in NAMES:
        image, mask = make_voxels(name)
        write_series(Path("ct/images", name), image)
        write_nifti(Path("ct/masks", f"{name}.nii.gz"), mask, spacing=(1.0, 1.0, 2.0))


def write_arrays() -> None:
    for name in NAMES:
        for folder, voxels in zip(("images", "masks"), make_voxels(name), strict=True):
            Path("arrays", folder).mkdir(parents=True, exist_ok=True)
            np.save(Path("arrays", folder, f"{name}.npy"), voxels.transpose(2, 1, 0))


def write_hdf5() -> None:
    Path("slices").mkdir()
    for name in NAMES:
        with h5py.File(f"slices/{name}.h5", "w") as file:
            file["image"], file["label"] = make_image(name, 1, np.float32), make_mask()


def write_ome_zarrs() -> None:
    for name in NAMES:
        path = write_ome_zarr(Path("cells", f"{name}.zarr"), make_image(name, 1, np.uint16), "yx")
        write_ome_zarr(path, make_mask(), "yx", group="labels/nuclei")


def write_scenes() -> None:
    for number, name in enumerate(NAMES):
        write_geotiff(Path("scenes", f"{name}.tif"), corner=(1000.0 * number, 0.0), pixels=make_image(name, 1))
    boxes = [make_box(LEFT, TOP, RIGHT, BOTTOM, corner=(1000.0 * number, 0.0)) for number in range(len(NAMES))]
    write_json(Path("fields.geojson"), collect(*(make_feature(box, crop="maize") for box in boxes)))


def write_annotations(images: str, files: dict[str, Any]) -> None:
    """Write images, and files by their path, in which {} is the image's name."""
    write_images(images)
    for path, content in files.items():
        for name in NAMES if "{}" in path else "a":
            write_json(Path(path.format(name)), content(name) if callable(content) else content)


def write_coco() -> None:
    images = [{"id": n, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT} for n, name in enumerate(NAMES)]
    flat = [value for point in BOX for value in point]
    shapes = [{"id": n, "image_id": n, "category_id": 1, "segmentation": [flat]} for n in range(len(NAMES))]
    content = {"images": images, "annotations": shapes, "categories": [{"id": 1, "name": "cat"}]}
    write_annotations("coco/images", {"coco/annotations.json": content})


def write_labelme() -> None:
    shape = {"label": "cat", "points": BOX, "shape_type": "polygon"}
    write_annotations("labelme", {"labelme/{}.json": lambda name: {"imagePath": f"{name}.png", "shapes": [shape]}})


def write_yolo() -> None:
    write_images("yolo/images")
    Path("yolo/labels").mkdir()
    line = " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in BOX)
    for name in NAMES:
        Path(f"yolo/labels/{name}.txt").write_text(f"0 {line}\n")
    Path("yolo/data.yaml").write_text("names: {0: cat}")


def write_cvat() -> None:
    write_images("cvat/images")
    box = f'<box label="cat" xtl="{LEFT}" ytl="{TOP}" xbr="{RIGHT}" ybr="{BOTTOM}"/>'
    images = [f'<image name="{name}.png" width="{WIDTH}" height="{HEIGHT}">{box}</image>' for name in NAMES]
    Path("cvat/annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")


def write_label_studio() -> None:
    value = {"x": 100 * LEFT / WIDTH, "y": 100 * TOP / HEIGHT, "rotation": 0, "rectanglelabels": ["cat"]}
    value |= {"width": 100 * (RIGHT - LEFT) / WIDTH, "height": 100 * (BOTTOM - TOP) / HEIGHT}
    region = {"id": "r", "type": "rectanglelabels", "original_width": WIDTH, "original_height": HEIGHT, "value": value}
    tasks = [
        {"id": n, "data": {"image": f"/data/0a1b2c3d-{name}.png"}, "annotations": [{"result": [region]}]}
        for n, name in enumerate(NAMES)
    ]
    write_annotations("studio/images", {"studio/export.json": tasks})


def make_cat() -> list[Any]:
    geometry = {"type": "Polygon", "coordinates": [[*BOX, BOX[0]]]}
    return [{"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": "cat"}}}]


def write_qupath() -> None:
    write_annotations("qupath/images", {"qupath/geojson/{}.geojson": make_cat()})


def write_slides() -> None:
    Path("slides").mkdir()
    for name in NAMES:
        write_svs(Path("slides", f"{name}.svs"), make_levels(make_image(name), [1, 2]))
        write_json(Path("geojson", f"{name}.geojson"), make_cat())


def write_supervisely() -> None:
    thing = {"classTitle": "cat", "geometryType": "polygon", "points": {"exterior": BOX, "interior": []}}
    content = {"size": {"height": HEIGHT, "width": WIDTH}, "objects": [thing]}
    write_annotations("super/ds0/img", {"super/ds0/ann/{}.png.json": content})


def write_via() -> None:
    shape = {"name": "rect", "x": LEFT, "y": TOP, "width": RIGHT - LEFT, "height": BOTTOM - TOP}
    regions = [{"shape_attributes": shape, "region_attributes": {"kind": "cat"}}]
    content = {f"{name}.png1": {"filename": f"{name}.png", "regions": regions} for name in NAMES}
    write_annotations("via/images", {"via/via_region_data.json": content})


WRITE: dict[str, Callable[[], None]] = {
    "data/mine/images": lambda: write_folders("data/mine/images", "data/mine/masks"),
    "photos/images": lambda: write_folders("photos/images", "photos/masks"),
    "nuclei": write_nuclei,
    "xray/images": write_classes,
    "fields/images": write_bands,
    "cells/imagesTr": write_channels,
    "hippocampus/imagesTr": write_volumes,
    "ct/images": write_dicom,
    "arrays/images": write_arrays,
    "slices/*.h5:/image": write_hdf5,
    "cells/*.zarr": write_ome_zarrs,
    "scenes": write_scenes,
    "slides": write_slides,
    "coco/images": write_coco,
    "labelme": write_labelme,
    "yolo/images": write_yolo,
    "cvat/images": write_cvat,
    "studio/images": write_label_studio,
    "qupath/images": write_qupath,
    "super/ds0/img": write_supervisely,
    "via/images": write_via,
}


def find_words(command: str) -> list[str]:
    """Return the words of a command of the page, without the program's name."""
    return shlex.split(command.strip("`"))[1:]


def test_every_command_of_the_page_has_its_files():
    assert [find_words(command)[2] for command in COMMANDS] == list(WRITE)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # one step on two images is not what torch would advise
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: find_words(command)[2])
def test_a_command_finds_the_masks_and_its_data_section_trains(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = find_words(command)
    WRITE[words[2]]()
    assert main(words) == 0
    items = list_items(build_planned_source(describe_source("", "", "check/data.yaml", "")))
    assert len(items) in (len(NAMES), 3 * len(NAMES))
    masks = [item.mask.read() for item in items]
    inside = np.s_[TOP + 1 : BOTTOM - 1, LEFT + 1 : RIGHT - 1]
    assert all(mask.shape == (HEIGHT, WIDTH) and (mask[inside] > 0).all() for mask in masks)
    assert all(mask[BOTTOM + 1 :].max() == 0 for mask in masks)
    config = str(ROOT / "configs" / "unet.yaml")
    fit = ["fit", "--config", config, "--data", "check/data.yaml", "--data.crop", "32"]
    assert main([*fit, *SMALL, NARROW]) == 0
