"""Draw fluorescence microscopy: nuclei to be segmented, and bright things that are no nuclei.

Every image is a function of one seed. Lengths are in pixels, light in fractions of a bright nucleus.
"""

from dataclasses import dataclass

import cv2
import numpy as np

BACKGROUND, CELL, BORDER = 0, 1, 2
RIM = 2  # pixels: width of a nucleus' border, where that is a class

OUTSIDE = 8  # pixels outside the image where a nucleus may still be centred
MARGIN = OUTSIDE + 32  # and is drawn completely before the image is cropped

SATURATION = 1.6  # light that becomes white
PHOTONS = 140.0  # counted for a light of 1: the shot noise
READ_NOISE = 0.012
TINTS = {  # what a colour camera sees of each kind of light, as R, G, B
    "nuclei": (0.35, 0.60, 1.40),
    "haze": (0.30, 0.42, 0.55),
    "debris": (0.80, 0.85, 0.92),
}


@dataclass(frozen=True)
class Field:
    """The specimen before optics: (size, size) each."""

    nuclei: np.ndarray  # float32 light
    instances: np.ndarray  # int32: 0, or the number of the topmost nucleus
    debris: np.ndarray  # float32 light


def draw_image(size: int, channels: int, border: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Render one image and its target: (size, size, channels) uint8 and (size, size) uint8 class indices."""
    field = draw_field(size, rng)
    return render_photograph(field, channels, rng), label_classes(field.instances, border)


def draw_field(size: int, rng: np.random.Generator) -> Field:
    """Render clusters of nuclei, single nuclei, and debris."""
    canvas = size + 2 * MARGIN
    nuclei = np.zeros((canvas, canvas), np.float32)
    instances = np.zeros((canvas, canvas), np.int32)
    texture = _draw_chromatin(canvas, rng)
    stain = rng.uniform(0.75, 1.1)
    for number, (y, x, radius) in enumerate(_place_nuclei(size, rng), start=1):
        _draw_nucleus(nuclei, instances, texture, number, (y, x, radius), stain, rng)
    seen = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    return Field(nuclei[seen], instances[seen], _draw_debris(size, rng))


def label_classes(instances: np.ndarray, border: bool) -> np.ndarray:
    """Label (H, W) uint8: 0 background, 1 cell, and with `border` 2 on the outer pixels of every nucleus."""
    mask = (instances > 0).astype(np.uint8)
    if border:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM + 1, 2 * RIM + 1))
        light = instances.astype(np.float32)  # cv2 has no int32 morphology; exact up to 16 million nuclei
        edge = cv2.dilate(light, kernel) != cv2.erode(light, kernel)
        mask[edge & (instances > 0)] = BORDER
    return mask


def render_photograph(field: Field, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Render uneven illumination, scattered light, optics, shot and read noise, 8 bits."""
    size = len(field.nuclei)
    lamp = 1 - rng.uniform(0.35, 0.6) * _draw_ramp(size, rng)
    haze = (
        rng.uniform(0.05, 0.12)
        + rng.uniform(0.2, 0.45) * _draw_ramp(size, rng)
        + 0.05 * _draw_cloud(size, size / 3, rng)
    )
    focus = rng.uniform(0.8, 1.4)
    nuclei = _filter_gaussian(field.nuclei, focus)
    nuclei += 0.12 * _filter_gaussian(field.nuclei, 9)  # light scattered in the sample
    layers = {"nuclei": nuclei * lamp, "haze": haze, "debris": _filter_gaussian(field.debris, focus) * lamp}
    tints = {kind: (1.0,) if channels == 1 else tint for kind, tint in TINTS.items()}
    light = sum(layer[..., None] * np.array(tints[kind]) for kind, layer in layers.items())
    light = np.maximum(light, 0)
    # Normal instead of Poisson noise: it uses as many random numbers whatever the light, so that rounding in
    # another version of a library changes a pixel, never the rest of the image.
    noise = rng.standard_normal(light.shape) * np.sqrt(light / PHOTONS + READ_NOISE**2)
    return np.clip(np.rint((light + noise) * (255 / SATURATION)), 0, 255).astype(np.uint8)


def _place_nuclei(size: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Place every nucleus on the canvas (y, x, radius): clusters whose members touch, and single ones."""
    area = (size / 256) ** 2
    low, high = MARGIN - OUTSIDE, MARGIN + size + OUTSIDE
    scale = rng.uniform(0.8, 1.25)
    discs: list[tuple[float, float, float]] = []
    for _ in range(max(1, round(rng.uniform(8, 15) * area))):
        y, x = rng.uniform(low, high, 2)
        for _ in range(int(rng.integers(1, 8))):
            radius = scale * rng.uniform(6, 15)
            candidate = (y, x, radius)
            if (
                low < min(y, x)
                and max(y, x) < high
                and all(_measure_gap(candidate, other) > -0.45 * min(radius, other[2]) for other in discs)
            ):
                discs.append(candidate)
            angle, step = rng.uniform(0, 2 * np.pi), scale * rng.uniform(14, 24)
            y, x = y + step * np.sin(angle), x + step * np.cos(angle)
    return discs


def _measure_gap(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1])) - one[2] - other[2]


def _draw_nucleus(
    nuclei: np.ndarray,
    instances: np.ndarray,
    texture: np.ndarray,
    number: int,
    disc: tuple[float, float, float],
    stain: float,
    rng: np.random.Generator,
) -> None:
    y, x, radius = disc
    reach = int(1.7 * radius)
    window = tuple(slice(int(centre) - reach, int(centre) + reach + 1) for centre in (y, x))
    rho = _draw_outline(window, disc, rng)
    inside = rho < 1
    v, u = rng.integers(0, len(texture) - len(rho) + 1, 2)
    grain = texture[v : v + len(rho), u : u + len(rho)]
    light = stain * np.exp(rng.uniform(np.log(0.28), 0)) * (1.05 - 0.35 * rho**2) * (1 + 0.33 * grain)
    for _ in range(int(rng.integers(0, 4))):  # nucleoli: dark spots
        light *= 1 - rng.uniform(0.25, 0.5) * _draw_spot(window, disc, rng)
    covered = instances[window] > 0
    light = np.where(covered, 0.6, 1.0) * np.maximum(light, 0.05)  # stacked nuclei shine through each other
    nuclei[window] += np.where(inside, light, 0).astype(np.float32)
    instances[window][inside] = number


def _draw_outline(window: tuple[slice, ...], disc: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw 0 at the centre and 1 on the outline of a stretched, slightly lobed disc."""
    y, x, radius = disc
    rows, columns = np.mgrid[window]
    tilt, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.6)
    dy, dx = rows - y, columns - x
    along = (dx * np.cos(tilt) + dy * np.sin(tilt)) / np.sqrt(stretch)
    across = (dy * np.cos(tilt) - dx * np.sin(tilt)) * np.sqrt(stretch)
    angle = np.arctan2(across, along)
    lobes = sum(rng.normal(0, 0.09 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
    return np.hypot(along, across) / (radius * np.clip(1 + lobes, 0.6, 1.35))


def _draw_spot(window: tuple[slice, ...], disc: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    y, x, radius = disc
    rows, columns = np.mgrid[window]
    y, x = y + rng.uniform(-0.5, 0.5) * radius, x + rng.uniform(-0.5, 0.5) * radius
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * (0.14 * radius) ** 2))


def _draw_debris(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw specks, fibres, rings and things out of focus: bright, and none of them a nucleus."""
    area = (size / 256) ** 2
    debris = _draw_specks(size, round(rng.uniform(8, 25) * area), rng)
    debris += _draw_fibres(size, round(rng.uniform(0, 2.5) * area), rng)
    debris += _draw_rings(size, round(rng.uniform(1, 5) * area), rng)
    debris *= 1 + 0.3 * _draw_cloud(size, 12, rng)
    return debris + _draw_out_of_focus(size, round(rng.uniform(2, 6) * area), rng)


def _draw_specks(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    canvas = np.zeros((size, size), np.float32)
    for _ in range(count):
        axes = (int(rng.integers(0, 4)), int(rng.integers(0, 3)))
        centre = (int(rng.integers(0, size)), int(rng.integers(0, size)))
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.5, 1.6)), -1)
    return canvas


def _draw_fibres(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw curved threads of even light."""
    canvas = np.zeros((size, size), np.float32)
    for _ in range(count):
        steps = int(rng.integers(30, 80))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.13, steps))
        path = rng.uniform(0, size, 2) + 3 * np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0)
        points = np.rint(path * 16).astype(np.int32).reshape(-1, 1, 2)  # 4 fractional bits
        thickness, light = int(rng.integers(1, 4)), float(rng.uniform(0.4, 1.1))
        cv2.polylines(canvas, [points], False, light, thickness, cv2.LINE_8, 4)
    return canvas


