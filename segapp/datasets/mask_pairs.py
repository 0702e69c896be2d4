"""Two folders of masks, paired by name: files, volumes and series in any format that is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io import FilePart, count_times, list_images, list_slices, name_image, walk_folders


@dataclass(frozen=True)
class MaskPair:
    """Two mask files of one name."""

    name: str
    """The path in its folder, without suffix."""
    prediction: Path
    target: Path

    def list_slices(self) -> list[tuple[str, FilePart, FilePart]]:
        """Return the name, the prediction and the target of every slice; of files that are no volumes the files.

        Raises:
            MisuseError: The files have different slices.
            SegappError: One of them cannot be read.
        """
        targets = list_slices(self.target, "auto")
        axis = targets[0].part.partition("=")[0]
        predictions = list_slices(self.prediction, axis if axis in ("axial", "coronal", "sagittal") else "auto")  # type: ignore[arg-type]
        is_alike = [one.part for one in predictions] == [one.part for one in targets]
        if not is_alike or count_times(predictions[0]) != count_times(targets[0]):
            raise MisuseError(
                f"{self.prediction}: has {_count_slices(predictions)}, but {self.target} has {_count_slices(targets)}; "
                "a prediction has the size of its mask."
            )
        return [
            (f"{self.name}/{target.part}" if target.part else self.name, prediction, target)
            for prediction, target in zip(predictions, targets, strict=True)
        ]


def pair_masks(predictions: Path, targets: Path) -> list[MaskPair]:
    """Pair the files of two folders by their names without suffix, in the order of the names.

    Raises:
        MisuseError: A folder does not exist or holds no image, two files have one name, or a file is alone.
    """
    ours, theirs = list_named_images(predictions), list_named_images(targets)
    require_same_names(predictions, ours, targets, theirs)
    return [MaskPair(name, ours[name], theirs[name]) for name in sorted(ours)]


def require_same_names(predictions: Path, ours: Mapping[str, Path], targets: Path, theirs: Mapping[str, Path]) -> None:
    """Raise MisuseError unless both folders have files of the same names."""
    if alone := sorted(ours.keys() ^ theirs.keys()):
        folder, other = (targets, ours) if alone[0] in ours else (predictions, theirs)
        raise MisuseError(
            f"{folder}: has no file {alone[0]} for {other[alone[0]]} ({len(alone)} files are in one folder only). "
            "Predictions and masks need the same names; suffixes may differ."
        )


def list_named_images(folder: Path) -> dict[str, Path]:
    """Return the image files below a folder by their paths in it, without suffix; raise MisuseError."""
    if not folder.is_dir():
        raise MisuseError(f"there is no folder {folder}.")
    named: dict[str, Path] = {}
    for place, names in walk_folders(folder):
        for image in list_images(place, names):
            name = name_image(image, folder)
            if named.setdefault(name, image.path) != image.path:
                raise MisuseError(f"{image.path} and {named[name]} have the same name; rename one.")
    if not named:
        raise MisuseError(f"{folder}: holds no image files.")
    return named


def _count_slices(parts: tuple[FilePart, ...]) -> str:
    if not parts[0].part:
        return "no slices"
    times = count_times(parts[0])
    return f"{len(parts)} slices at {times} times" if times > 1 else f"{len(parts)} slices"
