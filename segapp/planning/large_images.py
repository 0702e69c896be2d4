"""Choose the blocks into which one or two large images are cut, where whole images are too few to divide."""

from collections.abc import Sequence

from segapp.datasets.block_geometry import list_windows
from segapp.planning.decisions import Decision

SIDES = (1024, 512, 256, 128)
"""Sides of blocks that are tried, the largest first: crops and objects lie inside a block."""
MIN_BLOCKS = 12
"""Fewest blocks: two each for validation and the test, and enough to train on."""
FRACTION = 0.15
GAP_DIVISOR = 16
"""The gap is the side of a block divided by this."""
LARGE_ENOUGH = "an image of 384 x 512 pixels or more, which is cut into blocks"


def choose_blocks(sizes: Sequence[tuple[int, int]], prefix: str = "data.source.init_args") -> list[Decision]:
    """Return the split of images of these heights and widths by blocks; nothing where they are too small."""
    for side in SIDES:
        count = sum(len(list_windows(size, side)) for size in sizes)
        if count >= MIN_BLOCKS:
            return [Decision(f"{prefix}.split", _make_split(side), _explain(sizes, side, count))]
    return []


def _make_split(side: int) -> dict[str, object]:
    fractions = {"val": FRACTION, "test": FRACTION}
    settings = {"size": side, "gap": side // GAP_DIVISOR, **fractions, "seed": 0, "stratify": True}
    return {"class_path": "segapp.datasets.Blocks", "init_args": settings}


def _explain(sizes: Sequence[tuple[int, int]], side: int, count: int) -> str:
    found = " and ".join(f"{height} x {width}" for height, width in sizes)
    images = "One image" if len(sizes) == 1 else f"{len(sizes)} images"
    return (
        f"{images} of {found} pixels cannot be divided, so {count} blocks of up to {side} x {side} are: {FRACTION} of "
        f"them for validation and as many for the test, {side // GAP_DIVISOR} pixels from those of another split. "
        "Scores are those of the rest of the scene, not of another one."
    )