def _draw_rings(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw bubbles and empty shells: a bright rim around nothing, as large as a nucleus."""
    canvas = np.zeros((size, size), np.float32)
    for _ in range(count):
        radius = rng.uniform(6, 15)
        axes = (round(radius), round(radius * rng.uniform(0.75, 1)))
        centre = (int(rng.integers(0, size)), int(rng.integers(0, size)))
        light, thickness = float(rng.uniform(0.35, 1.1)), int(rng.integers(2, 4))
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, light, thickness)
    return canvas


def _draw_out_of_focus(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw cells far above or below: wide glows without an edge."""
    canvas = np.zeros((size, size), np.float32)
    for _ in range(count):
        y, x = rng.uniform(0, size, 2)
        width, light = rng.uniform(8, 16), rng.uniform(0.25, 0.75)
        window = tuple(slice(max(0, int(c - 4 * width)), int(c + 4 * width)) for c in (y, x))
        seen = canvas[window]
        rows, columns = np.indices(seen.shape)
        squares = (rows + window[0].start - y) ** 2 + (columns + window[1].start - x) ** 2
        seen += light * np.exp(-squares / (2 * width**2))
    return canvas


def _draw_chromatin(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw grain of two sizes, mean 0, standard deviation 1."""
    grain = _filter_gaussian(rng.standard_normal((size, size)).astype(np.float32), 1.2)
    clumps = _filter_gaussian(rng.standard_normal((size, size)).astype(np.float32), 3)
    mixed = grain / grain.std() + clumps / clumps.std()
    return (mixed - mixed.mean()) / mixed.std()


def _draw_ramp(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a ramp from 0 at a centre somewhere in the image to 1 at the corner farthest from it."""
    y, x = rng.uniform(0, size, 2)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    distance = np.hypot(rows - y, columns - x)
    return (distance / distance.max()) ** 1.5


def _draw_cloud(size: int, period: float, rng: np.random.Generator) -> np.ndarray:
    """Draw clouds: values of about -1 … 1 that change over `period` pixels."""
    cells = max(2, round(size / period)) + 1
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _filter_gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
