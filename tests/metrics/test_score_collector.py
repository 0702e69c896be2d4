"""Scores of sets of images against loops over pixels, and the same numbers on any number of processes."""

import math
import multiprocessing
import pickle
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as distributed
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.errors import MisuseError, SegappError
from segapp.metrics import (
    Agreement,
    Boundary,
    BoundaryUnit,
    Distance,
    Evaluation,
    ScoreCollector,
    describe_calibration,
)
from tests.metrics.image_sets import CLASSES, Pair, filled, images, mean, rates


def reference(pairs: list[Pair], background: int | None) -> dict[str, float]:
    result = {}
    for which, score in enumerate(("dice", "iou")):
        per_set = [rates(pairs, c)[which] if pairs else math.nan for c in range(len(CLASSES))]
        per_image = [mean([rates([pair], c)[which] for pair in pairs]) for c in range(len(CLASSES))]
        counted = [c for c in range(len(CLASSES)) if c != background]
        result[f"{score}/dataset"] = mean([per_set[c] for c in counted])
        result[f"{score}/image"] = mean([mean([rates([pair], c)[which] for c in counted]) for pair in pairs])
        for over, values in (("dataset", per_set), ("image", per_image)):
            result |= {f"{score}/{over}/{name}": value for name, value in zip(CLASSES, values, strict=True)}
    return result


@given(st.integers(0, 2**32 - 1), st.integers(0, 7), st.sampled_from([None, 0, 3]))
@settings(deadline=None, max_examples=60)
def test_scores_are_loops_over_pixels(seed: int, count: int, background: int | None) -> None:
    pairs = images(seed, count)
    computed = filled(pairs, background).compute().flat
    expected = reference(pairs, background)
    assert computed == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert next(iter(computed)) == "dice/dataset"
    assert filled([], background).names == list(computed)


