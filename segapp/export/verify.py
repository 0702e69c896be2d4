"""Compare an exported network with the original one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from segapp.errors import SegappError
from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import Runtime
from segapp.spec import Precision, Spec


@dataclass(frozen=True)
class Tolerance:
    """Differences up to which an exported network counts as the same."""

    delta: float
    """Largest |Δlogit|, as a fraction of the largest |logit|."""
    changed: float
    """Fraction of the pixels whose class changes."""


TOLERANCES = {
    "fp32": Tolerance(1e-4, 1e-4),  # other orders of summation: seen up to 2e-6, no class changed
    "fp16": Tolerance(5e-2, 5e-3),  # weights of 11 bits: seen up to 6e-3 and 4e-4
    "bf16": Tolerance(2.5e-1, 1.5e-2),  # weights and features of 8 bits: seen up to 6e-2 and 6e-3
    "int8": Tolerance(5e-1, 4e-2),  # features of 256 steps: seen up to 3.2e-1, in single pixels, and 3.9e-2
}
"""At least about twice the differences of three networks on two real data sets: the table in docs/export.md."""


@dataclass(frozen=True)
class Check:
    """One comparison, over all images and one call of another batch and size."""

    precision: Precision
    max_delta: float
    max_logit: float
    changed: float
    tolerance: Tolerance

    @property
    def passed(self) -> bool:
        """Whether both are within the tolerance; logits that are not finite never are."""
        return self.max_delta <= self.tolerance.delta * self.max_logit and self.changed <= self.tolerance.changed

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self) | {"allowed_delta": self.tolerance.delta * self.max_logit, "passed": self.passed}

    def __str__(self) -> str:
        allowed = self.tolerance.delta * self.max_logit
        return (
            f"in {self.precision}: max |Δlogit| {self.max_delta:.2e} of {self.max_logit:.3g} (allowed {allowed:.2e}), "
            f"pixels whose class changes {self.changed:.4%} (allowed {self.tolerance.changed:.4%})"
        )


def compare_runtimes(
    reference: Runtime, exported: Runtime, spec: Spec, images: Sequence[ArrayImage], tolerance: Tolerance
) -> Check:
    """Compare both on every image through the engine of inference, and on one batch of another size."""
    plain = replace(spec, symmetries=(), scales=(1.0,), min_object=(), min_hole=())
    first, second = Engine(reference, plain), Engine(exported, plain)
    pairs = [
        (reference.to_numpy(one.logits), exported.to_numpy(two.logits))
        for image in tqdm(images, desc=f"verifying in {spec.precision}", unit="image", leave=False, disable=None)
        for one, two in zip(first.compute_bands(image), second.compute_bands(image), strict=True)
    ]
    batch = make_odd_images(images, spec)
    one, two = reference.to_numpy(reference(batch)), exported.to_numpy(exported(batch))
    if one.shape != two.shape:
        raise SegappError(
            f"for images of {batch.shape} the exported network returns logits of {two.shape} instead of {one.shape}."
        )
    pairs += list(zip(one, two, strict=True))
    return Check(
        spec.precision,
        max_delta=float(np.max([np.abs(two - one).max() for one, two in pairs])),  # a NaN anywhere is the result
        max_logit=float(np.max([np.abs(one).max() for one, _ in pairs])),
        changed=sum(int((two.argmax(0) != one.argmax(0)).sum()) for one, two in pairs)
        / sum(one[0].size for one, _ in pairs),
        tolerance=tolerance,
    )


def make_odd_images(images: Sequence[ArrayImage], spec: Spec) -> np.ndarray:
    """Make (2, C, h, w) of odd sides, cropped or repeated from the first and the last image."""
    height, width = spec.window[0] // 2 + 33, spec.window[1] // 2 + 66
    height, width = height + 1 - height % 2, width + width % 2
    parts = []
    for image in (images[0], images[-1]):
        pixels = image.pixels[:height, :width]
        repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
        parts.append(np.tile(pixels, repeats)[:height, :width])
    return np.stack(parts).transpose(0, 3, 1, 2)
