"""Small data sets of every kind in the guides, written into the working folder, by the images of their `check`."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import SimpleITK
import tifffile

from segapp.io import write_image, write_mask
from tests.datasets.annotations.samples import write_json
from tests.io.dicoms import write_series
from tests.io.ome_zarrs import write_ome_zarr
from tests.io.structure_sets import Place, make_contour, write_structure_set
from tests.io.volumes import write_nifti

NAMES = list("abcdef")
"""Of the images; tests lengthen it where some are to be kept for the test."""
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


def write_masks(pattern: str) -> None:
    for name in NAMES:
        write_mask(Path(pattern.format(name)), make_mask(), [(0, 0, 0), (255, 0, 0)])


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
    for kind, left in (("heart", 0), ("lung", 19)):
        for name in NAMES:
            mask = make_mask()
            mask[:, :left] = 0
            write_image(Path("xray/masks", kind, f"{name}.png"), 255 * mask)


def write_class_files() -> None:
    write_images("chest/images")
    for kind, other in (("heart", slice(19, None)), ("lung", slice(19))):
        for name in NAMES:
            mask = make_mask()
            mask[:, other] = 0
            write_image(Path("chest/masks", f"{name}_{kind}.png"), 255 * mask)


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
    for folder in ("imagesTr", "labelsTr", "imagesTs"):
        Path("hippocampus", folder).mkdir(parents=True)
    for name in NAMES:
        for folder, voxels in zip(("imagesTr", "labelsTr"), make_voxels(name), strict=True):
            write_nifti(Path("hippocampus", folder, f"{name}.nii.gz"), voxels, "RAS", (1.0, 1.0, 2.0))
    write_nifti(Path("hippocampus/imagesTs/z.nii.gz"), make_voxels("z")[0], "RAS", (1.0, 1.0, 2.0))


def write_channel_volumes() -> None:
    for folder in ("imagesTr", "labelsTr"):
        Path("brain", folder).mkdir(parents=True)
    for name in NAMES:
        image, mask = make_voxels(name)
        for channel in range(2):
            write_nifti(Path("brain/imagesTr", f"{name}_{channel:04}.nii.gz"), image, spacing=(1.0, 1.0, 2.0))
        write_nifti(Path("brain/labelsTr", f"{name}.nii.gz"), mask, spacing=(1.0, 1.0, 2.0))


def write_modalities() -> None:
    for name in NAMES:
        Path("tumours", name).mkdir(parents=True)
        image, mask = make_voxels(name)
        for kind, folder in product(("flair", "t1", "t2"), (f"tumours/{name}", "unlabelled")):
            Path(folder).mkdir(exist_ok=True)
            write_nifti(Path(folder, f"{name}_{kind}.nii.gz"), image, spacing=(1.0, 1.0, 2.0))
        write_nifti(Path("tumours", name, f"{name}_seg.nii.gz"), mask, spacing=(1.0, 1.0, 2.0))


def write_nrrd() -> None:
    for name in NAMES:
        for file, voxels in zip(("t1", "seg"), make_voxels(name), strict=True):
            image = SimpleITK.GetImageFromArray(voxels.transpose(2, 1, 0))
            image.SetSpacing((1.0, 1.0, 2.0))
            image.SetOrigin((10.0, -20.0, 30.0))
            Path("scans", name).mkdir(parents=True, exist_ok=True)
            SimpleITK.WriteImage(image, f"scans/{name}/{file}.nrrd")


def write_dicom() -> None:
    Path("ct/masks").mkdir(parents=True)
    for name in NAMES:
        image, mask = make_voxels(name)
        write_series(Path("ct/images", name), image)
        write_nifti(Path("ct/masks", f"{name}.nii.gz"), mask, spacing=(1.0, 1.0, 2.0))


def write_structures() -> None:
    """Write series whose structure sets hold the box on every slice."""
    for name in NAMES:
        place = Place()
        files = place.write_series(Path("rt/images", name), make_voxels(name)[0].transpose(2, 1, 0))
        contours = [make_contour(place.find(BOX, index), image=file) for index, file in enumerate(files)]
        write_structure_set(Path("rt/masks", f"{name}.dcm"), [("lung", contours)])


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


def write_ome_tiffs() -> None:
    Path("wells/images").mkdir(parents=True)
    for name in NAMES:
        bands = make_image(name, 2, np.uint16).transpose(2, 0, 1)
        about = {"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        tifffile.imwrite(f"wells/images/{name}.ome.tif", bands, metadata=about)
    write_masks("wells/masks/{}.tif")


def write_stacks() -> None:
    Path("stacks/images").mkdir(parents=True)
    Path("stacks/masks").mkdir()
    for name in NAMES:
        image, mask = (voxels.transpose(2, 1, 0) for voxels in make_voxels(name))
        about = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
        tifffile.imwrite(f"stacks/images/{name}.ome.tif", image, metadata=about, photometric="minisblack")
        tifffile.imwrite(f"stacks/masks/{name}.tif", mask, imagej=True, metadata={"axes": "ZYX"})


def write_ome_zarrs() -> None:
    for name in NAMES:
        path = write_ome_zarr(Path("cells", f"{name}.zarr"), make_image(name, 1, np.uint16), "yx")
        write_ome_zarr(path, make_mask(), "yx", group="labels/nuclei")


def write_annotations(images: str, files: dict[str, Any]) -> None:
    """Write images, and files by their path, in which {} is the image's name."""
    write_images(images)
    for path, content in files.items():
        for name in NAMES if "{}" in path else NAMES[:1]:
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


