"""A microscopy data set that is generated once and then read like any folder."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from segapp.datasets.folder import Folder
from segapp.datasets.folder_images import FolderImages
from segapp.datasets.microscopy import draw_image
from segapp.datasets.source import SPLITS, SplitName
from segapp.errors import MisuseError, SegappError
from segapp.io import write_image, write_mask
from segapp.io.unfinished import open_unfinished
from segapp.spec import Intensity
from segapp.system.text_files import read_text

CLASSES = ("background", "cell", "border")
PALETTE = ((0, 0, 0), (64, 196, 255), (255, 112, 67))
RECIPE_FILE = "cells.txt"
MIN_SIZE = 32  # pixels: a nucleus and its surroundings


class Cells(Folder):
    """Bright nuclei that touch and overlap, among debris: generated once, then read like any folder.

    The first use of `items` writes `root`/{train,val,test}/{images,masks}/*.png, in seconds; making the
    object touches nothing. A `root` that holds anything else is refused, never overwritten.

    Args:
        root: Where the images are, or will be.
        size: Height and width of every image, 32 or more.
        train: Images to train on.
        val: Images to validate on.
        test: Images to test on; 0 for none.
        channels: 1 (grey) or 3 (as a colour camera sees it).
        border: Whether the rim of every nucleus is a separate class, which keeps touching nuclei apart.
        seed: Of the generator; the same seed gives the same images.
    """

    _location_setting = "root"

    def __init__(
        self,
        root: str | Path = "data/cells",
        size: int = 256,
        train: int = 96,
        val: int = 24,
        test: int = 24,
        channels: int = 1,
        border: bool = False,
        seed: int = 0,
    ) -> None:
        self.recipe = Recipe(size, train, val, test, channels, border, seed)
        super().__init__(
            root,
            CLASSES[: 2 + border],
            images="{split}/images",
            masks="{split}/masks",
            palette=PALETTE[: 2 + border],
            channels=channels,
            intensity=Intensity(),
        )

    @cached_property
    def _images(self) -> FolderImages:
        """Find the images, which are generated first where they are not there yet."""
        generate_set(self.root, self.recipe)
        return super()._images


@dataclass(frozen=True)
class Recipe:
    """Every parameter that the images depend on."""

    size: int
    train: int
    val: int
    test: int
    channels: int
    border: bool
    seed: int
    drawing: int = 1
    """Counts the changes of `microscopy.py` that change images."""

    def __post_init__(self) -> None:
        if self.size < MIN_SIZE:
            raise MisuseError(f"Cells generates images of {MIN_SIZE} pixels or more, got size={self.size}.")
        if self.channels not in (1, 3):
            raise MisuseError(f"Cells generates images of 1 or 3 channels, got channels={self.channels}.")
        if min(self.train, self.val) < 1 or self.test < 0:
            raise MisuseError(
                f"Cells needs images to train and validate on, got train={self.train}, val={self.val}, "
                f"test={self.test}."
            )
        if self.seed < 0:
            raise MisuseError(f"the seed of Cells is 0 or more, got seed={self.seed}.")

    def to_text(self) -> str:
        """Return the text that is stored beside the images."""
        lines = "".join(f"{name}: {value}\n" for name, value in asdict(self).items())
        return f"# Drawn by segapp.datasets.Cells with these arguments.\n{lines}"


def generate_set(root: Path, recipe: Recipe) -> None:
    """Generate the set in `root` unless it is there; complete or not at all, however many processes try.

    Raises MisuseError when `root` holds something else: nothing is ever overwritten.
    """
    if not _is_generated(root, recipe):
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            with open_unfinished(root, is_folder=True) as temporary:
                try:
                    _draw_all(temporary, recipe)
                    _move_into_place(temporary, root, recipe)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise SegappError(f"{root}: the cells cannot be written ({error}).") from error


def _is_generated(root: Path, recipe: Recipe) -> bool:
    record = root / RECIPE_FILE
    if record.is_file():
        if (found := read_text(record)) != recipe.to_text():
            differing = ", ".join(_find_differences(found, recipe.to_text()))
            raise MisuseError(
                f"{root}: holds Cells generated with other settings ({differing}). Set another `root`, or remove this "
                "folder to generate them again."
            )
        return True
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise MisuseError(f"{root}: is not empty and holds no Cells data set; set `root` to a new folder.")
    return False


def _find_differences(found: str, wanted: str) -> Iterator[str]:
    there = dict(line.split(": ", 1) for line in found.splitlines() if ": " in line)
    for line in wanted.splitlines():
        name, _, value = line.partition(": ")
        if value and there.get(name) != value:
            yield f"{name} {there.get(name, 'unknown')} there, {value} here"


def _draw_all(folder: Path, recipe: Recipe) -> None:
    counts: dict[SplitName, int] = {"train": recipe.train, "val": recipe.val, "test": recipe.test}
    with tqdm(total=sum(counts.values()), desc="drawing cells", unit="image", delay=2, disable=None) as progress:
        for number, split in enumerate(SPLITS):
            for index in range(counts[split]):
                # An image depends on its own number only, so a larger set begins with the images of a smaller one.
                rng = np.random.Generator(np.random.PCG64([recipe.seed, number, index]))
                image, mask = draw_image(recipe.size, recipe.channels, recipe.border, rng)
                name = f"cells_{index:04d}.png"
                write_image(folder / split / "images" / name, image[..., 0] if recipe.channels == 1 else image)
                write_mask(folder / split / "masks" / name, mask, PALETTE[: 2 + recipe.border])
                progress.update()
    (folder / RECIPE_FILE).write_text(recipe.to_text(), encoding="utf-8")


def _move_into_place(temporary: Path, root: Path, recipe: Recipe) -> None:
    try:
        temporary.rename(root)
    except OSError:
        if not _is_generated(root, recipe):  # else another process generated the same set meanwhile
            raise
