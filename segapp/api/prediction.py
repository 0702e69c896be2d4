"""The prediction of one image: class indices, probabilities, files, and a view in a notebook."""

import base64
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segapp.errors import MisuseError
from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.io import list_mask_suffixes, list_written_suffixes, write_image, write_mask
from segapp.prediction.overlays import draw_overlay
from segapp.prediction.writers.probability import open_probability_file
from segapp.terminal.text import for_html

KEPT_VALUES = 2**27
"""Values of probabilities (0.5 GB) up to which they are kept with the mask; of more, they are computed on demand."""

SHOWN_SIDE = 512
"""Pixels of the longer side of the overlay in a notebook."""


class Prediction:
    """What a network predicts for one image.

    Args:
        image: The pixels as the network sees them.
        meta: Georeference and resolution of the image's file, which a TIFF mask keeps.
        engine: Computes the prediction.

    Raises:
        SegappError: The image does not fit the network, or the network gives values that are not finite.
    """

    def __init__(self, image: ArrayImage, meta: dict[str, Any], engine: Engine) -> None:
        self._image, self._meta, self._engine = image, meta, engine
        height, width = image.shape[:2]
        kept = self._make_probabilities() if len(self.classes) * height * width <= KEPT_VALUES else None
        self.mask = engine.segment(image, kept)
        """(H, W) uint8 class indices, with small objects and holes removed by the options."""
        if kept is not None:
            self.__dict__["probabilities"] = kept  # the value of the cached property

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their indices."""
        return self._engine.spec.classes

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(K, H, W) float32: softmax over the classes, before small objects and holes are removed."""
        probabilities = self._make_probabilities()
        self._engine.segment(self._image, probabilities)
        return probabilities

    @property
    def overlay(self) -> np.ndarray:
        """(h, w, 3) uint8: the image tinted by class, every region outlined; at most 4096 pixels a side."""
        return draw_overlay(self._image, self.mask, self._engine.spec)

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the mask (.png, .tif, .tiff) or the probabilities (.npy, float16) to a file.

        Args:
            path: The file; its suffix decides what is written. A mask holds class indices and the classes' colours; of
                a TIFF with a georeference, a TIFF mask has it too.
            overwrite: Replace the file if it exists.

        Raises:
            MisuseError: The file exists, or its suffix is another.
            SegappError: The file cannot be written; no part of it is left.
        """
        path = self._check_path(Path(path), [*list_mask_suffixes(), ".npy"], overwrite)
        suffix, palette = path.suffix.lower(), self._engine.spec.palette
        if suffix == ".npy":
            with open_probability_file(path, self.probabilities.shape) as file:
                file.add(0, 0, self.probabilities)
        else:
            spec = self._engine.spec
            write_mask(path, self.mask, palette, self._meta, spec.classes, spec.background)

    def save_overlay(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the overlay as an image file.

        Args:
            path: A .png, .jpg, .tif or .bmp file.
            overwrite: Replace the file if it exists.

        Raises:
            MisuseError: The file exists, or its suffix is another.
            SegappError: The file cannot be written; no part of it is left.
        """
        write_image(self._check_path(Path(path), list_written_suffixes(), overwrite), self.overlay)

    def __repr__(self) -> str:
        height, width = self.mask.shape
        found = ", ".join(f"{name} {fraction:.1%}" for name, fraction in self._list_fractions())
        return f"Prediction({height} x {width}: {found})"

    def _repr_html_(self) -> str:
        """Return the overlay with a legend, for a notebook."""
        shown = self.overlay
        scale = min(1.0, SHOWN_SIDE / max(shown.shape[:2]))
        if scale < 1:
            shown = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".png", np.ascontiguousarray(shown[..., ::-1]))[1].tobytes()
        colours = dict(zip(self.classes, self._engine.spec.palette, strict=True))
        legend = "".join(
            f'<span style="display:inline-block;width:1em;height:1em;background:rgb{colours[name]}"></span> '
            f"{for_html(name)} {fraction:.1%}&emsp;"
            for name, fraction in self._list_fractions()
        )
        encoded = base64.b64encode(data).decode()
        return f'<figure><img src="data:image/png;base64,{encoded}"><figcaption>{legend}</figcaption></figure>'

    def _list_fractions(self) -> list[tuple[str, float]]:
        """Return the classes that occur, with their fractions of the pixels."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes))
        return [(name, count / self.mask.size) for name, count in zip(self.classes, counts, strict=True) if count]

    def _make_probabilities(self) -> np.ndarray:
        """Return (K, H, W) float32 to be filled."""
        return np.empty((len(self.classes), *self._image.shape[:2]), np.float32)

    @staticmethod
    def _check_path(path: Path, suffixes: Sequence[str], overwrite: bool) -> Path:
        if path.suffix.lower() not in suffixes:
            raise MisuseError(f"{path}: its suffix must be one of {', '.join(suffixes)}.")
        if path.exists() and not overwrite:
            raise MisuseError(f"{path} exists already; choose another name, or pass overwrite=True.")
        return path
