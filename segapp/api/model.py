"""A trained network in Python: load a checkpoint or a bundle, predict arrays, files and folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segapp.api.prediction import Prediction
from segapp.commands.predict import predict
from segapp.errors import SegappError
from segapp.inference.engine import Engine
from segapp.inference.open import make_engine, open_networks
from segapp.inference.options import Augmentation, apply_options
from segapp.inference.readable_image import ArrayImage
from segapp.io import join_channel_files, open_image, scale_array
from segapp.prediction.intensity import convert_pixels, require_trained_kind
from segapp.spec import Average, Precision, Spec

REMEDY = "scale its values to uint8, or to floating point in [0, 1], and give the array"


class Model:
    """A trained network, or the mean of several, with its description of the data.

    Args:
        paths: Checkpoints of `segapp fit` or of a Lightning Trainer, or bundles of `segapp export`.
        engine: Computes the prediction of an image of any size.
        options: The options of `segapp predict` that were given to `load`.
    """

    def __init__(self, paths: Sequence[str], engine: Engine, options: dict[str, Any]) -> None:
        self.paths = list(paths)
        self._engine = engine
        self._options = options

    def __repr__(self) -> str:
        height, width = self.spec.window
        return (
            f"Model({', '.join(map(repr, self.paths))}: classes {', '.join(self.classes)}; {self.spec.channels} "
            f"channels, windows of {height} x {width})"
        )

    @property
    def spec(self) -> Spec:
        """The description of data and inference that the network was trained with, with the options of `load`."""
        return self._engine.spec

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their indices."""
        return self.spec.classes

    def predict(self, image: np.ndarray | str | Path) -> Prediction:
        """Return the prediction of one image of any size.

        Args:
            image: The path of an image file (where each channel has a file, of one of them), or an array (H, W) grey
                or (H, W, C). Integers are values as a file stores them, which become the network's range as they do
                for files. Floating point in [0, 1] is that range already, unless the network scales every image by its
                own percentiles or deviation.

        Raises:
            SegappError: The file cannot be read, or its channels or depth are not those of the network.
            MisuseError: The array is no image.
        """
        if isinstance(image, str | Path):
            (found,) = join_channel_files([Path(image)], self.spec.channel_files).values()
            file = open_image(
                found, self.spec.channels, self.spec.intensity, self.spec.neighbours, self.spec.resolution
            )
            require_trained_kind(file, self.spec.channels, REMEDY)
            pixels, name, meta = file.read(), str(image), file.meta
        else:
            pixels = scale_array(np.asarray(image), self.spec.channels, self.spec.intensity)
            name, meta = "the array", {}
        seen = convert_pixels(pixels, np.dtype(self.spec.intensity.dtype))
        return Prediction(ArrayImage(seen, name), meta, self._engine)

    def predict_folder(
        self,
        images: str | Path,
        output: str | Path,
        save: Sequence[str] = ("mask",),
        overwrite: bool = False,
        devices: int = 1,
        probability_dtype: Literal["float16", "uint8"] = "float16",
    ) -> Path:
        """Write the predictions of every image of a folder, as `segapp predict` does, and return the output folder.

        An interrupted call resumes when it is made again.

        Args:
            images: Folder of images (with sub-folders), or one image file.
            output: Folder to write to; made if missing.
            save: Kinds of output: mask, overlay, probability, contours, geopackage, coco,
                uncertainty.
            overwrite: Replace files that other models, settings or programs wrote.
            devices: Processes that share the images.
            probability_dtype: How probabilities are stored.

        Raises:
            MisuseError: What was asked for cannot be done, as a folder without images.
            SegappError: Some images failed; manifest.csv in the output folder names them. The others are written.
        """
        code = predict(
            self.paths,
            str(images),
            str(output),
            save=list(save),
            overwrite=overwrite,
            devices=devices,
            probability_dtype=probability_dtype,
            **self._options,
        )
        if code == 130:
            raise KeyboardInterrupt
        if code:
            raise SegappError(f"{output}: not every image could be predicted; see manifest.csv there.")
        return Path(output)


def load(
    path: str | Path | Sequence[str | Path],
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision | None = None,
    window: int | None = None,
    overlap: float | None = None,
    batch_size: int | None = None,
    augment: Sequence[Augmentation] = (),
    scales: Sequence[float] = (),
    average: Average | None = None,
    min_object: Sequence[str] = (),
    min_hole: Sequence[str] = (),
    allow: Sequence[str] = (),
) -> Model:
    """Return the trained network of a checkpoint or a bundle, ready to predict.

    Nothing is unpickled and nothing is downloaded; classes outside segapp are used only where `allow` names them. The
    options are those of `segapp predict`; what is not given is as it was saved.

    Args:
        path: Checkpoint of `segapp fit`, or bundle of `segapp export`; of several, predictions are averaged.
        device: Where to compute; auto takes the GPU if there is one.
        precision: Arithmetic; as trained where the device computes it natively, else 32-true.
        window: Side in pixels of the square windows that large images are divided into.
        overlap: Fraction of a window that its neighbour also sees, in [0, 1).
        batch_size: Windows computed at once; 1 on a CPU, 16 on a GPU.
        augment: Flips and turns whose predictions are averaged: horizontal, vertical, rotations, none.
        scales: Sizes at which every window is seen, 1 being its own; their predictions are averaged.
        average: What is averaged: logits or probabilities.
        min_object: PIXELS or CLASS=PIXELS: smaller objects go to what surrounds them.
        min_hole: PIXELS or CLASS=PIXELS: smaller holes in the class are filled.
        allow: Classes or packages outside segapp that the checkpoint may use.

    Raises:
        MisuseError: The file is missing, is no checkpoint or bundle, or an option does not fit it.
    """
    paths = [str(one) for one in ([path] if isinstance(path, str | Path) else path)]
    networks = open_networks(paths, allow, device, precision)
    spec = apply_options(networks.spec, augment, scales, average, min_object, min_hole)
    options = {
        "device": device,
        "precision": precision,
        "window": window,
        "overlap": overlap,
        "batch_size": batch_size,
        "augment": list(augment),
        "scales": list(scales),
        "average": average,
        "min_object": list(min_object),
        "min_hole": list(min_hole),
        "allow": list(allow),
    }
    return Model(paths, make_engine(networks, spec, window, overlap, batch_size), options)
