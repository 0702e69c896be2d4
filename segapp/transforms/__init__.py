"""Augmentation: segapp's presets and any transform of albumentations, as a function of a seed.

segapp's that move pixels (`Flips`, `Affine`, the first half of a preset) are sampled before a crop is read, so that
exactly the pixels they need are read and interpolated once.
"""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or every import asks the network for a newer version

from segapp.transforms.augmenter import Augmenter, Transform, use_one_thread
from segapp.transforms.geometry import Affine, Flips, Geometry
from segapp.transforms.presets import Medical, Microscopy, Natural, Photometric, Preset

__all__ = [
    "Affine",
    "Augmenter",
    "Flips",
    "Geometry",
    "Medical",
    "Microscopy",
    "Natural",
    "Photometric",
    "Preset",
    "Transform",
    "use_one_thread",
]
