"""The worst, median and best images of a test."""

import cv2
import numpy as np
import pytest

from segapp.report.cases import (
    CONFUSED,
    INVENTED,
    MISSED,
    OF_EACH_KIND,
    Case,
    CaseKeeper,
    choose_cases,
    draw_case,
    paint_errors,
)
from segapp.spec import Spec

SPEC = Spec(("ground", "cell", "wall"), 0, ((0, 0, 0), (255, 0, 0), (0, 0, 255)), 1)


def make_case(score, name="a"):
    return Case(name, score, 4, 4, b"", {})


def test_a_dozen_pictures_are_kept_and_few_are_drawn():
    drawn, scores = [], np.random.default_rng(0).permutation(np.arange(1000) / 1000).tolist()
    keeper = CaseKeeper()
    for index, score in enumerate(scores):
        keeper.offer(
            f"{index}", score, lambda score=score, index=index: drawn.append(index) or make_case(score, f"{index}")
        )
        assert len(keeper.cases) <= 3 * OF_EACH_KIND
    keeper.offer("none", np.nan, lambda: pytest.fail("an image without a score was drawn"))
    chosen = choose_cases(keeper.cases.values(), scores)
    assert [case.score for case in chosen["worst"]] == [0, 0.001, 0.002, 0.003]
    assert [case.score for case in chosen["best"]] == [0.999, 0.998, 0.997, 0.996]
    assert all(abs(case.score - 0.5) < 0.02 for case in chosen["median"]) and len(chosen["median"]) == 4
    assert len(drawn) < 200


def test_equal_scores_are_drawn_once_and_few_images_shown_once():
    drawn, keeper = [], CaseKeeper()
    for index in range(100):
        keeper.offer(f"{index:02}", 1.0, lambda index=index: drawn.append(index) or make_case(1.0, f"{index:02}"))
    assert len(drawn) <= 12
    few = choose_cases([make_case(0.2, "a"), make_case(0.9, "b"), make_case(0.5, "c")], [0.2, 0.9, 0.5, np.nan])
    assert {kind: [case.name for case in cases] for kind, cases in few.items()} == {
        "worst": ["a"],
        "median": ["c"],
        "best": ["b"],
    }
    assert choose_cases([], [np.nan]) == {"worst": [], "median": [], "best": []}


def test_errors_have_a_colour_of_their_kind():
    target, prediction = np.array([[0, 1, 1, 1, 255, 1]], np.uint8), np.array([[1, 0, 2, 1, 1, 1]], np.uint8)
    painted = paint_errors(target, prediction, 0)[0]
    assert [tuple(pixel[:3]) for pixel in painted[:3].tolist()] == [INVENTED, MISSED, CONFUSED]
    assert not painted[3:].any()
    assert {tuple(pixel[:3]) for pixel in paint_errors(target, prediction, None)[0, :3].tolist()} == {CONFUSED}


def test_a_large_image_is_reduced_and_its_masks_are_transparent():
    target = np.zeros((20, 1000), np.uint8)
    target[:, 500:] = 1
    case = draw_case("a", 0.5, np.full((1, 20, 1000), 0.5, np.float32), target, np.zeros_like(target), SPEC)
    image = cv2.imdecode(np.frombuffer(case.image, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (15, 768, 3) and abs(int(image[5, 5, 0]) - 128) < 3
    assert (case.height, case.width) == (20, 1000)
    shown = {
        name: cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) for name, png in case.overlays.items()
    }
    assert shown["target"][0, 0, 3] == 0 and shown["target"][0, -1].tolist()[:3] == [0, 0, 255]  # red, as BGR
    assert not shown["prediction"].any() and shown["difference"][0, -1].tolist()[:3] == [*MISSED][::-1]
