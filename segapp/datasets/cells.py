"""A microscopy set that is generated once and from then on is a folder like anyone's."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from segapp.datasets.folder import Folder
from segapp.datasets.layout import Found
from segapp.datasets.microscopy import draw
from segapp.datasets.source import SPLITS, SplitName
from segapp.errors import MisuseError, SegappError
from segapp.io import write_image, write_mask
from segapp.io.unfinished import open_unfinished
from segapp.spec import Intensity
from segapp.system.text_files import read_text

CLASSES = ("background", "cell", "border")
PALETTE = ((0, 0, 0), (64, 196, 255), (255, 112, 67))
RECORD = "cells.txt"
SMALLEST = 32  # pixels: a nucleus and something around it


class Cells(Folder):
    """Bright nuclei that touch and overlap, among debris that is none: generated once, then read like any folder.

    The first use of `items` writes `root`/{train,val,test}/{images,masks}/*.png, in seconds; making the
    object touches nothing. A `root` that holds anything else is refused, never overwritten.

    Args:
        root: Where the images are, or will be.
        size: Height and width of every image, 32 or more.
        train: Images to train on.
        val: Images to validate on.
        test: Images to test on; 0 for none.
        channels: 1 (grey) or 3 (as a colour camera sees it).
        border: Whether the rim of every nucleus is a class of its own, which keeps touching ones apart.
        seed: Other images for another seed; the same ones for the same.
    """

    _place_setting = "root"

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
    def _found(self) -> dict[str, Found]:
        """Find the images, which are generated first where they are not there yet."""
        prepare(self.root, self.recipe)
        return super()._found


@dataclass(frozen=True)
class Recipe:
    """Everything the images depend on."""

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
        if self.size < SMALLEST:
            raise MisuseError(f"Cells generates images of {SMALLEST} pixels or more, got size={self.size}.")
        if self.channels not in (1, 3):
            raise MisuseError(f"Cells draws 1 or 3 channels, got channels={self.channels}.")
        if min(self.train, self.val) < 1 or self.test < 0:
            raise MisuseError(
                f"Cells needs images to train and validate on, got train={self.train}, val={self.val}, "
                f"test={self.test}."
            )
        if self.seed < 0:
            raise MisuseError(f"the seed of Cells is 0 or more, got seed={self.seed}.")

    def record(self) -> str:
        """Return the text that is kept beside the images."""
        lines = "".join(f"{name}: {value}\n" for name, value in asdict(self).items())
        return f"# Drawn by segapp.datasets.Cells with these arguments.\n{lines}"


def prepare(root: Path, recipe: Recipe) -> None:
    """Draw the set into `root` unless it is there; all of it or nothing, however many processes try.

    Raises MisuseError when `root` holds something else: nothing is ever overwritten.
    """
    if not _is_there(root, recipe):
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            with open_unfinished(root, is_folder=True) as temporary:
                try:
                    _draw_all(temporary, recipe)
                    _move(temporary, root, recipe)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise SegappError(f"{root}: the cells cannot be written ({error}).") from error


def _is_there(root: Path, recipe: Recipe) -> bool:
    record = root / RECORD
    if record.is_file():
        if (found := read_text(record)) != recipe.record():
            differing = ", ".join(_find_differences(found, recipe.record()))
            raise MisuseError(
                f"{root}: holds cells generated otherwise ({differing}); name another `root`, or remove this "
                "folder to have them generated anew."
            )
        return True
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise MisuseError(f"{root}: holds something that is no set of cells; name a new folder as `root`.")
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
                # An image depends on its own place alone, so a larger set begins like a smaller one.
                rng = np.random.Generator(np.random.PCG64([recipe.seed, number, index]))
                image, mask = draw(recipe.size, recipe.channels, recipe.border, rng)
                name = f"cells_{index:04d}.png"
                write_image(folder / split / "images" / name, image[..., 0] if recipe.channels == 1 else image)
                write_mask(folder / split / "masks" / name, mask, PALETTE[: 2 + recipe.border])
                progress.update()
    (folder / RECORD).write_text(recipe.record(), encoding="utf-8")


def _move(temporary: Path, root: Path, recipe: Recipe) -> None:
    try:
        temporary.rename(root)
    except OSError:
        if not _is_there(root, recipe):  # else another process generated the same set meanwhile
            raise
