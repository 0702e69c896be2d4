"""Presets of augmentations, each for one kind of image."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import albumentations as A

from segapp.errors import MisuseError
from segapp.transforms.geometry import Affine, Flips, Geometry


class Preset(ABC):
    """A geometry and transforms of pixel values that suit one kind of image."""

    geometry: tuple[Geometry, ...]

    @abstractmethod
    def make_transforms(self, channels: int) -> Sequence[A.BasicTransform | A.BaseCompose]:
        """Return the transforms of pixel values, for images of so many channels."""


class Natural(Preset):
    """Photographs: mirrored left to right, turned by up to 10°, zoomed by 0.75 to 1.5; colour and blur."""

    def __init__(self) -> None:
        self.geometry = (Flips(), Affine(rotate=10, scale=(0.75, 1.5)))

    def make_transforms(self, channels: int) -> list[A.BasicTransform]:
        """List the value transforms: hue and saturation exist for 3 channels.

        Other images vary in brightness and contrast.
        """
        colour = (
            A.ColorJitter((0.7, 1.3), (0.7, 1.3), (0.7, 1.3), (-0.04, 0.04), p=0.5)
            if channels == 3
            else A.RandomBrightnessContrast(0.3, 0.3, p=0.5)
        )
        return [colour, A.GaussianBlur(sigma_limit=(0.5, 1.5), p=0.1)]


class Microscopy(Preset):
    """Images without an up: all mirrorings and turns, zoom by 0.75 to 1.33; brightness, gamma, blur, noise."""

    def __init__(self) -> None:
        self.geometry = (
            Flips(horizontal=True, vertical=True, turns=True),
            Affine(rotate=45, scale=(0.75, 1.33), p=0.3),
        )

    def make_transforms(self, channels: int) -> list[A.BasicTransform]:
        """List the value transforms, the same for any number of channels."""
        return [
            A.RandomBrightnessContrast(0.2, 0.2, p=0.5),
            A.RandomGamma((70, 150), p=0.3),
            A.GaussianBlur(sigma_limit=(0.5, 1.5), p=0.1),
            A.GaussNoise(std_range=(0.01, 0.06), p=0.15),
        ]


class Medical(Preset):
    """Scans with an up and a side: turned by up to 15°, zoomed by 0.7 to 1.4, never mirrored; as nnU-Net."""

    def __init__(self) -> None:
        self.geometry = (Affine(rotate=15, scale=(0.7, 1.4), p=0.4),)

    def make_transforms(self, channels: int) -> list[A.BasicTransform]:
        """List the value transforms, the same for any number of channels."""
        return [
            A.GaussNoise(std_range=(0.01, 0.1), p=0.1),
            A.GaussianBlur(sigma_limit=(0.5, 1.0), p=0.1),
            A.RandomBrightnessContrast(0.25, 0.25, p=0.3),
            A.RandomGamma((70, 150), p=0.3),
        ]


class Photometric(Preset):
    """Changes of values alone: light and colour of photographs, contrast and gamma of others, focus and resolution.

    Args:
        noise: Largest standard deviation of Gaussian noise, of the range [0, 1]; 0 for none.
    """

    def __init__(self, noise: float = 0.0) -> None:
        if not 0 <= noise < 1:
            raise MisuseError(f"Photometric: noise must be a standard deviation in [0, 1), got {noise}.")
        self.geometry = ()
        self.noise = noise

    def make_transforms(self, channels: int) -> list[A.BasicTransform | A.BaseCompose]:
        """Return colour jitter for 3 channels; for others brightness, contrast, and gamma of the image or its negative.

        The gamma of the negative, the blur and the lower resolution are those of nnU-Net (Isensee et al. 2021).
        """
        gamma = A.RandomGamma((70, 150), p=1.0)
        negative = A.Sequential([A.InvertImg(p=1.0), gamma, A.InvertImg(p=1.0)], p=0.1)
        colour = A.ColorJitter((0.7, 1.3), (0.7, 1.3), (0.7, 1.3), (-0.04, 0.04), p=0.5)
        grey = [A.RandomBrightnessContrast(0.2, 0.2, p=0.5), A.RandomGamma((70, 150), p=0.3), negative]
        sharpness = [A.GaussianBlur(sigma_limit=(0.5, 1.5), p=0.1), A.Downscale(scale_range=(0.5, 0.9), p=0.1)]
        noisy = [A.GaussNoise(std_range=(self.noise / 5, self.noise), p=0.15)] if self.noise else []
        return [*([colour] if channels == 3 else grey), *sharpness, *noisy]
