"""Images and their masks: every image has some, every mask an image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from segapp.datasets.layout import Found, MaskPattern
from segapp.datasets.masks.encoding import MaskFile
from segapp.datasets.pairing_advice import missing_masks
from segapp.errors import MisuseError

SHOWN = 3


class Pairing:
    """The masks of images.

    Attributes:
        found: Every image by its name.
        images: The pattern they were found by.
        pattern: Finds the masks.
        several: Whether one image may have several.
    """

    def __init__(self, found: Mapping[str, Found], images: str, pattern: MaskPattern, several: bool) -> None:
        self.found, self.images, self.pattern, self.several = found, images, pattern, several

    def masks(self, names: Sequence[str]) -> dict[str, list[MaskFile]]:
        """Return the mask files of each image; MisuseError unless every image has some, and every mask an image."""
        masks = {name: self.pattern.files(self.found[name]) for name in names}
        if without := [name for name, files in masks.items() if not files]:
            raise missing_masks([self.found[name] for name in without], len(names), self.images, self.pattern)
        if not self.several:
            self._require_one_mask_each(masks)
        self._require_images()
        self._require_one_image_each(masks)
        return masks

    def _require_one_mask_each(self, masks: Mapping[str, list[MaskFile]]) -> None:
        twice = [name for name, files in masks.items() if len(files) > 1]
        if twice:
            paths = ", ".join(str(file.path.name) for file in masks[twice[0]][:SHOWN])
            raise MisuseError(
                f"{self.pattern.root}: {len(twice)} images have several masks, such as {twice[0]!r}: {paths}. "
                "Correct `masks`, or say what they are with mask segapp.datasets.Instances or PerClass."
            )

    def _require_one_image_each(self, masks: Mapping[str, list[MaskFile]]) -> None:
        """Refuse what two names claim: of `{name}_*` both `cell_1` and `cell_1_2` would take what is cell_1_2's."""
        owner: dict[Path, str] = {}
        for name, files in masks.items():
            for file in files:
                other = owner.setdefault(file.path, name)
                if other != name and (name.startswith(other) or other.startswith(name)):
                    raise MisuseError(
                        f"{file.path} is a mask of both {other!r} and {name!r} by the pattern "
                        f"{self.pattern.pattern!r}; rename files, or make the pattern end where the name does."
                    )

    def _require_images(self) -> None:
        known = {file.path for image in self.found.values() for file in self.pattern.files(image)}
        known |= {image.path for image in self.found.values()}
        orphans = sorted(str(path.relative_to(self.pattern.root)) for path in self.pattern.everything() - known)
        if orphans:
            more = f" … and {len(orphans) - SHOWN} more" if len(orphans) > SHOWN else ""
            raise MisuseError(
                f"{self.pattern.root}: {len(orphans)} masks have no image under {self.images!r}: "
                f"{', '.join(orphans[:SHOWN])}{more}. "
                "Names must agree (all but the suffix); correct `images` or `masks`, or move these away."
            )
