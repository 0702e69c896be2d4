"""How well a mask lies on its image: borders of classes are compared with edges of the image."""

from dataclasses import dataclass

import cv2
import numpy as np

from segapp.planning.fingerprint import average_channels, reduce_image

SIDE = 128
"""Longer side, in pixels, at which image and mask are compared."""
SMALL = 64
"""Height and width at which masks are compared with the images of others."""
FEWEST = 12
"""Pixels of borders from which a comparison means something."""
TOLERANCE = 2
"""Pixels, at `SIDE`, by which a border may lie beside its edge."""

FARTHEST = 0.25
"""Fraction of height and width by which masks are shifted at most."""

MIRRORED = {
    "mirrored left to right": lambda array: array[:, ::-1],
    "mirrored top to bottom": lambda array: array[::-1],
    "turned by 180 degrees": lambda array: array[::-1, ::-1],
}
"""Motions that keep the size."""
TURNED = {"transposed": lambda array: array.T}
"""Motions of square images."""


@dataclass(frozen=True)
class Fit:
    """How well a mask fits its image, and how well it would after a motion.

    A fit is the mean edge strength under the mask's borders, in standard deviations from the mean over all shifts.
    """

    own: float
    best: float
    """The fit after the best motion."""
    motion: str
    """That motion, for messages."""


@dataclass(frozen=True)
class Edges:
    """Edge strengths of an image and the borders of its mask, `SMALL` x `SMALL`."""

    strength: np.ndarray
    """uint8, 0 … 255."""
    packed: np.ndarray
    """The borders, eight to a byte."""

    @property
    def borders(self) -> np.ndarray:
        """(SMALL, SMALL) uint8, 1 at a border."""
        return np.unpackbits(self.packed).reshape(SMALL, SMALL)


def measure_fit(image: np.ndarray, mask: np.ndarray) -> tuple[Fit | None, Edges | None]:
    """Compare a mask with its image; None where the mask has no borders, or the image no edges.

    Args:
        image: (H, W, C) uint8, or float32 in [0, 1]; may be reduced to `SIDE` already.
        mask: (H, W) uint8 class indices.
    """
    scale = min(1.0, SIDE / max(mask.shape))
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    grey = cv2.resize(average_channels(reduce_image(image, SIDE)), size, interpolation=cv2.INTER_AREA)
    classes = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    strength, borders = measure_edges(grey), find_borders(classes)
    if borders.sum() < FEWEST or not strength.any():
        return None, None
    small = Edges(
        (cv2.resize(strength, (SMALL, SMALL), interpolation=cv2.INTER_AREA) * 255).astype(np.uint8),
        np.packbits(cv2.resize(borders.astype(np.float32), (SMALL, SMALL), interpolation=cv2.INTER_AREA) > 0),
    )
    return _find_best_motion(strength, borders), small


def measure_edges(grey: np.ndarray) -> np.ndarray:
    """Return the edge strength (H, W) float32 of a grey image: its gradient, cut at the 95th percentile, in [0, 1]."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    gradient = np.hypot(across, down)
    top = float(np.percentile(gradient, 95)) or float(gradient.max())
    return np.minimum(gradient / top, 1.0).astype(np.float32) if top > 0 else np.zeros_like(gradient)


def find_borders(mask: np.ndarray) -> np.ndarray:
    """Return where a pixel's class differs from that of its right or lower neighbour, (H, W) bool."""
    borders = np.zeros(mask.shape, bool)
    borders[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    borders[:-1] |= mask[:-1] != mask[1:]
    return borders


def _find_best_motion(strength: np.ndarray, borders: np.ndarray) -> Fit:
    spectrum = np.fft.rfft2(strength)
    fits = _compute_fits(spectrum, borders)
    own = _look_near_origin(fits)
    far = [np.minimum(np.arange(side), side - np.arange(side)) > FARTHEST * side for side in fits.shape]
    near = np.where(far[0][:, None] | far[1], -np.inf, fits)
    y, x = np.unravel_index(int(near.argmax()), fits.shape)
    dy, dx = (int((at + side // 2) % side - side // 2) for at, side in zip((y, x), fits.shape, strict=True))
    best, motion = float(fits[y, x]), f"shifted by {dy / fits.shape[0]:.0%} down and {dx / fits.shape[1]:.0%} right"
    if max(abs(dy), abs(dx)) <= TOLERANCE:
        best, motion = own, ""
    for name, turn in (MIRRORED | (TURNED if strength.shape[0] == strength.shape[1] else {})).items():
        fit = _look_near_origin(_compute_fits(spectrum, turn(borders)))
        if fit > best:
            best, motion = fit, name
    return Fit(own, best, motion)


def _look_near_origin(fits: np.ndarray) -> float:
    near = np.arange(-TOLERANCE, TOLERANCE + 1)
    return float(fits[np.ix_(near, near)].max()) if min(fits.shape) > 2 * TOLERANCE else float(fits[0, 0])


def _compute_fits(spectrum: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Return the fit (H, W) for every shift of the borders, cyclically: [dy, dx] is the one by dy rows, dx columns."""
    product = spectrum * np.conj(np.fft.rfft2(borders.astype(np.float32)))
    means = np.fft.irfft2(product, s=borders.shape) / max(1, int(borders.sum()))
    (mean,), (spread,) = (values.ravel() for values in cv2.meanStdDev(means))
    return (means - np.float32(mean)) / np.float32(spread) if spread > 1e-9 else np.zeros_like(means)
