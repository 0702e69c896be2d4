"""Photographs, GeoTIFFs and slides for kinds.py: how they are written, and read by a plain loop."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tifffile

CROP, TILE = 256, 256
LOW, HIGH = 0.0, 4000.0
"""Stored values that become 0 and 1 in files of 16 bits."""
KEYS = (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32616)
"""GeoKeys: projected, UTM zone 16 north."""

Pair = tuple[np.ndarray, np.ndarray]
Read = Callable[[np.random.Generator], Pair]
"""Returns a crop (h, w, C) and its mask (h, w), as a plain loop would read it."""


# ---------------------------------------------------------------------------------------------------- photographs


def make_image(side: int, channels: int, rng: np.random.Generator) -> Pair:
    """Return a texture (side, side, channels) uint8 with bright discs, and the mask of these."""
    texture = cv2.GaussianBlur(rng.normal(110, 60, (side, side, channels)).astype(np.float32), (0, 0), 1.5)
    mask = np.zeros((side, side), np.uint8)
    for _ in range(20):
        cv2.circle(mask, rng.integers(0, side, 2).tolist(), int(rng.integers(8, 30)), 1, cv2.FILLED)
    image = np.clip(texture.reshape(side, side, channels) + 80 * mask[..., None], 0, 255)
    return image.astype(np.uint8), mask


def write_photograph(suffix: str) -> Callable[[Path, int, np.random.Generator], None]:
    def write(root: Path, number: int, rng: np.random.Generator) -> None:
        image, mask = make_image(512, 3, rng)
        cv2.imwrite(str(root / f"images/{number:03}{suffix}"), image)
        cv2.imwrite(str(root / f"masks/{number:03}.png"), mask)

    return write


def open_photographs(root: Path) -> Read:
    images, masks = list_files(root)

    def read(rng: np.random.Generator) -> Pair:
        number = rng.integers(len(images))
        image = cv2.cvtColor(cv2.imread(str(images[number])), cv2.COLOR_BGR2RGB)
        y, x = choose_corner(rng, image.shape)
        mask = cv2.imread(str(masks[number]), cv2.IMREAD_UNCHANGED)
        return image[y : y + CROP, x : x + CROP], mask[y : y + CROP, x : x + CROP]

    return read


def list_files(root: Path) -> tuple[list[Path], list[Path]]:
    return sorted((root / "images").iterdir()), sorted((root / "masks").iterdir())


def choose_corner(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, int]:
    return int(rng.integers(shape[0] - CROP + 1)), int(rng.integers(shape[1] - CROP + 1))


def scale(stored: np.ndarray) -> np.ndarray:
    """Return stored values as float32 in [0, 1]."""
    scaled = stored.astype(np.float32)
    scaled -= np.float32(LOW)
    scaled *= np.float32(1 / (HIGH - LOW))
    return np.clip(scaled, 0, 1, out=scaled)


# ---------------------------------------------------------------------------------------------------- GeoTIFF


def make_bands(rng: np.random.Generator) -> Pair:
    """Return (1024, 1024, 4) uint16 and a mask."""
    image, mask = make_image(1024, 4, rng)
    return image.astype(np.uint16) * 14 + rng.integers(0, 14, image.shape, dtype=np.uint16), mask


def write_geotiff(root: Path, number: int, rng: np.random.Generator) -> None:
    stored, mask = make_bands(rng)
    tags = [
        (33550, "d", 3, (0.5, 0.5, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 733_601.0, 3_725_139.0, 0.0), True),
        (34735, "H", len(KEYS), KEYS, True),
    ]
    shared = {"tile": (TILE, TILE), "compression": "adobe_deflate", "metadata": None, "extratags": tags}
    tifffile.imwrite(root / f"images/{number:03}.tif", stored, photometric="minisblack", planarconfig=1, **shared)
    tifffile.imwrite(root / f"masks/{number:03}.tif", mask, photometric="minisblack", **shared)


def open_geotiffs(root: Path) -> Read:
    images, masks = list_files(root)

    def read(rng: np.random.Generator) -> Pair:
        number = rng.integers(len(images))
        y, x = choose_corner(rng, (1024, 1024))
        return scale(read_tiles(images[number], y, x)), read_tiles(masks[number], y, x)[..., 0]

    return read


def read_tiles(path: Path, y: int, x: int) -> np.ndarray:
    """Return a crop (h, w, bands), decoded from the tiles under it and no others."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        across = -(-page.imagewidth // TILE)
        rows, columns = range(y // TILE, -(-(y + CROP) // TILE)), range(x // TILE, -(-(x + CROP) // TILE))
        pixels = np.empty((len(rows) * TILE, len(columns) * TILE, page.samplesperpixel), page.dtype)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                index = row * across + column
                file.filehandle.seek(page.dataoffsets[index])
                stored = file.filehandle.read(page.databytecounts[index])
                tile, _, _ = page.decode(stored, index, jpegtables=page.jpegtables)
                pixels[i * TILE : (i + 1) * TILE, j * TILE : (j + 1) * TILE] = tile[0]
    top, left = y - rows[0] * TILE, x - columns[0] * TILE
    return pixels[top : top + CROP, left : left + CROP]


# ---------------------------------------------------------------------------------------------------- slides


def write_slide(root: Path, number: int, rng: np.random.Generator) -> None:
    image, mask = make_image(2048, 3, rng)
    text = "Aperio Image Library v11.2.1\r\n2048x2048 [0,0 2048x2048] (256x256)|AppMag = 20|MPP = 0.5"
    tiled = {"tile": (TILE, TILE), "metadata": None}
    tifffile.imwrite(
        root / f"images/{number:03}.svs", image, description=text, photometric="ycbcr", compression="jpeg", **tiled
    )
    tifffile.imwrite(
        root / f"masks/{number:03}.tif", mask, photometric="minisblack", compression="adobe_deflate", **tiled
    )


def open_slides(root: Path) -> Read:
    images, masks = list_files(root)

    def read(rng: np.random.Generator) -> Pair:
        number = rng.integers(len(images))
        y, x = choose_corner(rng, (2048, 2048))
        return read_tiles(images[number], y, x), read_tiles(masks[number], y, x)[..., 0]

    return read
