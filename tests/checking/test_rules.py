"""Every planted fault is found in a copy of a clean set, and nothing in the clean one."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from segapp.checking.data_set import DataSet
from segapp.checking.rules import check_classes, check_files, check_masks
from segapp.datasets.problems import Problem
from tests.checking.shapes import COUNT, SOURCE, check, draw
from tests.checking.test_facts import facts_of

pytestmark = pytest.mark.usefixtures("no_figures")  # tests/checking/test_page.py has them


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def write(path: Path, pixels: np.ndarray) -> None:
    assert cv2.imwrite(str(path), pixels)


def change_mask(change):
    return lambda data: write(data / "masks/03.png", np.ascontiguousarray(change(read(data / "masks/03.png"))))


def change_image(change):
    return lambda data: write(data / "images/03.png", np.ascontiguousarray(change(read(data / "images/03.png"))))


def copy(source: str, target: str):
    return lambda data: shutil.copy(data / source, data / target)


def swap(data: Path) -> None:
    first, second = (read(data / f"masks/{name}.png") for name in ("03", "05"))
    write(data / "masks/03.png", second)
    write(data / "masks/05.png", first)


def turn_by_exif(data: Path) -> None:
    image = Image.open(data / "images/03.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(data / "images/03.jpg", exif=exif, quality=95)
    (data / "images/03.png").unlink()


def write_sizes(data: Path) -> None:
    for number in range(COUNT):
        path = data / f"images/{number:02}.png"
        pixels = read(path)[..., ::-1]
        path.unlink()
        size = 2.0 if number == 3 else 1.0
        tifffile.imwrite(path.with_suffix(".tif"), pixels, resolution=(1 / size, 1 / size), imagej=True,
                         metadata={"unit": "um"})  # fmt: skip


def write_nan(data: Path) -> None:
    for number in range(COUNT):
        path = data / f"images/{number:02}.png"
        pixels = read(path).astype(np.float32) / 255
        path.unlink()
        if number == 3:
            pixels[5, 5] = np.nan
        tifffile.imwrite(path.with_suffix(".tif"), pixels, photometric="rgb")


def save_as_jpeg(data: Path) -> None:
    mask = read(data / "masks/03.png")
    (data / "masks/03.png").unlink()
    assert cv2.imwrite(str(data / "masks/03.jpg"), mask, [cv2.IMWRITE_JPEG_QUALITY, 60])


def patients(data: Path) -> None:
    for number in range(COUNT):
        for kind in ("images", "masks"):
            (data / kind / f"{number:02}.png").rename(data / kind / f"patient{number % 4:02}_slice{number:02}.png")


def smooth(mask: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(mask, (0, 0), 1.5)


def resize(mask: np.ndarray) -> np.ndarray:
    return cv2.resize(mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)


def rename(kind: str, name: str):
    return lambda data: (data / kind / "03.png").rename(data / kind / name)


def fill(value):
    return lambda pixels: np.full_like(pixels, value)


FAULTS = {  # what is done to the data → kind and severity of the problem, and the name it must mention
    "no mask": (lambda data: (data / "masks/03.png").unlink(), "mask missing", "error", "03"),
    "a mask without an image": (copy("masks/03.png", "masks/99.png"), "image missing", "error", "99"),
    "a mask of another name": (rename("masks", "3.png"), "mask missing", "error", "03"),
    "two images of one name": (copy("images/03.png", "images/03.bmp"), "name", "error", "03"),
    "an empty image file": (lambda data: (data / "images/03.png").write_bytes(b""), "image", "error", "03"),
    "a truncated image": (lambda data: truncate(data / "images/03.png"), "image", "error", "03"),
    "text in place of an image": (lambda data: (data / "images/03.png").write_text("<html>"), "image", "error", "03"),
    "a truncated mask": (lambda data: truncate(data / "masks/03.png"), "mask", "error", "03"),
    "an empty mask file": (lambda data: (data / "masks/03.png").write_bytes(b""), "mask", "error", "03"),
    "a mask of another size": (change_mask(resize), "mask", "error", "03"),
    "a transposed mask": (change_mask(lambda mask: mask.T), "mask", "error", "03"),
    "an unknown value": (change_mask(lambda mask: np.where(mask > 0, 7, 0).astype(np.uint8)), "mask", "error", "03"),
    "an off-by-one value": (change_mask(lambda mask: (mask > 0).astype(np.uint8)), "mask", "error", "03"),
    "a smoothed mask": (change_mask(smooth), "mask", "error", "03"),
    "a JPEG mask": (save_as_jpeg, "mask", "error", "03"),
    "a colour mask": (change_mask(lambda mask: np.dstack([mask, mask * 0, mask])), "mask", "error", "03"),
    "a photograph as mask": (copy("images/03.png", "masks/03.png"), "mask", "error", "03"),
    "NaN": (write_nan, "image", "error", "03"),
    "a black image": (change_image(fill(0)), "image", "warning", "03"),
    "a grey image": (change_image(lambda image: image[..., 0]), "image", "warning", "03"),
    "an empty mask": (change_mask(fill(0)), "mask", "warning", "03"),
    "a full mask": (change_mask(fill(255)), "mask", "warning", "03"),
    "an image turned by EXIF": (turn_by_exif, "mask", "warning", "03"),
    "another size of pixels": (write_sizes, "image", "warning", "03"),
    "a copied mask": (copy("masks/05.png", "masks/03.png"), "alignment", "warning", "03"),
    "a shifted mask": (change_mask(lambda mask: np.roll(mask, 12, axis=0)), "alignment", "warning", "03"),
    "a mirrored mask": (change_mask(lambda mask: mask[:, ::-1]), "alignment", "warning", "03"),
    "a mask upside down": (change_mask(lambda mask: mask[::-1]), "alignment", "warning", "03"),
    "swapped masks": (swap, "alignment", "warning", "03"),
    "patients on both sides": (patients, "leak", "warning", "patient"),
}  # fmt: skip


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(("plant", "kind", "severity", "name"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(folder, plant, kind, severity, name):
    plant(folder)
    code, problems = check()
    found = [problem for problem in problems if (problem["kind"], problem["severity"]) == (kind, severity)]
    assert any(name in problem["message"] for problem in found), problems
    assert code == (1 if severity == "error" else 0), problems


def test_nothing_is_found_in_a_clean_set(folder, capsys):
    code, problems = check()
    assert (code, problems) == (0, [])
    assert "0 errors, 0 warnings" in capsys.readouterr().out


def test_a_class_without_masks_is_told_once(folder):
    settings = {**SOURCE, "init_args": {**SOURCE["init_args"], "classes": ["ground", "block", "tree"]}}
    Path("mine.yaml").write_text(yaml.safe_dump({"source": settings}))
    _, problems = check()
    assert [problem["kind"] for problem in problems] == ["class"]
    assert "tree" in problems[0]["message"]


def test_a_fault_of_a_volume_is_told_once_and_no_class_is_missing_where_no_mask_is_read():
    problem = Problem("image", "a.nii.gz: 1 values are NaN or infinite; replace them with numbers.")
    image, mask = draw(0)
    slices = facts_of((image, mask // 255), (image, mask // 255))
    data = DataSet(tuple(replace(one, problems=(problem,)) for one in slices), ("a", "b"), 0)
    assert list(check_files(data)) == [problem]
    unread = DataSet(tuple(replace(one, described=None) for one in slices), ("a", "b"), 0)
    assert list(check_classes(unread)) == [] != list(check_classes(replace(data, classes=("a", "b", "c"))))


def test_slices_beside_the_objects_of_a_volume_are_no_empty_masks():
    image, mask = draw(0)
    slices = facts_of((image, mask // 255), (image, np.zeros_like(mask)), (image, np.zeros_like(mask)))
    names = "scan/axial=00", "scan/axial=01", "other/axial=00"
    data = DataSet(tuple(replace(one, name=name) for one, name in zip(slices, names, strict=True)), ("a", "b"), 0)
    (problem,) = check_masks(data)
    assert problem.items == ("other/axial=00",)