def test_distances_are_in_the_unit_of_each_images_own_pixels() -> None:
    collector = ScoreCollector(CLASSES, None, [Boundary, Distance], unit=BoundaryUnit.parse("0.3mm"))
    random = np.random.default_rng(0)
    expected = []
    for name, (height, width) in {"a": (250.0, 100.0), "b": (1000.0, 4000.0)}.items():
        prediction, target = random.integers(0, 2, (2, 9, 7), dtype=np.uint8)
        collector.update(torch.from_numpy(prediction), torch.from_numpy(target), name, pixel_size=(height, width))
        for label in (0, 1):
            there, back = measure_by_hand(prediction == label, target == label, height / 1000, width / 1000)
            both = np.concatenate([there, back])
            expected.append([(both <= 0.3).mean(), max(np.percentile(there, 95), np.percentile(back, 95)), both.max()])
    found = [
        [image.rows[1][0][label], image.rows[1][1][label], image.rows[2][0][label]]
        for image in collector.images
        for label in (0, 1)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    evaluation = collector.compute()
    assert "surface Dice within 0.3 mm" in str(evaluation)
    with pytest.raises(MisuseError, match=r"^c: its file states no size"):
        collector.update(torch.zeros(3, 3), torch.zeros(3, 3), "c")


def measure_by_hand(prediction: np.ndarray, target: np.ndarray, height: float, width: float) -> list[np.ndarray]:
    """The distances from each boundary to the other, by loops over pixels."""

    def list_boundary(mask: np.ndarray) -> list[tuple[int, int]]:
        found = []
        for y, x in np.argwhere(mask):
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            if any(0 <= v < mask.shape[0] and 0 <= u < mask.shape[1] and not mask[v, u] for v, u in near):
                found.append((int(y), int(x)))
        return found

    first, second = list_boundary(target), list_boundary(prediction)
    return [
        np.array([min(math.hypot((y - v) * height, (x - u) * width) for v, u in others) for y, x in points])
        for points, others in ((first, second), (second, first))
    ]


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_sparse_rows_sum_to_the_totals(seed: int) -> None:
    scores = filled(images(seed, 6), keep_confusion=True)
    evaluation = scores.compute()
    again = np.zeros((4, 4), np.int64)
    for image in evaluation.images:
        (counts,), cells = image.rows, image.cells
        own = np.zeros((4, 4), np.int64)
        for truth, guess, count in cells:
            assert count > 0 and own[truth, guess] == 0
            own[truth, guess] = count
        hits = own.diagonal()
        assert counts == [hits.tolist(), (own.sum(0) - hits).tolist(), (own.sum(1) - hits).tolist()]
        again += own
    np.testing.assert_array_equal(evaluation.confusion.numpy(), again)
    assert all(image.cells == [] for image in filled(images(seed, 6)).compute().images)


def test_the_order_of_images_changes_nothing() -> None:
    pairs = images(3, 30)
    forward, backward = filled(pairs), ScoreCollector(CLASSES, None)
    for index, (prediction, mask) in reversed(list(enumerate(pairs))):
        backward.update(torch.from_numpy(prediction), torch.from_numpy(mask), f"{index:03}")
    same(forward.compute().flat, backward.compute().flat)


def same(one: dict[str, float], other: dict[str, float]) -> None:
    """Bit for bit; NaN equals NaN."""
    assert {name: value.hex() for name, value in one.items()} == {name: value.hex() for name, value in other.items()}


def test_images_of_one_name_are_all_counted() -> None:
    scores = ScoreCollector(CLASSES, None)
    for prediction, mask in images(0, 4):
        scores.update(torch.from_numpy(prediction), torch.from_numpy(mask), "same")
    assert len(scores.compute().images) == 4


def test_computing_is_no_end() -> None:
    """An image after `compute` counts, and computing twice gives the same."""
    pairs = images(0, 6)
    scores = filled(pairs[:5])
    same(scores.compute().flat, filled(pairs[:5]).compute().flat)
    scores.update(torch.from_numpy(pairs[5][0]), torch.from_numpy(pairs[5][1]), "005")
    same(scores.compute().flat, filled(pairs).compute().flat)
    same(scores.compute().flat, filled(pairs).compute().flat)


def test_copies_count_apart() -> None:
    pairs = images(0, 3)
    scores = filled(pairs[:2])
    for other in (deepcopy(scores), pickle.loads(pickle.dumps(scores))):
        other.update(torch.from_numpy(pairs[2][0]), torch.from_numpy(pairs[2][1]), "002")
        same(other.compute().flat, filled(pairs).compute().flat)
    same(scores.compute().flat, filled(pairs[:2]).compute().flat)


def test_what_was_read_before_an_update_stays() -> None:
    """Spawned processes begin with the same memory: counting in place would count the images of all."""
    scores = filled(images(0, 3))
    before, kept = scores.confusion, scores.confusion.clone()
    scores.update(torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(2, 2, dtype=torch.uint8), "more")
    assert torch.equal(before, kept) and not torch.equal(scores.confusion, kept)


def test_an_image_that_cannot_be_scored_is_named_and_counts_nothing() -> None:
    scores = ScoreCollector(CLASSES, None)
    with pytest.raises(SegappError, match=r"^folder/img_7: the mask holds class 9; expected 0 … 3"):
        scores.update(torch.zeros(1, 2, dtype=torch.uint8), torch.tensor([[9, 0]]), "folder/img_7")
    assert not scores.images and not scores.confusion.any()


@pytest.mark.parametrize("background", [-1, 4])
def test_a_background_outside_the_classes_is_refused(background: int) -> None:
    with pytest.raises(SegappError, match="background"):
        ScoreCollector(CLASSES, background)


def count_probabilities(scores: ScoreCollector, mask: np.ndarray) -> None:
    """Add probabilities that are a function of the mask."""
    logits = torch.from_numpy(np.random.default_rng(int(mask.sum())).normal(size=(4, *mask.shape)))
    scores.count_probabilities(logits.float().softmax(0), torch.from_numpy(mask))


def score_epochs(folder: Path, rank: int, shares: list[Any]) -> None:
    """Score one process's images of every epoch, and write what it computed."""
    torch.set_num_threads(1)
    world = len(shares[0])
    distributed.init_process_group("gloo", init_method=f"file://{folder}/{world}", rank=rank, world_size=world)
    results = []
    for share in shares:
        scores = ScoreCollector(CLASSES, 0, [Boundary], keep_confusion=True)
        for name, prediction, mask in share[rank]:
            scores.update(torch.from_numpy(prediction), torch.from_numpy(mask), name)
            count_probabilities(scores, mask)
        results.append((scores.compute(), scores.compute()))
    if rank == 0:  # one more image here and none there: no process may answer from memory
        scores.update(*map(torch.from_numpy, shares[0][0][0][1:]), "zzz")
        count_probabilities(scores, shares[0][0][0][2])
    results.append((scores.compute(), scores.compute()))
    (folder / f"{world}-{rank}").write_bytes(pickle.dumps(results))
    distributed.barrier()
    distributed.destroy_process_group()


def score_in_processes(folder: Path, world: int, named: list[Any]) -> None:
    fork = multiprocessing.get_context("fork")
    shares = shared(world, named)
    ranks = [fork.Process(target=score_epochs, args=(folder, rank, shares)) for rank in range(world)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
    codes = [rank.exitcode for rank in ranks]
    for rank in ranks:
        rank.kill()
    assert codes == [0] * world


def shared(world: int, named: list[Any]) -> list[Any]:
    """Epochs, each with its images per process: uneven shares, all with one process, no image, uneven again."""
    uneven = [named[rank::world] for rank in range(world)]
    lonely = [[], named, *([[]] * (world - 2))]
    return [uneven, lonely, [[]] * world, uneven]


def describe(evaluation: Evaluation) -> Any:
    counts = evaluation.calibration
    return counts and describe_calibration(counts, CLASSES, 0)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute as every process of `score_epochs` does: the last bit of a softmax depends on the threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_numbers_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    """Also with uneven shares, with no image in a process or in any, and one epoch after another."""
    named = [(f"{index:03}", *pair) for index, pair in enumerate(images(0, 11))]
    for world in (2, 3):
        score_in_processes(tmp_path, world, named)

    for epoch, content in enumerate([named, named, [], named, [*named, ("zzz", *named[0][1:])]]):
        alone = ScoreCollector(CLASSES, 0, [Boundary], keep_confusion=True)
        for name, prediction, mask in content:
            alone.update(torch.from_numpy(prediction), torch.from_numpy(mask), name)
            count_probabilities(alone, mask)
        expected = alone.compute()
        for world, rank in [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]:
            for found in pickle.loads((tmp_path / f"{world}-{rank}").read_bytes())[epoch]:
                same(found.flat, expected.flat)
                assert torch.equal(found.confusion, expected.confusion)
                assert str(found.images) == str(expected.images)  # as text: NaN equals NaN
                assert describe(found) == describe(expected)


def test_a_class_that_was_not_looked_for_has_no_counts_in_an_image() -> None:
    target = torch.tensor([[0, 0, 1, 255]], dtype=torch.uint8)
    prediction = torch.tensor([[2, 0, 1, 2]], dtype=torch.uint8)
    collector = ScoreCollector(("background", "a", "b"), 0, [Boundary, Agreement], keep_confusion=True)
    collector.update(prediction, target, "x", torch.tensor([True, True, False]))
    found = collector.compute()
    assert found.confusion.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert found.flat["dice/image/a"] == found.flat["dice/dataset"] == 1
    assert math.isnan(found.flat["dice/image/b"]) and math.isnan(found.flat["surface_dice/image/b"])
    assert math.isnan(found.flat["accuracy/dataset/b"]) and found.flat["accuracy/overall"] == 1
    collector.update(prediction, target, "y")
    found = collector.compute()
    assert found.flat["dice/dataset/b"] == 0
    assert found.flat["specificity/dataset/b"] == 2 / 3  # of the second image alone
    with pytest.raises(SegappError, match="background"):
        ScoreCollector(("a", "b"), None).update(prediction, target, "x", torch.tensor([True, False]))
