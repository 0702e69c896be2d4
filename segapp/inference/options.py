"""The options that improve predictions, on the command line and in a saved spec."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from segapp.errors import MisuseError
from segapp.spec import Average, Spec, Symmetry

Augmentation = Literal["none", "horizontal", "vertical", "rotations"]


def apply_options(
    spec: Spec,
    augment: Sequence[Augmentation] = (),
    scales: Sequence[float] = (),
    average: Average | None = None,
    min_object: Sequence[str] = (),
    min_hole: Sequence[str] = (),
) -> Spec:
    """Apply options to the spec; without options it is unchanged, and `none`, 1 and 0 disable what was saved.

    `min_object` and `min_hole` are `<class>=<pixels>`, or `<pixels>` for every class but the background. Raises
    MisuseError for unknown classes, and for `none` beside others.
    """
    chosen = tuple(dict.fromkeys(name for name in augment if name != "none"))
    if "none" in augment and chosen:
        raise MisuseError(f"--augment none cannot be combined with {', '.join(chosen)}; use one of them.")
    symmetries: tuple[Symmetry, ...] = tuple(name for name in get_args(Symmetry) if name in chosen)
    return replace(
        spec,
        symmetries=symmetries if augment else spec.symmetries,
        scales=tuple(dict.fromkeys(map(float, scales))) if scales else spec.scales,
        average=average or spec.average,
        min_object=_parse_sizes("min_object", min_object, spec) if min_object else spec.min_object,
        min_hole=_parse_sizes("min_hole", min_hole, spec) if min_hole else spec.min_hole,
    )


def format_summary(spec: Spec, networks: int = 1) -> str:
    """Format the spec's options in words, or nothing: `4 views, objects of cell from 30 pixels`."""
    parts = []
    if networks > 1:
        parts.append(f"{networks} networks")
    parts += [f"seen {', '.join(spec.symmetries)}"] if spec.symmetries else []
    parts += [f"scales {', '.join(f'{scale:g}' for scale in spec.scales)}"] if spec.scales != (1.0,) else []
    parts += [f"their {spec.average} averaged"] if parts else []
    for name, sizes in (("objects", spec.min_object), ("holes", spec.min_hole)):
        kept = [f"{label} {size}" for label, size in zip(spec.classes, sizes, strict=False) if size]
        parts += [f"{name} from {', '.join(kept)} pixels"] if kept else []
    return "; ".join(parts)


def _parse_sizes(name: str, given: Sequence[str], spec: Spec) -> tuple[int, ...]:
    """Parse pixels per class; a size for one class prevails over a size for all."""
    everywhere = [word for word in given if "=" not in word]
    sizes = [0] * spec.num_classes
    for word in [*everywhere, *(word for word in given if "=" in word)]:
        label, _, number = word.rpartition("=")
        if not number.strip().isdecimal() or (label and label not in spec.classes):
            raise MisuseError(
                f"{name} must be PIXELS or CLASS=PIXELS with a class of {', '.join(spec.classes)}, got {word!r}."
            )
        for index, known in enumerate(spec.classes):
            if known == label or (not label and index != spec.background):
                sizes[index] = int(number)
    return tuple(sizes)
