"""Images of nuclei that need a network."""

import cv2
import numpy as np
import pytest

from segapp.datasets.cells import Cells
from segapp.datasets.microscopy import draw_field, draw_image, label_classes, render_photograph


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """The images that everyone gets, but fewer."""
    return Cells(tmp_path_factory.mktemp("data") / "cells", train=12, val=8, test=0)


def arrays(source: Cells, split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(item.image.read()[..., 0], item.mask.read()) for item in source.items(split)]


def test_border_encloses_cells_and_parts_touching_ones() -> None:
    instances = np.zeros((30, 40), np.int32)
    instances[5:25, 5:20] = 1
    instances[5:25, 20:35] = 2
    mask = label_classes(instances, border=True)
    assert (mask[5:25, 18:22] == 2).all()  # two pixels on each side of where they touch
    assert (mask[10:20, 8:17] == 1).all()
    assert ((mask > 0) == (instances > 0)).all()
    assert cv2.connectedComponents((mask == 1).astype(np.uint8))[0] - 1 == 2


def test_nuclei_cover_a_fair_share(default: Cells) -> None:
    shares = [mask.mean() for _, mask in arrays(default, "train")]
    assert 0.08 < np.mean(shares) < 0.25
    assert min(shares) > 0


def test_otsu_is_not_enough(default: Cells) -> None:
    val = arrays(default, "val")
    assert dice([otsu(image) for image, _ in val], [mask for _, mask in val]) < 0.70


def test_tuned_top_hat_is_not_enough(default: Cells) -> None:
    train, val = arrays(default, "train"), arrays(default, "val")
    scores = {}
    for radius in (8, 12, 16, 20, 24, 32, 40):
        lit = [otsu(top_hat(image, radius)) for image, _ in train]
        for area in (0, 20, 40, 80, 160):
            scores[dice([without_small(m, area) for m in lit], [mask for _, mask in train])] = radius, area
    radius, area = scores[max(scores)]
    found = [without_small(otsu(top_hat(image, radius)), area) for image, _ in val]
    assert dice(found, [mask for _, mask in val]) < 0.78


def otsu(image: np.ndarray) -> np.ndarray:
    return cv2.threshold(image, 0, 1, cv2.THRESH_OTSU)[1]


def top_hat(image: np.ndarray, radius: int) -> np.ndarray:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.morphologyEx(image, cv2.MORPH_TOPHAT, kernel)


def without_small(mask: np.ndarray, area: int) -> np.ndarray:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask)
    kept = statistics[:, cv2.CC_STAT_AREA] >= area
    kept[0] = False
    return kept[labels].astype(np.uint8)


def dice(found: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Foreground, counts summed over the set."""
    both = sum(int((f & t).sum()) for f, t in zip(found, truth, strict=True))
    return 2 * both / sum(int(f.sum()) + int(t.sum()) for f, t in zip(found, truth, strict=True))


def test_an_image_is_a_function_of_its_generator() -> None:
    first, second, other = (draw_image(48, 3, True, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert not (first[0] == other[0]).all()
    assert first[0].shape == (48, 48, 3) and first[0].dtype == first[1].dtype == np.uint8
    assert set(np.unique(first[1])) <= {0, 1, 2}


def test_nuclei_are_brighter_than_what_surrounds_them() -> None:
    rng = np.random.default_rng(0)
    field = draw_field(96, rng)
    image = render_photograph(field, 1, rng)[..., 0].astype(float)
    inside = field.instances > 0
    near = (cv2.dilate(inside.astype(np.uint8), np.ones((9, 9))) > 0) & ~inside & (field.debris == 0)
    assert image[inside].mean() > 1.3 * image[near].mean()
    assert (field.nuclei[~inside] == 0).all()
