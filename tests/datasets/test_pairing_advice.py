"""What to do about images without masks."""

import json
import re
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from tests.datasets.folders import GREY, folder, mask_names, names
from tests.datasets.look_alikes import save


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
        ("case_{i}_0000.png", "case_{i}.png", ['channel_files: ["{name}_0000"]']),
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
    channels = re.search(r"channel_files: (\[.*?\])", error)
    settings |= {"channel_files": json.loads(channels[1])} if channels else {}
    assert len(mask_names(folder(tmp_path, **settings))) == 4  # what is proposed works


@pytest.mark.parametrize(("image", "mask"), [("{:03}", "{}"), ("{}", "{:02}")])
def test_numbers_with_other_zeros_are_told(tmp_path: Path, image: str, mask: str) -> None:
    for number in range(1, 13):
        save(tmp_path / "images" / f"{image.format(number)}.png", GREY)
        save(tmp_path / "masks" / f"{mask.format(number)}.png", GREY)
    renaming = f"rename {mask.format(1)}.png to {image.format(1)}.png, and the others alike"
    with pytest.raises(MisuseError, match=f"Their numbers have other zeros: {renaming}"):
        names(folder(tmp_path))


def test_a_folder_with_nothing_alike_is_described_without_a_proposal(tmp_path: Path) -> None:
    for name in ("images/aa.png", "images/bb.png", "masks/zz.png"):
        save(tmp_path / name, GREY)
    with pytest.raises(MisuseError, match=r"masks/zz\.png") as caught:
        names(folder(tmp_path))
    assert "fits" not in str(caught.value)
    (tmp_path / "masks/zz.png").rename(tmp_path / "masks/zz.txt")
    with pytest.raises(MisuseError, match=r"2 of 2 images .*'aa'"):
        names(folder(tmp_path))
