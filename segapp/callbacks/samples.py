"""Sample images: image, target and prediction side by side, as PNG and in loggers that take images."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from segapp.batch import IGNORE_INDEX, Batch
from segapp.callbacks.trackers import log_image
from segapp.errors import MisuseError
from segapp.io import shorten_name, write_atomically
from segapp.report.figures import use_defaults
from segapp.report.pixels import convert_to_rgb
from segapp.spec import Spec
from segapp.terminal.text import for_plot


class SamplePictures(Callback):
    """Draws the first validation images after every n-th validation to `<run>/samples/<name>-epoch<e>.png`.

    Args:
        images: How many.
        every_n_epochs: How often.
    """

    def __init__(self, images: int = 4, every_n_epochs: int = 5) -> None:
        if images < 1 or every_n_epochs < 1:
            raise MisuseError(f"SamplePictures counts from 1, got {images=} and {every_n_epochs=}.")
        self.images = images
        self.every_n_epochs = every_n_epochs

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the first images of a validation."""
        last = trainer.current_epoch + 1 == trainer.max_epochs
        due = last or (trainer.current_epoch + 1) % self.every_n_epochs == 0
        if trainer.sanity_checking or not trainer.fit_loop.epoch_loop.val_loop or not due:
            return
        if trainer.state.fn != "fit" or not trainer.is_global_zero or batch_idx >= self.images:
            return
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        image = batch["image"][0].cpu().numpy()
        panels = draw_sample(image, batch["mask"][0].cpu().numpy(), outputs["prediction"], spec)
        name = shorten_name(batch["name"][0].replace("/", "_"))
        folder = Path(trainer.default_root_dir) / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        with use_defaults():
            save_panels(panels, folder / f"{name}-epoch{trainer.current_epoch + 1:03d}.png", spec)
        for logger in trainer.loggers:
            log_image(logger, f"samples/{name}", np.concatenate(panels, axis=1), trainer.global_step)


def draw_sample(image: np.ndarray, target: np.ndarray, prediction: np.ndarray, spec: Spec) -> list[np.ndarray]:
    """Draw three RGB uint8 images (H, W, 3): the image (C, H, W), the target and the predicted classes' colours.

    Ignored pixels are grey in the target and drawn as predicted in the prediction.
    """
    return [convert_to_rgb(image, spec.neighbours), apply_palette(target, spec), apply_palette(prediction, spec)]


def apply_palette(indices: np.ndarray, spec: Spec) -> np.ndarray:
    """Apply the palette to class indices (H, W): colours (H, W, 3) uint8; 255 is grey."""
    table = np.full((256, 3), 0, np.uint8)
    table[: spec.num_classes] = spec.palette
    table[IGNORE_INDEX] = 128
    return table[indices]


def save_panels(panels: list[np.ndarray], path: Path, spec: Spec) -> None:
    """Save titled panels with a legend of the classes."""
    height, width = panels[0].shape[:2]
    figure = Figure(figsize=(9.6, 3.2 * height / width + 0.8), layout="constrained")
    for axes, panel, title in zip(figure.subplots(1, 3), panels, ("image", "truth", "prediction"), strict=True):
        axes.imshow(panel, interpolation="nearest")
        axes.set_title(title)
        axes.axis("off")
    patches = [_patch(colour) for colour in spec.palette[:20]]
    labels = [for_plot(name) for name in spec.classes[:20]]
    figure.legend(patches, labels, loc="outside lower center", ncols=min(8, len(patches)), fontsize=8)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _patch(colour: tuple[int, int, int]) -> Patch:
    red, green, blue = (value / 255 for value in colour)
    return Patch(facecolor=(red, green, blue), edgecolor="grey")
