"""Folder: layouts that it finds, and sentences for those it does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segapp.datasets import Folder, Fraction
from segapp.errors import MisuseError
from segapp.palette import choose_palette
from tests.datasets.folders import CLASSES, GREY, folder, mask_names, names, pairs
from tests.datasets.look_alikes import save, write_pair


def test_images_and_masks_pair_by_name_whatever_the_suffix(tmp_path: Path) -> None:
    save(tmp_path / "images/b/10.jpg", GREY)
    save(tmp_path / "images/b/2.bmp", GREY)
    save(tmp_path / "images/a.b.PNG", GREY)
    (tmp_path / "images/.hidden.png").touch()
    (tmp_path / "images/notes.txt").touch()
    tifffile.imwrite(tmp_path / "images/a.tiff", GREY)
    for name in ("b/10", "b/2", "a.b", "a"):
        save(tmp_path / f"masks/{name}.png", GREY)
    source = folder(tmp_path)
    assert names(source) == ["a", "a.b", "b/2", "b/10"]
    assert mask_names(source)["a"] == ["masks/a.png"]


def test_excluding_everything_is_said(tmp_path: Path) -> None:
    save(tmp_path / "images/a.png", GREY)
    save(tmp_path / "masks/a.png", GREY)
    with pytest.raises(MisuseError, match="leaves no image of 1"):
        assert folder(tmp_path, exclude=["*"]).channels


def test_headers_tell_channels_and_intensity(tmp_path: Path) -> None:
    write_pair(tmp_path / "rgb", "0", np.zeros((8, 9, 3), np.uint8), GREY)
    assert folder(tmp_path / "rgb").channels == 3
    assert folder(tmp_path / "rgb").intensity.kind == "stored"
    (tmp_path / "wide/images").mkdir(parents=True)
    (tmp_path / "wide/masks").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "wide/images/0.tif", np.zeros((8, 9), np.uint16))
    wide = folder(tmp_path / "wide")
    assert (wide.channels, wide.intensity.kind, wide.intensity.low) == (1, "percentile", 0.5)
    assert folder(tmp_path / "rgb", channels=1).channels == 1


def test_making_one_touches_nothing(tmp_path: Path) -> None:
    source = Folder(tmp_path / "nowhere", CLASSES)
    assert source.classes == CLASSES
    assert source.palette == choose_palette(2)


def test_groups_stay_together_and_excluded_images_stay_out(tmp_path: Path) -> None:
    for patient in "abcdef":
        for day in (1, 2):
            write_pair(tmp_path, f"{patient}-{day}", GREY, GREY)
    source = folder(tmp_path, split=Fraction(0.3), group="^([a-z])-", exclude=["c-*"])
    homes = [{item.group for item in source.items(split)} for split in ("train", "val")]  # type: ignore[arg-type]
    assert homes[0] | homes[1] == set("abdef")
    assert not homes[0] & homes[1]
    with pytest.raises(MisuseError, match="finds nothing in the image name 'a-1'"):
        names(folder(tmp_path, group="(x)"))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"images": "image"}, r"there is no such folder \(did you mean 'images'\?\); .* holds: images/, masks/"),
        ({"images": "images/*.tif"}, r"no images .* match 'images/\*\.tif'; there is: 0\.png, 1\.png"),
        ({"masks": "mask"}, "did you mean 'masks'"),
        ({"masks": "masks/{name}_gt.png"}, r"5 of 5 images have no mask: 0, 1, 2 … and 2 more.*masks/0_gt\.png"),
        ({"images": "**x/*.png"}, r"\*\* stands for folders"),
        ({"masks": "masks/{stem}.json"}, "annotations in JSON .*Coco"),
        ({"images": "{spilt}"}, r"\{spilt\} is not one of the placeholders .*\{split\}"),
        ({"images": "/images"}, "write it relative to root"),
        ({"split": Fraction(0.0, 0.0), "exclude": ["*"]}, "leaves no image of 5"),
    ],
)
def test_sentences(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    pairs(tmp_path)
    with pytest.raises(MisuseError, match=sentence):
        names(folder(tmp_path, **settings))
