"""Scores of predictions against masks in Python."""

import math
from pathlib import Path

import numpy as np
import pytest

import segapp
from segapp.errors import MisuseError, SegappError
from segapp.io import write_mask

CLASSES = ("background", "cell")
RNG = np.random.default_rng(0)
MASKS = [RNG.integers(0, 2, shape).astype(np.uint8) for shape in ((9, 7), (6, 8), (5, 5))]
FOUND = [np.where(RNG.random(mask.shape) < 0.2, 1 - mask, mask).astype(np.uint8) for mask in MASKS]


def dice(found: list[np.ndarray], masks: list[np.ndarray]) -> float:
    hits = sum(int(((a == 1) & (b == 1)).sum()) for a, b in zip(found, masks, strict=True))
    return 2 * hits / sum(int((a == 1).sum()) + int((b == 1).sum()) for a, b in zip(found, masks, strict=True))


def test_arrays_are_scored_in_order() -> None:
    scores = segapp.evaluate(FOUND, MASKS, CLASSES, background="background")
    assert scores.flat["dice/dataset"] == pytest.approx(dice(FOUND, MASKS))
    each = [dice([a], [b]) for a, b in zip(FOUND, MASKS, strict=True)]
    assert scores.flat["dice/image"] == pytest.approx(np.mean(each))
    assert "hd95/image" in scores.flat
    assert "cell" in str(scores)
    header, rows = scores.tabulate()
    assert [row[header.index("dice")] for row in rows] == pytest.approx(each)


def test_two_folders_are_paired_by_name(tmp_path: Path) -> None:
    for index, (found, mask) in enumerate(zip(FOUND, MASKS, strict=True)):
        for folder, labels, suffix in (("found", found, ".png"), ("masks", mask, ".tif")):
            (tmp_path / folder / "deep").mkdir(parents=True, exist_ok=True)
            write_mask(tmp_path / folder / "deep" / f"{index}{suffix}", labels, ((0, 0, 0), (9, 9, 9)))
    scores = segapp.evaluate(tmp_path / "found", str(tmp_path / "masks"), CLASSES, boundaries=False)
    assert scores.flat == pytest.approx(segapp.evaluate(FOUND, MASKS, CLASSES, boundaries=False).flat)
    assert scores.images[0].name == "deep/0"
    (tmp_path / "masks/deep/1.tif").unlink()
    with pytest.raises(MisuseError, match="masks: has no file deep/1"):
        segapp.evaluate(tmp_path / "found", tmp_path / "masks", CLASSES)


def test_ignored_pixels_are_left_out() -> None:
    mask = np.full((4, 4), 255, np.uint8)
    assert math.isnan(segapp.evaluate([np.zeros((4, 4), int)], [mask], CLASSES).flat["dice/dataset"])


@pytest.mark.parametrize(
    ("predictions", "masks", "options", "words"),
    [
        (FOUND[:2], MASKS, {}, "numbers of predictions and masks differ"),
        (FOUND, MASKS, {"background": "sky"}, "sky"),
        ([FOUND[0] / 2], MASKS[:1], {}, "float64"),
        ("nowhere", MASKS, {}, "both"),
        ("nowhere", "nowhere", {}, "nowhere"),
        ([FOUND[0]], [MASKS[1]], {}, "image 0.*shape"),
        ([FOUND[0] + 5], MASKS[:1], {}, "class"),
    ],
    ids=["numbers", "background", "floats", "folder and arrays", "no folder", "shapes", "classes"],
)
def test_what_cannot_be_scored_is_refused(predictions, masks, options, words) -> None:
    with pytest.raises(SegappError, match=words):
        segapp.evaluate(predictions, masks, CLASSES, **options)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder, suffix in (("found", ".png"), ("found", ".tif"), ("masks", ".png")):
        write_mask(tmp_path / folder / f"a{suffix}", MASKS[0], ((0, 0, 0), (9, 9, 9)))
    with pytest.raises(MisuseError, match=r"a\.tif and .*a\.png have the same name"):
        segapp.evaluate(tmp_path / "found", tmp_path / "masks", CLASSES)


def test_boundaries_are_measured_in_the_unit_of_the_pixels() -> None:
    mask, found = np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8)
    mask[4, 2], found[4, 5] = 1, 1
    for width, tolerance, distance, agreed in ((1, 2, 3, 0), (0.5, 2, 1.5, 1), (0.5, 1.4, 1.5, 0)):
        flat = segapp.evaluate([found], [mask], CLASSES, "background", tolerance=tolerance, spacing=(1, width)).flat
        assert flat["hd95/image"] == flat["hd/image"] == flat["assd/image"] == distance
        assert flat["surface_dice/image"] == agreed
    for wrong in ({"spacing": (0.0, 1.0)}, {"spacing": (1.0,)}, {"tolerance": math.nan}):
        with pytest.raises(MisuseError, match=next(iter(wrong))):
            segapp.evaluate([found], [mask], CLASSES, **wrong)
