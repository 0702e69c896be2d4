"""Compare the loader with a plain loop of decoding and the same augmentations, for each kind of file.

    python benchmarks/kinds.py                                       # minutes, 0.6 GB of files in a temporary folder
    python benchmarks/kinds.py --kinds png --blocks 3 --images 4     # a look
    python benchmarks/kinds.py --clock cpu                           # on a busy machine

Random crops of 256 x 256, mirrored at random, from generated files, one thread:

    png, jpeg     RGB of 512 x 512
    geotiff       4 bands of 16 bits, 1,024 x 1,024, deflated tiles of 256; the plain loop reads the tiles under a crop
    nifti         .nii.gz of 320 x 320 x 16 voxels of 16 bits, few enough to be kept decoded; the plain loop has decoded
                  them before
    nifti-many    .nii.gz of 320 x 320 x 320 voxels, more than are kept decoded; the plain loop reads the slice of each
                  crop with nibabel

Each figure is the median over the blocks of a ratio within a block, with the 95 % interval of a bootstrap over blocks.
Prints Markdown.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import albumentations as A
import cv2
import nibabel
import numpy as np
import tifffile
import torch
from interleaved import CLOCKS, interleaved, machine, ratio, table
from loading import batches

from segapp.datasets import Folder
from segapp.loading.datamodule import SegmentationDataModule
from segapp.spec import Intensity
from segapp.transforms import Flips, use_one_thread

CROP, BATCH, TILE = 256, 8, 256
LOW, HIGH = 0.0, 4000.0
"""Stored values that become 0 and 1 in files of 16 bits."""
KEYS = (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32616)
"""GeoKeys: projected, UTM zone 16 north."""

Pair = tuple[np.ndarray, np.ndarray]
Read = Callable[[np.random.Generator], Pair]
"""Returns a crop (h, w, C) and its mask (h, w), as a plain loop would read it."""


@dataclass(frozen=True)
class Kind:
    """How files of a kind are written, and read by a plain loop."""

    write: Callable[[Path, int, np.random.Generator], None]
    open: Callable[[Path], Read]
    images: int
    """Files of it."""
    intensity: Intensity | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--batches", type=int, default=4, help="of each arm in a block")
    parser.add_argument("--images", type=int, default=0, help="of each kind; default: as above")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: of this process, on a busy machine")
    options = parser.parse_args()
    use_one_thread()
    torch.set_num_threads(1)
    rows = [row for name in options.kinds for row in measure(name, options)]
    samples = options.batches * BATCH
    print(f"{options.blocks} blocks of {samples} crops of {CROP}²; {options.clock} time\n")
    print(table(["kind", "arm", "samples a second", "rate beside the plain loop"], rows))
    print(f"\n{machine('tifffile', 'nibabel')}")


def measure(name: str, options: argparse.Namespace) -> list[list[str]]:
    """Return the rows of one kind."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part in ("images", "masks"):
            (root / part).mkdir()
        for number in range(options.images or kind.images):
            kind.write(root, number, np.random.default_rng(number))
        arms = {"plain loop": read_plainly(kind.open(root)), "loader": load(root, kind)}
        steps = {arm: batches(source, options.batches) for arm, source in arms.items()}
        seconds = interleaved(steps, options.blocks, 1, CLOCKS[options.clock], warm=8)
    return [
        [name, arm, f"{options.batches * BATCH / statistics.median(times):.0f}", ratio(seconds["plain loop"], times)]
        for arm, times in seconds.items()
    ]


def load(root: Path, kind: Kind) -> Iterator[dict]:
    """Return an iterator over the loader's batches of an endless epoch."""
    source = Folder(root=root, classes=["background", "disc"], intensity=kind.intensity)
    settings = {"augment": [Flips(vertical=True)], "crops_per_image": 10_000, "num_workers": 0}
    return iter(SegmentationDataModule(source, BATCH, CROP, **settings).train_dataloader())


def read_plainly(read: Read) -> Iterator[dict[str, torch.Tensor]]:
    """Yield batches from a plain loop in one process: decode, crop, mirror, stack."""
    rng, change = np.random.default_rng(0), A.Compose([A.HorizontalFlip(), A.VerticalFlip()])
    while True:
        images, masks = [], []
        for _ in range(BATCH):
            image, mask = read(rng)
            changed = change(image=image, mask=mask)
            images.append(np.ascontiguousarray(changed["image"].transpose(2, 0, 1)))
            masks.append(changed["mask"])
        yield {"image": torch.from_numpy(np.stack(images)), "mask": torch.from_numpy(np.stack(masks))}


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


def write_geotiff(root: Path, number: int, rng: np.random.Generator) -> None:
    image, mask = make_image(1024, 4, rng)
    tags = [
        (33550, "d", 3, (0.5, 0.5, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 733_601.0, 3_725_139.0, 0.0), True),
        (34735, "H", len(KEYS), KEYS, True),
    ]
    shared = {"tile": (TILE, TILE), "compression": "adobe_deflate", "metadata": None, "extratags": tags}
    stored = image.astype(np.uint16) * 14 + rng.integers(0, 14, image.shape, dtype=np.uint16)
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
                tile, _, _ = page.decode(file.filehandle.read(page.databytecounts[index]), index)
                pixels[i * TILE : (i + 1) * TILE, j * TILE : (j + 1) * TILE] = tile[0]
    top, left = y - rows[0] * TILE, x - columns[0] * TILE
    return pixels[top : top + CROP, left : left + CROP]


# ---------------------------------------------------------------------------------------------------- NIfTI


def write_volume(slices: int) -> Callable[[Path, int, np.random.Generator], None]:
    def write(root: Path, number: int, rng: np.random.Generator) -> None:
        image, mask = make_image(320, 1, rng)
        stored = np.repeat(image.astype(np.int16) * 14, slices, axis=2)
        stored += rng.integers(0, 14, stored.shape, dtype=np.int16)
        labels = np.repeat(mask[..., None], slices, axis=2)
        for part, voxels in (("images", stored), ("masks", labels)):
            header = nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 2.0, 1.0]))
            nibabel.save(header, root / part / f"{number:03}.nii.gz")

    return write


def open_decoded_volumes(root: Path) -> Read:
    pairs = [[np.asarray(nibabel.load(path).dataobj) for path in pair] for pair in zip(*list_files(root), strict=True)]
    return read_slices(pairs)


def open_volumes(root: Path) -> Read:
    return read_slices([[nibabel.load(path).dataobj for path in pair] for pair in zip(*list_files(root), strict=True)])


def read_slices(pairs: list[list]) -> Read:
    def read(rng: np.random.Generator) -> Pair:
        image, mask = pairs[rng.integers(len(pairs))]
        index = rng.integers(image.shape[2])
        y, x = choose_corner(rng, image.shape)
        window = np.s_[y : y + CROP, x : x + CROP, index]
        return scale(np.asarray(image[window])[..., None]), np.asarray(mask[window])

    return read


RANGE = Intensity("range", LOW, HIGH)
KINDS = {
    "png": Kind(write_photograph(".png"), open_photographs, 48),
    "jpeg": Kind(write_photograph(".jpg"), open_photographs, 48),
    "geotiff": Kind(write_geotiff, open_geotiffs, 24, RANGE),
    "nifti": Kind(write_volume(16), open_decoded_volumes, 4, RANGE),
    "nifti-many": Kind(write_volume(320), open_volumes, 8, RANGE),
}


if __name__ == "__main__":
    main()
