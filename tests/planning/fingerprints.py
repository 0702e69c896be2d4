"""Fingerprints of made-up data sets."""

import numpy as np

from segapp.planning.fingerprint import Fingerprint, ImageFacts
from segapp.planning.object_sizes import ObjectSizes
from segapp.planning.symmetry import Arrangement


def facts(name, size=(64, 64), counts=(90, 10), thumbnail=None, extents=(20,), dtype="uint8", mean=(0.5,)):
    sides = np.array(extents, np.float32)
    objects = ObjectSizes(1, np.square(sides), sides, max(10.0, extents[0] / 10))
    return ImageFacts(
        name=name,
        group=name,
        size=size,
        dtype=dtype,
        is_grey=len(mean) == 1,
        mean=np.array(mean),
        variance=np.full(len(mean), 0.04),
        histogram=np.full(32, 1 / 32),
        counts=np.array(counts),
        ignored=0,
        objects=(objects,),
        arrangement=Arrangement(np.zeros((2, 8, 8), np.float32), np.zeros(16, np.float32)),
        thumbnail=np.zeros((4, 4), np.float32) if thumbnail is None else thumbnail,
    )


def fingerprint(*images, background=0):
    return Fingerprint(("background", "object"), background, images, len(images))
