"""The images and masks on which predictions of other tools are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segapp.datasets import Item, Source
from segapp.errors import MisuseError
from segapp.lab.compare.runs import ScoredOn
from segapp.loading.source_building import build_source
from segapp.system.yaml_files import read_yaml


@dataclass(frozen=True)
class Truth:
    """Images and their true masks.

    Attributes:
        where: The file or the run that describes them.
        source: The data set.
        items: Those that are scored, by name.
    """

    where: Path
    source: Source
    items: Mapping[str, Item]

    @property
    def groups(self) -> dict[str, str]:
        """The group of each image."""
        return {item.name: item.group for item in self.items.values()}


def read_section(path: Path) -> Source:
    """Return the data set that a data section describes; raise MisuseError."""
    section = read_yaml(path)
    section = section.get("data", section) if isinstance(section, dict) else section
    source = section.get("source") if isinstance(section, dict) else None
    if not isinstance(source, dict) or "class_path" not in source:
        raise MisuseError(f"{path}: has no `source` with a class_path; configs/data/mine.yaml is an example.")
    return build_source(path, {"source": source})


def find_truth(where: Path, source: Source, score_on: ScoredOn, names: Sequence[str]) -> Truth:
    """Return the images of these names, or where none is given those of a split.

    A data set without test images is one of test images.

    Raises:
        MisuseError: An image is missing, or there is none.
    """
    items = {item.name: item for item in source.items("test" if score_on == "test" else "val")}
    if not names and not items and score_on == "test":
        items = {item.name: item for item in source.select(source.item_names())}
    if not names and not items:
        raise MisuseError(f"{where}: has no validation images; leave out --score_on, or add a `split`.")
    if missing := [name for name in names if name not in items]:
        known = set(source.item_names())
        if lost := [name for name in missing if name not in known]:
            raise MisuseError(
                f"{where}: {len(lost)} of {len(names)} images on which runs were scored are not in its data, such as "
                f"{lost[0]!r}; restore them, or describe the data that were scored with --data FILE."
            )
        items |= {item.name: item for item in source.select(missing)}
    chosen = {name: items[name] for name in (names or items)}
    return Truth(where, source, chosen)


def read_target(item: Item) -> np.ndarray:
    """Return the class indices (H, W) of an image, 255 = ignored; raise MisuseError where it has no mask."""
    if item.mask is None:
        raise MisuseError(f"the image {item.name!r} has no mask by which predictions could be scored.")
    return item.mask.read()
