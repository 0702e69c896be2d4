"""Compares the scores of `segapp test` with references by SciPy on random and adversarial masks.

A reference looks at one class at a time: distance transforms instead of look-ups and trees, labelled regions instead
of runs, filters of each mask instead of one of the class map. The largest difference of each score is printed; above
1e-6 the command fails.
"""

import argparse
import math
from collections import defaultdict

import numpy as np
import torch
from scipy import ndimage

from segapp.metrics import TEST_SCORES, ScoreCollector

LIMIT = 1e-6
CORNERS = np.ones((3, 3))
THRESHOLDS = [percent / 100 for percent in range(50, 100, 5)]
Values = dict[str, float]


def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Return a prediction, a mask with ignored pixels now and then, and the number of classes."""
    shape, classes = tuple(rng.integers(1, 33, 2)), int(rng.integers(1, 6))
    kind = rng.integers(6)
    if kind == 0:  # noise
        pair = rng.integers(0, classes, (2, *shape))
    elif kind == 1:  # regions, of which some are equal
        first = _smooth(rng, classes, shape)
        pair = np.stack([first + rng.choice([0, 0.1, 0.5]) * _smooth(rng, classes, shape), first]).argmax(1)
    elif kind == 2:  # one class in each, and single pixels
        pair = np.broadcast_to(rng.integers(0, classes, (2, 1, 1)), (2, *shape)).copy()
        for index in range(2):
            pair[(index, *(rng.integers(side) for side in shape))] = rng.integers(classes)
    elif kind == 3:  # stripes one pixel wide, moved
        stripes = np.indices(shape).sum(0) % classes
        pair = np.stack([np.roll(stripes, rng.integers(2), rng.integers(2)), stripes])
    elif kind == 4:  # a copy that is moved far
        mask = _smooth(rng, classes, shape).argmax(0)
        pair = np.stack([np.roll(mask, tuple(rng.integers(0, 16, 2)), (0, 1)), mask])
    else:  # one class in each
        pair = np.broadcast_to(rng.integers(0, classes, (2, 1, 1)), (2, *shape)).copy()
    prediction, mask = pair.astype(np.uint8)
    if rng.random() < 0.5:
        mask[rng.random(shape) < rng.choice([0.05, 0.5, 0.95, 1])] = 255
    return prediction, mask, classes


def _smooth(rng: np.random.Generator, classes: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 2) for _ in range(classes)])


def refer(prediction: np.ndarray, mask: np.ndarray, label: int) -> Values:
    """Return the scores of one class in one image; none where it is in neither mask."""
    known = mask != 255
    found, true = (prediction == label) & known, (mask == label) & known
    if not found.any() and not true.any():
        return {}
    return refer_overlap(found, true, known) | refer_boundaries(found, true, known) | refer_objects(found, true)


def refer_overlap(found: np.ndarray, true: np.ndarray, known: np.ndarray) -> Values:
    """Return scores of pixels, and the boundary IoU."""
    tp, fp, fn = (int(each.sum()) for each in (found & true, found & ~true, true & ~found))
    width = max(1, round(0.02 * math.hypot(*true.shape)))
    near = [
        each & known & (ndimage.minimum_filter(each | ~known, 2 * width + 1, mode="constant", cval=1) == 0)
        for each in (found, true)
    ]
    union = (near[0] | near[1]).sum()
    both = float(found.any() and true.any())
    values = {"dice": 2 * tp / (2 * tp + fp + fn), "iou": tp / (tp + fp + fn)}
    values["boundary_iou"] = (near[0] & near[1]).sum() / union if union else both
    values["volume_similarity"] = 1 - abs(fp - fn) / (2 * tp + fp + fn)
    if tp + fp:
        values["precision"] = tp / (tp + fp)
    if tp + fn:
        values["recall"] = tp / (tp + fn)
    return values


def refer_boundaries(found: np.ndarray, true: np.ndarray, known: np.ndarray) -> Values:
    """Return scores of distances, by distance transforms."""
    edges = [each & ndimage.binary_dilation(known & ~each) for each in (found, true)]
    if found.any() and true.any() and not edges[0].any() and not edges[1].any():
        return {"surface_dice": 1, "hd95": 0, "hd": 0, "assd": 0}
    if not (edges[0].any() and edges[1].any()):
        return {"surface_dice": 0} | dict.fromkeys(("hd95", "hd", "assd"), math.hypot(*true.shape))
    there, back = (ndimage.distance_transform_edt(~b)[a] for a, b in (edges, edges[::-1]))
    both = np.concatenate([there, back])
    far = max(np.percentile(there, 95), np.percentile(back, 95))
    return {"surface_dice": (both <= 2).mean(), "hd95": far, "hd": both.max(), "assd": both.mean()}


def refer_objects(found: np.ndarray, true: np.ndarray) -> Values:
    """Return scores of objects, by labelled regions and all pairs of them."""
    (ours, count), (theirs, objects) = (ndimage.label(each, CORNERS) for each in (found, true))
    shared = np.zeros((objects + 1, count + 1))
    np.add.at(shared, (theirs, ours), 1)
    areas, found_areas, shared = shared[1:].sum(1, keepdims=True), shared[:, 1:].sum(0), shared[1:, 1:]
    iou = shared / (areas + found_areas - shared)
    matched = [(iou > threshold).sum() for threshold in THRESHOLDS]
    quality = iou[iou > 0.5].sum() / ((objects + count) / 2)
    values = {"pq": quality, "object_f1": 2 * matched[0] / (objects + count), "count_error": abs(objects - count)}
    values["object_ap"] = np.mean([hits / (objects + count - hits) for hits in matched])
    return values | {"object_ap75": matched[5] / (objects + count - matched[5])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng, largest, scored = np.random.default_rng(options.seed), defaultdict[str, float](float), 0
    for case in range(options.cases):
        prediction, mask, classes = draw(rng)
        collector = ScoreCollector([str(label) for label in range(classes)], None, TEST_SCORES)
        collector.update(torch.from_numpy(prediction), torch.from_numpy(mask), str(case))
        flat = collector.compute().flat
        for label in range(classes):
            expected = refer(prediction, mask, label)
            scored += bool(expected)
            for name in expected or ("dice", "pq", "hd95", "boundary_iou"):
                value = flat[f"{name}/image/{label}"]
                wrong = abs(value - expected[name]) if expected else float(not math.isnan(value))
                largest[name] = max(largest[name], math.inf if math.isnan(wrong) else wrong)
    for name, difference in sorted(largest.items()):
        print(f"{name:20} {difference:.1e}")
    print(f"{options.cases} pairs of masks, {scored} classes that occur; seed {options.seed}")
    if max(largest.values()) > LIMIT:
        raise SystemExit(f"a score differs by more than {LIMIT}")


if __name__ == "__main__":
    main()
