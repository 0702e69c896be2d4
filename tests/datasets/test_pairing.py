"""Every image has a mask, every mask an image."""

from pathlib import Path

import pytest

from segapp.datasets import Indices, Instances, PerClass
from segapp.datasets.file_search import MaskPattern, find_images
from segapp.datasets.masks.encoding import Labels
from segapp.datasets.pairing import Pairing
from segapp.errors import MisuseError
from tests.datasets.folders import GREY, folder, mask_names, names, pairs
from tests.datasets.look_alikes import save


def test_a_mask_that_two_names_claim_is_refused(tmp_path: Path) -> None:
    for name in ("cell_1", "cell_1_2", "z"):
        save(tmp_path / f"images/{name}.png", GREY)
        save(tmp_path / f"masks/{name}_0.png", GREY)
    with pytest.raises(MisuseError, match=r"cell_1_2_0\.png is a mask of both 'cell_1' and 'cell_1_2'"):
        mask_names(folder(tmp_path, masks="masks/{name}_*.png", mask=Instances()))


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


def test_every_image_and_mask_without_a_partner_is_a_problem(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / f"images/{name}.png", GREY)
    for name in ("a", "x", "y"):
        save(tmp_path / f"masks/{name}.png", GREY)
    found = {image.name: image for image in find_images(tmp_path, "images")}
    pairing = Pairing(found, "images", MaskPattern(tmp_path, "masks", ()), Indices(), Labels(("a", "b"), 0))
    problems = list(pairing.find_problems(list(found)))
    assert sorted((problem.kind, problem.path.name) for problem in problems if problem.path) == [
        ("image missing", "x.png"),
        ("image missing", "y.png"),
        ("mask missing", "b.png"),
        ("mask missing", "c.png"),
    ]
    assert [file.path.name for file in pairing.find_masks(["a"])["a"]] == ["a.png"]
