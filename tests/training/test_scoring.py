"""Whole images are scored, band by band."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segapp.batch import Batch
from segapp.losses import CrossEntropy, DeepSupervision, Focal
from segapp.training.module import SegmentationModule
from tests.training.per_pixel import SPEC, PerPixel

WEIGHTS = [1.0, 9.0]


@pytest.mark.parametrize("loss", [CrossEntropy(WEIGHTS), DeepSupervision(CrossEntropy(WEIGHTS)), Focal(0.0, WEIGHTS)])
def test_a_weighted_mean_over_pixels_is_that_of_whole_images(loss: nn.Module) -> None:
    torch.manual_seed(0)
    module = SegmentationModule(PerPixel(), loss, spec=SPEC)
    images = torch.randint(256, (2, 1, 64, 20), dtype=torch.uint8)
    masks = (torch.rand(2, 64, 20) < 0.1).to(torch.uint8)
    masks[0, 40:] = 1  # the bands of an image differ in their classes
    masks[1, :20] = 255
    with torch.inference_mode():
        for image, mask in zip(images, masks, strict=True):
            batch: Batch = {"image": image[None], "mask": mask[None], "name": ["x"], "size": torch.tensor([[64, 20]])}
            module.validation_step(batch, 0)
        logits = module.net(images.float())
    expected = F.cross_entropy(logits, masks.long(), torch.tensor(WEIGHTS), ignore_index=255)
    assert float(module.eval_loss.compute()) == pytest.approx(float(expected), rel=1e-5)


def test_a_test_scores_boundaries_and_keeps_confusions_and_a_validation_does_not() -> None:
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.__setitem__(name, value)  # type: ignore[method-assign, assignment]
    image = torch.randint(256, (1, 1, 20, 20), dtype=torch.uint8)
    mask = torch.zeros(1, 20, 20, dtype=torch.uint8)
    batch: Batch = {"image": image, "mask": mask, "name": ["x"], "size": torch.tensor([[20, 20]])}
    with torch.inference_mode():
        module.on_test_epoch_start()
        prediction = module.test_step(batch, 0)["prediction"]
        tested = module.log_scores("test")
        cells = module.evaluation.images[0].cells
        module.on_validation_epoch_start()
        module.validation_step(batch, 0)
        validated = module.log_scores("val")
    counts = np.bincount(prediction.ravel(), minlength=2)
    assert sum(count for _, _, count in cells) == 400 and not module.evaluation.images[0].cells
    assert tested["test/dice/dataset/a"] == pytest.approx(2 * counts[0] / (counts[0] + 400))
    assert "test/hd95/image" in tested and "val/hd95/image" not in validated
    assert not any("precision" in name for name in tested), "only files have these scores"
    assert logged == pytest.approx(tested | validated, nan_ok=True)
    assert validated["val/loss"] == pytest.approx(tested["test/loss"])


def test_images_are_predicted_whether_they_come_as_a_batch_a_tensor_or_a_list() -> None:
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    images = torch.randint(256, (2, 1, 24, 20), dtype=torch.uint8)
    with torch.inference_mode():
        expected = module.net(images.float()).argmax(1).to(torch.uint8)
        for given in ({"image": images}, images, [images]):
            assert torch.equal(module.predict_step(given, 0), expected)
