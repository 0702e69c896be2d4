"""OME-Zarr (NGFF): folders with an image in chunks, of which a window reads only those under it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart, read_stamp
from segapp.io.formats.format import MaskLayout, MaskSink, RowFilter
from segapp.io.formats.libraries import import_library
from segapp.io.formats.ngff import Multiscale, find_group_file, read_multiscale
from segapp.io.formats.numpy_array import ROWS_FIRST
from segapp.io.formats.ome_zarr_writer import open_label_rows, require_mask_folder, write_labels
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import Volume, VolumeFormat, parse_part, require_sizes
from segapp.io.formats.zarr_array import ZarrArray, find_array_file, read_zarr_array
from segapp.io.formats.zarr_chunks import read_box, require_stored
from segapp.io.formats.zarr_files import require_inner_path
from segapp.io.header import Header, Window
from segapp.spec import SliceAxis

VOXEL = "zyxc"
"""The axes of a volume's array, which every image has in memory."""


@dataclass(frozen=True)
class OmeImage:
    """What an OME-Zarr says of an image: its metadata and that of its largest array."""

    multiscale: Multiscale
    array: ZarrArray


class OmeZarr(VolumeFormat):
    """OME-Zarr images (H, W) or volumes, with channels; their masks are OME-Zarr with the same scale and units."""

    name = "OME-Zarr"
    suffixes = (".zarr", ".ome.zarr")
    is_folder = True
    has_arrays = True
    streams_masks = True

    def list_files(self, file: FilePart) -> tuple[Path, ...]:
        """Return the metadata files of an image; its chunks may be too many to look at."""
        if not file.path.is_dir():
            raise SegappError(f"{file.path}: is a file, and {self.name} is a folder; copy all of it, or rename it.")
        group = require_inner_path(file.path, file.array.strip("/")) if file.array else ""
        found = find_group_file(file.path, group)
        stamp = (0, 0) if found is None else read_stamp([file.path / found])
        multiscale = _read_multiscale(file.path, group, stamp)
        array = find_array_file(file.path, multiscale.name)
        if found is None or array is None:
            raise SegappError(
                f"{file.path}: {self.name} without the array {multiscale.name!r}, which its metadata names; copy it "
                "again, with all of its files."
            )
        return file.path / found, file.path / array

    def list_slices(self, file: FilePart, axis: SliceAxis) -> tuple[str, ...]:
        """Return the names of the slices across an axis; `auto` stands for z, the axis of a microscope."""
        return super().list_slices(file, "axial" if axis == "auto" else axis)

    def read_volume(self, path: Path) -> Volume:
        """Return the image of a store without its values."""
        return self.read_array(path, "")

    def read_array(self, path: Path, array: str) -> Volume:
        """Return an image in a group of a store, as `/labels/nuclei`, without its values."""
        import_library("zarr", "bio", path, self.name)  # writes the masks: better known now than after predicting
        group = require_inner_path(path, array.strip("/")) if array else ""
        multiscale = read_multiscale(path, group)
        found = read_zarr_array(path, multiscale.name)
        if len(multiscale.axes) != len(found.shape):
            raise SegappError(
                f"{found.path}: {len(found.shape)} axes, and the metadata of the {self.name} names "
                f"{', '.join(multiscale.axes)}; it is wrong."
            )
        sizes = dict(zip(multiscale.axes, found.shape, strict=True))
        if sizes.get("t", 1) > 1:
            raise SegappError(f"{path}: {self.name} of {sizes['t']} time points; save each one as an image.")
        volume_sizes = sizes.get("z", 1), sizes["y"], sizes["x"]
        require_sizes(path, self.name, volume_sizes)
        require_stored(found)
        spacing, is_measured = _find_spacing(multiscale)
        return Volume(
            format=self.name,
            grid=Grid(ROWS_FIRST @ np.diag([*spacing, 1.0]), volume_sizes),
            is_flat="z" not in sizes,
            channels=sizes.get("c", 1),
            dtype=np.dtype(np.uint8) if found.dtype.kind == "b" else found.dtype.newbyteorder("="),
            is_measured=is_measured,
            source=OmeImage(multiscale, found),
        )

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values (slices, H, W, C)."""
        return _read_voxels(volume, [slice(0, size) for size in volume.grid.sizes])

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (h, w, C); only the chunks under the window are decoded."""
        volume, (y, x, h, w) = self._read(file), window
        axis, index = parse_part(file.part)
        box = []
        for place, size in enumerate(volume.grid.sizes):
            numbers = np.arange(size).reshape([-1 if other == place else 1 for other in range(3)])
            lying = volume.grid.find_slice(np.broadcast_to(numbers, volume.grid.sizes), axis, index)
            corners = lying[[y, y + h - 1], [x, x + w - 1]]
            box.append(slice(int(corners.min()), int(corners.max()) + 1))
        voxels = _read_voxels(volume, box)
        return replace(volume.grid, sizes=voxels.shape[:3]).find_slice(voxels, axis, 0)

    def require_replaceable(self, path: Path) -> None:
        """Raise MisuseError for a folder that holds anything else than one level of an image."""
        require_mask_folder(path)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask (slices, H, W) with the axes, scale and units of the image."""
        self._write(path, mask, volume, MaskLayout({}))

    def write_masks(self, path: Path, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> None:
        """Write the masks of all slices as one OME-Zarr, with the colours and names of the classes."""
        self._write(path, *self.join_slices(masks, layout), layout)

    def open_mask(
        self, path: Path, layout: MaskLayout, filter_rows: RowFilter = iter
    ) -> AbstractContextManager[MaskSink]:
        """Return a context whose writer writes the rows of a plane while they come; slices are written at the end."""
        volume = layout.meta.get("volume")
        if not isinstance(volume, Volume) or volume.format != self.name or not volume.is_flat:
            return super().open_mask(path, layout, filter_rows)
        image: OmeImage = volume.source
        (size,) = layout.sizes.values()
        return open_label_rows(path, size, image.multiscale, image.array.version, layout, filter_rows)

    def _write(self, path: Path, mask: np.ndarray, volume: Volume, layout: MaskLayout) -> None:
        write_labels(path, mask, volume.source.multiscale, volume.source.array.version, layout)


@lru_cache(maxsize=1024)
def _read_multiscale(store: Path, group: str, stamp: tuple[int, int]) -> Multiscale:
    return read_multiscale(store, group)


def _find_spacing(multiscale: Multiscale) -> tuple[list[float], bool]:
    """Return the distance of slices, rows and columns in mm, and whether the file says it; z may lack a unit."""
    rows, columns = multiscale.find_micrometres("y"), multiscale.find_micrometres("x")
    if rows is None or columns is None:
        found = dict(zip(multiscale.axes, multiscale.scale, strict=True))
        return [found.get("z", found["y"]), found["y"], found["x"]], False
    slices = multiscale.find_micrometres("z")
    return [each / 1000 for each in (rows if slices is None else slices, rows, columns)], True


def _read_voxels(volume: Volume, box: list[slice]) -> np.ndarray:
    """Return a box of a volume (slices, H, W, C)."""
    axes: str = volume.source.multiscale.axes
    ranges = {**dict(zip(VOXEL, box, strict=False)), "c": slice(0, volume.channels)}
    values = read_box(volume.source.array, [ranges.get(axis, slice(0, 1)) for axis in axes])
    there = [axis for axis in axes if axis in VOXEL]
    values = values.reshape([size for axis, size in zip(axes, values.shape, strict=True) if axis in VOXEL])
    values = values.transpose([there.index(axis) for axis in VOXEL if axis in there])
    shape = [each.stop - each.start for each in box]
    return values.reshape(*shape, volume.channels).astype(volume.dtype, copy=False)
