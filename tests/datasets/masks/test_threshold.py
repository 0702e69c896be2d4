"""Masks whose values a codec has changed."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.datasets import Colours, Indices, Instances, PerClass, Threshold
from segapp.datasets.masks.encoded_mask import EncodedMask
from segapp.datasets.masks.encoding import Labels, MaskFile
from segapp.datasets.masks.threshold import BinaryReader
from segapp.errors import MisuseError
from segapp.io import MaskPixels
from tests.datasets.masks.coloured import RED, TRUTH, read


def lossy_masks(folder: Path) -> list[Path]:
    PIL.Image.fromarray(TRUTH * 255).save(folder / "grey.jpg", quality=75)
    PIL.Image.fromarray(np.repeat(TRUTH[..., None] * 255, 3, 2)).save(folder / "rgb.jpg", quality=75)
    tifffile.imwrite(folder / "jpeg.tif", TRUTH * 255, compression="jpeg", tile=(32, 32))
    tifffile.imwrite(folder / "jpeg2000.tif", TRUTH * 255, compression="jpeg2000")
    return sorted(folder.iterdir())


def test_a_lossy_mask_is_never_taken_silently(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in lossy_masks(tmp_path):
        for encoding in (Indices({0: 0, 255: 1}), Colours(RED), Instances(), PerClass()):
            with pytest.raises(MisuseError, match=r"lossy.*Threshold.*nearest: true"):
                read(encoding, path)
        for encoding in (Threshold(), Instances(threshold=127), PerClass(threshold=127)):
            np.testing.assert_array_equal(read(encoding, path), TRUTH, err_msg=path.name)
    every = {value: int(value > 127) for value in range(256)}  # each value decided by the user
    np.testing.assert_array_equal(read(Indices(every), tmp_path / "grey.jpg"), TRUTH)
    decided = [record.getMessage() for record in caplog.records if "threshold of 127 decided" in record.getMessage()]
    assert decided and str(tmp_path / "grey.jpg") in "".join(decided)


def test_what_is_brighter_than_the_threshold_is_the_class_that_is_named(tmp_path: Path) -> None:
    grey = np.array([[0, 90, 91, 255]], np.uint8)
    PIL.Image.fromarray(grey).save(tmp_path / "m.png")
    classes = ("cell", "background", "debris")
    files = [MaskFile(tmp_path / "m.png", "a")]

    def decode(**settings: Any) -> list[int]:
        return EncodedMask(files, Threshold(90, **settings), Labels(classes, 1)).read()[0].tolist()

    assert decode() == [1, 1, 0, 0]  # the first class that is not the background
    assert decode(above="debris") == [1, 1, 2, 2]
    with pytest.raises(MisuseError, match=r"mask\.above"):
        decode(above="nucleus")


def test_a_tint_is_grey_and_a_colour_is_not() -> None:
    tinted = MaskPixels(np.array([[[200, 180, 190], [10, 0, 20]]], np.uint8), 255)
    assert BinaryReader(127).read(Path("m.png"), tinted).tolist() == [[True, False]]
    with pytest.raises(MisuseError, match=r"m\.png"):
        BinaryReader(127).read(Path("m.png"), MaskPixels(np.array([[[200, 100, 190]]], np.uint8), 255))