def write_supervisely() -> None:
    thing = {"classTitle": "cat", "geometryType": "polygon", "points": {"exterior": BOX, "interior": []}}
    content = {"size": {"height": HEIGHT, "width": WIDTH}, "objects": [thing]}
    write_annotations("super/ds0/img", {"super/ds0/ann/{}.png.json": content})


def write_via() -> None:
    shape = {"name": "rect", "x": LEFT, "y": TOP, "width": RIGHT - LEFT, "height": BOTTOM - TOP}
    regions = [{"shape_attributes": shape, "region_attributes": {"kind": "cat"}}]
    content = {f"{name}.png1": {"filename": f"{name}.png", "regions": regions} for name in NAMES}
    write_annotations("via/images", {"via/via_region_data.json": content})


def write_sources() -> None:
    write_folders("data/a/images", "data/a/masks")
    for name in NAMES:
        write_image(Path("data/b/images", f"{name}.png"), make_image(chr(ord(name) + 200)))
        write_image(Path("data/b/labels", f"{name}_mask.png"), 2 * make_mask())


WRITE: dict[str, Callable[[], None]] = {
    "photos/images": lambda: write_folders("photos/images", "photos/masks"),
    "nuclei": write_nuclei,
    "xray/images": write_classes,
    "chest/images": write_class_files,
    "fields/images": write_bands,
    "cells/imagesTr": write_channels,
    "hippocampus/imagesTr": write_volumes,
    "brain/imagesTr": write_channel_volumes,
    "tumours": write_modalities,
    "scans/*/t1.nrrd": write_nrrd,
    "ct/images": write_dicom,
    "rt/images": write_structures,
    "wells/images": write_ome_tiffs,
    "stacks/images": write_stacks,
    "cells/*.zarr": write_ome_zarrs,
    "arrays/images": write_arrays,
    "slices/*.h5:/image": write_hdf5,
    "coco/images": write_coco,
    "labelme": write_labelme,
    "yolo/images": write_yolo,
    "cvat/images": write_cvat,
    "studio/images": write_label_studio,
    "qupath/images": write_qupath,
    "super/ds0/img": write_supervisely,
    "via/images": write_via,
    "sources.yaml": write_sources,
}
"""The images of a `check`, or its data section → what writes them."""
