"""Folder: layouts that it finds, and sentences for those it does not."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segapp.datasets import Contiguous, Folder, Fraction, Instances, PerClass
from segapp.datasets.masks.encoding import EncodedMask
from segapp.errors import MisuseError
from segapp.palette import choose_palette
from tests.datasets.look_alikes import save, write_pair

GREY = np.zeros((8, 9), np.uint8)
CLASSES = ("background", "a")


def folder(root: Path, classes: Sequence[str] = CLASSES, **settings: Any) -> Folder:
    return Folder(root, classes, **{"split": Contiguous(val=0.4), **settings})


def names(source: Folder) -> list[str]:
    return [item.name for split in ("train", "val", "test") for item in source.items(split)]  # type: ignore[arg-type]


def mask_names(source: Folder) -> dict[str, list[str]]:
    found = {}
    for item in [*source.items("train"), *source.items("val")]:
        assert isinstance(item.mask, EncodedMask)
        found[item.name] = [str(file.path.relative_to(source.root)) for file in item.mask.files]
    return found


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


def test_a_mask_that_two_names_claim_is_refused(tmp_path: Path) -> None:
    for name in ("cell_1", "cell_1_2", "z"):
        save(tmp_path / f"images/{name}.png", GREY)
        save(tmp_path / f"masks/{name}_0.png", GREY)
    with pytest.raises(MisuseError, match=r"cell_1_2_0\.png is a mask of both 'cell_1' and 'cell_1_2'"):
        mask_names(folder(tmp_path, masks="masks/{name}_*.png", mask=Instances()))


def test_excluding_everything_is_said(tmp_path: Path) -> None:
    save(tmp_path / "images/a.png", GREY)
    save(tmp_path / "masks/a.png", GREY)
    with pytest.raises(MisuseError, match="leaves no image of 1"):
        assert folder(tmp_path, exclude=["*"]).channels


@pytest.mark.parametrize(
    ("image", "mask", "settings"),
    [
        ("pics/{i}.png", "pics/{i}_mask.png", {"images": "pics", "masks": "pics/{name}_mask.png"}),
        ("{i}.png", "{i}_gt.png", {"images": ".", "masks": "{name}_gt.*"}),
        ("s{i}/image.png", "s{i}/mask.png", {"images": "*/image.png", "masks": "{parent}/mask.png"}),
        ("a/x[{i}].png", "b/x[{i}].png", {"images": "a", "masks": "b"}),
        ("im/{i}/p.png", "gt/{i}/p_1.png", {"images": "im/**/*.png", "masks": "gt/{name}_*.png"}),
    ],
)
def test_layouts(tmp_path: Path, image: str, mask: str, settings: dict[str, str]) -> None:
    for i in range(3):
        save(tmp_path / image.format(i=i), GREY)
        save(tmp_path / mask.format(i=i), GREY)
    found = mask_names(folder(tmp_path, **settings))
    assert sorted(sum(found.values(), [])) == [mask.format(i=i) for i in range(3)]  # noqa: RUF017


@pytest.mark.parametrize(
    ("image", "mask", "settings"),
    [
        ("im/{i}.png", "gt/mask_{i}.png", {"images": "im", "masks": "gt/mask_{name}.png"}),
        ("im/day/{i}.png", "gt/day/mask_{i}.png", {"images": "im", "masks": "gt/mask_{name}.png"}),
        ("im/img_{i}.png", "gt/mask_{i}.png", {"images": "im/img_{name}.png", "masks": "gt/mask_{name}.png"}),
        (
            "im/2{i}_training.tif",
            "gt/2{i}_manual1.png",
            {"images": "im/{name}_training.tif", "masks": "gt/{name}_manual1.*"},
        ),
        ("im/2{i}_training.png", "gt/2{i}_manual1.png", {"images": "im/{name}_training", "masks": "gt/{name}_manual1"}),
        ("im/c/{i}_left.png", "gt/c/{i}_ids.png", {"images": "im/{name}_left.png", "masks": "gt/{name}_ids.png"}),
        ("im/c/x_{i}.png", "gt/c/y_{i}.png", {"images": "im/x_{name}.*", "masks": "gt/y_{name}.png"}),
        (
            "s/{i}/{i}_rgb.png",
            "s/{i}/{i}_gt.png",
            {"images": "s/{name}/{name}_rgb.png", "masks": "s/{name}/{name}_gt.png"},
        ),
        ("im/case {i}_0000.png", "gt/case {i}.png", {"images": "im/{name}_0000.png", "masks": "gt"}),
        ("im/c/{i}.png", "gt/c_{i}.png", {"images": "im", "masks": "gt/{parent}_{stem}.png"}),
    ],
)
def test_layouts_whose_names_share_a_part(tmp_path: Path, image: str, mask: str, settings: dict[str, str]) -> None:
    for i in range(3):
        save(tmp_path / image.format(i=i), GREY)
        save(tmp_path / mask.format(i=i), GREY)
    found = mask_names(folder(tmp_path, **settings))
    assert {name: files[0] for name, files in found.items()} == {
        image.format(i=i).split("/", 1)[1].rsplit(".", 1)[0]: mask.format(i=i) for i in range(3)
    }


def test_named_images_are_divided_by_the_split_placeholder(tmp_path: Path) -> None:
    """Cityscapes."""
    for split in ("train", "val"):
        save(tmp_path / f"left/{split}/ulm/ulm_1_left.png", GREY)
        save(tmp_path / f"left/{split}/ulm/notes.png", GREY)
        save(tmp_path / f"gt/{split}/ulm/ulm_1_ids.png", GREY)
    source = Folder(tmp_path, CLASSES, images="left/{split}/{name}_left.png", masks="gt/{split}/{name}_ids.png")
    assert mask_names(source) == {f"{s}/ulm/ulm_1_left": [f"gt/{s}/ulm/ulm_1_ids.png"] for s in ("train", "val")}


def test_masks_per_class_may_begin_with_the_class(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"images/{i}.png", GREY)
        save(tmp_path / f"masks/a_{i}.png", GREY)
    source = folder(tmp_path, ("background", "a", "b"), masks="masks/{class}_{name}.png", mask=PerClass())
    assert mask_names(source) == {"0": ["masks/a_0.png"], "1": ["masks/a_1.png"]}


@pytest.mark.parametrize(
    ("image", "mask", "fitting"),
    [
        ("img_{i}.png", "mask_{i}.png", ["images: images/img_{name}.png", "masks: masks/mask_{name}.png"]),
        ("{i}.png", "{i}_gt.png", ["masks: masks/{name}_gt.png"]),
        ("2{i}_training.tif", "2{i}_manual1.png", ["images/{name}_training.tif", "masks/{name}_manual1.png"]),
        (
            "ulm_{i}_leftImg8bit.png",
            "ulm_{i}_gtFine_labelIds.png",
            ["{name}_leftImg8bit.png", "{name}_gtFine_labelIds"],
        ),
        ("case_{i}_0000.png", "case_{i}.png", ["images/{name}_0000.png", "masks/{name}.png"]),
    ],
)
def test_missing_masks_name_what_was_tried_what_lies_there_and_what_would_fit(
    tmp_path: Path, image: str, mask: str, fitting: list[str]
) -> None:
    for i in range(10, 14):
        save(tmp_path / "images" / image.format(i=i), GREY)
        save(tmp_path / "masks" / mask.format(i=i), GREY)
    with pytest.raises(MisuseError) as caught:
        names(folder(tmp_path))
    error = str(caught.value)
    assert f"masks/{Path(image.format(i=10)).stem}.*" in error
    assert all(f"masks/{mask.format(i=i)}" in error for i in (10, 11, 12))
    assert all(words in error for words in fitting)
    settings = dict(re.findall(r"(images|masks): ([^ ,]+)", error))
    assert len(mask_names(folder(tmp_path, **settings))) == 4  # what is proposed works


def test_annotations_that_are_not_read_are_named(tmp_path: Path) -> None:
    save(tmp_path / "images/0.png", GREY)
    (tmp_path / "images/_annotations.coco.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(MisuseError, match=r"_annotations\.coco\.json holds annotations of COCO.* not read"):
        names(folder(tmp_path))
    (tmp_path / "images/_annotations.coco.json").unlink()
    save(tmp_path / "images/1.png", GREY)
    (tmp_path / "images/0.json").write_text('{"version": "5", "shapes": [], "imagePath": "0.png"}')
    with pytest.raises(MisuseError, match=r"images/0\.json.*JSON annotations.*labelme.* not read"):
        names(folder(tmp_path, masks="images"))


def test_the_split_placeholder_divides(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for i in range(2):
            save(tmp_path / split / "images" / f"{i}.png", GREY)
            save(tmp_path / split / "masks" / f"{i}.png", GREY)
    source = Folder(tmp_path, CLASSES, images="{split}/images", masks="{split}/masks")
    assert [item.name for item in source.items("val")] == ["val/images/0", "val/images/1"]
    assert mask_names(source)["val/images/1"] == ["val/masks/1.png"]
    assert list(source.items("test")) == []


def test_several_masks_per_image(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"images/{i}.png", GREY)
        for j in range(3):
            save(tmp_path / f"masks/{i}/{j}.png", GREY)
        save(tmp_path / f"classes/{'ab'[i]}/{i}.png", GREY)
    assert len(mask_names(folder(tmp_path, masks="masks/{stem}", mask=Instances()))["0"]) == 3
    per_class = folder(tmp_path, ("background", "a", "b"), masks="classes/{class}", mask=PerClass())
    assert mask_names(per_class) == {"0": ["classes/a/0.png"], "1": ["classes/b/1.png"]}
    with pytest.raises(MisuseError, match=r"2 images have several masks, such as '0': 0\.png, 1\.png, 2\.png"):
        names(folder(tmp_path, masks="masks/{stem}"))


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


def pairs(root: Path) -> None:
    for i in range(5):
        write_pair(root, f"{i}", GREY, GREY)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"images": "image"}, r"there is no such folder \(did you mean 'images'\?\); .* holds: images/, masks/"),
        ({"images": "images/*.tif"}, r"no images .* match 'images/\*\.tif'; there is: 0\.png, 1\.png"),
        ({"masks": "mask"}, "did you mean 'masks'"),
        ({"masks": "masks/{name}_gt.png"}, r"5 of 5 images have no mask: 0, 1, 2 … and 2 more.*masks/0_gt\.png"),
        ({"images": "**x/*.png"}, r"\*\* stands for folders"),
        ({"masks": "masks/{stem}.json"}, "JSON annotations.* are not read"),
        ({"images": "{spilt}"}, r"\{spilt\} is not one of the placeholders .*\{split\}"),
        ({"images": "/images"}, "write it relative to root"),
        ({"group": "("}, "is not a regular expression"),
        ({"group": "a"}, "needs one pair of parentheses"),
        ({"split": Fraction(0.0, 0.0), "exclude": ["*"]}, "leaves no image of 5"),
    ],
)
def test_sentences(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    pairs(tmp_path)
    with pytest.raises(MisuseError, match=sentence):
        names(folder(tmp_path, **settings))


def test_a_missing_root_names_its_neighbours(tmp_path: Path) -> None:
    pairs(tmp_path / "camvid")
    with pytest.raises(MisuseError, match=r"did you mean 'camvid'\?"):
        names(folder(tmp_path / "camvd"))


def test_masks_without_an_image(tmp_path: Path) -> None:
    pairs(tmp_path)
    save(tmp_path / "masks/extra.png", GREY)
    with pytest.raises(MisuseError, match=r"1 masks have no image under 'images': masks/extra\.png"):
        names(folder(tmp_path))


def test_two_images_of_one_name(tmp_path: Path) -> None:
    pairs(tmp_path)
    save(tmp_path / "images/1.jpg", GREY)
    with pytest.raises(MisuseError, match=r"1\.(jpg|png) and .*1\.(png|jpg) have the same name"):
        names(folder(tmp_path))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"classes": ["one"]}, r"2 to 255 names are needed, got 1"),
        ({"classes": ["a", "a"]}, "'a' is there twice"),
        ({"background": 2}, r"background=2 is not one of 0 … 1"),
        ({"palette": [(0, 0, 300), (0, 0, 0)]}, "three numbers 0 … 255"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MisuseError, match=sentence):
        Folder(tmp_path, **{"classes": CLASSES, **settings})
