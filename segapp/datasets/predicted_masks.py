"""A folder of masks that any tool predicted, found and read for the images of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.block_geometry import Window
from segapp.datasets.blocks import ImageBlock
from segapp.datasets.mask_pairs import list_named_images
from segapp.datasets.masks.encoded_mask import EncodedMask
from segapp.datasets.masks.encoding import Labels, MaskFile, PixelEncoding
from segapp.datasets.source import Item
from segapp.errors import MisuseError
from segapp.io import FilePart, explain_unlike_volumes, remove_suffix
from segapp.spec import find_volume_name


@dataclass(frozen=True)
class _Place:
    """Where the image of an item is stored.

    Attributes:
        name: The item's name without its slice or block: that of the file.
        file: The image; None where the data set does not tell.
        window: What a block covers of the file's image; None for a complete image.
        size: Height and width of the file's image.
    """

    name: str
    file: FilePart | None
    window: Window | None
    size: tuple[int, int]

    @property
    def names(self) -> list[str]:
        """The names that a prediction of the file may have: with its folders, without, or as the image's file."""
        stem = [] if self.file is None else [remove_suffix(Path(self.file.path.name)).name]
        return list(dict.fromkeys([self.name, PurePosixPath(self.name).name, *stem]))


class PredictedMasks:
    """The masks in a folder, by the items of a data set.

    A mask has the name of its image, whatever its suffix; a volume has the slices of its image's volume, and blocks of
    an image are read from the mask of the complete image. A file with the name of a slice or of a block is its mask.

    Args:
        folder: The masks, also in folders of it.
        encoding: How they are written.
        labels: The classes.
        remedy: What an error says about values that are no class.

    Raises:
        MisuseError: There is no such folder, it holds no image, or two of the same name.
    """

    def __init__(self, folder: Path, encoding: PixelEncoding, labels: Labels, remedy: str) -> None:
        self.folder, self._encoding, self._labels, self._remedy = folder, encoding, labels, remedy
        self._files = list_named_images(folder)
        self._explain_unlike = lru_cache(maxsize=1024)(explain_unlike_volumes)

    def find_items(self, items: Sequence[Item]) -> list[Item]:
        """Return the items that have a mask here; MisuseError where none has, or one file is that of two images."""
        owners: dict[Path, str] = {}
        found = []
        for item in items:
            path, place = self._find(item)
            if path is None:
                continue
            if (other := owners.setdefault(path, place.name)) != place.name:
                raise MisuseError(
                    f"{path}: may be the mask of {other!r} or of {place.name!r}; put predictions into the folders that "
                    "these names have."
                )
            found.append(item)
        if items and not found:
            example, *_ = self._files
            raise MisuseError(
                f"{self.folder}: none of its {len(self._files)} files has the name of an image: they are called as "
                f"{example!r}, the images as {items[0].name!r}."
            )
        return found

    def read(self, item: Item) -> np.ndarray:
        """Return the class indices (H, W) uint8 of an item that has a mask here.

        Raises:
            MisuseError: The mask has another size than its image, or values that are no class.
            SegappError: It cannot be read.
        """
        path, place = self._find(item)
        if path is None:
            raise MisuseError(f"{self.folder}: has no mask of {item.name!r}.")
        is_own = remove_suffix(path.relative_to(self.folder)).as_posix() == item.name
        window = None if is_own else place.window
        part = "" if is_own or place.file is None else place.file.part
        if part and place.file is not None and find_volume_name(item.name) is not None:
            self._require_like_volume(place.file, path)
        image = place.file.path if part and place.file is not None else None
        mask = EncodedMask([MaskFile(path, None, part, image)], self._encoding, self._labels)
        size = place.size if window is not None else item.image.shape[:2]
        if mask.shape != size:
            found, wanted = (" x ".join(map(str, shape)) for shape in (mask.shape, size))
            raise MisuseError(
                f"{mask}: {found} pixels, but the image {item.name!r} has {wanted}; resize predictions to their "
                "images (by nearest) before they are scored."
            )
        return self._decode(mask, window)

    def _decode(self, mask: EncodedMask, window: Window | None) -> np.ndarray:
        try:
            return mask.read() if window is None else mask.read_window(*window)
        except MisuseError as error:  # its advice is for the mask of a data set
            found, _, _ = str(error).partition(". ")
            raise MisuseError(f"{found.rstrip('.')}. {self._remedy}") from error

    def _require_like_volume(self, image: FilePart, path: Path) -> None:
        if (message := self._explain_unlike(FilePart(image.path, array=image.array), FilePart(path))) is not None:
            raise MisuseError(message)

    def _find(self, item: Item) -> tuple[Path | None, _Place]:
        place = _locate(item)
        names = [item.name, *place.names]
        return next((self._files[name] for name in names if name in self._files), None), place


def _locate(item: Item) -> _Place:
    image, name = item.image, item.name
    window: Window | None = None
    if isinstance(image, ImageBlock):
        window, name = image.window, name.rpartition("@")[0]
        image = image.whole
    file = getattr(image, "file", None)
    file = file if isinstance(file, FilePart) else None
    if file is not None and file.part:
        name = name.removesuffix(f"/{file.part}")
    return _Place(name, file, window, image.shape[:2])


def require_class(prediction: object, predicted: np.ndarray, target: object, true: np.ndarray) -> None:
    """Raise MisuseError where a prediction has no class and the target one; both are (H, W) class indices.

    Args:
        prediction: What the error calls it.
        predicted: Its pixels.
        target: What the error calls it.
        true: Its pixels.
    """
    if undecided := int(((predicted == IGNORE_INDEX) & (true != IGNORE_INDEX)).sum()):
        raise MisuseError(
            f"{prediction}: {undecided:,} pixels have the value of ignored ones where {target} has a class; a "
            "prediction needs a class there."
        )
