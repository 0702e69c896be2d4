"""Compare the loader with a plain loop of decoding and the same augmentations, for each kind of file.

    python benchmarks/kinds.py                                       # minutes, 0.6 GB of files in a temporary folder
    python benchmarks/kinds.py --kinds png --blocks 3 --images 4     # a look
    python benchmarks/kinds.py --clock cpu                           # on a busy machine

Random crops of 256 x 256, mirrored at random, from generated files, one thread:

    png, jpeg     RGB of 512 x 512; webp too, lossless
    npy           RGB of 512 x 512 in .npy, masks too; the plain loop maps the file into memory
    geotiff       4 bands of 16 bits, 1,024 x 1,024, deflated tiles of 256; the plain loop reads the tiles under a crop
    hdf5          the same pixels in chunks of 256 with gzip; the plain loop reads crops with h5py
    ome-zarr      the same pixels in chunks of 256 (Zarr 3, zstd); the plain loop reads crops with zarr
    slide         .svs of 2,048 x 2,048, RGB, tiles of 256 in JPEG; the plain loop reads the tiles under a crop
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
import numpy as np
import torch
from interleaved import CLOCKS, interleaved, machine, ratio, table
from kind_arrays import (
    open_arrays,
    open_decoded_volumes,
    open_hdf5,
    open_volumes,
    open_zarrs,
    write_arrays,
    write_hdf5,
    write_volume,
    write_zarr,
)
from kind_files import (
    CROP,
    HIGH,
    LOW,
    Read,
    open_geotiffs,
    open_photographs,
    open_slides,
    write_geotiff,
    write_photograph,
    write_slide,
)
from loading import batches

from segapp.datasets import Folder
from segapp.loading.datamodule import SegmentationDataModule
from segapp.spec import Intensity
from segapp.transforms import Flips, use_one_thread

BATCH = 8


@dataclass(frozen=True)
class Kind:
    """How files of a kind are written, and read by a plain loop."""

    write: Callable[[Path, int, np.random.Generator], None]
    open: Callable[[Path], Read]
    images: int
    """Files of it."""
    intensity: Intensity | None = None


RANGE = Intensity("range", LOW, HIGH)
KINDS = {
    "png": Kind(write_photograph(".png"), open_photographs, 48),
    "jpeg": Kind(write_photograph(".jpg"), open_photographs, 48),
    "webp": Kind(write_photograph(".webp"), open_photographs, 48),
    "npy": Kind(write_arrays, open_arrays, 48),
    "geotiff": Kind(write_geotiff, open_geotiffs, 24, RANGE),
    "hdf5": Kind(write_hdf5, open_hdf5, 16, RANGE),
    "ome-zarr": Kind(write_zarr, open_zarrs, 16, RANGE),
    "slide": Kind(write_slide, open_slides, 6),
    "nifti": Kind(write_volume(16), open_decoded_volumes, 4, RANGE),
    "nifti-many": Kind(write_volume(320), open_volumes, 8, RANGE),
}


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


if __name__ == "__main__":
    main()
