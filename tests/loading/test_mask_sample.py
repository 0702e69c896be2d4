"""The look at masks before the first step."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Contiguous, Folder, Indices, Item
from segapp.errors import MisuseError
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.mask_sample import SAMPLE, check_masks, report_partial
from segapp.loading.reader import Reader
from tests.datasets.look_alikes import save, write_pair
from tests.loading.conftest import Pixels, data_module

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def masks_of(root: Path, *masks: np.ndarray) -> SegmentationDataModule:
    """Train, val and test by their order: 3, 2 and 2 images."""
    for i, mask in enumerate(masks):
        write_pair(root, f"{i}", np.zeros((9, 9), np.uint8), mask)
    return data_module(Folder(root, ["background", "dot"], split=Contiguous(val=0.3, test=0.3)), crop=8)


NOTHING, DOT, VOID = (np.zeros((9, 9), np.uint8), np.eye(9, dtype=np.uint8), np.full((9, 9), 255, np.uint8))


def test_classes_that_no_validation_or_test_image_shows_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    masks_of(tmp_path, DOT, DOT, DOT, NOTHING, NOTHING, DOT, NOTHING).setup("fit")
    assert "no val image shows dot (1)" in caplog.text
    assert "no test image" not in caplog.text


@pytest.mark.parametrize("stage", ["fit", "validate"])
def test_a_validation_of_nothing_but_void_is_refused_before_it_begins(tmp_path: Path, stage: str) -> None:
    masks = {0: 0, 1: 1, 255: 255}
    data = masks_of(tmp_path, DOT, DOT, DOT, VOID, VOID, DOT, VOID)
    data.source.mask = Indices(masks)  # type: ignore[attr-defined]
    with pytest.raises(MisuseError, match=r"2 val masks are 255"):
        data.setup(stage)
    data.setup("test")


@pytest.mark.parametrize("number", [1, 4, 6])
def test_a_bad_mask_of_any_split_is_found_before_the_first_step(tmp_path: Path, number: int) -> None:
    data = masks_of(tmp_path, *[DOT] * 7)
    save(tmp_path / f"masks/{number}.png", np.full((9, 9), 7, np.uint8))
    with pytest.raises(MisuseError, match=rf"masks/{number}\.png"):
        data.setup("fit")


def test_a_large_split_is_sampled_and_searched_for_missing_classes() -> None:
    def item(i: int, mask: np.ndarray) -> Item:
        return Item(f"{i}", f"{i}", Pixels(np.zeros((1, 9, 1), np.uint8)), Pixels(mask[:1]))

    everywhere = check_masks(Reader([item(i, DOT) for i in range(99)]), 2)
    assert (everywhere.masks, everywhere.complete, everywhere.classes.tolist()) == (SAMPLE, False, [True, True])
    once = check_masks(Reader([item(i, DOT if i == 70 else NOTHING) for i in range(99)]), 2)
    assert once.classes.all()
    never = check_masks(Reader([item(i, NOTHING) for i in range(99)]), 2)
    assert (never.masks, never.complete, never.classes.tolist()) == (99, True, [True, False])
    with pytest.raises(MisuseError, match="'0': its mask holds 2"):
        check_masks(Reader([item(0, DOT * 2)]), 2)


def test_classes_that_were_not_looked_for_everywhere_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    pixels = Pixels(np.zeros((4, 4, 1), np.uint8)), Pixels(NOTHING)
    items = [Item("x", "x", *pixels), Item("y", "y", *pixels, looked_for=(True, False))]
    report_partial(items[:1], ["background", "dot"])
    assert not caplog.records
    report_partial(items, ["background", "dot"])
    assert "2 training images" in caplog.text and "dot in 1" in caplog.text
