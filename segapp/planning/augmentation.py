"""Choose the augmentations whose images could belong to the data set."""

import math
from collections.abc import Sequence
from typing import Any

from segapp.planning.decisions import Decision, change_decisions
from segapp.planning.fingerprint import Fingerprint
from segapp.planning.symmetry import Symmetry

MAX_LOG_ZOOM, MIN_LOG_ZOOM = math.log(1.5), math.log(1.15)
"""Bounds of the logarithm of the largest zoom."""
MANY_VIEWS = 10
"""Of a shorter run, which sees each pixel fewer times, mirrorings and turns are the only augmentation."""


def choose_augmentation(fingerprint: Fingerprint) -> list[Decision]:
    """Choose mirrorings and turns that are measured to be safe, zooms by the variation of sizes, and value changes."""
    flips, reason = _choose_flips(fingerprint)
    turned = 45 if flips["turns"] else 15
    zoom, spread = _choose_zoom(fingerprint)
    parts = [
        _make_part("segapp.transforms.Flips", **flips),
        _make_part("segapp.transforms.Affine", rotate=turned, scale=zoom, p=0.5 if not fingerprint.is_grey else 0.3),
        _make_part("segapp.transforms.Photometric", noise=_choose_noise(fingerprint)),
    ]
    reason += (
        f" Objects vary in length by a factor of {spread:.2g} (first to third quartile), so zooms by {zoom[0]} to "
        f"{zoom[1]} stay within what occurs."
    )
    return [Decision("data.augment", parts, reason)]


def simplify_augmentation(decisions: Sequence[Decision], views: float) -> list[Decision]:
    """Keep mirrorings and turns alone where a run sees each pixel of the training images only `views` times."""
    if views >= MANY_VIEWS:
        return list(decisions)
    *_, chosen = (decision for decision in decisions if decision.setting == "data.augment")
    reason = (
        f"This run sees each pixel only {views:.2g} times, too few to learn it by heart: zooms and changes of values "
        "would only slow it down, and are left out."
    )
    return change_decisions(decisions, {chosen.setting: chosen.value[:1]}, reason)


def _choose_flips(fingerprint: Fingerprint) -> tuple[dict[str, bool], str]:
    left, up, quarter = fingerprint.symmetries
    if math.isnan(left.asymmetry):
        both = fingerprint.is_grey
        words = "both mirrorings, as of grey images without an up" if both else "left and right only, as of photographs"
        reason = f"{len(fingerprint.images)} images are too few to measure which mirrorings are safe; {words}."
        return {"horizontal": True, "vertical": both, "turns": False}, reason
    flips = {
        "horizontal": left.is_safe,
        "vertical": up.is_safe,
        "turns": left.is_safe and up.is_safe and quarter.is_safe,
    }
    reason = ", ".join(_format_symmetry(symmetry) for symmetry in fingerprint.symmetries)
    return flips, f"How much of the images' layout is lost: {reason}."


def _format_symmetry(symmetry: Symmetry) -> str:
    return f"{symmetry.motion} {symmetry.asymmetry:.2f} ({'safe' if symmetry.is_safe else 'not safe'})"


def _choose_zoom(fingerprint: Fingerprint) -> tuple[list[float], float]:
    """Return the zooms, and the factor between the quartiles of the objects' lengths."""
    low, high = fingerprint.measure_extent(0.25), fingerprint.measure_extent(0.75)
    spread = high / low if low > 0 else 1.0
    reach = min(MAX_LOG_ZOOM, max(MIN_LOG_ZOOM, math.log(spread) / 2))
    return [round(math.exp(-reach), 2), round(math.exp(reach), 2)], spread


def _is_colour(fingerprint: Fingerprint) -> bool:
    return len(fingerprint.mean) == 3 and not fingerprint.is_grey


def _choose_noise(fingerprint: Fingerprint) -> float:
    """Return none for photographs; for others a quarter of the data set's own deviation, within what is usual."""
    return 0.0 if _is_colour(fingerprint) else min(0.06, max(0.02, round(float(fingerprint.std.mean()) / 4, 3)))


def _make_part(class_path: str, **init_args: Any) -> dict[str, Any]:
    return {"class_path": class_path, "init_args": init_args}
