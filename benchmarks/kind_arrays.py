"""NIfTI, .npy, HDF5 and OME-Zarr for kinds.py: how they are written, and read by a plain loop."""

from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import zarr
from kind_files import CROP, TILE, Pair, Read, choose_corner, list_files, make_bands, make_image, scale

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


# ---------------------------------------------------------------------------------------------------- arrays


def write_arrays(root: Path, number: int, rng: np.random.Generator) -> None:
    for part, pixels in zip(("images", "masks"), make_image(512, 3, rng), strict=True):
        np.save(root / part / f"{number:03}.npy", pixels)


def open_arrays(root: Path) -> Read:
    pairs = list(zip(*list_files(root), strict=True))

    def read(rng: np.random.Generator) -> Pair:
        image, mask = (np.load(path, mmap_mode="r") for path in pairs[rng.integers(len(pairs))])
        y, x = choose_corner(rng, image.shape)
        return np.array(image[y : y + CROP, x : x + CROP]), np.array(mask[y : y + CROP, x : x + CROP])

    return read


def write_hdf5(root: Path, number: int, rng: np.random.Generator) -> None:
    for part, pixels in zip(("images", "masks"), make_bands(rng), strict=True):
        with h5py.File(root / part / f"{number:03}.h5", "w") as file:
            file.create_dataset("values", data=pixels, chunks=(TILE, TILE, *pixels.shape[2:]), compression="gzip")


def open_hdf5(root: Path) -> Read:
    def read_crop(path: Path, y: int, x: int) -> np.ndarray:
        with h5py.File(path) as file:
            return file["values"][y : y + CROP, x : x + CROP]

    return read_crops(root, read_crop)


def write_zarr(root: Path, number: int, rng: np.random.Generator) -> None:
    image, mask = make_bands(rng)
    for part, pixels in (("images", image.transpose(2, 0, 1)), ("masks", mask)):
        axes = "cyx" if pixels.ndim == 3 else "yx"
        group = zarr.open_group(str(root / part / f"{number:03}.ome.zarr"), mode="w", zarr_format=3)
        chunks = (*pixels.shape[:-2], TILE, TILE)
        group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, chunks=chunks)[...] = pixels
        kinds = [{"name": axis, "type": "channel" if axis == "c" else "space"} for axis in axes]
        steps = [{"type": "scale", "scale": [1.0] * len(axes)}]
        levels = [{"path": "0", "coordinateTransformations": steps}]
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": kinds, "datasets": levels}]}


def open_zarrs(root: Path) -> Read:
    def read_crop(path: Path, y: int, x: int) -> np.ndarray:
        values = zarr.open_array(str(path / "0"), mode="r")[..., y : y + CROP, x : x + CROP]
        return values.transpose(1, 2, 0) if values.ndim == 3 else values

    return read_crops(root, read_crop)


def read_crops(root: Path, read_crop: Callable[[Path, int, int], np.ndarray]) -> Read:
    """Return how crops of files of 4 bands and 16 bits, 1,024 x 1,024 pixels, are read."""
    pairs = list(zip(*list_files(root), strict=True))

    def read(rng: np.random.Generator) -> Pair:
        image, mask = pairs[rng.integers(len(pairs))]
        y, x = choose_corner(rng, (1024, 1024))
        return scale(read_crop(image, y, x)), read_crop(mask, y, x)

    return read
