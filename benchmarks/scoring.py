"""Scores of pairs of masks beside reading their files and beside torchmetrics: CPU milliseconds for each pair.

Masks of 1024 x 1024 and 20 classes are smooth noise; a prediction is the same noise with other noise added.
"""

import argparse
import statistics
from pathlib import Path

import cv2
import numpy as np
import torch
from interleaved import CLOCKS, Step, interleaved, machine, table
from torchmetrics.functional.segmentation import dice_score, mean_iou

from segapp.io import read_raw
from segapp.metrics import TEST_SCORES, Comparison, Score, ScoreCollector

SIDE, CLASSES, PAIRS = 1024, 20, 4
FOLDER = Path("data/benchmarks/scoring")


def draw(rng: np.random.Generator, scale: float, error: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a prediction and a mask, (SIDE, SIDE) uint8, of regions about `scale` pixels wide."""
    truth, noise = (_smooth(rng, scale) for _ in range(2))
    predicted = (truth + error * noise).argmax(0)
    return predicted.astype(np.uint8), truth.argmax(0).astype(np.uint8)


def _smooth(rng: np.random.Generator, scale: float) -> np.ndarray:
    fields = rng.standard_normal((CLASSES, SIDE, SIDE), dtype=np.float32)
    smooth = np.stack([cv2.GaussianBlur(field, (0, 0), scale) for field in fields])
    return smooth / smooth.std()


def write_pairs(scale: float, error: float) -> list[tuple[Path, Path]]:
    """Write the pairs as PNG, unless they exist, and return their paths."""
    rng, files = np.random.default_rng(0), []
    folder = FOLDER / f"{scale:g}_{error:g}"
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(PAIRS):
        pair = (folder / f"{index}_predicted.png", folder / f"{index}_mask.png")
        if not all(path.exists() for path in pair):
            for path, pixels in zip(pair, draw(rng, scale, error), strict=True):
                cv2.imwrite(str(path), pixels)
        files.append(pair)
    return files


def score_with(kinds: tuple[type[Score], ...], pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> Step:
    """Return a step that scores all pairs by Dice, IoU and further scores."""
    classes = [f"class {index}" for index in range(CLASSES)]

    def step() -> None:
        collector = ScoreCollector(classes, 0, kinds)
        for index, pair in enumerate(pairs):
            collector.update(*pair, str(index))

    return step


def score_alone(kind: type[Score], pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> Step:
    """Return a step that computes one score of all pairs, with all that it needs."""
    score = kind([str(index) for index in range(CLASSES)], 0)
    return lambda: [score.update(Comparison(*pair, CLASSES)) for pair in pairs]


def score_by_torchmetrics(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> Step:
    """Return a step that computes the Dice and IoU of torchmetrics."""

    def step() -> None:
        for prediction, mask in pairs:
            both = prediction[None].long(), mask[None].long()
            dice_score(*both, num_classes=CLASSES, average=None, input_format="index")
            mean_iou(*both, num_classes=CLASSES, per_class=True, input_format="index")

    return step


def measure(scale: float, error: float, blocks: int, clock: str) -> str:
    """Return the table of one kind of masks."""
    files = write_pairs(scale, error)
    arrays = [tuple(map(read_raw, pair)) for pair in files]
    pairs = [tuple(torch.from_numpy(one.squeeze().copy()) for one in pair) for pair in arrays]
    arms: dict[str, Step] = {
        "reading the two PNGs": lambda: [read_raw(path) for pair in files for path in pair],
        "a validation: Dice and IoU": score_with((), pairs),
        "a test: all scores": score_with(TEST_SCORES, pairs),
        **{f"`{kind.__name__}` alone": score_alone(kind, pairs) for kind in TEST_SCORES},
        "torchmetrics: Dice and IoU": score_by_torchmetrics(pairs),
    }
    seconds = interleaved(arms, blocks, 1, CLOCKS[clock], warm=1)
    reading = statistics.median(seconds["reading the two PNGs"])
    rows = [
        (name, f"{1000 * statistics.median(times) / len(pairs):.1f}", f"{statistics.median(times) / reading:.2f}")
        for name, times in seconds.items()
    ]
    wrong = np.mean([float((prediction != mask).float().mean()) for prediction, mask in pairs])
    title = f"regions of about {scale:g} pixels, {100 * wrong:.0f} % of the pixels wrong:"
    return f"{title}\n\n" + table(("what", "ms for a pair", "beside reading"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for scale, error in ((40, 0.02), (40, 0.1)):
        print(measure(scale, error, options.blocks, options.clock), "\n")
    print(machine("torchmetrics", "scipy", "opencv-python-headless"))


if __name__ == "__main__":
    main()
